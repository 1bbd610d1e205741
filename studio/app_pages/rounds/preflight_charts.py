"""The charts of a preflight: lengths beside the limit, and what becomes of the rows."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd
import polars as pl
import streamlit as st

from pitchpipe.studio.app_pages.data.export_results import count_lengths

_FATES = {
    "kept": ("learned whole", "#15897e"),
    "truncated": ("cut at the end", "#c9741c"),
    "too_long": ("left out: too long", "#c0392b"),
    "dropped": ("left out by a rule", "#8b96a3"),
    "held_back": ("held back to measure by", "#2f6f9f"),
}
_SAID = {fate: words for fate, (words, _) in _FATES.items()}
_COLOUR = alt.Scale(domain=list(_SAID.values()), range=[colour for _, colour in _FATES.values()])


def draw_lengths(ledger: pl.DataFrame, max_length: int) -> None:
    """A histogram of the lengths of rows, coloured by fate, with the line of `max_length` where it is near."""
    counted = count_lengths(ledger.rename({"status": "fate"}))
    if counted.is_empty():
        return
    rows = counted.with_columns(pl.col("fate").replace_strict(_SAID)).to_pandas()
    longest = max(int(rows["high"].max()), 1)
    is_near = max_length <= 1.6 * longest
    scale = alt.Scale(domain=[0, max(longest, max_length if is_near else 0)], nice=False)
    bars = (
        alt.Chart(rows)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q", bin="binned", title="tokens of a row", scale=scale, axis=alt.Axis(format=",d", grid=False)
            ),
            x2="high:Q",
            y=alt.Y("rows:Q", title="rows", axis=alt.Axis(tickMinStep=1, tickCount=4, format=",d")),
            color=alt.Color("fate:N", scale=_COLOUR, legend=None),
            tooltip=["low:Q", "high:Q", "fate:N", "rows:Q"],
        )
    )
    shown: alt.Chart | alt.LayerChart = bars
    if is_near:
        line = alt.Chart(alt.Data(values=[{"at": max_length, "words": f"max_length {max_length:,}"}]))
        rule = line.mark_rule(color="#c0392b", strokeDash=[5, 4], strokeWidth=1.5).encode(x="at:Q")
        words = line.mark_text(color="#c0392b", align="right", dx=-5, y=8).encode(x="at:Q", text="words:N")
        shown = bars + rule + words
    else:
        st.caption(f"The limit of {max_length:,} tokens lies far to the right of every row.")
    st.altair_chart(shown.properties(height=190).configure(background="transparent"), width="stretch")


def list_fates(rows: dict[str, Any]) -> pd.DataFrame:
    """What becomes of the rows, a line for each rule: columns what, fate, rows.

    >>> reasons = [{"fate": "dropped", "rule": "tie", "rows": 2, "examples": []}]
    >>> list_fates({"kept": 3, "reasons": reasons}).values.tolist()
    [['learned whole', 'learned whole', 3], ['tie', 'left out by a rule', 2]]
    """
    lines = [{"what": _SAID["kept"], "fate": _SAID["kept"], "rows": rows["kept"]}]
    for entry in rows["reasons"]:
        what = "cut at the end" if entry["fate"] == "truncated" else entry["rule"].replace("_", " ")
        lines.append({"what": what, "fate": _SAID[entry["fate"]], "rows": entry["rows"]})
    return pd.DataFrame(lines)


def draw_fates(rows: dict[str, Any]) -> None:
    """A bar for those that are learned and for each reason why others are not."""
    table = list_fates(rows)
    order = alt.Y("what:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, domain=False, ticks=False))
    base = alt.Chart(table).encode(y=order, x=alt.X("rows:Q", title=None, axis=None))
    bars = base.mark_bar(height=14, cornerRadiusEnd=3).encode(
        color=alt.Color("fate:N", scale=_COLOUR, legend=None), tooltip=["what:N", "fate:N", "rows:Q"]
    )
    # The grey of the text is legible on both themes.
    words = base.mark_text(align="left", dx=5, color="#7d8794").encode(text=alt.Text("rows:Q", format=",d"))
    chart = (bars + words).properties(height=24 * len(table) + 6).configure(background="transparent")
    st.altair_chart(chart.configure_view(stroke=None), width="stretch")


def draw_memory(memory: dict[str, Any]) -> None:
    """The parts of the memory side by side, and the line of what is free."""
    parts = [
        {"part": name, "gigabytes": size / 1e9, "place": place}
        for place, (name, size) in enumerate(memory["parts"].items())
        if size
    ]
    colours = ["#15897e", "#5cc9bd", "#2f6f9f", "#c9741c", "#8e6bbf", "#8b96a3"]
    scale = alt.Scale(domain=list(memory["parts"]), range=colours)
    bars = (
        alt.Chart(pd.DataFrame(parts))
        .mark_bar(height=22)
        .encode(
            x=alt.X("gigabytes:Q", stack="zero", title="GB", axis=alt.Axis(grid=False, tickCount=6)),
            color=alt.Color("part:N", scale=scale, legend=alt.Legend(title=None, orient="top", columns=3)),
            order="place:Q",
            tooltip=["part:N", alt.Tooltip("gigabytes:Q", format=".2f")],
        )
    )
    free = alt.Chart(pd.DataFrame([{"at": memory["free"] / 1e9, "words": "free"}]))
    rule = free.mark_rule(color="#c0392b", strokeDash=[5, 4], strokeWidth=1.5).encode(x="at:Q")
    words = free.mark_text(color="#c0392b", align="right", dx=-4, y=6).encode(x="at:Q", text="words:N")
    shown = bars + rule + words if memory["free"] else bars
    st.altair_chart(shown.properties(height=150).configure(background="transparent"), width="stretch")
