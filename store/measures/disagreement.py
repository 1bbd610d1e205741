"""How far several raters are apart on one thing: verdicts, ratings, rankings, labels. Pure mathematics over frames."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_ABSTAINING = "cannot_judge"


def measure_spreads(ratings: pl.DataFrame) -> pl.DataFrame:
    """The lowest and the highest rating of each thing, where two or more were given.

    Args:
        ratings: columns `task`, `subject`, `question`, `score`.

    Returns:
        `task`, `subject`, `question`, `low`, `high`, `raters`, `reach` (of the scale as far as this question's ratings
        use it, at least 1).

    >>> measure_spreads(pl.DataFrame({"task": ["t", "t"], "subject": ["A", "A"], "question": ["tone", "tone"],
    ...     "score": [1.0, 4.0]})).rows()
    [('t', 'A', 'tone', 1.0, 4.0, 2, 3.0)]
    """
    reach = (pl.col("score").max() - pl.col("score").min()).clip(lower_bound=1.0)
    scales = ratings.group_by("question").agg(reach.alias("reach"))
    spreads = ratings.group_by("task", "subject", "question", maintain_order=True).agg(
        pl.col("score").min().alias("low"), pl.col("score").max().alias("high"), pl.len().cast(pl.Int64).alias("raters")
    )
    return spreads.filter(pl.col("raters") >= 2).join(scales, on="question", how="left", maintain_order="left")


def measure_verdicts(verdicts: pl.DataFrame) -> pl.DataFrame:
    """How the verdicts on each pair are spread, where two or more were given.

    As in `consensus.aggregate_compare`, "cannot judge" abstains: it never wins and lowers the support of the others.

    Args:
        verdicts: columns `task`, `verdict`, `preference` (negative for a, positive for b, null where none was said).

    Returns:
        `task`, `raters`, `for_a`, `for_b`, `abstained`, `low`, `high` (of the preferences), `support` (the share of the
        most frequent verdict), `is_tied` (several verdicts share the first place).

    >>> measure_verdicts(pl.DataFrame({"task": ["t", "t"], "verdict": ["a", "b"], "preference": [-2.0, 1.0]})).rows()
    [('t', 2, 1, 1, 0, -2.0, 1.0, 0.5, True)]
    """
    tasks = verdicts.group_by("task", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("raters"),
        (pl.col("verdict") == "a").sum().cast(pl.Int64).alias("for_a"),
        (pl.col("verdict") == "b").sum().cast(pl.Int64).alias("for_b"),
        (pl.col("verdict") == _ABSTAINING).sum().cast(pl.Int64).alias("abstained"),
        pl.col("preference").min().alias("low"),
        pl.col("preference").max().alias("high"),
    )
    voting = verdicts.filter(pl.col("verdict") != _ABSTAINING).select("task", pl.col("verdict").alias("value"))
    tasks = tasks.filter(pl.col("raters") >= 2).join(_find_first_places(voting), on="task", how="left")
    return tasks.with_columns((pl.col("most").fill_null(0) / pl.col("raters")).alias("support")).select(
        "task", "raters", "for_a", "for_b", "abstained", "low", "high", "support", pl.col("is_tied").fill_null(False)
    )


def measure_labels(labels: pl.DataFrame) -> pl.DataFrame:
    """How the labels of each thing are spread, where two or more raters gave one.

    Args:
        labels: columns `task`, `subject`, `question`, `label` (of several labels, one text for the whole set).

    Returns:
        `task`, `subject`, `question`, `raters`, `distinct`, `support`, `is_tied`, `labels` (all of them, sorted).

    >>> measure_labels(pl.DataFrame({"task": ["t"] * 2, "subject": [""] * 2, "question": ["labels"] * 2,
    ...     "label": ["refund", "delay"]})).rows()
    [('t', '', 'labels', 2, 2, 0.5, True, ['delay', 'refund'])]
    """
    keys = ["task", "subject", "question"]
    things = labels.group_by(keys, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("raters"),
        pl.col("label").n_unique().cast(pl.Int64).alias("distinct"),
        pl.col("label").unique().sort().alias("labels"),
    )
    first = _find_first_places(labels.rename({"label": "value"}), keys)
    things = things.filter(pl.col("raters") >= 2).join(first, on=keys, how="left", maintain_order="left")
    return things.with_columns((pl.col("most") / pl.col("raters")).alias("support")).select(
        *keys, "raters", "distinct", "support", "is_tied", "labels"
    )


def measure_reversals(ranked: pl.DataFrame) -> pl.DataFrame:
    """Of several rankings of the same answers: on how many pairs of answers two raters took opposite sides.

    Ties are no opposite of anything. With two rankings without ties, one minus twice the share is Kendall's tau.

    Args:
        ranked: columns `task`, `answer_a`, `answer_b`, `preference` (negative for a), one row a pair and rater.

    Returns:
        `task`, `pairs`, `reversed`.

    >>> measure_reversals(pl.DataFrame({"task": ["t"] * 4, "answer_a": ["A", "A"] * 2, "answer_b": ["B", "C"] * 2,
    ...     "preference": [-1.0, -1.0, 1.0, -1.0]})).rows()
    [('t', 2, 1)]
    """
    is_reversed = (pl.col("preference").min() < 0) & (pl.col("preference").max() > 0)
    pairs = ranked.group_by("task", "answer_a", "answer_b", maintain_order=True).agg(is_reversed.alias("reversed"))
    return pairs.group_by("task", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("pairs"), pl.col("reversed").sum().cast(pl.Int64)
    )


def _find_first_places(values: pl.DataFrame, keys: Sequence[str] = ("task",)) -> pl.DataFrame:
    """For each thing how often its most frequent value was given, and whether several values were given that often."""
    counts = values.group_by(*keys, "value").agg(pl.len().alias("count"))
    most = pl.col("count").max()
    return counts.group_by(*keys).agg(most.alias("most"), ((pl.col("count") == most).sum() > 1).alias("is_tied"))
