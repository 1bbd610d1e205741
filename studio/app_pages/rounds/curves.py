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
    """Draws each curve that the metrics have points for: the loss, and for pairs the two that tell what was learned."""
    drawn = [(title, points) for name, title in _CURVES.items() if (points := collect_points(metrics, name))]
    if not drawn:
        st.caption("The curve begins with the first step.")
        return
    _draw_curve(*drawn[0], height=240)
    for column, (title, points) in zip(st.columns(2) if len(drawn) > 1 else [], drawn[1:], strict=False):
        with column:
            _draw_curve(title, points, height=150)


def _draw_curve(title: str, points: list[dict[str, float]], height: int) -> None:
    st.caption(title)
    base = alt.Chart(pd.DataFrame(points)).encode(
        x=alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=8, format="d", grid=False)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4)),
        tooltip=[alt.Tooltip("step:Q"), alt.Tooltip("value:Q", format=".4f")],
    )
    marks = base.mark_line(strokeWidth=2.2) + base.mark_point(filled=True, size=18)
    st.altair_chart(marks.properties(height=height).configure(background="transparent"), width="stretch")
