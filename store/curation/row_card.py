"""Everything known about one example: what was asked and answered, who said what, what was decided, where it went.

Read from the store as of now, not from the catalogue: a card is about one row, and must be right to the moment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.curation.standing_marks import STANDING_TAGS
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.judging.judgement_rows import select_latest
from pitchpipe.store.projects import get_project

_EXAMPLE = """
SELECT e.messages, e.category, e.external_id, e.tree, e.group_id, g.split, g.reason, coalesce(i.file_name, 'studio'),
       e.created_at,
       (SELECT count(*) FROM examples WHERE project_id = e.project_id AND group_id = e.group_id)
FROM examples AS e JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN imports AS i ON i.id = e.import_id WHERE e.project_id = ? AND e.id = ?
"""
_ANSWERS = """
SELECT id, text, origin, model, run_id, created_at FROM candidates WHERE example_id = ? ORDER BY created_at, id
"""
# Answers are named as the task names them that has most of them.
_LARGEST_TASK = """
SELECT candidate_ids FROM tasks WHERE example_id = ? ORDER BY length(candidate_ids) DESC, position, id LIMIT 1
"""
_LATEST = select_latest(
    "id, entry, task_id, annotator, kind, status, value, reason, seconds, source, created_at",
    "example_id = ?",
    "task_id, annotator, source = 'adjudication'",
)
_JUDGEMENTS = f"""
SELECT j.id, j.annotator, j.kind, j.value, j.reason, j.seconds, j.source, j.created_at, t.candidate_ids, t.purpose
FROM ({_LATEST}) AS j JOIN tasks AS t ON t.id = j.task_id WHERE j.status = 'submitted' ORDER BY j.entry
"""
_DECISIONS = """
SELECT d.target_id, d.verdict, d.rule, d.reason, d.actor, d.created_at, a.undone_at IS NOT NULL
FROM decisions AS d LEFT JOIN actions AS a ON a.id = d.action_id
WHERE d.project_id = ? AND d.target_id IN (SELECT unnest(?)) ORDER BY d.id
"""
_SNAPSHOTS = "SELECT id, name, folder, created_at FROM snapshots WHERE project_id = ? ORDER BY created_at"
_HELD = "SELECT snapshot_id, row_kind, count(*) FROM snapshot_rows WHERE example_id = ? GROUP BY ALL ORDER BY ALL"
_LEARNED = """
SELECT DISTINCT r.run_id FROM run_rows AS r JOIN snapshot_rows AS s ON s.row_id = r.row_id
WHERE s.example_id = ? ORDER BY r.run_id
"""
_SIDE_WORDS = {"salted hash of the group": "drawn by lot, with all that ask the same"}


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """An answer, with where it comes from."""

    candidate_id: str
    text: str
    origin: str
    model: str | None
    run_id: str | None
    is_dropped: bool


@dataclass(frozen=True, slots=True)
class CardOpinion:
    """What somebody says now, as stored, with the places of the answers that it speaks of (from 0)."""

    judgement_id: str
    annotator: str
    kind: str
    value: dict[str, Any]
    reason: str
    seconds: float | None
    is_adjudication: bool
    purpose: str | None
    created_at: datetime
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CardDecision:
    """A decision on the example or one of its answers."""

    target_id: str
    verdict: str
    rule: str
    reason: str
    actor: str
    created_at: datetime
    is_undone: bool


@dataclass(frozen=True, slots=True)
class CardSnapshot:
    """What a snapshot took of the example and what it left out: (kind of row, count), (kind of row, rule, reason)."""

    name: str
    kept: tuple[tuple[str, int], ...]
    dropped: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RowCard:
    """All that is known about an example."""

    example_id: str
    messages: tuple[tuple[str, str], ...]
    """(role, words)."""
    source: str
    category: str | None
    external_id: str | None
    tree: str | None
    side: str
    side_reason: str
    group_id: str
    group_size: int
    created_at: datetime
    answers: tuple[CardAnswer, ...]
    opinions: tuple[CardOpinion, ...]
    decisions: tuple[CardDecision, ...]
    tags: tuple[tuple[str, str, datetime], ...]
    """(tag, actor, when)."""
    snapshots: tuple[CardSnapshot, ...]
    """Newest first; those that neither took nor dropped anything of it are left out."""
    learned: tuple[str, ...]
    """Runs whose model was trained on a row of it."""

    @property
    def decision(self) -> CardDecision | None:
        """The decision on the example that stands, if there is one."""
        standing = [found for found in self.decisions if found.target_id == self.example_id and not found.is_undone]
        return standing[-1] if standing else None


def read_row_card(store: Store, project: str, example_id: str) -> RowCard:
    """Everything known about an example at this moment.

    Raises:
        NotFoundError: the project has no such example.
    """
    project_id = get_project(store, project).id
    return store.read_at_once(lambda: _read_card(store, project_id, example_id))


def _read_card(store: Store, project_id: str, example_id: str) -> RowCard:
    found = store.read(_EXAMPLE, [project_id, example_id])
    if not found:
        raise NotFoundError(f"There is no example '{example_id}' in this project.", "Choose one of the rows.")
    messages, category, external_id, tree, group_id, side, side_reason, source, created_at, group_size = found[0]
    answers = _read_answers(store, example_id)
    targets = [example_id, *(row[0] for row in answers)]
    decisions = tuple(CardDecision(*row) for row in store.read(_DECISIONS, [project_id, targets]))
    latest = {found.target_id: found.verdict for found in decisions if not found.is_undone}
    places = {row[0]: place for place, row in enumerate(answers)}
    tags = store.read(f"SELECT * FROM ({STANDING_TAGS}) WHERE target_id = ? ORDER BY tag", [project_id, example_id])
    return RowCard(
        example_id=example_id,
        messages=tuple((turn["role"], turn["content"]) for turn in json.loads(messages)),
        source=source, category=category, external_id=external_id, tree=tree, side=side, side_reason=side_reason,
        group_id=group_id, group_size=group_size, created_at=created_at,
        answers=tuple(
            CardAnswer(id, text, origin, model, run_id, latest.get(id) == "drop")
            for id, text, origin, model, run_id, _ in answers
        ),
        opinions=tuple(_to_opinion(row, places) for row in store.read(_JUDGEMENTS, [example_id])),
        decisions=decisions,
        tags=tuple((row[1], row[2], row[3]) for row in tags),
        snapshots=tuple(_read_snapshots(store, project_id, example_id)),
        learned=tuple(row[0] for row in store.read(_LEARNED, [example_id])),
    )  # fmt: skip


def _read_answers(store: Store, example_id: str) -> list[tuple[Any, ...]]:
    task = store.read(_LARGEST_TASK, [example_id])
    named: list[str] = json.loads(task[0][0]) if task else []
    answers = store.read(_ANSWERS, [example_id])
    return sorted(answers, key=lambda row: named.index(row[0]) if row[0] in named else len(named))


def _to_opinion(row: tuple[Any, ...], places: dict[str, int]) -> CardOpinion:
    id, annotator, kind, value, reason, seconds, source, created_at, candidate_ids, purpose = row
    answers = tuple(places[candidate] for candidate in json.loads(candidate_ids) if candidate in places)
    return CardOpinion(id, annotator, kind, json.loads(value), reason, seconds, source == "adjudication", purpose,
                       created_at, answers)  # fmt: skip


def _read_snapshots(store: Store, project_id: str, example_id: str) -> list[CardSnapshot]:
    held: dict[str, list[tuple[str, int]]] = {}
    for snapshot_id, row_kind, count in store.read(_HELD, [example_id]):
        held.setdefault(snapshot_id, []).append((row_kind, count))
    found = []
    for id, name, folder, _ in store.read(_SNAPSHOTS, [project_id]):
        dropped = _read_drops(_find_folder(store, Path(folder), id), example_id)
        if held.get(id) or dropped:
            found.append(CardSnapshot(name, tuple(held.get(id, ())), tuple(dropped)))
    return found[::-1]


def _find_folder(store: Store, folder: Path, id: str) -> Path:
    """Where a snapshot lies, also in a workspace that was moved."""
    return folder if folder.is_dir() else store.workspace / "snapshots" / id


def _read_drops(folder: Path, example_id: str) -> list[tuple[str, str, str]]:
    """What a snapshot left out of an example; nothing where its folder is gone."""
    file = folder / "dropped.parquet"
    if not file.exists():
        return []
    rows = pl.scan_parquet(file).filter(pl.col("example_id") == example_id)
    return list(rows.select("row_kind", "rule", "reason").unique(maintain_order=True).collect().iter_rows())


def explain_standing(card: RowCard) -> list[str]:
    """In plain words why the example is in or out of datasets, the deciding fact first.

    Every sentence is about this example alone, so that it can be read without the rest of the card.
    """
    words = []
    decision = card.decision
    if decision is not None and decision.verdict == "drop":
        words.append(f"Out of new snapshots: {decision.actor} dropped it ({decision.reason}).")
    elif decision is not None:
        words.append(f"Kept by {decision.actor}{f' ({decision.reason})' if decision.reason else ''}.")
    dropped = sum(answer.is_dropped for answer in card.answers)
    if dropped:
        words.append(f"{dropped} of its {len(card.answers)} answers {'is' if dropped == 1 else 'are'} dropped.")
    why = _SIDE_WORDS.get(card.side_reason, card.side_reason)
    if card.side == "holdout":
        words.append(f"Sealed: it measures models, and none is trained on it ({why}).")
    else:
        words.append(f"Open for training ({why}).")
    if not card.answers:
        words.append("It has no answer yet, so there is nothing to learn from.")
    if not card.snapshots:
        words.append("No snapshot has been made since it came.")
    for snapshot in card.snapshots[:3]:
        if snapshot.kept:
            taken = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in snapshot.kept)
            words.append(f"In '{snapshot.name}': {taken}.")
        for row_kind, rule, reason in snapshot.dropped[:4]:
            words.append(f"Not in '{snapshot.name}' as {row_kind}: {reason.rstrip('.')} ({_name_rule(rule)}).")
    return words


def _name_rule(rule: str) -> str:
    from pitchpipe.store.rules.catalogue import (
        RULES,
    )  # a quarter of a second that a card without a snapshot can do without

    return RULES[rule].title if rule in RULES else rule.replace("_", " ")
