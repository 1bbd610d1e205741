"""Reads what counts: the latest judgement of each annotator on each task, if it is a submitted one.

A curator's adjudication stands beside the judgement that the same person may have made as an annotator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.measures.agreement import Agreement, Level, measure_agreement
from pitchpipe.store.projects import get_project

_CURRENT = """
SELECT * FROM (
    SELECT id, entry, task_id, example_id, annotator, kind, status, value, reason, shown, rubric_hash, guideline_hash,
           source, detail
    FROM judgements WHERE project_id = ? AND {whose}
    QUALIFY row_number() OVER (PARTITION BY task_id, annotator ORDER BY entry DESC) = 1
) WHERE status = 'submitted' ORDER BY entry
"""
CURRENT_JUDGEMENTS = _CURRENT.format(whose="source <> 'adjudication'")
"""What annotators say now. A curator's adjudication is no rating: it never counts among them."""
CURRENT_ADJUDICATIONS = _CURRENT.format(whose="source = 'adjudication'")


_WORDS = "these are words of people's own, which are read and not compared"
_REPEATS = "SELECT id FROM tasks WHERE project_id = ? AND purpose = 'repeat'"
_CANDIDATES = "SELECT id, candidate_ids FROM tasks WHERE project_id = ? AND kind IN ('rank', 'screen')"


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """Agreement on one question of a kind of task."""

    kind: str
    question: str
    agreement: Agreement


Answer = tuple[str, str, Any]
"""A question, what of the task it is about ("" for the whole of it), and the answer."""


def measure_project_agreement(store: Store, project: str, resamples: int = 1000) -> list[QuestionAgreement]:
    """How far annotators agree on each question of the project, judged tasks only; repeats and adjudications aside.

    Whole numbers are ordinal (ratings, strengths, ranks), anything else nominal (verdicts, options, sets of labels). A
    unit is the task; of a ranking and of the ratings on a screen it is the answer, of rated turns the turn. Of marked
    stretches each label is a question: whether the answer has an error of that kind at all. Words of people's own are
    listed with the reason why they are not measured.
    """
    project_id = get_project(store, project).id
    repeats = {row[0] for row in store.read(_REPEATS, [project_id])}
    candidates = {task_id: json.loads(ids) for task_id, ids in store.read(_CANDIDATES, [project_id])}
    columns = ("task_id", "kind", "annotator", "value", "rubric_hash", "detail")
    frame = store.read_frame(CURRENT_JUDGEMENTS, [project_id]).select(columns)
    judged = [
        _Judged(task_id, kind, annotator, json.loads(value), rubric_hash, detail)
        for task_id, kind, annotator, value, rubric_hash, detail in frame.iter_rows()
        if task_id not in repeats
    ]
    _complete_spans(judged)
    found: dict[str, list[Any]] = {name: [] for name in ("kind", "question", "unit", "rater", "value", "is_number")}
    words: dict[tuple[str, str], None] = {}
    for one in judged:
        told = json.loads(one.detail).get("text_questions", ()) if one.detail else ()
        for question, place, answer in _list_answers(one.kind, one.value, candidates.get(one.task_id, ())):
            if question in told and isinstance(answer, str):
                words[one.kind, question] = None
                continue
            unit = f"{one.task_id} {place}" if place else one.task_id
            row = (one.kind, question, unit, one.annotator, str(answer), type(answer) is int)
            for column, cell in zip(found.values(), row, strict=True):
                column.append(cell)
    left_out = [QuestionAgreement(kind, question, _leave_out(_WORDS)) for kind, question in words]
    return [*_measure_answers(pl.DataFrame(found), resamples), *left_out]


class _Judged(NamedTuple):
    """One current judgement, as far as agreement looks at it."""

    task_id: str
    kind: str
    annotator: str
    value: dict[str, Any]
    rubric_hash: str | None
    detail: str | None


def _measure_answers(table: pl.DataFrame, resamples: int) -> Iterator[QuestionAgreement]:
    for (kind, question), part in table.group_by(["kind", "question"], maintain_order=True):
        level: Level = "ordinal" if part["is_number"].all() else "nominal"
        ratings = part.select("unit", "rater", "value")
        if level == "ordinal":
            ratings = ratings.with_columns(pl.col("value").cast(pl.Int64))
        yield QuestionAgreement(str(kind), str(question), measure_agreement(ratings, level, resamples))


def _leave_out(reason: str) -> Agreement:
    return replace(measure_agreement([], "nominal", 0), undefined_because=reason)


def _complete_spans(judged: list[_Judged]) -> None:
    """Turns marked stretches into, for each label that anybody used under the same rubric, whether it is there."""
    labels: dict[str | None, set[str]] = {}
    spans = [(place, one) for place, one in enumerate(judged) if one.kind == "span"]
    for _, one in spans:
        labels.setdefault(one.rubric_hash, set()).update(span["label"] for span in one.value["spans"])
    for place, one in spans:
        marked = {span["label"] for span in one.value["spans"]}
        known = sorted(labels[one.rubric_hash])
        judged[place] = one._replace(value={label: "marked" if label in marked else "not marked" for label in known})


def _list_answers(kind: str, value: dict[str, Any], candidate_ids: Sequence[str]) -> Iterator[Answer]:
    """The answers of one judgement, each with its question and place."""
    if kind == "compare":
        yield "verdict", "", value["verdict"]
        if value.get("strength") is not None:
            yield "strength", "", value["strength"]
    elif kind in ("rate", "span"):
        yield from ((question, "", answer) for question, answer in value.items())
    elif kind == "rank":
        yield from (("rank", *placed) for placed in zip(candidate_ids, value["ranks"], strict=True))
    elif kind == "tag":
        yield "labels", "", ", ".join(sorted(value["labels"]))
    elif kind == "turns":
        yield from ((name, place, found) for place, rated in value["turns"].items() for name, found in rated.items())
    elif kind == "screen":
        yield from _list_screen_answers(value, candidate_ids)


def _list_screen_answers(value: dict[str, Any], candidate_ids: Sequence[str]) -> Iterator[Answer]:
    for part in ("compare", "rank", "tag"):
        if part in value:
            yield from _list_answers(part, value[part], candidate_ids)
    for candidate_id, rated in zip(candidate_ids, value.get("rate", []), strict=False):
        yield from ((question, candidate_id, answer) for question, answer in rated.items())
