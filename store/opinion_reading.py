"""Judgements of every kind taken apart into frames: what each rater said of which answer, one row a statement.

One scan of the store; everything that compares raters starts from here. Of a screen each part counts like a task of its
kind. Corrections and words of one's own are no statements that could agree or disagree, and are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.judgement_reading import CURRENT_JUDGEMENTS

_TASKS = """
SELECT id, example_id, kind, candidate_ids, batch, position, purpose, repeat_of FROM tasks WHERE project_id = ?
"""

_SCORES = {"task": pl.String, "rater": pl.String, "subject": pl.String, "question": pl.String, "score": pl.Float64}
_LABELS = {"task": pl.String, "rater": pl.String, "subject": pl.String, "question": pl.String, "label": pl.String}
_CHOICES = {
    "task": pl.String, "example": pl.String, "rater": pl.String, "answer_a": pl.String, "answer_b": pl.String,
    "verdict": pl.String, "preference": pl.Float64, "is_ranked": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opinions:
    """What the raters of a project say now."""

    tasks: dict[str, dict[str, Any]]
    """By id: example_id, kind, candidate_ids (a list), batch, position, purpose, repeat_of."""
    judgements: pl.DataFrame
    """The raters' current judgements as rows of the store."""
    adjudications: pl.DataFrame
    """The current adjudications, the same columns."""
    scores: pl.DataFrame
    """`task`, `rater`, `subject` (the answer's id, or `turn 1`), `question`, `score`."""
    labels: pl.DataFrame
    """`task`, `rater`, `subject`, `question`, `label`: tags (`labels`), kinds of error (`spans`), choices."""
    choices: pl.DataFrame
    """`task`, `example`, `rater`, `answer_a`, `answer_b`, `verdict`, `preference` (-3..3, negative for a; null where
    nothing was preferred or said), `is_ranked` (one of the pairs of a ranking)."""
    settled: pl.DataFrame
    """The choices of adjudications, the same columns."""


class _Taken:
    """Rows of the three frames, gathered while judgements are taken apart."""

    def __init__(self) -> None:
        self.scores: list[tuple[Any, ...]] = []
        self.labels: list[tuple[Any, ...]] = []
        self.choices: list[tuple[Any, ...]] = []


def read_opinions(store: Store, project_id: str, word_questions: frozenset[str] = frozenset()) -> Opinions:
    """Everything that the raters of a project say now, seen at one moment.

    Args:
        word_questions: questions that are answered in words of one's own; nobody need agree on those.
    """
    current, rows = store.read_at_once(
        lambda: (store.read_frame(CURRENT_JUDGEMENTS, [project_id]), store.read(_TASKS, [project_id]))
    )
    names = ("example_id", "kind", "candidate_ids", "batch", "position", "purpose", "repeat_of")
    tasks = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    is_settling = current["source"] == "adjudication"
    judgements, adjudications = current.filter(~is_settling), current.filter(is_settling)
    taken, settled = _take_apart(judgements, tasks, word_questions), _take_apart(adjudications, tasks, word_questions)
    return Opinions(
        tasks=tasks,
        judgements=judgements,
        adjudications=adjudications,
        scores=pl.DataFrame(taken.scores, _SCORES, orient="row"),
        labels=pl.DataFrame(taken.labels, _LABELS, orient="row"),
        choices=pl.DataFrame(taken.choices, _CHOICES, orient="row"),
        settled=pl.DataFrame(settled.choices, _CHOICES, orient="row"),
    )


def _take_apart(judgements: pl.DataFrame, tasks: dict[str, dict[str, Any]], words: frozenset[str]) -> _Taken:
    taken = _Taken()
    values: dict[str, Any] = {}  # the same few values are given again and again
    columns = judgements.select("task_id", "annotator", "value")
    for task_id, rater, text in columns.iter_rows():
        task = tasks.get(task_id)
        if task is None:
            continue
        if isinstance(task["candidate_ids"], str):
            task["candidate_ids"] = json.loads(task["candidate_ids"])
        value = values.get(text)
        if value is None:
            value = values[text] = json.loads(text)
        _take_value(taken, (task_id, rater), task["kind"], value, task, words)
    return taken


def _take_value(
    taken: _Taken, key: tuple[str, str], kind: str, value: dict[str, Any], task: dict[str, Any], words: frozenset[str]
) -> None:
    answers = task["candidate_ids"]
    if kind == "screen":
        for part, given in value.items():
            if part == "rate":
                for answer, ratings in zip(answers, given, strict=False):
                    _take_ratings(taken, key, answer, ratings, words)
            else:
                _take_value(taken, key, part, given, task, words)
    elif kind == "compare":
        preference = _find_preference(value)
        taken.choices.append((key[0], task["example_id"], key[1], *answers[:2], value["verdict"], preference, False))
    elif kind == "rank":
        _take_ranks(taken, key, value["ranks"], task)
    elif kind == "rate":
        _take_ratings(taken, key, answers[0] if answers else "", value, words)
    elif kind == "turns":
        for turn, ratings in value["turns"].items():
            _take_ratings(taken, key, f"turn {turn}", ratings, words)
    elif kind == "tag":
        taken.labels.append((*key, "", "labels", ", ".join(sorted(value["labels"]))))
    elif kind == "span":
        errors = ", ".join(sorted({span["label"] for span in value["spans"]})) or "no error"
        taken.labels.append((*key, answers[0] if answers else "", "spans", errors))


def _find_preference(value: dict[str, Any]) -> float | None:
    """The signed strength; 1 where a side was taken without saying how much, None where none was."""
    if value["verdict"] in ("a", "b"):
        sign = -1.0 if value["verdict"] == "a" else 1.0
        return float(value.get("strength") or sign)
    return 0.0 if value["verdict"] == "tie" else None


def _take_ratings(
    taken: _Taken, key: tuple[str, str], subject: str, ratings: dict[str, Any], words: frozenset[str]
) -> None:
    for question, given in ratings.items():
        if isinstance(given, int | float):
            taken.scores.append((*key, subject, question, float(given)))
        elif question not in words:
            taken.labels.append((*key, subject, question, str(given)))


def _take_ranks(taken: _Taken, key: tuple[str, str], ranks: list[int], task: dict[str, Any]) -> None:
    answers = task["candidate_ids"]
    for one, other in combinations(range(len(ranks)), 2):
        gap = ranks[other] - ranks[one]
        verdict, preference = ("tie", 0.0) if gap == 0 else ("a", -1.0) if gap > 0 else ("b", 1.0)
        taken.choices.append(
            (key[0], task["example_id"], key[1], answers[one], answers[other], verdict, preference, True)
        )
