"""The pictures of the Snapshots view: reasons, counts, and before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from pitchpipe.store.rules.catalogue import RULES

_ACCENT, _AMBER, _GREY = "#15897e", "#c9741c", "#8b96a3"
"""Legible on both themes."""
_ROW, _BAR = 28, 17
_AXIS, _LEGEND = 34, 58
"""Pixels: a row and its bar, and what an axis and a legend take of the height."""
_PICK = "pick"


def draw_drops(drops: Sequence[Mapping[str, Any]]) -> str | None:
    """A bar for each rule; returns the rule whose bar was pressed."""
    rows = pd.DataFrame(
        [{"rule": one["rule"], "title": name_rule(one["rule"]), "units": one["count"], "reason": one["reason"]}
         for one in drops]
    )  # fmt: skip
    picked = alt.selection_point(name=_PICK, fields=["rule"])
    bars = _base(rows, "title").mark_bar(cornerRadiusEnd=3, height=_BAR, cursor="pointer", color=_AMBER).encode(
        x=_count_axis("units"), opacity=alt.condition(picked, alt.value(1), alt.value(0.4)),
        tooltip=["title:N", alt.Tooltip("units:Q", format=","), alt.Tooltip("reason:N", title="such as")],
    )  # fmt: skip
    chart = (bars.add_params(picked) + _labels(rows, "title", "units")).properties(height=_ROW * len(rows) + _AXIS)
    drawn = chart.configure_view(stroke=None).configure(background="transparent")
    event: Any = st.altair_chart(
        drawn, width="stretch", on_select="rerun", selection_mode=_PICK, key="snapshots_drops_chart"
    )
    chosen = event["selection"].get(_PICK, []) if event else []
    return str(chosen[0]["rule"]) if chosen and "rule" in chosen[0] else None


def name_rule(rule: str) -> str:
    """A rule as Checks calls it; what is no rule of quality, in words.

    >>> name_rule("boilerplate"), name_rule("not_judged")
    ('Machine talk', 'Not judged')
    """
    return RULES[rule].title if rule in RULES else rule.replace("_", " ").capitalize()


def draw_counts(counts: Mapping[str, int]) -> None:
    """Rows by kind, the sealed ones in grey beside the training ones."""
    rows = pd.DataFrame(
        [{"kind": name.rpartition("_")[0], "side": "sealed" if name.endswith("_holdout") else "training", "rows": count}
         for name, count in counts.items()]
    )  # fmt: skip
    if rows.empty:
        st.text("No rows.")
        return
    chart = alt.Chart(rows).mark_bar(cornerRadiusEnd=3).encode(
        y=alt.Y("kind:N", title=None, axis=_quiet_axis()), yOffset=alt.YOffset("side:N", sort=["training", "sealed"]),
        x=_count_axis("rows"),
        color=alt.Color("side:N", scale=alt.Scale(domain=["training", "sealed"], range=[_ACCENT, _GREY]),
                        legend=alt.Legend(title=None, orient="top", offset=2)),
        tooltip=["kind:N", "side:N", alt.Tooltip("rows:Q", format=",")],
    )  # fmt: skip
    _draw(chart, 2 * _ROW * rows["kind"].nunique() + _AXIS + _LEGEND)


def draw_bars(counts: Mapping[str, int]) -> None:
    """A bar for each name with its number."""
    if not counts:
        st.text("None.")
        return
    rows = pd.DataFrame([{"what": what, "rows": count} for what, count in counts.items()])
    bars = _base(rows, "what").mark_bar(cornerRadiusEnd=3, height=_BAR, color=_ACCENT).encode(
        x=_count_axis("rows"), tooltip=["what:N", alt.Tooltip("rows:Q", format=",")]
    )  # fmt: skip
    _draw(bars + _labels(rows, "what", "rows"), _ROW * len(rows) + _AXIS)


def draw_pairs(pairs: Mapping[str, tuple[float, float]], names: tuple[str, str], format: str = ",.0f") -> None:
    """Two bars for each name: before in grey, after in the accent."""
    rows = pd.DataFrame(
        [{"what": what, "snapshot": name, "value": value}
         for what, both in pairs.items() for name, value in zip(names, both, strict=True)]
    )  # fmt: skip
    if rows.empty:
        st.text("None in either.")
        return
    chart = alt.Chart(rows).mark_bar(cornerRadiusEnd=3).encode(
        y=alt.Y("what:N", sort=list(pairs), title=None, axis=_quiet_axis()),
        yOffset=alt.YOffset("snapshot:N", sort=list(names)),
        x=alt.X("value:Q", title=None, axis=alt.Axis(tickCount=4, format=format, domain=False)),
        color=alt.Color("snapshot:N", scale=alt.Scale(domain=list(names), range=[_GREY, _ACCENT]),
                        legend=alt.Legend(title=None, orient="top", offset=2)),
        tooltip=["what:N", "snapshot:N", alt.Tooltip("value:Q", format=format)],
    )  # fmt: skip
    _draw(chart, 2 * _ROW * len(pairs) + _AXIS + _LEGEND)


def _base(rows: pd.DataFrame, name: str) -> Any:
    return alt.Chart(rows).encode(y=alt.Y(f"{name}:N", sort=list(rows[name]), title=None, axis=_quiet_axis()))


def _labels(rows: pd.DataFrame, name: str, count: str) -> Any:
    return _base(rows, name).mark_text(align="left", dx=5, color=_GREY).encode(
        x=f"{count}:Q", text=alt.Text(f"{count}:Q", format=",")
    )  # fmt: skip


def _quiet_axis() -> alt.Axis:
    return alt.Axis(labelLimit=210, ticks=False, domain=False)


def _count_axis(name: str) -> alt.X:
    return alt.X(f"{name}:Q", title=None, axis=alt.Axis(tickCount=4, format=",d", tickMinStep=1, domain=False))


def _draw(chart: Any, height: int) -> None:
    drawn = chart.properties(height=height).configure_view(stroke=None).configure(background="transparent")
    st.altair_chart(drawn, width="stretch")
