"""Current judgements as frames: one row a judgement, and one row an answer to a question of it.

The only place that takes values of judgements apart; every measure of people and of agreement starts here. A million
judgements repeat a few thousand different values, so each different value is parsed once and joined back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.judgement_rows import select_latest
from pitchpipe.store.projects import get_project


def select_current(tasks: str = "") -> str:
    """The query for the latest row of each annotator on each task, skips included; takes `$project`, a project's id.

    Adjudications are decisions about judgements and are left out.

    Args:
        tasks: a query for the ids of the tasks to look at, which is far cheaper than to look at all; all when empty.
    """
    columns = "entry, task_id, annotator, kind, status, value, shown, seconds, source, created_at, detail, rubric_hash"
    only = f"AND task_id IN ({tasks})" if tasks else ""
    latest = select_latest(columns, f"project_id = $project AND source <> 'adjudication' {only}")
    return f"SELECT * FROM ({latest}) WHERE status <> 'retracted'"


READ_TOLD = "json_extract_string({detail}, '$.text_questions')"
"""From a judgement's detail the names of the questions answered in words, a JSON list; NULL where it does not tell."""

# Texts of people are not compared, so they are not even read. Tasks, and what was said, are numbers of 64 bits, because
# a million long texts take seconds to sort and join; that any two of them meet has a chance of 3 in 100 million.
_VALUE = "CASE WHEN j.kind IN ('edit', 'write') THEN '{}' ELSE j.value END"
_TOLD = READ_TOLD.format(detail="j.detail")
_SAID = f"hash(j.kind, {_VALUE}, {_TOLD})"
# Hardly anybody judges a task twice, so the latest rows are found among the few pairs that have several; and hashes,
# far cheaper to count than texts, tell which those may be.
_READ_WORK = f"""
WITH repeated AS (
    SELECT hash(task_id, annotator) AS place FROM judgements
    WHERE project_id = $project AND source <> 'adjudication' GROUP BY place HAVING count(*) > 1
), twice AS (
    SELECT task_id, annotator, max(entry) AS entry FROM judgements
    WHERE project_id = $project AND source <> 'adjudication' AND hash(task_id, annotator) IN (FROM repeated)
    GROUP BY task_id, annotator HAVING count(*) > 1
)
SELECT j.annotator AS rater, hash(j.task_id) AS unit, j.kind, j.status, j.seconds, j.created_at AS "at",
       {_SAID} AS said,
       CASE WHEN j.kind IN ('span', 'screen') THEN j.rubric_hash END AS rubric,
       j.source = 'studio' AS is_live,
       CASE WHEN j.source = 'studio' THEN j.shown = t.candidate_ids END AS is_in_order,
       coalesce(t.purpose, '') AS purpose
FROM judgements AS j JOIN tasks AS t ON t.id = j.task_id
LEFT JOIN twice ON twice.task_id = j.task_id AND twice.annotator = j.annotator
WHERE j.project_id = $project AND j.source <> 'adjudication' AND j.status <> 'retracted'
  AND (twice.entry IS NULL OR twice.entry = j.entry)
"""
_READ_VALUES = f"""
SELECT {_SAID} AS said, any_value(j.kind) AS kind, any_value({_VALUE}) AS value, any_value({_TOLD}) AS told
FROM judgements AS j WHERE j.project_id = $project AND j.source <> 'adjudication' GROUP BY said
"""

_LONGEST_OPTION = 80
KEYS = ("kind", "value", "told")
"""What the answers of a judgement are told from."""
_QUESTION = ("kind", "part", "question")


class Answer(NamedTuple):
    """One answer of a judgement."""

    part: str
    """The kind of task; of a screen the kind of its part."""
    question: str
    """Of a rating a question of the rubric; else `verdict`, `strength`, `rank`, `labels`, or the label of an error."""
    place: str
    """What of the task it is about: an answer by its place from 0, a turn (`turn 1`), or "" for the whole."""
    value: int | str
    """A number on a scale or text. Of marked stretches `marked`; where there are none, `no error` to no question."""


@dataclass(frozen=True, slots=True)
class Work:
    """What people did in a project, as it counts now."""

    rows: pl.DataFrame
    """One row a judgement: row, rater, unit (a hash of the task's id), kind, status, seconds, at, is_live (made in the
    studio, not imported), is_in_order (answers were shown in the task's own order; null where unknown), purpose."""
    answers: pl.DataFrame
    """One row an answer: row (of `rows`), kind (of task), part, question, unit, rater, text, number (null where it is
    none). One's own repeats and words of one's own are left out; known answers are not, for all are asked the same."""
    words: list[tuple[str, str]]
    """Kind and name of the questions that are answered in words of one's own."""

    def split_questions(self) -> Iterator[tuple[str, str, bool, pl.DataFrame]]:
        """Kind, question, whether its values are numbers on a scale, and its ratings (row, unit, rater, value)."""
        for (kind, _, question), part in self.answers.group_by(_QUESTION, maintain_order=True):
            is_scale = part["number"].null_count() == 0
            column = "number" if is_scale else "text"
            yield str(kind), str(question), is_scale, part.select("row", "unit", "rater", pl.col(column).alias("value"))

    def name_questions(self) -> dict[tuple[str, str], str]:
        """What to call each kind and question: the kind in brackets where several kinds of task ask it."""
        asked = self.answers.select("kind", "question").unique().rows()
        kinds = Counter(question for _, question in asked)
        return {(kind, name): f"{name} ({kind})" if kinds[name] > 1 else name for kind, name in asked}


