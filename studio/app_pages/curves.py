"""The curves of a training run, drawn from its metrics file."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

_CURVES = {
    "loss": "train loss",
    "rewards/margins": "margin: how much better the chosen answer is rated",
    "rewards/accuracies": "share of pairs ranked right",
}


def collect_points(metrics: list[dict[str, Any]], name: str) -> list[dict[str, float]]:
    """The points of one curve; lines that lack it (a last line with totals, say) are left out.

    >>> collect_points([{"step": 1, "loss": 2.0}, {"step": 2, "seconds": 9}], "loss")
    [{'step': 1, 'value': 2.0}]
    """
    return [{"step": line["step"], "value": line[name]} for line in metrics if isinstance(line.get(name), int | float)]


def draw_curves(metrics: list[dict[str, Any]]) -> None:
    """Draws each curve that the metrics have points for."""
    drawn = [(title, points) for name, title in _CURVES.items() if (points := collect_points(metrics, name))]
    if not drawn:
        st.caption("The curve begins with the first step.")
        return
    for position, (title, points) in enumerate(drawn):
        st.caption(title)
        st.altair_chart(_line(points, height=230 if position == 0 else 120), width="stretch")


def _line(points: list[dict[str, float]], height: int) -> alt.Chart:
    base = alt.Chart(pd.DataFrame(points)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, format="d", grid=False)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("value:Q", format=".4f")],
    )
    return (base.mark_line(strokeWidth=2.2) + base.mark_point(filled=True, size=18)).properties(height=height)
