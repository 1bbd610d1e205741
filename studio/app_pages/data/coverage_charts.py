"""The pictures of the Coverage view: the map, bars of what was judged, wanted against found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from pitchpipe.store.coverage.gaps import Gap

_ACCENT, _AMBER, _GREY = "#15897e", "#c9741c", "#8b96a3"
"""Legible on both themes."""
_CLUSTER_COLOURS = (
    "#15897e", "#c9741c", "#7c6fd6", "#c2507a", "#5a8f29", "#2f7fc1", "#b08a1e", "#8a5a3c", "#4fa3a5", "#a05fb5",
    "#d2603a", "#6b8e6b",
)  # fmt: skip
_MAP_HEIGHT = 520
_MOST_LABELS = 22
_MOST_BARS = 40
# What a label takes on a map of 520 pixels, in the coordinates of the map (-1 to 1), a little generous.
_LETTER, _LINE = 0.0165, 0.055


def place_labels(points: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """`label`, `x`, `y` of the largest clusters' names, at the middle of their points, none upon another."""
    middles = points.group_by("cluster").agg(pl.col("x").median(), pl.col("y").median(), pl.len().alias("size"))
    placed: list[tuple[str, float, float]] = []
    for cluster, x, y, _ in middles.sort("size", "cluster", descending=[True, False]).iter_rows():
        label = ", ".join(names[cluster].split(", ")[:2])
        is_free = all(
            abs(y - other_y) > _LINE or abs(x - other_x) > _LETTER * (len(label) + len(other)) / 2
            for other, other_x, other_y in placed
        )
        if is_free and len(placed) < _MOST_LABELS:
            placed.append((label, x, y))
    return pl.DataFrame(placed, {"label": pl.String, "x": pl.Float64, "y": pl.Float64}, orient="row")


def draw_map(points: pl.DataFrame, labels: pl.DataFrame, colour: str) -> dict[str, Any]:
    """The map; returns the ranges `x` and `y` that were dragged over, or nothing."""
    brush = alt.selection_interval(name="coverage_brush")
    is_cluster = colour == "cluster"
    axis = {"axis": None, "scale": alt.Scale(domain=[-1.06, 1.06], nice=False)}
    order = points[colour if not is_cluster else "label"].unique().sort().to_list()
    scale = alt.Scale(range=[_GREY if name == "not judged" else _CLUSTER_COLOURS[place % len(_CLUSTER_COLOURS)]
                             for place, name in enumerate(order)], domain=order)  # fmt: skip
    legend = None if is_cluster or len(order) > 12 else alt.Legend(orient="bottom", title=None, columns=4)
    dots = alt.Chart(points).mark_circle(size=26).encode(
        x=alt.X("x:Q", **axis), y=alt.Y("y:Q", **axis),
        color=alt.Color("label:N" if is_cluster else f"{colour}:N", scale=scale, legend=legend),
        opacity=alt.condition(brush, alt.value(0.75), alt.value(0.15)),
        tooltip=[alt.Tooltip("words:N", title="request"), alt.Tooltip("label:N", title="cluster"),
                 alt.Tooltip("kind:N"), alt.Tooltip("source:N")],
    ).add_params(brush)  # fmt: skip
    base = alt.Chart(labels).encode(x=alt.X("x:Q", **axis), y=alt.Y("y:Q", **axis), text="label:N")
    # A halo behind the letters keeps them legible on points of either theme.
    words = {"fontSize": 12, "fontWeight": 600}
    light = st.context.theme.type != "dark"
    halo = base.mark_text(**words, stroke="#ffffff" if light else "#1b2026", strokeWidth=4, strokeOpacity=0.85,
                          fill="transparent")  # fmt: skip
    letters = base.mark_text(**words, color="#1d2430" if light else "#e6e9ed")
    chart = (dots + halo + letters).properties(height=_MAP_HEIGHT).configure(background="transparent")
    found = st.altair_chart(
        chart.configure_view(stroke=None), width="stretch", key="coverage_map", on_select="rerun",
        selection_mode="coverage_brush",
    )  # fmt: skip
    ranges = dict(found.get("selection", {}).get("coverage_brush", {}) or {})
    return {axis: sorted(ranges[axis]) for axis in ("x", "y")} if {"x", "y"} <= ranges.keys() else {}


