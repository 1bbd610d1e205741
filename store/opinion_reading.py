"""Judgements of every kind taken apart into frames: what each rater said of which answer, one row a statement.

One scan of the store; everything that compares raters starts from here. Of a screen each part counts like a task of its
kind. Corrections and words of one's own are no statements that could agree or disagree, and are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.judgement_reading import CURRENT_ADJUDICATIONS, CURRENT_JUDGEMENTS

_TASKS = """
SELECT id AS task, example_id AS example, kind, candidate_ids, batch, position, purpose FROM tasks WHERE project_id = ?
"""
# Only the columns that are needed: the texts of reasons are most of what a judgement weighs.
_SAYINGS = f"""
SELECT task_id AS task, annotator AS rater, value, source
FROM (SELECT * FROM ({CURRENT_JUDGEMENTS}) UNION ALL SELECT * FROM ({CURRENT_ADJUDICATIONS})) AS current ORDER BY entry
"""
_NOWHERE = -1
"""The place of what is said of no answer in particular."""

_SAID = {"kind": pl.String, "value": pl.String}
_SCORES = {**_SAID, "place": pl.Int64, "about": pl.String, "question": pl.String, "score": pl.Float64}
_LABELS = {**_SAID, "place": pl.Int64, "about": pl.String, "question": pl.String, "label": pl.String}
_CHOICES = {
    **_SAID, "place_a": pl.Int64, "place_b": pl.Int64, "verdict": pl.String, "preference": pl.Float64,
    "is_ranked": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opinions:
    """What the raters of a project say now."""

    tasks: pl.DataFrame
    """All tasks: `task`, `example`, `kind`, `candidate_ids`, `batch`, `position`, `purpose`."""
    answers: dict[str, list[str]]
    """The ids of the answers of each judged task, in the task's own order."""
    raters: dict[str, int]
    """How many raters have judged each task."""
    settled: set[str]
    """The tasks whose adjudication stands."""
    scores: pl.DataFrame
    """`task`, `rater`, `subject` (the answer's id, or `turn 1`), `question`, `score`."""
    labels: pl.DataFrame
    """`task`, `rater`, `subject`, `question`, `label`: tags (`labels`), kinds of error (`spans`), choices."""
    choices: pl.DataFrame
    """`task`, `example`, `rater`, `answer_a`, `answer_b`, `verdict`, `preference` (-3..3, negative for a; null where
    nothing was preferred or said), `is_ranked` (one of the pairs of a ranking)."""
    last_words: pl.DataFrame
    """The choices of adjudications, the same columns."""


class _Statements:
    """What each distinct value says: few values are given again and again, so they are read once."""

    def __init__(self, words: frozenset[str]) -> None:
        self.words = words
        self.scores: list[tuple[Any, ...]] = []
        self.labels: list[tuple[Any, ...]] = []
        self.choices: list[tuple[Any, ...]] = []


def read_opinions(store: Store, project_id: str, word_questions: frozenset[str] = frozenset()) -> Opinions:
    """Everything that the raters of a project say now, seen at one moment.

    Args:
        word_questions: questions that are answered in words of one's own; nobody need agree on those.
    """
    current, tasks = store.read_at_once(
        lambda: (store.read_frame(_SAYINGS, [project_id, project_id]), store.read_frame(_TASKS, [project_id]))
    )
    said = current.join(tasks.select("task", "example", "kind"), on="task", how="inner", maintain_order="left")
    answers = _list_answers(tasks.join(said, on="task", how="semi"))
    statements = _Statements(word_questions)
    for kind, value in said.select("kind", "value").unique(maintain_order=True).iter_rows():
        _take_value(statements, (kind, value), kind, json.loads(value))
    is_settling = said["source"] == "adjudication"
    judging, settling = said.filter(~is_settling), said.filter(is_settling)
    return Opinions(
        tasks=tasks,
        answers=dict(answers.group_by("task", maintain_order=True).agg("answer").iter_rows()),
        raters=dict(judging.group_by("task").len().iter_rows()),
        settled=set(settling["task"]),
        scores=_place_statements(judging, pl.DataFrame(statements.scores, _SCORES, orient="row"), answers, "score"),
        labels=_place_statements(judging, pl.DataFrame(statements.labels, _LABELS, orient="row"), answers, "label"),
        choices=_place_choices(judging, statements, answers),
        last_words=_place_choices(settling, statements, answers),
    )


