"""Runs come back as finished folders: registered with their rows, and their answers put before people, blind.

A run folder counts only with its manifest, which is written last; each of its files must have the hash written there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, RunError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json, content_id, hash_file
from pitchpipe.store.importing.staging import SCHEMAS, make_task_id
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import TaskKind

_SELECT = (
    "SELECT r.id, p.name, r.kind, r.method, r.snapshot_id, r.parent_run_id, r.folder, r.summary, r.created_at "
    "FROM runs AS r JOIN projects AS p ON p.id = r.project_id"
)
REVIEW_PRIORITY = 10


@dataclass(frozen=True, slots=True)
class Run:
    """A registered run."""

    id: str
    project: str
    kind: str
    method: str | None
    snapshot_id: str | None
    parent_run_id: str | None
    folder: Path
    summary: dict[str, Any]
    created_at: datetime


def register_run(store: Store, project: str, folder: Path, actor: str = "local") -> Run:
    """Registers a finished run folder; a second call is a no-op.

    Raises:
        RunError: the folder has no manifest or one of its files is not as it was when the run ended.
    """
    target = get_project(store, project)
    manifest = _read_run_manifest(folder)
    summary_path = folder / "summary.json"
    summary = json.loads(summary_path.read_text(encoding="utf-8")) if summary_path.exists() else {}
    run_id = str(manifest["run_id"])
    relative = (
        folder.resolve().relative_to(store.workspace.resolve()) if _is_inside(folder, store) else folder.resolve()
    )
    row = [run_id, target.id, manifest["kind"], manifest.get("method"), manifest.get("snapshot_id"),
           manifest.get("parent_run_id"), str(relative), hash_file(folder / "manifest.json"), canonical_json(summary),
           utc_now()]  # fmt: skip
    rows = _read_trained_rows(folder, run_id) if manifest["kind"] == "train" else pl.DataFrame()

    def insert_run(transaction: Transaction) -> None:
        made = transaction.run(
            "INSERT INTO runs (id, project_id, kind, method, snapshot_id, parent_run_id, folder, manifest_sha256, "
            "summary, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            row,
        )
        if made[0][0]:
            transaction.insert_frame("run_rows", rows)
            record_event(transaction, actor, "register_run", run_id, {"kind": manifest["kind"]})

    store.write(insert_run)
    store.checkpoint()
    return find_run(store, run_id)


def find_run(store: Store, run_id: str) -> Run:
    """The registered run of that id (or of a unique beginning of it). Raises NotFoundError."""
    rows = store.read(f"{_SELECT} WHERE starts_with(r.id, ?) ORDER BY r.created_at", [run_id or "(none)"])
    if len(rows) != 1:
        known = ", ".join(str(row[0]) for row in store.read("SELECT id FROM runs ORDER BY created_at")) or "none"
        raise NotFoundError(f"There is {'no' if not rows else 'more than one'} run '{run_id}'.", f"Runs here: {known}.")
    return _to_run(store, rows[0])


def list_run_ids(store: Store) -> set[str]:
    """The ids of all registered runs."""
    return {str(row[0]) for row in store.read("SELECT id FROM runs")}


def list_runs(store: Store, project: str) -> list[Run]:
    """The registered runs of a project, oldest first."""
    name = get_project(store, project).name
    rows = store.read(f"{_SELECT} WHERE p.name = ? ORDER BY r.created_at, r.id", [name])
    return [_to_run(store, row) for row in rows]


def register_candidates(
    store: Store, project: str, run_id: str, overlap: int | None = None, actor: str = "local"
) -> dict[str, int]:
    """Puts a generate run's answers into the store and makes a blind comparison of the two arms for each prompt.

    Prompts for which both arms gave the same text get no task (nobody could tell them apart) and are counted as
    `identical`; those that one arm left unanswered get none either (`unpaired`). A second call adds nothing and returns
    the same counts.

    Raises:
        RunError: the run is no generate run, or its candidates file is damaged.
    """
    target, run = get_project(store, project), find_run(store, run_id)
    if run.kind != "generate":
        raise RunError(f"The run {run.id} is a {run.kind} run; it has no answers to review.", "Name a generate run.")
    now = utc_now()
    answers: dict[str, list[tuple[str, str]]] = {}
    candidates, tasks, identical, unpaired = [], [], 0, 0
    for line in (run.folder / "candidates.jsonl").read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        candidate_id = content_id("cand", [answer["example_id"], answer["text"], answer["model"], run.id])
        candidates.append((candidate_id, target.id, answer["example_id"], "model", answer["text"], answer["model"],
                           run.id, None, None, now))  # fmt: skip
        answers.setdefault(answer["example_id"], []).append((candidate_id, answer["text"]))
    for position, (example_id, pair) in enumerate(answers.items()):
        if len(pair) < 2:
            unpaired += 1
            continue
        if len({text for _, text in pair}) < 2:
            identical += 1
            continue
        ids = sorted(candidate_id for candidate_id, _ in pair)
        task_id = make_task_id(example_id, TaskKind.COMPARE, ids, run.id)
        tasks.append((task_id, target.id, example_id, "compare", canonical_json(ids), overlap or target.overlap,
                      REVIEW_PRIORITY, run.id, position, now))  # fmt: skip

    counts = {"candidates": len(candidates), "review_tasks": len(tasks), "identical": identical, "unpaired": unpaired}

    def insert_review(transaction: Transaction) -> None:
        made = transaction.insert_frame("candidates", _frame("candidates", candidates))
        transaction.insert_frame("tasks", _frame("tasks", tasks))
        if made:
            record_event(transaction, actor, "register_candidates", run.id, counts)

    store.write(insert_review)
    store.checkpoint()
    return counts


def _frame(table: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[table], orient="row")


def _read_run_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise RunError(
            f"'{folder}' is not a finished run: its manifest.json is missing or unreadable.",
            "Wait until the run has finished, or resume it with `python -m pitchpipe.training run FOLDER`.",
        ) from error
    for name, entry in manifest["files"].items():
        if not (folder / name).exists() or hash_file(folder / name) != entry["sha256"]:
            raise RunError(
                f"The file '{name}' of the run {manifest['run_id']} is missing or was changed after the run ended.",
                "Copy the whole run folder again from where it ran.",
            )
    return manifest


def _read_trained_rows(folder: Path, run_id: str) -> pl.DataFrame:
    """The rows that the model has learned from, out of the run's ledger: what answers "which models saw this?"."""
    ledger = pl.read_parquet(folder / "ledger.parquet").filter(pl.col("status").is_in(["kept", "truncated"]))
    return ledger.select(pl.lit(run_id).alias("run_id"), "row_id")


def _is_inside(folder: Path, store: Store) -> bool:
    return folder.resolve().is_relative_to(store.workspace.resolve())


def _to_run(store: Store, row: tuple[Any, ...]) -> Run:
    return Run(
        id=row[0], project=row[1], kind=row[2], method=row[3], snapshot_id=row[4], parent_run_id=row[5],
        folder=store.workspace / row[6], summary=json.loads(row[7]), created_at=row[8],
    )  # fmt: skip