def read_work(store: Store, project: str) -> Work:
    """The current judgements of a project and their answers."""
    values = {"project": get_project(store, project).id}
    rows = store.read_frame(_READ_WORK, values).with_row_index("row")
    judged = rows.filter((pl.col("status") == "submitted") & (pl.col("purpose") != "repeat"))
    spoken = store.read_frame(_READ_VALUES, values).filter(pl.col("said").is_in(judged["said"].unique().implode()))
    parsed, words = parse_values(spoken)
    # Names of few values join and group far faster as such than as texts.
    parsed = (
        parsed.join(spoken, on=KEYS, nulls_equal=True, maintain_order="left")
        .drop("value", "told")
        .with_columns(pl.col(name).cast(pl.Enum(parsed[name].unique().sort())) for name in _QUESTION)
    )
    answers = (
        judged.select("row", "rater", "unit", "rubric", "said")
        .join(parsed, on="said", maintain_order="left_right")
        .select(
            "row", *_QUESTION, "rater", "text", "number", "rubric",
            pl.when(pl.col("place") == "").then("unit").otherwise(pl.col("unit") ^ pl.col("place").hash()),
        )
    )  # fmt: skip
    return Work(rows.drop("said", "rubric"), _complete_spans(answers).drop("rubric"), words)


def parse_values(said: pl.DataFrame) -> tuple[pl.DataFrame, list[tuple[str, str]]]:
    """The answers of every different value, and the questions left out because they are answered in words.

    A question is one of words wherever anybody answered it in words: a short remark is no option either.

    Args:
        said: columns `kind`, `value` (a document) and `told` (see `READ_TOLD`), one row a judgement.

    Returns:
        `kind`, `value`, `told`, `part`, `question`, `place`, `text`, `number` (null where the answer is none); and the
        kind and name of each question of words.
    """
    found = [
        (*key, answer.part, answer.question, answer.place, str(answer.value), _as_number(answer.value),
         is_words(answer.question, answer.value, json.loads(key[2] or "[]")))
        for key in said.select(KEYS).unique().sort(KEYS).iter_rows()  # sorted, for questions come in this order
        for answer in list_answers(key[0], json.loads(key[1]))
    ]  # fmt: skip
    names = (*KEYS, "part", "question", "place", "text")
    schema = {**dict.fromkeys(names, pl.String), "number": pl.Float64, "is_words": pl.Boolean}
    answers = pl.DataFrame(found, schema, orient="row")
    words = answers.filter("is_words").select(_QUESTION).unique(maintain_order=True)
    kept = answers.drop("is_words").join(words, on=_QUESTION, how="anti", maintain_order="left")
    return kept, words.select("kind", "question").rows()


def list_answers(kind: str, value: dict[str, Any]) -> list[Answer]:
    """The answers of one judgement: a ranking by its ranks, a screen by its parts, a conversation by its turns.

    Written and corrected texts have none.

    >>> [tuple(answer) for answer in list_answers("compare", {"verdict": "a", "strength": -2})]
    [('compare', 'verdict', '', 'a'), ('compare', 'strength', '', -2)]
    >>> [tuple(answer) for answer in list_answers("rank", {"ranks": [0, 1]})]
    [('rank', 'rank', '0', 0), ('rank', 'rank', '1', 1)]
    """
    if kind == "compare":
        verdict, strength = Answer(kind, "verdict", "", value["verdict"]), value.get("strength")
        return [verdict] if strength is None else [verdict, Answer(kind, "strength", "", strength)]
    if kind == "rate":
        return _list_ratings(kind, "0", value)
    if kind == "rank":
        return [Answer(kind, "rank", str(place), rank) for place, rank in enumerate(value["ranks"])]
    if kind == "tag":
        return [Answer(kind, "labels", "", ", ".join(sorted(value["labels"])))]
    if kind == "span":
        labels = sorted({span["label"] for span in value["spans"]})
        return [Answer(kind, label, "0", "marked") for label in labels] or [Answer(kind, "", "0", "no error")]
    if kind == "turns":
        turns = value["turns"].items()
        return [answer for turn, ratings in turns for answer in _list_ratings(kind, f"turn {turn}", ratings)]
    if kind == "screen":
        rated = [answer for place, ratings in enumerate(value.get("rate", ()))
                 for answer in _list_ratings("rate", str(place), ratings)]  # fmt: skip
        return rated + [answer for part in value if part != "rate" for answer in list_answers(part, value[part])]
    return []


def is_words(question: str, answer: Any, told: Collection[str]) -> bool:
    """Whether an answer to a question of a rubric is in words of one's own, which are read and not compared.

    The judgement tells (`told`, the `text_questions` of its detail). Where it does not, as when it was imported, words
    are what no option could be: several lines, or over 80 characters.
    """
    if not isinstance(answer, str):
        return False
    return question in told if told else len(answer) > _LONGEST_OPTION or "\n" in answer


def _list_ratings(part: str, place: str, ratings: dict[str, Any]) -> list[Answer]:
    return [Answer(part, question, place, answer) for question, answer in ratings.items()]


def _complete_spans(answers: pl.DataFrame) -> pl.DataFrame:
    """Makes each label that anybody used under the same rubric a question to all: `marked` or `not marked`."""
    spans = answers.filter(pl.col("part") == "span")
    if spans.is_empty():
        return answers
    labels = spans.filter(pl.col("question") != "").select("kind", "rubric", "question").unique().sort("question")
    judged = spans.drop("question", "text").unique("row", maintain_order=True)
    marked = spans.select("row", "question", "text")
    asked = (
        judged.join(labels, on=["kind", "rubric"], nulls_equal=True, maintain_order="left_right")
        .join(marked, on=["row", "question"], how="left", maintain_order="left")
        .with_columns(pl.col("text").fill_null("not marked"))
    )
    return pl.concat([answers.filter(pl.col("part") != "span"), asked.select(answers.columns)])


def _as_number(answer: Any) -> float | None:
    return float(answer) if isinstance(answer, int | float) else None