def _list_answers(tasks: pl.DataFrame) -> pl.DataFrame:
    """`task`, `place`, `answer`: one row an answer of a task."""
    decoded = tasks.select("task", pl.col("candidate_ids").str.json_decode(pl.List(pl.String)).alias("answer"))
    rows = decoded.explode("answer", empty_as_null=False)
    return rows.select("task", pl.int_range(pl.len()).over("task").cast(pl.Int64).alias("place"), "answer")


def _place_statements(said: pl.DataFrame, statements: pl.DataFrame, answers: pl.DataFrame, what: str) -> pl.DataFrame:
    """The statements of every judgement, with the answer that each is about."""
    rows = said.join(statements, on=["kind", "value"], how="inner", maintain_order="left_right")
    rows = rows.join(answers, on=["task", "place"], how="left", maintain_order="left")
    return rows.select("task", "rater", pl.coalesce("answer", "about").alias("subject"), "question", what)


def _place_choices(said: pl.DataFrame, statements: _Statements, answers: pl.DataFrame) -> pl.DataFrame:
    choices = pl.DataFrame(statements.choices, _CHOICES, orient="row")
    rows = said.join(choices, on=["kind", "value"], how="inner", maintain_order="left_right")
    for side in "ab":
        named = answers.rename({"place": f"place_{side}", "answer": f"answer_{side}"})
        rows = rows.join(named, on=["task", f"place_{side}"], how="inner", maintain_order="left")
    return rows.select("task", "example", "rater", "answer_a", "answer_b", "verdict", "preference", "is_ranked")


def _take_value(taken: _Statements, key: tuple[str, str], kind: str, value: Any) -> None:
    """Adds what a value says; of a screen, what each part says."""
    if kind == "screen":
        for part, given in value.items():
            if part == "rate":
                for place, ratings in enumerate(given):
                    _take_ratings(taken, key, place, "", ratings)
            else:
                _take_value(taken, key, part, given)
    elif kind == "compare":
        taken.choices.append((*key, 0, 1, value["verdict"], _find_preference(value), False))
    elif kind == "rank":
        taken.choices += ((*key, *pair) for pair in _pair_ranks(value["ranks"]))
    elif kind == "rate":
        _take_ratings(taken, key, 0, "", value)
    elif kind == "turns":
        for turn, ratings in value["turns"].items():
            _take_ratings(taken, key, _NOWHERE, f"turn {turn}", ratings)
    elif kind == "tag":
        taken.labels.append((*key, _NOWHERE, "", "labels", ", ".join(sorted(value["labels"]))))
    elif kind == "span":
        errors = ", ".join(sorted({span["label"] for span in value["spans"]})) or "no error"
        taken.labels.append((*key, 0, "", "spans", errors))


def _find_preference(value: dict[str, Any]) -> float | None:
    """The signed strength; 1 where a side was taken without saying how much, None where none was."""
    if value["verdict"] in ("a", "b"):
        sign = -1.0 if value["verdict"] == "a" else 1.0
        return float(value.get("strength") or sign)
    return 0.0 if value["verdict"] == "tie" else None


def _take_ratings(taken: _Statements, key: tuple[str, str], place: int, about: str, ratings: dict[str, Any]) -> None:
    for question, given in ratings.items():
        if isinstance(given, int | float):
            taken.scores.append((*key, place, about, question, float(given)))
        elif question not in taken.words:
            taken.labels.append((*key, place, about, question, str(given)))


def _pair_ranks(ranks: list[int]) -> Iterator[tuple[Any, ...]]:
    """Each pair of places of a ranking as a choice without a strength."""
    for one, other in combinations(range(len(ranks)), 2):
        gap = ranks[other] - ranks[one]
        verdict, preference = ("tie", 0.0) if gap == 0 else ("a", -1.0) if gap > 0 else ("b", 1.0)
        yield one, other, verdict, preference, True
