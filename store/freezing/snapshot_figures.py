"""What rows add up to: how many of what, how long, how sure, from whom. Pure functions of a frame of snapshot rows."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

_WORD = r"\S+"
_SIDES = ("a", "b")
_ANSWERS = ["answer", "answer_a", "answer_b"]


def measure_rows(rows: pl.DataFrame) -> dict[str, Any]:
    """The figures of a dataset; all but `counts` and `sealed` are of the training side.

    Args:
        rows: rows with the columns of `ROW_COLUMNS`.

    Returns:
        `counts` rows by kind and side; `rows` on the training side, `sealed` on the other; `sources` rows by source;
        `words` in requests (each conversation once) and in answers (each row's), white space apart, as a measure of
        tokens that needs no model; `mean_answer_words` of one answer, by kind of row; `verdicts` of pairs;
        `length_bias` (see `measure_length_bias`); `support` mean share of raters behind a row (None: nobody was asked),
        and `support_by_kind`; `raters`, `judgements` that stand behind the rows; `scores` mean by question.
    """
    train = rows.filter(pl.col("split") == "train")
    counted = train.with_columns(_count_words(), pl.sum_horizontal(pl.col(_ANSWERS).is_not_null()).alias("answers"))
    kinds = (
        counted.group_by("row_kind")
        .agg((pl.col("answer_words") / pl.col("answers")).mean(), pl.col("support").mean())
        .sort("row_kind")
    )
    judgements = _read_lists(train, "judgement_ids")
    return {
        "counts": _count(rows, pl.concat_str(["row_kind", "split"], separator="_")),
        "rows": train.height,
        "sealed": rows.height - train.height,
        "sources": _count(train, pl.col("source")),
        "words": {"requests": _count_request_words(train), "answers": int(counted["answer_words"].sum() or 0)},
        "mean_answer_words": dict(zip(kinds["row_kind"], _round(kinds["answer_words"]), strict=True)),
        "verdicts": _count(train.filter(pl.col("verdict").is_not_null()), pl.col("verdict")),
        "length_bias": measure_length_bias(train),
        "support": _round_one(train["support"].mean()),
        "support_by_kind": dict(zip(kinds["row_kind"], _round(kinds["support"]), strict=True)),
        "raters": len(_read_lists(train, "raters")),
        "judgements": len(judgements),
        "scores": _average_scores(train),
    }


def measure_length_bias(rows: pl.DataFrame) -> dict[str, Any]:
    """Whether the longer answer tends to win, over decided pairs whose answers differ in words.

    Returns:
        `pairs` looked at; `longer_won` the share in which the longer answer won (0.5: length does not matter; None: no
        such pair); `mean_chosen_words`, `mean_rejected_words`.
    """
    words = rows.filter(pl.col("verdict").is_in(list(_SIDES))).with_columns(
        [pl.col(f"answer_{side}").str.count_matches(_WORD).alias(f"words_{side}") for side in _SIDES]
    )
    won = pl.col("verdict") == "a"
    pairs = words.select(
        chosen=pl.when(won).then("words_a").otherwise("words_b"),
        rejected=pl.when(won).then("words_b").otherwise("words_a"),
    )
    uneven = pairs.filter(pl.col("chosen") != pl.col("rejected"))
    return {
        "pairs": uneven.height,
        "longer_won": _round_one((uneven["chosen"] > uneven["rejected"]).mean()),
        "mean_chosen_words": _round_one(pairs["chosen"].mean()),
        "mean_rejected_words": _round_one(pairs["rejected"].mean()),
    }


def count_drops(drops: pl.DataFrame, samples: int = 3) -> list[dict[str, Any]]:
    """Drops (or marks) by rule and version, the commonest first: count, the first reason, and some units as samples."""
    if drops.is_empty():
        return []
    grouped = (
        drops.group_by("rule", "version", maintain_order=True)
        .agg(
            pl.len().alias("count"),
            pl.first("reason"),
            pl.col("unit").head(samples),
            pl.col("example_id").head(samples),
        )
        .sort("count", "rule", descending=[True, False])
    )
    return [
        {"rule": row["rule"], "version": row["version"], "count": row["count"], "reason": row["reason"],
         "samples": [{"example_id": example_id, "unit": unit}
                     for example_id, unit in zip(row["example_id"], row["unit"], strict=True)]}
        for row in grouped.iter_rows(named=True)
    ]  # fmt: skip


def _count(rows: pl.DataFrame, by: pl.Expr) -> dict[str, int]:
    counted = rows.group_by(by.alias("what")).len().sort("what")
    return {str(what): int(count) for what, count in counted.iter_rows()}


def _count_words() -> pl.Expr:
    counts = [pl.col(column).str.count_matches(_WORD).fill_null(0) for column in _ANSWERS]
    return pl.sum_horizontal(counts).alias("answer_words")


def _count_request_words(rows: pl.DataFrame) -> int:
    conversations = rows["messages"].unique(maintain_order=True)
    return sum(len(turn["content"].split()) for text in conversations for turn in json.loads(text))


def _read_lists(rows: pl.DataFrame, column: str) -> set[str]:
    return {item for text in rows[column].unique() for item in json.loads(text or "[]")}


def _average_scores(rows: pl.DataFrame) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for text in rows["scores"].drop_nulls():
        for question, value in json.loads(text).items():
            if isinstance(value, int | float):
                found.setdefault(question, []).append(value)
    return {question: round(sum(values) / len(values), 4) for question, values in sorted(found.items())}


def _round(values: pl.Series) -> list[float | None]:
    return [_round_one(value) for value in values]


def _round_one(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
