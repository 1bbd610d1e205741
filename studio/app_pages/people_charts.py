"""The pictures of the People page: agreement on a line from 0 to 1, judgements by day, drift by hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from pitchpipe.store.measures.raters import Share
from pitchpipe.store.measures.wording import FIRM, TENTATIVE
from pitchpipe.store.team.quality_reading import QuestionQuality
from pitchpipe.store.team.rater_reading import RaterCard

_ROW_HEIGHT = 30
_ACCENT, _AMBER, _GREY = "#15897e", "#c9741c", "#8b96a3"
"""Legible on both themes."""


def draw_agreement(questions: Sequence[QuestionQuality]) -> None:
    """A dot with its interval for each question, on a line with the two marks of Krippendorff's bands."""
    rows = [
        {
            "question": question.question, "alpha": question.agreement.alpha, "low": question.agreement.alpha_low,
            "high": question.agreement.alpha_high, "raw": question.agreement.raw_agreement,
            "band": "firm" if (question.agreement.alpha or 0) >= FIRM else "below",
        }
        for question in questions
    ]  # fmt: skip
    lows = [found.alpha if found.alpha_low is None else found.alpha_low for found in (q.agreement for q in questions)]
    floor = min([0.0, *(low for low in lows if low is not None)])
    bands = pd.DataFrame({"from": [floor, TENTATIVE, FIRM], "to": [TENTATIVE, FIRM, 1.0], "opacity": [0.0, 0.09, 0.2]})
    shade = (
        alt.Chart(bands)
        .mark_rect(color=_ACCENT)
        .encode(x="from:Q", x2="to:Q", opacity=alt.Opacity("opacity:Q", scale=None, legend=None))
    )
    _draw(shade + _make_dots(rows, "alpha", floor, [0, 0.2, 0.4, TENTATIVE, FIRM, 1], ".2~f"), len(rows))


def make_rest_rows(card: RaterCard) -> list[dict[str, Any]]:
    """One row a question: the share of the others who gave the same answer."""
    return [
        {"question": question.question, "alpha": question.rest.exact.share, "low": question.rest.exact.low,
         "high": question.rest.exact.high, "raw": question.rest.exact.share, "band": "share"}
        for question in card.questions
        if question.rest.exact.share is not None
    ]  # fmt: skip


def draw_rest(card: RaterCard) -> None:
    """A rater's share of same answers by question, with its interval."""
    rows = make_rest_rows(card)
    if not rows:
        st.text("Nobody else judged the same yet.")
        return
    _draw(_make_dots(rows, "share", 0.0, [0, 0.25, 0.5, 0.75, 1], ".0%"), len(rows))


def draw_daily(daily: Sequence[tuple[date, int]]) -> None:
    """Judgements by day as bars."""
    rows = pd.DataFrame({"day": [pd.Timestamp(day) for day, _ in daily], "judgements": [count for _, count in daily]})
    chart = alt.Chart(rows).mark_bar(color=_ACCENT, cornerRadiusTopLeft=2, cornerRadiusTopRight=2).encode(
        x=alt.X("yearmonthdate(day):O", title=None, axis=alt.Axis(format="%d %b", labelAngle=0, grid=False,
                labelOverlap=True, ticks=False, domain=False)),
        y=alt.Y("judgements:Q", title=None, axis=alt.Axis(tickCount=3, format="d", domain=False)),
        tooltip=[alt.Tooltip("yearmonthdate(day):T", title="day"), alt.Tooltip("judgements:Q")],
    )  # fmt: skip
    st.altair_chart(chart.properties(height=120).configure(background="transparent"), width="stretch")


def draw_drift(drift: Sequence[Share]) -> None:
    """The share of same answers by hour of a session, with its interval."""
    rows = pd.DataFrame(
        [{"hour": f"{hour + 1}", "share": share.share, "low": share.low, "high": share.high, "answers": share.total}
         for hour, share in enumerate(drift) if share.share is not None]
    )  # fmt: skip
    base = alt.Chart(rows).encode(x=alt.X("hour:O", title="hour", axis=alt.Axis(labelAngle=0, grid=False)))
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", values=[0, 0.5, 1]))
    marks = (
        base.mark_rule(color=_ACCENT, strokeWidth=2, opacity=0.45).encode(y=alt.Y("low:Q"), y2="high:Q")
        + base.mark_line(color=_ACCENT, strokeWidth=2).encode(y=y)
        + base.mark_point(color=_ACCENT, filled=True, size=60, opacity=1).encode(
            y=y, tooltip=["hour:O", alt.Tooltip("share:Q", format=".0%"), "answers:Q"]
        )
    )
    st.altair_chart(marks.properties(height=150).configure(background="transparent"), width="stretch")


def _make_dots(rows: list[dict[str, Any]], title: str, floor: float, ticks: list[float], form: str) -> alt.LayerChart:
    frame = pd.DataFrame(rows)
    order = [row["question"] for row in rows]
    base = alt.Chart(frame).encode(
        y=alt.Y(
            "question:N",
            sort=order,
            title=None,
            scale=alt.Scale(padding=0.7),
            axis=alt.Axis(labelLimit=160, ticks=False, domain=False, grid=True),
        )
    )
    x = alt.X("alpha:Q", title=None, scale=alt.Scale(domain=[floor, 1], nice=False),
              axis=alt.Axis(values=ticks, format=form, grid=False, domain=False))  # fmt: skip
    color = alt.Color("band:N", legend=None, scale=alt.Scale(
        domain=["firm", "below", "share"], range=[_ACCENT, _AMBER, _ACCENT]))  # fmt: skip
    tooltip = [alt.Tooltip("question:N")] + [
        alt.Tooltip(f"{field}:Q", title=name, format=".2f")
        for field, name in (("alpha", title), ("low", "from"), ("high", "to"))
    ]
    return base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=alt.X("low:Q"), x2="high:Q", color=color
    ) + base.mark_point(filled=True, size=90, opacity=1).encode(x=x, color=color, tooltip=tooltip)


def _draw(chart: alt.LayerChart, rows: int) -> None:
    st.altair_chart(
        chart.properties(height=_ROW_HEIGHT * rows + 30)
        .configure(background="transparent")
        .configure_view(stroke=None),
        width="stretch",
    )
