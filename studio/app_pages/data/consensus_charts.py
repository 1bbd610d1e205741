"""The pictures of the Consensus view: what each strategy makes of a question, confidence, and models with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import polars as pl
import streamlit as st

from pitchpipe.store.consensus.consensus_preview import NO_CONSENSUS, StrategyPreview
from pitchpipe.store.measures.model_ranking import ModelStanding

_COLOURS = ["#15897e", "#c9741c", "#5b78c7", "#9a5fb0", "#8b96a3"]
"""Legible on both themes; in the order of the strategies."""
_BINS = 10


def draw_distributions(strategies: Sequence[StrategyPreview], names: dict[str, str], words: Mapping[str, str]) -> None:
    """Bars side by side: how many units each strategy gives each value; `words` says what people call a value."""
    rows = pd.DataFrame(
        [{"value": words.get(value, value), "strategy": names[one.strategy], "units": count}
         for one in strategies for value, count in one.distribution.items()]
    )  # fmt: skip
    order = sorted(rows["value"].unique(), key=_order_value)
    shown = [names[one.strategy] for one in strategies]
    chart = alt.Chart(rows).mark_bar(cornerRadiusTopLeft=2, cornerRadiusTopRight=2).encode(
        x=alt.X("value:N", sort=order, title=None, axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
        xOffset=alt.XOffset("strategy:N", sort=shown),
        y=alt.Y("units:Q", title="units", axis=alt.Axis(tickCount=4, format=",d", domain=False)),
        color=alt.Color("strategy:N", scale=alt.Scale(domain=shown, range=_COLOURS[: len(shown)]),
                        legend=alt.Legend(title=None, orient="top", direction="horizontal")),
        tooltip=["strategy:N", "value:N", alt.Tooltip("units:Q", format=",")],
    )  # fmt: skip
    _draw(chart, 240)


def draw_confidence(outcomes: pl.DataFrame) -> None:
    """How many units are how certain, in tenths."""
    counted = (
        outcomes.drop_nulls("confidence")
        .select((pl.col("confidence") * _BINS).floor().clip(0, _BINS - 1).cast(pl.Int64).alias("bin"))["bin"]
        .value_counts()
    )
    counts = dict(counted.iter_rows())
    rows = pd.DataFrame(
        [{"from": place / _BINS, "to": (place + 1) / _BINS, "units": counts.get(place, 0)} for place in range(_BINS)]
    )
    chart = alt.Chart(rows).mark_bar(color=_COLOURS[0]).encode(
        x=alt.X("from:Q", bin="binned", title=None, scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], grid=False)),
        x2="to:Q",
        y=alt.Y("units:Q", title="units", axis=alt.Axis(tickCount=3, format=",d", domain=False)),
        tooltip=[alt.Tooltip("from:Q", format=".0%"), alt.Tooltip("to:Q", format=".0%"),
                 alt.Tooltip("units:Q", format=",")],
    )  # fmt: skip
    _draw(chart, 150)


def draw_models(standings: Sequence[ModelStanding]) -> None:
    """A dot with its interval a model, on the share of comparisons won against an average one."""
    rows = pd.DataFrame(
        [{"model": one.model, "share": one.win_share, "low": one.low, "high": one.high, "prompts": one.prompts}
         for one in standings]
    )  # fmt: skip
    base = alt.Chart(rows).encode(
        y=alt.Y("model:N", sort=[one.model for one in standings], title=None,
                axis=alt.Axis(labelLimit=260, ticks=False, domain=False, grid=True))
    )  # fmt: skip
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1], grid=False, domain=False)
    middle = alt.Chart(pd.DataFrame({"share": [0.5]})).mark_rule(strokeDash=[4, 4], color=_COLOURS[-1])
    marks = (
        middle.encode(x="share:Q")
        + base.mark_rule(color=_COLOURS[0], strokeWidth=3, opacity=0.45).encode(x="low:Q", x2="high:Q")
        + base.mark_point(color=_COLOURS[0], filled=True, size=90, opacity=1).encode(
            x=alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis),
            tooltip=["model:N", alt.Tooltip("share:Q", format=".0%"), alt.Tooltip("low:Q", format=".0%"),
                     alt.Tooltip("high:Q", format=".0%"), "prompts:Q"],
        )
    )  # fmt: skip
    _draw(marks, 34 * len(rows) + 30)


def _order_value(value: str) -> tuple[bool, float, str]:
    """Numbers by size, words by name, no consensus last."""
    return value == NO_CONSENSUS, float(value) if value.lstrip("-").isdigit() else 0.0, value


def _draw(chart: alt.Chart | alt.LayerChart, height: int) -> None:
    configured = chart.properties(height=height).configure(background="transparent").configure_view(stroke=None)
    st.altair_chart(configured, width="stretch")
