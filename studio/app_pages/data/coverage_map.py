"""The map of requests, the bars beside it, and the list of what was selected."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import streamlit as st

from pitchpipe.store.coverage.covering import Coverage, describe_clusters, describe_kinds
from pitchpipe.store.coverage.naming import first_words
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import coverage_charts
from pitchpipe.studio.app_pages.data.coverage import keep_layout

_MOST_LISTED = 500
_SIDES = {"train": "training", "holdout": "sealed"}
_COLOURS = {"cluster": "cluster", "kind": "kind", "source": "source", "judged or not": "judged"}


def show_part(store: Store, project: Project, curator: str, coverage: Coverage) -> None:
    """Shows the map."""
    del store, project, curator
    shown, flat = keep_layout(coverage)
    clusters = describe_clusters(coverage)
    left, right = st.columns([1.7, 1])
    with left, st.container(key="card_coverage_map"):
        named, coloured = st.columns([2, 1], vertical_alignment="bottom")
        with named:
            st.caption(_explain(coverage, len(shown)))
        with coloured:
            colour = _COLOURS[st.selectbox("Colour", list(_COLOURS), key="coverage_colour") or "cluster"]
        points = make_points(coverage, shown, flat)
        ranges = coverage_charts.draw_map(points, coverage_charts.place_labels(points, coverage.names), colour)
    with right, st.container(key="card_coverage_bars"):
        part = st.segmented_control(
            "Bars", ["Clusters", "Kinds"], default="Clusters", required=True, label_visibility="collapsed",
            key="coverage_bars",
        )  # fmt: skip
        rows = clusters.rename({"name": "label"}) if part == "Clusters" else describe_kinds(coverage).rename(
            {"kind": "label"})  # fmt: skip
        coverage_charts.draw_bars(rows)
    _show_list(coverage, points, ranges)


def make_points(coverage: Coverage, shown: Any, flat: Any) -> pl.DataFrame:
    """One row a point: `row`, `x`, `y`, `label`, `kind`, `source`, `judged`, `words`, `cluster`."""
    rows = coverage.requests[shown.tolist()]
    return pl.DataFrame({
        "row": shown, "x": flat[:, 0], "y": flat[:, 1], "cluster": rows["cluster"],
        "label": [coverage.names[cluster] for cluster in rows["cluster"]],
        "kind": rows["kind"].fill_null("(no kind)"), "source": rows["source"],
        "judged": np.where(rows["judgements"].to_numpy() > 0, "judged", "not judged"),
        "words": [first_words(text, 110) for text in rows["request"]],
    })  # fmt: skip


def _explain(coverage: Coverage, shown: int) -> str:
    sample = f" (a sample of {shown:,})" if shown < len(coverage.requests) else ""
    return f"A point is a request{sample}; near points ask for alike things. Drag over some to list them."


def _show_list(coverage: Coverage, points: pl.DataFrame, ranges: dict[str, Any]) -> None:
    """What was dragged over on the map, or one cluster."""
    if ranges:
        inside = points.filter(pl.col("x").is_between(*ranges["x"]) & pl.col("y").is_between(*ranges["y"]))
        st.subheader(f"{len(inside):,} selected on the map", anchor=False)
        show_requests(coverage, inside["row"].to_list())
        return
    sizes = coverage.clusters.sizes
    cluster = st.selectbox(
        "Look into", range(len(sizes)), key="coverage_cluster",
        format_func=lambda number: f"{coverage.names[number]} ({sizes[number]:,})",
    )  # fmt: skip
    if cluster is None:
        return
    with st.container(key="card_coverage_cluster", gap="small"):
        st.caption("Most typical")
        for row in coverage.typical[cluster]:
            st.text(first_words(coverage.requests["request"][row], 240))
    within = np.flatnonzero(coverage.clusters.labels == cluster)
    nearest = np.argsort(-(coverage.topics[within] @ coverage.clusters.centres[cluster]), kind="stable")
    show_requests(coverage, within[nearest].tolist())


def show_requests(coverage: Coverage, rows: list[int]) -> None:
    """The requests of those rows as a table."""
    listed = coverage.requests[rows[:_MOST_LISTED]]
    table = pl.DataFrame({
        "request": [first_words(text, 300) for text in listed["request"]],
        "kind": listed["kind"].fill_null(""), "source": listed["source"], "side": listed["split"].replace(_SIDES),
        "answers": listed["answers"], "judgements": listed["judgements"], "id": listed["example"],
    })  # fmt: skip
    st.dataframe(
        table, hide_index=True, width="stretch", height=min(420, 36 * (len(table) + 1) + 3), key="coverage_requests",
        column_config={"request": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    if len(rows) > _MOST_LISTED:
        st.caption(f"The first {_MOST_LISTED} of {len(rows):,}.")
