"""Export rows: the rows of a form as one lazy table, so that texts go from the snapshot to the file without becoming
Python objects. Pure and free of torch.

The builders of `formats` decide which rows teach. They are given *references* in place of texts: the name of the column
that holds an answer, the place of the row in place of its conversation. What they keep is then looked up, column by
column. The result is the same as if they had been given the texts, at a fraction of the time and the memory.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from pitchpipe.training.rows.format_rules import FormatPolicy
from pitchpipe.training.rows.formats import VERSION, DroppedRow, FormatResult, build_rows

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_TEXTS = ("answer", "answer_a", "answer_b")
_MESSAGE_COLUMNS = ("prompt", "completion", "chosen", "rejected")
_UNREAD = (
    "group_id", "category", "source", "model", "model_a", "model_b", "run_id", "judgement_ids", "task_ids",
    "rubric_hash", "guideline_hash", "spans", "words",
)  # fmt: skip
"""Columns that no builder asks for."""
_SPACE = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""What `str.strip` takes for space, which is a little more than polars does."""


def select_rows(form: str, rows: pl.DataFrame, columns: dict[str, Any], policy: FormatPolicy) -> FormatResult:
    """What the builder of a form keeps and drops, with references in place of the texts.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "pair", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Hi"}]', "answer_a": "No.", "answer_b": "Yes!", "verdict": "b",
    ...     "support": 1.0, "strength": 1.0, "weight": 1.0}])
    >>> select_rows("dpo", rows, {}, FormatPolicy()).kept[0]["chosen"]
    [{'role': 'assistant', 'content': 'answer_b'}]
    """
    return build_rows(form, rows if _teaches_whole_texts(columns) else _refer(rows), policy)


def look_up(result: FormatResult, rows: pl.DataFrame, columns: dict[str, Any]) -> pl.LazyFrame:
    """The table of the kept rows, their references replaced by the texts of `rows`."""
    schema = {"row_id": pl.String, "example_id": pl.String, **columns, "weight": pl.Float64}
    if _teaches_whole_texts(columns):
        return pl.DataFrame(result.kept, schema=schema).lazy()
    held = [name for name in _MESSAGE_COLUMNS if name in columns]
    places = [row["prompt"][0] for row in result.kept]
    plain = {name: kind for name, kind in schema.items() if name not in held}
    found = pl.DataFrame({name: [row[name] for row in result.kept] for name in plain}, schema=plain)
    sides = {
        f"_{name}": pl.Series([row[name][0]["content"] for row in result.kept], dtype=pl.String)
        for name in held
        if name != "prompt"
    }
    texts = rows.select("messages", *(name for name in _TEXTS if name in rows.columns))[places]
    table = found.with_columns(**sides).hstack(texts)
    return table.lazy().select(_say_column(name, rows.columns) if name in held else pl.col(name) for name in schema)


def select_raw(rows: pl.DataFrame) -> tuple[FormatResult, pl.LazyFrame]:
    """Every row of the train side as the snapshot has it, messages as lists."""
    is_train = pl.col("split") == "train"
    kept = rows.filter(is_train).sort("row_id")
    sealed = rows.filter(is_train.not_().fill_null(True))["row_id"].sort()
    reason = "its group is not on the train side and is kept for measuring"
    dropped = [DroppedRow(row_id, "sealed_holdout", VERSION, reason) for row_id in sealed]
    counted = FormatResult([{"row_id": row_id} for row_id in kept["row_id"]], dropped, rows.height)
    return counted, kept.lazy().with_columns(_decode(pl.col("messages")))


def _teaches_whole_texts(columns: dict[str, Any]) -> bool:
    """True for a form whose builder puts texts together itself."""
    return "text" in columns


def _refer(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a reference in the place of each text: equal where texts are equal, blank where they are blank."""
    texts = {name: _name_text(name) for name in _TEXTS if name in rows.columns}
    if "answer_a" in texts and "answer_b" in texts:
        same = pl.col("answer_a") == pl.col("answer_b")
        texts["answer_b"] = pl.when(same).then(texts["answer_a"]).otherwise(texts["answer_b"])
    place = pl.format("[{}]", pl.int_range(pl.len()))
    return rows.with_columns(messages=place, **texts).drop(_UNREAD, strict=False)


def _name_text(column: str) -> pl.Expr:
    is_blank = pl.col(column).str.strip_chars(_SPACE) == ""
    return pl.when(pl.col(column).is_null()).then(None).when(is_blank).then(pl.lit("")).otherwise(pl.lit(column))


def _say_column(name: str, known: list[str]) -> pl.Expr:
    if name == "prompt":
        return _decode(pl.col("messages")).alias(name)
    text = pl.coalesce(pl.when(pl.col(f"_{name}") == column).then(column) for column in _TEXTS if column in known)
    return pl.concat_list(pl.struct(role=pl.lit("assistant"), content=text)).alias(name)


def _decode(messages: pl.Expr) -> pl.Expr:
    return messages.str.json_decode(MESSAGES)


def encode_dropped(dropped: list[DroppedRow]) -> bytes:
    """The dropped rows as JSON lines, keys in order of the alphabet.

    >>> encode_dropped([DroppedRow("r1", "tie", "1", "people found the two equal")])
    b'{"reason":"people found the two equal","row_id":"r1","rule":"tie","version":"1"}\\n'
    """
    say = json.encoder.encode_basestring
    lines = (
        f'{{"reason":{say(row.reason)},"row_id":{say(row.row_id)},"rule":{say(row.rule)},"version":{say(row.version)}}}\n'
        for row in dropped
    )
    return "".join(lines).encode("utf-8")
