"""Short words for tests of annotators' work: import examples, judge one task, look at what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, read_rows
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.judging.judgement_values import to_screen_value
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.records import ClaimedTask, SubmitOutcome


def add_example(
    store: Store,
    folder: Path,
    answers: list[str],
    prompt: str = "What colour is the lid?",
    split: str = "train",
    messages: list[dict[str, str]] | None = None,
) -> str:
    """Project `p` (made with overlap 3) with one more example and its answers, no tasks; returns the example's id."""
    create_project(store, "p", overlap=3, holdout_share=0.0, minimum_dwell_ms=0)
    said = messages or [{"role": "user", "content": prompt}]
    mapping, rows = folder / "desk.toml", folder / "desk.jsonl"
    mapping.write_text('kind = "write"\nprompt = "{q}"\nsplit = "{s}"\n', encoding="utf-8")
    rows.write_text(json.dumps({"q": prompt, "s": split}) + "\n", encoding="utf-8")
    import_file(store, rows, "p", mapping=mapping)
    store.write(lambda t: t.run("DELETE FROM tasks WHERE batch = '' AND kind = 'write' AND id NOT IN "
                                "(SELECT task_id FROM judgements)"))  # fmt: skip
    example_id, project_id = store.read("SELECT id, project_id FROM examples ORDER BY position DESC LIMIT 1")[0]
    store.write(lambda t: t.run("UPDATE examples SET messages = ? WHERE id = ?", [canonical_json(said), example_id]))
    for number, text in enumerate(answers):
        row = [f"{example_id}-{number}", project_id, example_id, "import", text, f"model-{number}"]
        store.write(
            lambda t, row=row: t.run(  # type: ignore[misc]
                "INSERT INTO candidates (id, project_id, example_id, origin, text, model, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, TIMESTAMP '2026-01-01')", row
            )
        )  # fmt: skip
    return str(example_id)


def claim(store: Store, annotator: str) -> ClaimedTask:
    """The annotator's next task, which must be there."""
    task = claim_next_task(store, "p", annotator)
    assert task is not None
    return task


def judge(store: Store, annotator: str, value: dict[str, Any], **more: Any) -> ClaimedTask:
    """The annotator's next task, judged with a value in stored terms, whatever order was shown."""
    task = claim(store, annotator)
    ids = json.loads(store.read("SELECT candidate_ids FROM tasks WHERE id = ?", [task.task_id])[0][0])
    screen = to_screen_value(task.kind, value, ids, [answer.candidate_id for answer in task.answers])
    outcome = submit_judgement(
        store, judgement_id=more.pop("judgement_id", f"{annotator}-{task.token}"), task_id=task.task_id,
        annotator=annotator, token=task.token, value=screen, **more,
    )  # fmt: skip
    assert outcome is SubmitOutcome.RECORDED
    return task


def freeze(store: Store, name: str = "s") -> tuple[Snapshot, list[dict[str, Any]], list[dict[str, Any]]]:
    """A snapshot of `p` with its rows and drops."""
    snapshot = create_snapshot(store, "p", name)
    return (
        snapshot,
        read_rows(snapshot.folder).to_dicts(),
        pl.read_parquet(snapshot.folder / "dropped.parquet").to_dicts(),
    )
