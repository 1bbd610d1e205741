"""Current judgements as frames: one row a judgement, and one row an answer to a question of it.

A million judgements repeat a few thousand different values, so each different value is parsed once and joined back.
Adjudications are decisions about judgements and are left out.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project


def select_current(tasks: str = "") -> str:
    """The query for the latest row of each annotator on each task, skips included; takes `$project`, a project's id.

    Args:
        tasks: a query for the ids of the tasks to look at, which is far cheaper than to look at all; all when empty.
    """
    only = f"AND task_id IN ({tasks})" if tasks else ""
    return f"""
    SELECT * FROM (
        SELECT entry, task_id, annotator, kind, status, value, shown, seconds, source, created_at, detail
        FROM judgements WHERE project_id = $project AND source <> 'adjudication' {only}
        QUALIFY row_number() OVER (PARTITION BY task_id, annotator ORDER BY entry DESC) = 1
    ) WHERE status <> 'retracted'
    """


# Texts of people are not compared, so they are not even read. A unit is a number of 64 bits, because a million long ids
# take seconds to sort; that any two of them meet has a chance of 3 in 100 million.
_READ_WORK = f"""
SELECT j.annotator AS rater, hash(j.task_id) AS unit, j.kind, j.status, j.seconds, j.created_at AS "at",
       CASE WHEN j.kind IN ('edit', 'write', 'span') THEN '{{}}' ELSE j.value END AS value,
       j.source = 'studio' AS is_live,
       CASE WHEN j.source = 'studio' THEN j.shown = t.candidate_ids END AS is_in_order,
       coalesce(t.purpose, '') AS purpose
FROM ({select_current()}) AS j JOIN tasks AS t ON t.id = j.task_id
"""

_LONGEST_OPTION = 60
_MOST_OPTIONS = 30
_WORDS_OF_PEOPLE = ("repeat", "calibration")
"""Purposes of tasks that say nothing about how far raters agree: one person's own again, and practice."""


@dataclass(frozen=True, slots=True)
class Work:
    """What people did in a project, as it counts now."""

    rows: pl.DataFrame
    """One row a judgement: row, rater, unit (a hash of the task's id), kind, status, seconds, at, is_live (made in the
    studio, not imported), is_in_order (answers were shown in the task's own order; null where unknown), purpose."""
    answers: pl.DataFrame
    """One row an answer: row (of `rows`), kind, question, unit, rater, text, number (null where it is none)."""

    def split_questions(self) -> Iterator[tuple[str, str, bool, pl.DataFrame]]:
        """Kind, question, whether its values are numbers on a scale, and its ratings (row, unit, rater, value).

        Words of people are left out: a question with more different or longer answers than options would have.
        """
        for (kind, question), part in self.answers.group_by(["kind", "question"], maintain_order=True):
            is_scale = part["number"].null_count() == 0
            column = "number" if is_scale else "text"
            ratings = part.select("row", "unit", "rater", pl.col(column).alias("value"))
            if is_scale or kind == "tag" or _are_options(ratings["value"]):
                yield str(kind), str(question), is_scale, ratings


def read_work(store: Store, project: str) -> Work:
    """The current judgements of a project and their answers."""
    values = {"project": get_project(store, project).id}
    rows = store.read_frame(_READ_WORK, values).with_row_index("row")
    judged = rows.filter((pl.col("status") == "submitted") & ~pl.col("purpose").is_in(_WORDS_OF_PEOPLE))
    parsed = _parse_values(judged.select("kind", "value").unique(maintain_order=True))
    answers = (
        judged.select("row", "rater", "unit", pl.col("kind").alias("task_kind"), "value")
        .join(parsed, left_on=["task_kind", "value"], right_on=["task_kind", "document"])
        .select(
            "row", "kind", "question", "rater", "text", "number",
            pl.when(pl.col("part") == "").then("unit").otherwise(pl.col("unit") ^ pl.col("part").hash()).alias("unit"),
        )
    )  # fmt: skip
    return Work(rows.drop("value"), answers)


def list_answers(kind: str, value: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    """The answers of one judgement: kind, question, the part of the task it is about, and a number or text.

    A ranking becomes its pairs, a screen its parts, a conversation its turns. Texts and spans have none.

    >>> list_answers("compare", {"verdict": "a", "strength": -2})
    [('compare', 'verdict', '', 'a'), ('compare', 'strength', '', -2)]
    >>> list_answers("rank", {"ranks": [0, 1]})
    [('rank', 'order', '/0-1', 'before')]
    """
    if kind == "compare":
        found = [(kind, "verdict", "", value.get("verdict")), (kind, "strength", "", value.get("strength"))]
    elif kind == "rate":
        found = [(kind, question, "", answer) for question, answer in value.items()]
    elif kind == "tag":
        found = [(kind, "labels", "", ", ".join(sorted(value.get("labels") or [])))]
    elif kind == "rank":
        words = {True: "before", False: "after"}
        found = [
            (kind, "order", f"/{a}-{b}", "same" if one == other else words[one < other])
            for (a, one), (b, other) in itertools.combinations(enumerate(value.get("ranks") or []), 2)
        ]
    elif kind == "turns":
        turns = (value.get("turns") or {}).items()
        found = [
            (kind, question, f"/{turn}", answer) for turn, ratings in turns for question, answer in ratings.items()
        ]
    elif kind == "screen":
        found = _list_parts(value)
    else:
        found = []
    return [answer for answer in found if answer[3] is not None]


def _list_parts(value: dict[str, Any]) -> list[tuple[str, str, str, Any]]:
    found = []
    for part in ("compare", "tag", "rank", "turns"):
        if isinstance(value.get(part), dict):
            found += list_answers(part, value[part])
    for place, ratings in enumerate(value.get("rate") or []):
        found += [("rate", question, f"/{place}", answer) for question, answer in (ratings or {}).items()]
    return found


def _parse_values(values: pl.DataFrame) -> pl.DataFrame:
    rows = [
        (kind, document, *answer[:3], str(answer[3]), _as_number(answer[3]))
        for kind, document in values.iter_rows()
        for answer in list_answers(kind, json.loads(document))
    ]
    names = ("task_kind", "document", "kind", "question", "part", "text")
    return pl.DataFrame(rows, {**dict.fromkeys(names, pl.String), "number": pl.Float64}, orient="row")


def _as_number(answer: Any) -> float | None:
    return float(answer) if isinstance(answer, int | float) else None


def _are_options(values: pl.Series) -> bool:
    different = values.unique()
    return len(different) <= _MOST_OPTIONS and not (different.str.len_chars() > _LONGEST_OPTION).any()
