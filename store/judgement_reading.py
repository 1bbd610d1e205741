"""Reads what counts: the latest judgement of each annotator on each task, if it is a submitted one.

A curator's adjudication stands beside the judgement that the same person may have made as an annotator.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """Agreement on one question of a kind of task."""

    kind: str
    question: str
    agreement: Agreement


def measure_project_agreement(store: Store, project: str, resamples: int = 1000) -> list[QuestionAgreement]:
    """How far annotators agree on each question of the project, judged tasks only.

    Verdicts and labels are nominal, ratings ordinal, strengths of preference ordinal. Each task is a unit.
    """
    frame = store.read_frame(CURRENT_JUDGEMENTS, [get_project(store, project).id])
    answers = [
        (kind, question, task_id, annotator, value)
        for kind, task_id, annotator, document in frame.select("kind", "task_id", "annotator", "value").iter_rows()
        for question, value in _list_answers(kind, json.loads(document))
    ]
    if not answers:
        return []
    table = pl.DataFrame(answers, schema=["kind", "question", "unit", "rater", "value"], orient="row", strict=False)
    found = []
    for (kind, question), part in table.group_by(["kind", "question"], maintain_order=True):
        level: Level = "nominal" if question in ("verdict", "labels") else "ordinal"
        ratings = part.select("unit", "rater", "value")
        if level == "ordinal":
            ratings = ratings.with_columns(pl.col("value").cast(pl.Int64))
        found.append(QuestionAgreement(str(kind), str(question), measure_agreement(ratings, level, resamples)))
    return found


def _list_answers(kind: str, value: dict[str, Any]) -> list[tuple[str, str]]:
    """The answers of one judgement, one a question, as text (ordinal ones are turned back to numbers later)."""
    if kind == "compare":
        answers = [("verdict", value["verdict"])]
        if value.get("strength") is not None:
            answers.append(("strength", str(value["strength"])))
        return answers
    if kind == "rate":
        return [(question, str(score)) for question, score in value.items()]
    if kind == "tag":
        return [("labels", ", ".join(sorted(value["labels"])))]
    return []
