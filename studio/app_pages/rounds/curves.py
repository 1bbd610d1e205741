"""The curves of training runs, drawn from their metrics: the loss at large, and a small chart of all the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from pitchpipe.studio.app_pages.rounds.metric_log import Curve

Curves: TypeAlias = "Mapping[str, Curve]"
_MOST = 400
"""Points of one curve that are drawn; more cannot be told apart on a screen."""
_POINTS = "points"
_TRAIN, _DEV = "training", "held back"
_HEIGHT, _SMALL = 230, 110
_COLORS = ["#15897e", "#c9741c", "#7c6cf0", "#5b8def", "#c2569b", "#8b96a3"]
"""Legible on both themes; the first two for training and held back rows of a run that is alone."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: the metric of the training rows, that of the held back rows, or both."""

    title: str
    train: tuple[str, ...] = ()
    """The names that methods give it, of which a run has one."""
    dev: str | None = None
    has_log: bool = False
    """A logarithmic scale tells more than it hides."""


PANELS = (
    Panel("loss", ("loss",), "dev_loss", has_log=True),
    Panel("NLL of good answers, nats a token", (), "dev_nll"),
    Panel("reward", ("reward",)),
    Panel("margin: how much better the chosen answer is rated", ("rewards/margins", "margin"), "dev_margin"),
    Panel("share of pairs ranked right", ("rewards/accuracies", "accuracy"), "dev_accuracy"),
    Panel("reward of chosen answers", ("rewards/chosen",)),
    Panel("reward of rejected answers", ("rewards/rejected",)),
    Panel("KL to the reference", ("kl",)),
    Panel("token accuracy", ("mean_token_accuracy",)),
    Panel("entropy", ("entropy",)),
    Panel("gradient norm", ("grad_norm",), has_log=True),
    Panel("learning rate", ("learning_rate",)),
    Panel("tokens a second", ("tokens_per_second",)),
    Panel("memory at most, GB", ("memory_gb",)),
    Panel("sample answers that end by themselves", (), "stop_rate"),
    Panel("length of sample answers, tokens", (), "answer_tokens"),
)


