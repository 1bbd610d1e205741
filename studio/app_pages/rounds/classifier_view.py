"""How good a classifier is on the sealed holdout: what it mixes up, and whether its confidence is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from pitchpipe.training.runs.run_folders import read_json


def describe_classifier(summary: dict[str, Any]) -> list[str]:
    """The evaluation of a classifier in sentences.

    >>> share = {"share": 0.6, "low": 0.45, "high": 0.74, "n": 40}
    >>> describe_classifier({"accuracy": share, "macro_f1": {"mean": 0.59, "low": 0.39, "high": 0.71},
    ...     "calibration_error": 0.21, "comparisons": {}})[0]
    'Right on 60% of 40 sealed texts (95% interval 45% to 74%).'
    """
    right, f1 = summary["accuracy"], summary["macro_f1"]
    said = [
        f"Right on {right['share']:.0%} of {right['n']} sealed texts "
        f"(95% interval {right['low']:.0%} to {right['high']:.0%}).",
        f"Macro F1 {f1['mean']:.2f} ({f1['low']:.2f} to {f1['high']:.2f}).",
    ]
    titles = {"commonest": "Always saying the commonest class", "earlier": "The earlier run"}
    for name, other in summary["comparisons"].items():
        chance = "below 0.001" if other["p"] < 0.001 else f"{other['p']:.3f}"
        said.append(f"{titles[name]} is right on {other['accuracy']:.0%}; p of the difference {chance} (McNemar).")
    said.append(f"Its confidence is off by {summary['calibration_error']:.2f} on average (0 is best).")
    return said


def show_classifier(folder: Path, summary: dict[str, Any]) -> None:
    """Sentences, the confusion beside the calibration, and each class in a table."""
    st.text("\n".join(describe_classifier(summary)))
    report = read_json(folder / "evaluation.json")
    left, right = st.columns([3, 2])
    left.altair_chart(draw_confusion(report["confusion"]), width="stretch")
    right.altair_chart(draw_calibration(report["calibration"]["bins"]), width="stretch")
    rows = [{"class": label, **measured} for label, measured in report["classes"].items()]
    columns = {name: st.column_config.NumberColumn(format="%.2f") for name in ("precision", "recall", "f1")}
    st.dataframe(pl.DataFrame(rows), column_config=columns, hide_index=True)


def draw_confusion(confusion: dict[str, Any]) -> alt.LayerChart:
    """Every class (row) by what it was taken for (column); the shade is the share of the row."""
    labels, rows = confusion["labels"], confusion["rows"]
    cells = [
        {"is": one, "taken for": other, "texts": count, "share": count / max(sum(row), 1)}
        for one, row in zip(labels, rows, strict=True)
        for other, count in zip(labels, row, strict=True)
    ]
    base = alt.Chart(pl.DataFrame(cells)).encode(
        x=alt.X("taken for:N", sort=labels, axis=alt.Axis(labelAngle=-40)), y=alt.Y("is:N", sort=labels)
    )
    boxes = base.mark_rect().encode(
        color=alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), legend=None),
        tooltip=["is", "taken for", "texts"],
    )
    words = base.mark_text().encode(
        text="texts:Q", color=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#123"))
    )
    return alt.layer(boxes, words.transform_filter("datum.texts > 0")).properties(
        title="What is taken for what", height=max(160, 24 * len(labels))
    )


def draw_calibration(bins: list[dict[str, Any]]) -> alt.LayerChart:
    """How often it is right by how sure it is; on the line its confidence is true."""
    frame = pl.DataFrame(bins)
    x = alt.X("confidence:Q", scale=alt.Scale(domain=[0, 1]), title="how sure it is")
    y = alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1]), title="how often it is right")
    line = alt.Chart(pl.DataFrame({"confidence": [0.0, 1.0], "accuracy": [0.0, 1.0]})).mark_line(
        strokeDash=[4, 4], color="gray"
    )
    spans = alt.Chart(frame).mark_rule().encode(x=x, y="low:Q", y2="high:Q")
    points = alt.Chart(frame).mark_circle(size=70).encode(x=x, y=y, tooltip=["rows", "confidence", "accuracy"])
    return alt.layer(line.encode(x=x, y=y), spans, points).properties(title="Is its confidence true?", height=260)
