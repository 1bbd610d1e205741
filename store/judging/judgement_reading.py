"""Reads what counts: the latest judgement of each annotator on each task, if it is a submitted one.

A curator's adjudication stands beside the judgement that the same person may have made as an annotator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pitchpipe.store.database import Store
from pitchpipe.store.judging.answer_reading import read_work
from pitchpipe.store.measures.agreement import Agreement, measure_agreement

_COLUMNS = """id, entry, task_id, example_id, annotator, kind, status, value, reason, shown, rubric_hash,
guideline_hash, source, detail"""


def _select_submitted(whose: str) -> str:
    """The latest are sought only among those whose hash comes several times: hardly anybody judges a task twice."""
    return f"""
WITH ours AS (SELECT {_COLUMNS}, hash(task_id, annotator) AS place FROM judgements WHERE project_id = ? AND {whose}),
repeated AS (SELECT place FROM ours GROUP BY place HAVING count(*) > 1),
latest AS (
    SELECT * FROM ours WHERE place NOT IN (FROM repeated)
    UNION ALL
    SELECT * FROM ours WHERE place IN (FROM repeated)
    QUALIFY row_number() OVER (PARTITION BY task_id, annotator ORDER BY entry DESC) = 1
)
SELECT * EXCLUDE (place) FROM latest WHERE status = 'submitted' ORDER BY entry"""


CURRENT_JUDGEMENTS = _select_submitted("source <> 'adjudication'")
"""What annotators say now. A curator's adjudication is no rating: it never counts among them."""
CURRENT_ADJUDICATIONS = _select_submitted("source = 'adjudication'")

_WORDS = "these are words of people's own, which are read and not compared"


@dataclass(frozen=True, slots=True)
class QuestionAgreement:
    """Agreement on one question of a kind of task."""

    kind: str
    question: str
    agreement: Agreement


def measure_project_agreement(store: Store, project: str, resamples: int = 1000) -> list[QuestionAgreement]:
    """How far annotators agree on each question of the project, judged tasks only; repeats and adjudications aside.

    Numbers are ordinal (ratings, strengths, ranks), anything else nominal (verdicts, options, sets of labels). A unit
    is the task; of a ranking and of the ratings on a screen it is the answer, of rated turns the turn. Of marked
    stretches each label is a question: whether the answer has an error of that kind at all. A screen shows more than a
    plain task, so its questions are measured apart. Known answers count, for raters judge them unaware. Words of
    people's own are listed with the reason why they are not measured.
    """
    work = read_work(store, project)
    measured = [
        QuestionAgreement(kind, question, measure_agreement(ratings, "ordinal" if is_scale else "nominal", resamples))
        for kind, question, is_scale, ratings in work.split_questions()
    ]
    left_out = replace(measure_agreement([], "nominal", 0), undefined_because=_WORDS)
    return measured + [QuestionAgreement(kind, question, left_out) for kind, question in work.words]
