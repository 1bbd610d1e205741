"""What a dry run found: fates, lengths, troubles, rows, and the tokens of a row with what each is for."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl
import streamlit as st

from pitchpipe.studio.app_pages.data.token_mask import show_tokens
from pitchpipe.studio.app_pages.showing import plain
from pitchpipe.training.exports.export_check import TROUBLES, CheckState, read_ledger, read_masks

_FATES = {
    "kept": ("learned whole", "#15897e"),
    "truncated": ("cut at the end", "#c9741c"),
    "too_long": ("left out by the trainer", "#c0392b"),
    "dropped": ("left out by a rule", "#8b96a3"),
}
"""Fates in words and in colours that are legible on both themes."""
_SAID = {fate: words for fate, (words, _) in _FATES.items()}
_BINS = 40
_MOST = 2_000


def show_results(state: CheckState) -> None:
    """The results of a finished dry run."""
    summary, ledger = state.summary, read_ledger(state.folder)
    with st.container(key="card_exports_result"):
        for column, (fate, words) in zip(st.columns(4), _SAID.items(), strict=True):
            column.metric(words, f"{summary['fates'][fate]:,}", help=f"{fate} in the ledger")
        _tell_trainer(summary)
        draw_lengths(ledger, summary["max_length"])
        tokens = summary["tokens"].get("tokens")
        if tokens:
            whose = "the longer side of a pair" if "chosen" in summary["tokens"] else "a row"
            st.caption(
                f"Tokens of {whose}: half have at most {tokens['p50']:,}, 95 of 100 at most {tokens['p95']:,}, the "
                f"longest {tokens['longest']:,}; {tokens['total']:,} in all."
            )
    with st.container(key="card_exports_rows"):
        _show_troubles(summary)
        _show_rows(ledger)
    with st.container(key="card_exports_mask"):
        _show_masks(state)


def _tell_trainer(summary: dict[str, Any]) -> None:
    told = summary["trainer"]
    if not told["rows_expected"]:
        st.warning("No row is left to learn from.")
    elif told["agrees"]:
        st.success(
            f"TRL's {told['trainer']} loaded the file: {told['rows']:,} rows and {told['tokens']:,} tokens, as "
            "expected."
        )
    else:
        st.error(
            f"**TRL's {told['trainer']} holds {told['rows']:,} rows and {told['tokens']:,} tokens, and the ledger "
            f"expects {told['rows_expected']:,} and {told['tokens_expected']:,}.**\n\n"
            "Do not train on this file before you know why."
        )


def count_lengths(ledger: pl.DataFrame, bins: int = _BINS) -> pl.DataFrame:
    """Rows by length and fate: columns low, high (tokens), fate, rows.

    >>> rows = pl.DataFrame({"tokens": [3, 4, 25, None], "fate": ["kept", "kept", "truncated", "dropped"]})
    >>> count_lengths(rows, 5).rows()
    [(0, 6, 'kept', 2), (24, 30, 'truncated', 1)]
    """
    counted = ledger.filter(pl.col("tokens").is_not_null())
    longest: Any = counted["tokens"].max() or 0
    width = longest // bins + 1
    low = pl.col("tokens") // width * width
    return (
        counted.select(low.alias("low"), (low + width).alias("high"), "fate")
        .group_by("low", "high", "fate")
        .agg(pl.len().cast(pl.Int64).alias("rows"))
        .sort("low", "fate")
    )


def draw_lengths(ledger: pl.DataFrame, max_length: int) -> None:
    """A histogram of the lengths, coloured by fate, with the line beyond which the trainer cuts."""
    counted = count_lengths(ledger)
    if counted.is_empty():
        return
    rows = counted.with_columns(pl.col("fate").replace_strict(_SAID)).to_pandas()
    longest = max(int(rows["high"].max()), 1)
    drawn = max_length if max_length <= 1.6 * longest else None
    scale = alt.Scale(domain=[0, max(longest, drawn or 0)], nice=False)
    colour = alt.Scale(domain=list(_SAID.values())[:3], range=[colour for _, colour in _FATES.values()][:3])
    chart = (
        alt.Chart(rows)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "low:Q", bin="binned", title="tokens of a row", scale=scale, axis=alt.Axis(format=",d", grid=False)
            ),
            x2="high:Q",
            y=alt.Y("rows:Q", title="rows", axis=alt.Axis(tickMinStep=1, tickCount=4, format=",d")),
            color=alt.Color("fate:N", scale=colour, legend=alt.Legend(title=None, orient="top")),
            tooltip=["low:Q", "high:Q", "fate:N", "rows:Q"],
        )
    )
    if drawn is None:
        st.caption(f"The limit of {max_length:,} tokens lies far to the right of every row.")
        shown: alt.Chart | alt.LayerChart = chart
    else:
        line = alt.Chart(alt.Data(values=[{"at": drawn, "words": f"limit {drawn:,}"}]))
        rule = line.mark_rule(color="#c0392b", strokeDash=[5, 4], strokeWidth=1.5).encode(x="at:Q")
        words = line.mark_text(color="#c0392b", align="right", dx=-5, y=8).encode(x="at:Q", text="words:N")
        shown = chart + rule + words
    st.altair_chart(shown.properties(height=220).configure(background="transparent"), width="stretch")


def _show_troubles(summary: dict[str, Any]) -> None:
    found = {name: count for name, count in summary["troubles"].items() if count}
    st.subheader("Rows with trouble", anchor=False)
    if not found:
        st.text("None: every prompt is a prefix, every answer ends its turn, no control token stands in a text.")
    for name, count in found.items():
        st.markdown(f":orange-badge[{count:,}] {plain(TROUBLES[name])} ({plain(name)})")
    if found.get("control_token"):
        st.caption("Pitchpipe's own rounds encode such texts as plain text; other trainers that read the file do not.")


def _show_rows(ledger: pl.DataFrame) -> None:
    kinds = ["with trouble", *_SAID.values()]
    usual = "with trouble" if (ledger["troubles"] != "").any() else _SAID["truncated"]
    wanted = st.segmented_control("Rows", kinds, default=usual, required=True, key="exports_rows")
    fate = next((name for name, words in _SAID.items() if words == wanted), None)
    rows = ledger.filter(pl.col("troubles") != "" if fate is None else pl.col("fate") == fate)
    counts = [name for name in ("tokens", "prompt", "completion", "chosen", "rejected") if ledger[name].count()]
    shown = rows.head(_MOST).select("row_id", "why", pl.col("troubles").str.replace_all("_", " "), *counts)
    if shown.is_empty():
        st.text("No row.")
        return
    st.dataframe(shown, hide_index=True, height=min(280, 38 + 35 * shown.height))
    if rows.height > _MOST:
        st.caption(f"The first {_MOST:,} of {rows.height:,}; ledger.parquet in the check's folder has them all.")


def _show_masks(state: CheckState) -> None:
    st.subheader("What the trainer reads and learns", anchor=False)
    # Those with trouble first: they are what one comes here for.
    masks = {row["row_id"]: row for row in sorted(read_masks(state.folder), key=lambda row: not row["troubles"])}
    if not masks:
        st.text("This dry run kept no row token by token.")
        return
    titles = {
        row_id: " · ".join([row_id, _SAID[row["fate"]], *(name.replace("_", " ") for name in row["troubles"])])
        for row_id, row in masks.items()
    }
    row_id = st.selectbox("Row", list(masks), format_func=titles.__getitem__, key=f"exports_row_{state.folder.name}")
    row = masks[row_id]
    for side in row["sides"]:
        if len(row["sides"]) > 1:
            st.caption(side["side"])
        show_tokens(side["tokens"], key=f"exports_mask_{side['side']}")
    with st.expander("The row as it is exported"):
        st.json(row["row"])
