"""A slice in pictures: lengths, ratings, agreement, where it comes from, and what sways people besides the answers."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from pitchpipe.store.curation.catalogue import Catalogue
from pitchpipe.store.curation.catalogue_charts import Bias, Shape, read_shape
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.studio.app_pages.review_words import KIND_WORDS
from pitchpipe.studio.app_pages.showing import show_constant

_ACCENT, _AMBER = "#15897e", "#c9741c"
"""Legible on both themes."""
_HEIGHT, _STEP = 150, 22
_MOST_BARS = 8
_FEWEST_VOTES = 5
_HALF = 0.5


def show_charts(made: Catalogue, slice: Slice, found: int) -> None:
    """Draws the figures of a slice."""
    if not found:
        st.text("No example fits, so there is nothing to draw.")
        return
    shape = read_shape(made, slice)
    for names in (("lengths", "answers", "ratings"), ("agreement", "sources", "biases")):
        # All cards of a row are as high as the highest.
        with st.container(key=f"twins_rows_{names[0]}"):
            for column, name in zip(st.columns(3), names, strict=True):
                with column, st.container(key=f"card_rows_{name}", gap="small"):
                    _DRAW[name](shape)


def _draw_lengths(shape: Shape) -> None:
    _title("Words in the request", shape.request_words)
    _draw_bins(shape.request_words, is_words=True)


def _draw_answers(shape: Shape) -> None:
    _title("Words in an answer", shape.answer_words)
    _draw_bins(shape.answer_words, is_words=True)


def _draw_ratings(shape: Shape) -> None:
    _title("Mean rating", shape.ratings)
    _draw_bins(shape.ratings)


def _draw_agreement(shape: Shape) -> None:
    _title("Pairs of raters who said the same", shape.agreement)
    _draw_bins(shape.agreement, form=".0%")


def _draw_sources(shape: Shape) -> None:
    show_constant('<div class="rw-chart">Sources and kinds of task</div>')
    _draw_bars(shape.sources, _ACCENT)
    if shape.kinds:
        _draw_bars([(KIND_WORDS.get(kind, kind), count) for kind, count in shape.kinds], _AMBER)


def _draw_biases(shape: Shape) -> None:
    show_constant('<div class="rw-chart">How often the chosen answer was…</div>')
    told = [bias for bias in shape.biases if bias.total >= _FEWEST_VOTES]
    if not told:
        st.text("Too few votes between two answers yet.")
        return
    frame = pd.DataFrame([{"what": b.name, "share": b.share, "low": b.low, "high": b.high, "votes": b.total,
                           "is": "clear" if _is_clear(b) else "open"} for b in told])  # fmt: skip
    base = alt.Chart(frame).encode(
        y=alt.Y("what:N", sort=None, title=None, axis=alt.Axis(labelLimit=170, ticks=False, domain=False)),
        color=alt.Color("is:N", legend=None, scale=alt.Scale(domain=["clear", "open"], range=[_AMBER, _ACCENT])),
    )
    x = alt.X("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", values=[0, 0.5, 1]))
    half = alt.Chart(pd.DataFrame({"x": [_HALF]})).mark_rule(strokeDash=[3, 3], color="#8b96a3").encode(x="x:Q")
    marks = (
        half
        + base.mark_rule(strokeWidth=3, opacity=0.45).encode(x="low:Q", x2="high:Q")
        + base.mark_point(filled=True, size=80, opacity=1).encode(
            x=x, tooltip=["what:N", alt.Tooltip("share:Q", format=".0%"), "votes:Q"]
        )
    )
    _draw(marks, alt.Step(_STEP))
    show_constant('<div class="rw-note">{words}</div>', words=say_biases(told))


def say_biases(biases: Sequence[Bias]) -> str:
    """What the figures say: which share is not one half by its 95% interval."""
    said = []
    for bias in biases:
        if bias.name in ("shown first", "longer") and bias.share is not None:
            what = "the answer shown first" if bias.name == "shown first" else "the longer answer"
            lean = "no clear lean" if not _is_clear(bias) else f"{bias.share:.0%} of {bias.total:,} votes"
            said.append(f"For {what}: {lean}.")
    return " ".join([*said, "Lines are 95% intervals; a longer answer may of course be the better one."])


def _is_clear(bias: Bias) -> bool:
    return bias.low is not None and bias.high is not None and not bias.low <= _HALF <= bias.high


def _draw_bins(bins: Sequence[tuple[float, int]], *, is_words: bool = False, form: str = ".2~f") -> None:
    if not bins:
        st.text("None yet.")
        return
    names = [f"{edge:.0f}" if is_words else edge for edge, _ in bins]
    frame = pd.DataFrame({"edge": names, "examples": [count for _, count in bins]})
    axis = alt.Axis(labelAngle=0, grid=False, ticks=False, domain=False, labelOverlap=True)
    if not is_words:
        axis.format = form
    x = alt.X("edge:O", title=None, sort=None, axis=axis)
    y = alt.Y("examples:Q", title=None, axis=alt.Axis(tickCount=3, format="d", domain=False))
    chart = alt.Chart(frame).mark_bar(color=_ACCENT, cornerRadiusTopLeft=2, cornerRadiusTopRight=2)
    _draw(chart.encode(x=x, y=y, tooltip=[alt.Tooltip("edge:O", title="from" if is_words else "about"), "examples:Q"]))


def _draw_bars(counts: Sequence[tuple[str, int]], color: str) -> None:
    shown = [*counts[:_MOST_BARS]]
    rest = sum(count for _, count in counts[_MOST_BARS:])
    if rest:
        shown.append((f"{len(counts) - _MOST_BARS} more", rest))
    frame = pd.DataFrame({"name": [name for name, _ in shown], "examples": [count for _, count in shown]})
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=150, ticks=False, domain=False))
    x = alt.X("examples:Q", title=None, axis=alt.Axis(tickCount=3, format="d", domain=False))
    chart = alt.Chart(frame).mark_bar(color=color, cornerRadiusEnd=2).encode(x=x, y=y, tooltip=["name:N", "examples:Q"])
    _draw(chart, alt.Step(_STEP))


def _title(words: str, bins: Sequence[tuple[float, int]]) -> None:
    show_constant(
        '<div class="rw-chart">{words} <span class="rw-note">{count}</span></div>',
        words=words, count=f"{sum(count for _, count in bins):,} examples",
    )  # fmt: skip


def _draw(chart: alt.Chart, height: int | alt.Step = _HEIGHT) -> None:
    drawn = chart.properties(height=height).configure(background="transparent").configure_view(stroke=None)
    st.altair_chart(drawn, width="stretch")


_DRAW = {
    "lengths": _draw_lengths, "answers": _draw_answers, "ratings": _draw_ratings, "agreement": _draw_agreement,
    "sources": _draw_sources, "biases": _draw_biases,
}  # fmt: skip
