"""Label references: the labelled texts of the holdout, which measure classifiers. Pure and free of torch."""

from __future__ import annotations

import json

import polars as pl

from pitchpipe.training.rows.format_rules import VERSION, FormatPolicy, refuse_label, text_of
from pitchpipe.training.rows.formats import DroppedRow, FormatResult


def choose_label_references(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """Every labelled text of the holdout with its one label: row_id, example_id, group_id, text, label.

    Only the holdout is considered. A text with several labels is left out and listed, as in training.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "label", "example_id": "e1", "group_id": "g1",
    ...     "split": "holdout", "messages": '[{"role": "user", "content": "Where is it?"}]', "answer": None,
    ...     "labels": '["delivery"]', "support": 1.0}])
    >>> choose_label_references(rows).kept[0]["label"]
    'delivery'
    """
    policy = policy or FormatPolicy()
    labelled = rows.filter((pl.col("row_kind") == "label") & (pl.col("split") == "holdout")).sort("row_id").to_dicts()
    kept, dropped = [], []
    for row in labelled:
        verdict = refuse_label(row, policy, "holdout")
        if verdict:
            dropped.append(DroppedRow(row["row_id"], verdict[0], VERSION, verdict[1]))
        else:
            facts = {name: row[name] for name in ("row_id", "example_id", "group_id")}
            kept.append({**facts, "text": text_of(row), "label": json.loads(row["labels"])[0]})
    return FormatResult(kept, dropped, len(labelled))
