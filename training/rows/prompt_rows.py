"""Prompt rows: the requests of the training side, each once, for methods that have a model write answers of its own."""

from __future__ import annotations

import json

import polars as pl

from pitchpipe.training.rows.format_rules import VERSION, Refusal, Row, seal
from pitchpipe.training.rows.formats import DroppedRow, FormatResult


def build_prompt_rows(rows: pl.DataFrame) -> FormatResult:
    """One row an example that has an answer or a pair: row_id, example_id, prompt. The answers teach nothing.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "answer", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Hi"}]'}])
    >>> build_prompt_rows(rows).kept[0]["prompt"]
    [{'role': 'user', 'content': 'Hi'}]
    """
    considered = rows.filter(pl.col("row_kind").is_in(["answer", "pair"])).sort("row_id").to_dicts()
    first: dict[str, Row] = {}
    dropped = []
    for row in considered:
        verdict = seal(row) or _refuse(row, first.get(row["example_id"]))
        if verdict:
            dropped.append(DroppedRow(row["row_id"], verdict[0], VERSION, verdict[1]))
        else:
            first[row["example_id"]] = row
    kept = [
        {"row_id": row["row_id"], "example_id": row["example_id"], "prompt": json.loads(row["messages"])}
        for row in first.values()
    ]
    return FormatResult(kept, dropped, len(considered))


def _refuse(row: Row, taken: Row | None) -> Refusal | None:
    if row.get("turn") is not None:
        return ("inner_turn", "it is a turn inside a conversation, and prompts are whole conversations")
    if taken is not None:
        return ("same_prompt", f"{taken['row_id']} brings the same prompt")
    return None
