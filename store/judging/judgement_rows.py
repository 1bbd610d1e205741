"""Rows around a judgement, as submit, skip, undo and redo write them within their transaction."""

from __future__ import annotations

from typing import Any

from pitchpipe.store.database import Transaction

_JUDGEMENT_COLUMNS = (
    "id", "entry", "project_id", "task_id", "example_id", "annotator", "kind", "status", "value", "reason", "shown",
    "seconds", "rubric_hash", "guideline_hash", "supersedes", "source", "created_at", "detail",
)  # fmt: skip
_INSERT_JUDGEMENT = (
    f"INSERT INTO judgements ({', '.join(_JUDGEMENT_COLUMNS)}) VALUES ({', '.join('?' * len(_JUDGEMENT_COLUMNS))})"
)

UPSERT_DRAFT = """
INSERT INTO drafts (task_id, annotator, body, shown, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (task_id, annotator)
DO UPDATE SET body = excluded.body, shown = excluded.shown, updated_at = excluded.updated_at
"""


def select_latest(columns: str, where: str, each: str = "task_id, annotator") -> str:
    """The query for the latest row of each annotator on each task, or of whatever `each` names: the one that counts.

    Skips and retractions are among them, for they hide what came before.
    """
    latest = f"row_number() OVER (PARTITION BY {each} ORDER BY entry DESC) = 1"
    return f"SELECT {columns} FROM judgements WHERE {where} QUALIFY {latest}"


def append_judgement(transaction: Transaction, row: dict[str, Any]) -> None:
    """Adds a judgement; `detail` may be left out."""
    transaction.run(_INSERT_JUDGEMENT, [row.get(column) for column in _JUDGEMENT_COLUMNS])


def find_previous(transaction: Transaction, task_id: str, annotator: str) -> str | None:
    """The id of the annotator's own latest judgement of a task, which the next one supersedes."""
    rows = transaction.run(
        "SELECT id FROM judgements WHERE task_id = ? AND annotator = ? AND source <> 'adjudication' "
        "ORDER BY entry DESC LIMIT 1",
        [task_id, annotator],
    )
    return str(rows[0][0]) if rows else None


def read_slot(transaction: Transaction, row: dict[str, Any]) -> dict[str, Any] | None:
    """The slot that the annotator of a judgement holds on its task now, for the journal."""
    columns = ("task_id", "slot", "project_id", "annotator", "token", "shown", "claimed_at", "leased_until")
    found = transaction.run(
        f"SELECT {', '.join(columns)} FROM assignments WHERE task_id = ? AND annotator = ?",
        [row["task_id"], row["annotator"]],
    )
    return dict(zip(columns, found[0], strict=True)) if found else None


def insert_row(transaction: Transaction, table: str, row: dict[str, Any]) -> bool:
    """Adds one row, named by its columns; False when its key was there already."""
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    return bool(transaction.run(sql, list(row.values()))[0][0])
