"""Turns parsed rows into table rows, spooled to Parquet files in batches, so that an import of any size needs the
memory of one batch. Knows the ids; knows nothing of the engine.

Identity: an example with an external id is that id within its project; without one it is its conversation and answers.
The same file staged twice therefore yields the same ids, and the second import adds nothing.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.folders import write_frame
from pitchpipe.store.freezing.splitting import assign_split, find_group
from pitchpipe.store.identity import canonical_json, content_id, hash_text, new_id
from pitchpipe.store.records import ParsedRow, Project, RejectedRow, TaskKind

BATCH_ROWS = 5000
BATCH_CHARACTERS = 16_000_000
"""A batch is written when it has so many rows or so much text, whichever comes first."""

SCHEMAS: dict[str, dict[str, Any]] = {
    "examples": {
        "id": pl.String, "project_id": pl.String, "import_id": pl.String, "group_id": pl.String, "position": pl.Int64,
        "messages": pl.String, "external_id": pl.String, "tree": pl.String, "category": pl.String,
        "metadata": pl.String, "created_at": pl.Datetime("us"),
    },
    "candidates": {
        "id": pl.String, "project_id": pl.String, "example_id": pl.String, "origin": pl.String, "text": pl.String,
        "model": pl.String, "run_id": pl.String, "judgement_id": pl.String, "parent_id": pl.String,
        "created_at": pl.Datetime("us"),
    },
    "tasks": {
        "id": pl.String, "project_id": pl.String, "example_id": pl.String, "kind": pl.String,
        "candidate_ids": pl.String, "overlap": pl.Int32, "priority": pl.Int32, "batch": pl.String,
        "position": pl.Int64, "created_at": pl.Datetime("us"),
    },
    "judgements": {
        "id": pl.String, "entry": pl.String, "project_id": pl.String, "task_id": pl.String, "example_id": pl.String,
        "annotator": pl.String, "kind": pl.String, "status": pl.String, "value": pl.String, "reason": pl.String,
        "shown": pl.String, "seconds": pl.Float64, "rubric_hash": pl.String, "guideline_hash": pl.String,
        "supersedes": pl.String, "source": pl.String, "created_at": pl.Datetime("us"),
    },
    "group_splits": {
        "project_id": pl.String, "group_id": pl.String, "split": pl.String, "reason": pl.String,
        "created_at": pl.Datetime("us"),
    },
}  # fmt: skip


class Staging:
    """Collects one import. `add` each row, then `finish`; the Parquet files lie in `folder/<table>-NNNN.parquet`."""

    def __init__(self, project: Project, import_id: str, folder: Path, now: datetime, first_position: int) -> None:
        self._project = project
        self._import_id = import_id
        self._folder = folder
        self._now = now
        self._position = first_position
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in SCHEMAS}
        self._files = 0
        self._waiting = 0
        self._characters = 0
        self.rows = 0
        self.messages = 0
        self.trees: set[str] = set()
        self.tree_groups: dict[str, str] = {}
        """Group of each conversation tree seen, here or in the store."""
        self.named: dict[str, str] = {}
        """Hash of the conversation behind each external id seen, to refuse a second, different one."""

    def add(self, row: ParsedRow) -> RejectedRow | None:
        """Stages a row, or says why it cannot be: its id already names another conversation."""
        messages = canonical_json([{"role": m.role, "content": m.content} for m in row.messages])
        if row.external_id is not None:
            digest = hash_text(messages)
            if self.named.setdefault(row.external_id, digest) != digest:
                return RejectedRow(
                    row.line, "id", f"the id '{row.external_id}' already names an example with another conversation"
                )
        example_id = self._stage_example(row, messages)
        candidate_ids = self._stage_candidates(row, example_id)
        self._stage_tasks(row, example_id, candidate_ids)
        self.rows += 1
        self.messages += len(row.messages)
        if row.tree:
            self.trees.add(row.tree)
        self._waiting += 1
        self._characters += len(messages) + sum(len(candidate.text) for candidate in row.candidates)
        if self._waiting >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._flush()
        return None

    def finish(self) -> None:
        """Writes what is left."""
        self._flush()

    def _stage_example(self, row: ParsedRow, messages: str) -> str:
        project = self._project
        identity: Any = (
            ["id", row.external_id]
            if row.external_id is not None
            else ["content", messages, row.kind, [[c.text, c.model] for c in row.candidates]]
        )
        example_id = content_id("ex", [project.id, identity])
        group_id = find_group(row.messages)
        if row.tree is not None:
            # All of a tree is one group: that of the first of its conversations that was seen.
            group_id = self.tree_groups.setdefault(row.tree, group_id)
        split = row.split or assign_split(group_id, project.salt, project.holdout_share)
        reason = "declared by the file" if row.split else "salted hash of the group"
        self._position += 1
        self._rows["examples"].append((
            example_id, project.id, self._import_id, group_id, self._position, messages, row.external_id, row.tree,
            row.category, canonical_json(row.metadata), self._now,
        ))  # fmt: skip
        self._rows["group_splits"].append((project.id, group_id, split.value, reason, self._now))
        return example_id

    def _stage_candidates(self, row: ParsedRow, example_id: str) -> list[str]:
        ids: list[str] = []
        for candidate in row.candidates:
            identity = [example_id, candidate.text, candidate.model]
            candidate_id = content_id("cand", identity)
            if candidate_id in ids:  # the same text twice in one row: two answers, or a comparison would have one side
                candidate_id = content_id("cand", [*identity, ids.count(candidate_id) + len(ids)])
            origin = "demonstration" if candidate.is_demonstration else "import"
            self._rows["candidates"].append((
                candidate_id, self._project.id, example_id, origin, candidate.text, candidate.model, None, None, None,
                self._now,
            ))  # fmt: skip
            ids.append(candidate_id)
        return ids

    def _stage_tasks(self, row: ParsedRow, example_id: str, candidate_ids: list[str]) -> None:
        """A task for each thing judged, or, where nothing is judged yet, for what people are to judge."""
        raters: dict[str, set[str]] = {}
        for judgement in row.judgements:
            task_id = self._stage_task(
                example_id, judgement.kind, [candidate_ids[place] for place in judgement.candidates], 0
            )
            raters.setdefault(task_id, set()).add(judgement.rater)
            value = canonical_json(judgement.value)
            judgement_id = content_id("jdg", [task_id, judgement.rater, value, judgement.reason])
            self._rows["judgements"].append((
                judgement_id, new_id(), self._project.id, task_id, example_id, judgement.rater, judgement.kind.value,
                "submitted", value, judgement.reason, "[]", None, None, None, None, self._import_id, self._now,
            ))  # fmt: skip
            if judgement.kind in (TaskKind.WRITE, TaskKind.EDIT):
                parent = candidate_ids[judgement.candidates[0]] if judgement.candidates else None
                self._stage_written(example_id, judgement_id, judgement.value["text"], parent)
        if row.judgements:
            return
        overlap = self._project.overlap
        if row.kind is TaskKind.RATE:
            for candidate_id in candidate_ids:
                self._stage_task(example_id, TaskKind.RATE, [candidate_id], overlap)
        elif row.kind in (TaskKind.COMPARE, TaskKind.RANK) and len(candidate_ids) > 1:
            self._stage_task(example_id, row.kind, candidate_ids, overlap)
        elif row.kind is TaskKind.TAG or (row.kind is TaskKind.WRITE and not candidate_ids):
            self._stage_task(example_id, row.kind, [], overlap)

    def _stage_written(self, example_id: str, judgement_id: str, text: str, parent_id: str | None) -> None:
        """The answer that came with a judgement, as it is stored where a person writes one here."""
        self._rows["candidates"].append((
            content_id("cand", [example_id, text, judgement_id]), self._project.id, example_id, "person", text, None,
            None, judgement_id, parent_id, self._now,
        ))  # fmt: skip

    def _stage_task(self, example_id: str, kind: TaskKind, candidate_ids: list[str], overlap: int) -> str:
        task_id = make_task_id(example_id, kind, candidate_ids, "")
        self._rows["tasks"].append((
            task_id, self._project.id, example_id, kind.value, canonical_json(candidate_ids), max(overlap, 1), 0, "",
            self._position, self._now,
        ))  # fmt: skip
        return task_id

    def _flush(self) -> None:
        self._files += 1
        self._waiting = self._characters = 0
        for table, rows in self._rows.items():
            if rows:
                frame = pl.DataFrame(rows, schema=SCHEMAS[table], orient="row")
                write_frame(frame, self._folder / f"{table}-{self._files:06d}.parquet")
                rows.clear()


def make_task_id(
    example_id: str, kind: TaskKind, candidate_ids: list[str], batch: str, rubric: str | None = None
) -> str:
    """The id of a task: the same question about the same answers in the same batch is the same task.

    Args:
        rubric: what is asked where that is not the project's own rubric.
    """
    return content_id("task", [example_id, kind.value, candidate_ids, batch, *([rubric] if rubric else [])])