def thin_curve(curve: Curve, most: int = _MOST) -> list[tuple[int, float]]:
    """At most so many (step, value): of each stretch the lowest and the highest, so that no spike is lost.

    >>> from array import array
    >>> thin_curve((array("d", [1, 2, 3, 4, 5, 6]), array("d", [5, 1, 2, 9, 3, 3])), most=4)
    [(1, 5.0), (2, 1.0), (4, 9.0), (5, 3.0)]
    """
    steps, values = curve
    if len(values) > most:
        numbers, count = np.asarray(values), max(most // 2, 1)
        edges = [place * len(values) // count for place in range(count + 1)]
        stretches = [(start, numbers[start:end]) for start, end in pairwise(edges)]
        ends = {start + int(pick(part)) for start, part in stretches for pick in (np.argmin, np.argmax)}
        return [(int(steps[place]), values[place]) for place in sorted(ends)]
    return [(int(step), value) for step, value in zip(steps, values, strict=True)]


def collect_points(runs: Mapping[str, Curves], panel: Panel) -> list[dict[str, Any]]:
    """The points of one chart: step, value, run and rows (training or held back), thinned.

    >>> from array import array
    >>> collect_points({"a": {"loss": (array("d", [1]), array("d", [2.0]))}}, PANELS[0])
    [{'step': 1, 'value': 2.0, 'run': 'a', 'rows': 'training'}]
    """
    return [
        {"step": step, "value": value, "run": run, "rows": rows}
        for run, curves in runs.items()
        for name, rows in (*((name, _TRAIN) for name in panel.train), (panel.dev, _DEV))
        if name is not None and name in curves
        for step, value in thin_curve(curves[name])
    ]


def draw_curves(
    runs: Mapping[str, Curves], marks: Sequence[tuple[int, str]] = (), is_log: bool = False, columns: int = 3
) -> None:
    """Draws every curve that some run has points for.

    Args:
        runs: curves by the name that the legend shows; with several, each run has a colour.
        marks: steps that the chart of the loss points at, with a word on each.
        is_log: a logarithmic scale where that is useful and all values are above 0.
        columns: small charts side by side; 0 draws the loss alone.
    """
    drawn = [(panel, points) for panel in PANELS if (points := collect_points(runs, panel))]
    # For sft the dev loss is the NLL, and one chart of it is enough.
    drawn = [(panel, points) for panel, points in drawn if panel.dev != "dev_nll" or not _is_loss(runs)]
    if not drawn:
        st.caption("The curves begin with the first step.")
        return
    if drawn[0][0] is PANELS[0]:
        st.caption("loss")
        _draw(*drawn.pop(0), list(runs), is_log, marks, is_large=True)
    for start in range(0, len(drawn) if columns else 0, max(columns, 1)):
        row = st.columns(columns, gap="small")
        for column, (panel, points) in zip(row, drawn[start : start + columns], strict=False):
            with column:
                st.caption(panel.title)
                _draw(panel, points, list(runs), is_log, (), is_large=False)


def _is_loss(runs: Mapping[str, Curves]) -> bool:
    return all(curves["dev_nll"] == curves.get("dev_loss") for curves in runs.values() if "dev_nll" in curves)


def _draw(
    panel: Panel,
    points: list[dict[str, Any]],
    runs: list[str],
    is_log: bool,
    marks: Sequence[tuple[int, str]],
    is_large: bool,
) -> None:
    shape = Shape(
        title=panel.title if len(panel.title) < 25 else "value",
        runs=tuple(runs),
        is_large=is_large,
        has_legend=is_large and (len(runs) > 1 or len({point["rows"] for point in points}) > 1),
        is_log=is_log and panel.has_log and all(point["value"] > 0 for point in points),
        is_long=max(point["step"] for point in points) >= 10_000,
        marks=tuple(marks),
    )
    # Altair takes about 50 ms a chart to check its own grammar, so what it says is kept, and only the points are new.
    spec = json.loads(write_spec(shape))
    st.vega_lite_chart({**spec, "datasets": {_POINTS: _with_dots(points), **spec.get("datasets", {})}}, width="stretch")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one chart looks like, whatever its points."""

    title: str
    runs: tuple[str, ...]
    is_large: bool
    has_legend: bool
    is_log: bool
    is_long: bool
    marks: tuple[tuple[int, str], ...]


@lru_cache(maxsize=256)
def write_spec(shape: Shape) -> str:
    """The chart as JSON of Vega-Lite, with a line that follows the pointer and tells the nearest point."""
    scale = alt.Scale(type="log", nice=False) if shape.is_log else alt.Scale(zero=False)
    hover = alt.selection_point(name="hover", nearest=True, on="pointermove", fields=["step"], empty=False)
    by, names = ("run", list(shape.runs)) if len(shape.runs) > 1 else ("rows", [_TRAIN, _DEV])
    legend = alt.Legend(title=None, orient="top", labelLimit=260, symbolType="stroke", symbolStrokeWidth=3)
    ticks = alt.Axis(tickCount=5 if shape.is_large else 3, format=".3~r", domain=False)
    points = alt.NamedData(_POINTS)
    base = alt.Chart(points).encode(
        x=alt.X("step:Q", title=None, axis=_step_axis(shape)),
        y=alt.Y("value:Q", title=None, scale=scale, axis=ticks),
        color=alt.Color(
            f"{by}:N", scale=alt.Scale(domain=names, range=_COLORS), legend=legend if shape.has_legend else None
        ),
        detail=["run:N", "rows:N"],
    )
    dash = alt.StrokeDash("rows:N", scale=alt.Scale(domain=[_TRAIN, _DEV], range=[[1, 0], [5, 3]]), legend=None)
    lines = base.mark_line(strokeWidth=2 if shape.is_large else 1.6).encode(strokeDash=dash)
    tips = [
        alt.Tooltip("step:Q"),
        alt.Tooltip("value:Q", format=".4~g", title=shape.title),
        alt.Tooltip("rows:N"),
        alt.Tooltip("run:N"),
    ]
    seen = base.mark_point(filled=True, size=42).encode(
        opacity=alt.condition(hover, alt.value(1), alt.Opacity("dot:Q", scale=None)), tooltip=tips
    )
    ruler = alt.Chart(points).mark_rule(color=_COLORS[-1], strokeWidth=1).encode(x="step:Q").transform_filter(hover)
    chart = alt.layer(ruler, lines, seen.add_params(hover), *_mark_layers(shape.marks))
    chart = chart.properties(height=_HEIGHT if shape.is_large else _SMALL)
    return str(chart.configure(background="transparent").configure_view(stroke=None).to_json(indent=None))


def _step_axis(shape: Shape) -> alt.Axis:
    return alt.Axis(
        tickMinStep=1, tickCount=8 if shape.is_large else 4, format="~s" if shape.is_long else "d", grid=False
    )


def _with_dots(points: list[dict[str, Any]]) -> pd.DataFrame:
    """The points with how visible each is at rest: measurements are dots, steps of training only the line."""
    frame = pd.DataFrame(points)
    count = frame.groupby(["run", "rows"])["step"].transform("count")
    few = (count <= 3) | ((frame["rows"] == _DEV) & (count <= 40))
    return frame.assign(dot=few.astype(float))


def _mark_layers(marks: Sequence[tuple[int, str]]) -> list[alt.Chart]:
    if not marks:
        return []
    rows = alt.Chart(pd.DataFrame([{"step": step, "word": word} for step, word in marks])).encode(x="step:Q")
    words = rows.mark_text(align="right", dx=-5, baseline="top", fontSize=12, color=_COLORS[1])
    return [
        rows.mark_rule(strokeDash=[2, 3], color=_COLORS[1], strokeWidth=1.3),
        words.encode(text="word:N", y=alt.value(2)),
    ]
