"""What each rater said of which answer, adjudications apart: the frames in which disputes are looked for.

One scan of the store. Of a screen each part counts like a task of its kind. Corrections and words of one's own are no
statements that could agree or disagree, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.judging.answer_reading import KEYS, READ_TOLD, parse_values
from pitchpipe.store.judging.judgement_reading import CURRENT_ADJUDICATIONS, CURRENT_JUDGEMENTS

_TASKS = """
SELECT id AS task, example_id AS example, kind, candidate_ids, batch, position, purpose FROM tasks WHERE project_id = ?
"""
# Only the columns that are needed: the texts of reasons are most of what a judgement weighs.
_SAYINGS = f"""
SELECT task_id AS task, annotator AS rater, value, {READ_TOLD.format(detail="detail")} AS told, source
FROM (SELECT * FROM ({CURRENT_JUDGEMENTS}) UNION ALL SELECT * FROM ({CURRENT_ADJUDICATIONS})) AS current ORDER BY entry
"""
_STATEMENT = ("task", "rater", "subject", "question")


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


def read_opinions(store: Store, project_id: str) -> Opinions:
    """Everything that the raters of a project say now, seen at one moment."""
    current, tasks = store.read_at_once(
        lambda: (store.read_frame(_SAYINGS, [project_id, project_id]), store.read_frame(_TASKS, [project_id]))
    )
    said = current.join(tasks.select("task", "example", "kind"), on="task", how="inner", maintain_order="left")
    answers = _list_answers(tasks.join(said, on="task", how="semi"))
    given, _ = parse_values(said)
    choices = _list_choices(given)
    is_settling = said["source"] == "adjudication"
    judging, settling = said.filter(~is_settling), said.filter(is_settling)
    rated = given.filter(pl.col("part").is_in(["rate", "turns"]) & pl.col("number").is_not_null())
    return Opinions(
        tasks=tasks,
        answers=dict(answers.group_by("task", maintain_order=True).agg("answer").iter_rows()),
        raters=dict(judging.group_by("task").len().iter_rows()),
        settled=set(settling["task"]),
        scores=_place_answers(judging, rated, answers).select(*_STATEMENT, pl.col("number").alias("score")),
        labels=_place_answers(judging, _list_labels(given), answers).select(*_STATEMENT, pl.col("text").alias("label")),
        choices=_place_choices(judging, choices, answers),
        last_words=_place_choices(settling, choices, answers),
    )


def _list_answers(tasks: pl.DataFrame) -> pl.DataFrame:
    """`task`, `place`, `answer`: one row an answer of a task."""
    decoded = tasks.select("task", pl.col("candidate_ids").str.json_decode(pl.List(pl.String)).alias("answer"))
    rows = decoded.explode("answer", empty_as_null=False)
    return rows.select("task", pl.int_range(pl.len()).over("task").cast(pl.Int64).alias("place"), "answer")


def _place_answers(said: pl.DataFrame, given: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """The answers that every judgement gave, with what each is about as `subject`."""
    rows = said.join(given, on=KEYS, nulls_equal=True, maintain_order="left_right")
    rows = rows.with_columns(pl.col("place").cast(pl.Int64, strict=False).alias("answer_place"))
    named = answers.rename({"place": "answer_place"})
    rows = rows.join(named, on=["task", "answer_place"], how="left", maintain_order="left")
    return rows.with_columns(pl.coalesce("answer", "place").alias("subject"))


def _list_labels(given: pl.DataFrame) -> pl.DataFrame:
    """Options and sets of labels, one row each: the kinds of error that somebody marked are one set."""
    chosen = given.filter(pl.col("part").is_in(["rate", "turns", "tag"]) & pl.col("number").is_null())
    spans = given.filter(pl.col("part") == "span").group_by(*KEYS, "place", maintain_order=True).agg("question")
    labels = pl.col("question").list.join(", ")
    errors = pl.when(labels == "").then(pl.lit("no error")).otherwise(labels)
    columns = [*KEYS, "place", "question", "text"]
    marked = spans.with_columns(errors.alias("text"), pl.lit("spans").alias("question"))
    return pl.concat([chosen.select(columns), marked.select(columns)])


def _list_choices(given: pl.DataFrame) -> pl.DataFrame:
    """Verdicts, and each pair of a ranking as a choice without a strength: what every different value prefers."""
    verdicts = given.filter(pl.col("question") == "verdict", pl.col("part") == "compare")
    strengths = given.filter(pl.col("question") == "strength", pl.col("part") == "compare").select(*KEYS, "number")
    compared = verdicts.drop("number").join(strengths, on=KEYS, how="left", nulls_equal=True, maintain_order="left")
    side = pl.col("text").replace_strict({"a": -1.0, "b": 1.0, "tie": 0.0}, default=None, return_dtype=pl.Float64)
    # A side that was taken without saying how much counts 1.
    is_said = (side != 0) & (pl.col("number") != 0)
    ranks = given.filter(pl.col("part") == "rank").select(*KEYS, pl.col("place").cast(pl.Int64), "number")
    pairs = ranks.join(ranks, on=KEYS, nulls_equal=True, suffix="_b", maintain_order="left_right")
    preference = (pl.col("number") - pl.col("number_b")).sign()
    columns = [*KEYS, "place_a", "place_b", "verdict", "preference", "is_ranked"]
    return pl.concat([
        compared.with_columns(
            pl.lit(0, pl.Int64).alias("place_a"), pl.lit(1, pl.Int64).alias("place_b"), pl.col("text").alias("verdict"),
            pl.when(is_said).then("number").otherwise(side).alias("preference"), pl.lit(False).alias("is_ranked"),
        ).select(columns),
        pairs.filter(pl.col("place") < pl.col("place_b")).with_columns(
            pl.col("place").alias("place_a"), preference.alias("preference"), pl.lit(True).alias("is_ranked"),
            pl.when(preference < 0).then(pl.lit("a")).when(preference > 0).then(pl.lit("b")).otherwise(pl.lit("tie"))
            .alias("verdict"),
        ).select(columns),
    ])  # fmt: skip


def _place_choices(said: pl.DataFrame, choices: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    rows = said.join(choices, on=KEYS, nulls_equal=True, maintain_order="left_right")
    for side in "ab":
        named = answers.rename({"place": f"place_{side}", "answer": f"answer_{side}"})
        rows = rows.join(named, on=["task", f"place_{side}"], how="inner", maintain_order="left")
    return rows.select("task", "example", "rater", "answer_a", "answer_b", "verdict", "preference", "is_ranked")
