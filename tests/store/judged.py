"""Stores with judgements of any kind, for tests of what is made of them: only what matters is stated."""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.identity import new_id
from pitchpipe.store.projects import create_project, get_project

PROJECT = "p"


def add_example(store: Store, example: str, answers: str, model: str = "hidden-model") -> None:
    """An example named `example` whose answers are named by the letters of `answers`, prefixed with the example."""
    create_project(store, PROJECT, overlap=3, holdout_share=0.0, minimum_dwell_ms=0)
    project, now = get_project(store, PROJECT).id, utc_now()
    asked = json.dumps([{"role": "user", "content": f"The request of {example}"}])

    def insert(transaction: Any) -> None:
        transaction.run(
            "INSERT INTO examples (id, project_id, import_id, group_id, position, messages, metadata, created_at) "
            "VALUES (?, ?, 'imp', ?, 0, ?, '{}', ?)",
            [example, project, example, asked, now],
        )
        for answer in answers:
            transaction.run(
                "INSERT INTO candidates (id, project_id, example_id, origin, text, model, created_at) "
                "VALUES (?, ?, ?, 'import', ?, ?, ?)",
                [f"{example}{answer}", project, example, f"Answer {answer} to {example}", model, now],
            )
        transaction.run(
            "INSERT INTO group_splits (project_id, group_id, split, reason, created_at) "
            "VALUES (?, ?, 'train', 'hash', ?)",
            [project, example, now],
        )

    store.write(insert)


def add_task(store: Store, task: str, example: str, kind: str, answers: str, **columns: Any) -> None:
    """A task about the answers of an example; `columns` such as purpose or repeat_of."""
    row = {
        "id": task, "project_id": get_project(store, PROJECT).id, "example_id": example, "kind": kind,
        "candidate_ids": json.dumps([f"{example}{answer}" for answer in answers]), "overlap": 3, "priority": 0,
        "batch": "", "position": 0, "created_at": utc_now(), **columns,
    }  # fmt: skip
    marks = ", ".join("?" * len(row))
    store.write(lambda t: t.run(f"INSERT INTO tasks ({', '.join(row)}) VALUES ({marks})", list(row.values())))


def add_judgement(store: Store, task: str, rater: str, value: dict[str, Any], reason: str = "", **columns: Any) -> str:
    """A current judgement with its slot taken, the value in stored terms; returns its id."""
    example, kind, shown = store.read("SELECT example_id, kind, candidate_ids FROM tasks WHERE id = ?", [task])[0]
    project, now = get_project(store, PROJECT).id, utc_now()
    row = {
        "id": new_id("jdg"), "entry": new_id(), "project_id": project, "task_id": task, "example_id": example,
        "annotator": rater, "kind": kind, "status": "submitted", "value": json.dumps(value), "reason": reason,
        "shown": shown, "source": "studio", "created_at": now, **columns,
    }  # fmt: skip
    slot = store.read("SELECT count(*) + 1 FROM assignments WHERE task_id = ?", [task])[0][0]

    def insert(transaction: Any) -> None:
        marks = ", ".join("?" * len(row))
        transaction.run(f"INSERT INTO judgements ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        transaction.run(
            "INSERT INTO assignments (task_id, slot, project_id, annotator, token, shown, claimed_at) "
            "VALUES (?, ?, ?, ?, 'x', ?, ?) ON CONFLICT DO NOTHING",
            [task, slot, project, rater, shown, now],
        )

    store.write(insert)
    return str(row["id"])


def add_flag(store: Store, task: str, rater: str, words: str, kind: str = "flag") -> str:
    """An open flag or comment; returns its id."""
    row = [new_id("flag"), get_project(store, PROJECT).id, task, rater, kind, words, utc_now()]
    store.write(
        lambda t: t.run(
            "INSERT INTO flags (id, project_id, task_id, annotator, kind, words, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    )
    return str(row[0])


def prefer(side: str, strength: int | None = None) -> dict[str, Any]:
    """The value of a comparison."""
    return {"verdict": side, "strength": strength}