def draw_bars(rows: pl.DataFrame) -> None:
    """Examples of each `label`, judged and not, the largest first."""
    largest = rows.sort("examples", "label", descending=[True, False])
    shown = largest.head(_MOST_BARS).with_columns((pl.col("examples") - pl.col("judged")).alias("not judged"))
    long = shown.unpivot(
        on=["judged", "not judged"], index=["label", "examples", "answers", "judgements", "pairs", "holdout"],
        variable_name="state", value_name="count",
    ).with_columns(pl.col("state").replace_strict({"judged": 0, "not judged": 1}).alias("place"))  # fmt: skip
    chart = alt.Chart(long).mark_bar(height=9).encode(
        y=alt.Y("label:N", sort=shown["label"].to_list(), title=None,
                axis=_name_axis(170)),
        x=alt.X("count:Q", title=None, axis=alt.Axis(tickCount=4, format="~s", domain=False)),
        color=alt.Color("state:N", scale=alt.Scale(domain=["judged", "not judged"], range=[_ACCENT, _GREY]),
                        legend=alt.Legend(orient="top", title=None)),
        opacity=alt.Opacity("state:N", scale=alt.Scale(domain=["judged", "not judged"], range=[1, 0.5]), legend=None),
        order="place:O",
        tooltip=["label:N", "examples:Q", "answers:Q", "judgements:Q", alt.Tooltip("pairs:Q", title="pairs judged"),
                 alt.Tooltip("holdout:Q", title="sealed")],
    )  # fmt: skip
    with st.container(height=_MAP_HEIGHT + 20, border=False):
        _draw(chart, 19 * len(shown) + 60)
    if len(rows) > _MOST_BARS:
        st.caption(f"The largest {_MOST_BARS} of {len(rows):,}.")


def draw_gaps(gaps: Sequence[Gap]) -> None:
    """What was found as bars, what is wanted as a tick."""
    rows = pl.DataFrame([
        {"kind": gap.name, "found": gap.found, "wanted": gap.target,
         "state": "enough" if not gap.missing else "too few", "missing": gap.missing}
        for gap in gaps
    ])  # fmt: skip
    base = alt.Chart(rows).encode(
        y=alt.Y("kind:N", sort=[gap.name for gap in gaps], title=None,
                axis=_name_axis(200)),
        tooltip=["kind:N", "found:Q", "wanted:Q", "missing:Q"],
    )  # fmt: skip
    bars = base.mark_bar(height=12).encode(
        x=alt.X("found:Q", title=None, axis=alt.Axis(tickCount=5, format="~s", domain=False)),
        color=alt.Color("state:N", scale=alt.Scale(domain=["enough", "too few"], range=[_ACCENT, _AMBER]),
                        legend=alt.Legend(orient="top", title=None)),
    )  # fmt: skip
    ticks = base.mark_tick(color=_GREY, thickness=3, size=20).encode(x="wanted:Q")
    _draw(bars + ticks, 28 * len(gaps) + 100)


def draw_groups(before: dict[str, int], after: dict[str, int]) -> None:
    """The share of each group before and after, as two dots on a line."""
    totals = {"before": max(1, sum(before.values())), "after": max(1, sum(after.values()))}
    rows = pl.DataFrame([
        {"group": group, "set": name, "share": counts.get(group, 0) / totals[name], "count": counts.get(group, 0)}
        for group in list(before)[:12] for name, counts in (("before", before), ("after", after))
    ])  # fmt: skip
    base = alt.Chart(rows).encode(
        y=alt.Y("group:N", sort=list(before), title=None,
                axis=_name_axis(220, grid=True)),
        x=alt.X("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=5, grid=False, domain=False)),
    )  # fmt: skip
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        color=alt.Color("set:N", scale=alt.Scale(domain=["before", "after"], range=[_GREY, _ACCENT]),
                        legend=alt.Legend(orient="top", title=None)),
        tooltip=["group:N", "set:N", alt.Tooltip("share:Q", format=".1%"), "count:Q"],
    )  # fmt: skip
    line = base.mark_line(color=_GREY, opacity=0.5).encode(detail="group:N")
    _draw(line + dots, 30 * min(12, len(before)) + 60)


def _name_axis(limit: int, *, grid: bool = False) -> alt.Axis:
    """An axis of names, every one of them shown."""
    return alt.Axis(labelLimit=limit, labelOverlap=False, labelFlush=False, ticks=False, domain=False, grid=grid)


def _draw(chart: alt.Chart | alt.LayerChart, height: int) -> None:
    st.altair_chart(
        chart.properties(height=height).configure(background="transparent").configure_view(stroke=None), width="stretch"
    )
