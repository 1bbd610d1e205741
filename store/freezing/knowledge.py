"""What a snapshot is built of and built into: the knowledge, the recipe, the columns of a row, a drop. No behaviour
but to tell which judgements and written answers still count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.judging.answer_reading import is_words

__all__ = [
    "ADJUDICATED", "FIRST_COLUMNS", "LATER_COLUMNS", "MEASURING", "ROW_COLUMNS", "DroppedUnit", "Knowledge", "Recipe",
    "find_root", "find_words", "list_words", "name_strategy", "read_parts",
]  # fmt: skip

FIRST_COLUMNS = (
    "row_id", "row_kind", "example_id", "group_id", "split", "category", "source", "messages", "candidate_id", "answer",
    "model", "origin", "run_id", "scores", "candidate_a", "candidate_b", "answer_a", "answer_b", "model_a", "model_b",
    "verdict", "strength", "pair_origin", "weight", "labels", "strategy", "n_judgements", "support", "raters",
    "judgement_ids", "task_ids", "rubric_hash", "guideline_hash",
)  # fmt: skip
LATER_COLUMNS = ("turn", "spans", "words", "posterior")
"""Columns that the first snapshots did not have. An empty one is no part of a row's id, so those still verify."""
ROW_COLUMNS = (*FIRST_COLUMNS, *LATER_COLUMNS)

MEASURING = {
    "gold": "its answer is known: it measures annotators",
    "repeat": "it asks an earlier task again of the same person",
}
"""Why the tasks of a purpose, and what is written with them, enter no dataset."""
ADJUDICATED = "adjudicated"
"""The strategy of what a curator decided alone."""


@dataclass(frozen=True, slots=True)
class DroppedUnit:
    """A unit that is not in the snapshot, and why."""

    row_kind: str
    example_id: str
    unit: str
    rule: str
    version: str
    reason: str
    evidence: str | None = None
    """JSON of what shows it: spans, a score, the other example; None where the reason says all."""


@dataclass(slots=True)
class Knowledge:
    """Everything the store knows about a project, as plain records keyed by id."""

    examples: dict[str, dict[str, Any]]
    candidates: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    judgements: dict[str, list[dict[str, Any]]]
    """Current judgements by task, in order of entry; of an adjudicated task the adjudication alone."""
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest decision on each example or candidate."""
    overruled: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By task, the annotators' judgements that its adjudication overrules."""
    current: dict[str, dict[str, Any]] = field(init=False)
    """Judgements that count, by their own id."""
    written: dict[str, dict[str, Any]] = field(init=False)
    """Answers of persons by the id of the judgement that they came with."""
    curator_of: dict[str, str] = field(init=False)
    """By the id of an overruled judgement, who overruled it."""

    def __post_init__(self) -> None:
        self.current, self.curator_of = {}, {}
        self.written = {c["judgement_id"]: c for c in self.candidates.values() if c["judgement_id"]}
        for judgement in (judgement for judgements in self.judgements.values() for judgement in judgements):
            self._count(judgement)
        for task_id, overruled in self.overruled.items():
            adjudication = self.judgements[task_id][0]
            chosen = find_words(adjudication)
            for judgement in overruled:
                if chosen is not None and find_words(judgement) == chosen:
                    # The curator chose this annotator's own words: they stand, and their author's work with them.
                    self._count(judgement)
                else:
                    self.curator_of[judgement["id"]] = adjudication["annotator"]
                    self.curator_of[find_root(judgement)] = adjudication["annotator"]

    def _count(self, judgement: dict[str, Any]) -> None:
        """Takes a judgement as one that counts, and with it the one whose words it says again."""
        root = find_root(judgement)
        self.current[judgement["id"]] = self.current[root] = judgement
        if root in self.written:
            self.written[judgement["id"]] = self.written[root]


def find_root(judgement: dict[str, Any]) -> str:
    """The id of the judgement that what was written came with first: its own, but of one that says it again.

    >>> find_root({"id": "j2", "detail": '{"redo_of":"j1","same_as":"j1"}'}), find_root({"id": "j1", "detail": None})
    ('j1', 'j1')
    """
    if not judgement["detail"]:  # nearly always, and of a million judgements each one is asked
        return str(judgement["id"])
    return str(json.loads(judgement["detail"]).get("same_as", judgement["id"]))


def find_words(judgement: dict[str, Any]) -> dict[str, Any] | None:
    """What was written or corrected in a judgement of any kind, None where nothing was.

    >>> find_words({"kind": "screen", "value": '{"edit":{"answer":1,"text":"new"}}'})
    {'answer': 1, 'text': 'new'}
    """
    if judgement["kind"] not in ("edit", "write", "screen"):
        return None
    value: dict[str, Any] = json.loads(judgement["value"])
    return value.get("edit") if judgement["kind"] == "screen" else value


def read_parts(known: Knowledge, task: dict[str, Any], name: str) -> list[tuple[dict[str, Any], Any]]:
    """The judgements of a task that answer a part (a screen's, or the whole of a plain task of that kind), with it."""
    found = []
    for judgement in known.judgements.get(task["id"], []):
        value = json.loads(judgement["value"])
        part = value.get(name) if task["kind"] == "screen" else value
        if part:
            found.append((judgement, part))
    return found


def list_words(judgement: dict[str, Any], rating: dict[str, Any]) -> set[str]:
    """The questions of a rating that were answered in words of one's own."""
    told = json.loads(judgement["detail"]).get("text_questions", []) if judgement.get("detail") else []
    return {question for question, answer in rating.items() if is_words(question, answer, told)}


def name_strategy(judgements: Sequence[dict[str, Any]], strategy: str) -> str:
    """The strategy behind a consensus: the curator's decision, where it is all there is."""
    is_decided = bool(judgements) and all(judgement.get("source") == "adjudication" for judgement in judgements)
    return ADJUDICATED if is_decided else strategy
