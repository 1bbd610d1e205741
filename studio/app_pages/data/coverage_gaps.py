"""Gaps: what a curator wants of each kind against what is there, and clusters that are far below an even share."""

from __future__ import annotations

import polars as pl
import streamlit as st

from pitchpipe.store.coverage.covering import Coverage, describe_clusters
from pitchpipe.store.coverage.gaps import find_gaps, find_underrepresented, parse_wanted, read_wanted, save_wanted
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import coverage_charts
from pitchpipe.studio.app_pages.showing import show_problem


def show_part(store: Store, project: Project, curator: str, coverage: Coverage) -> None:
    """Shows the wanted list beside what was found of it."""
    del curator
    left, right = st.columns([1, 1.7])
    with left, st.container(key="card_coverage_wanted"):
        _edit_wanted(store, project)
    with right, st.container(key="card_coverage_gaps"):
        wanted = read_wanted(store.workspace, project.id)
        if wanted:
            _show_gaps(coverage, wanted)
        else:
            st.text("Type the kinds that you want and how many of each. What is missing is shown here.")
    _show_small(coverage)


def _edit_wanted(store: Store, project: Project) -> None:
    kept = read_wanted(store.workspace, project.id)
    lines = "\n".join(f"{name}: {count}" for name, count in kept.items())
    typed = st.text_area(
        "Wanted, a kind a line", lines, height=230, key=f"coverage_wanted_{project.id}",
        placeholder="billing: 50\nrefusals: 20\nlong answers: 30",
    )  # fmt: skip
    if st.button("Save the list", key="coverage_save", type="primary"):
        try:
            wanted = parse_wanted(typed)
        except UsageError as error:
            show_problem(error.happened, error.advice)
            return
        save_wanted(store.workspace, project.id, wanted)
        st.rerun()
    st.caption("A name is found in categories and in the words of clusters, plurals and case aside.")


def _show_gaps(coverage: Coverage, wanted: dict[str, int]) -> None:
    train = coverage.requests.filter(pl.col("split") == "train")  # what is sealed is never trained on
    gaps = find_gaps(wanted, train["kind"].to_list(), train["cluster"].to_list(), coverage.names)
    missing = sum(gap.missing for gap in gaps)
    st.text(f"{missing:,} requests are missing." if missing else "Nothing is missing.")
    coverage_charts.draw_gaps(gaps)
    table = pl.DataFrame({
        "kind": [gap.name for gap in gaps], "wanted": [gap.target for gap in gaps],
        "found": [gap.found for gap in gaps], "missing": [gap.missing for gap in gaps],
        "found in": ["; ".join(gap.matched) or "nothing is called so" for gap in gaps],
    })  # fmt: skip
    st.dataframe(table, hide_index=True, width="stretch", key="coverage_gap_table")
    if not all(gap.matched for gap in gaps):
        st.caption("What no category or cluster is called after may still be there: search Rows for its words.")


def _show_small(coverage: Coverage) -> None:
    clusters = describe_clusters(coverage)
    small = find_underrepresented(clusters["train"].to_list())
    if not small:
        st.caption("No cluster is below a quarter of an even share.")
        return
    with st.container(key="card_coverage_small"):
        st.subheader("Clusters below a quarter of an even share", anchor=False)
        table = clusters[small].select(
            pl.col("name").alias("cluster"), "examples", pl.col("share"), "train", pl.col("holdout").alias("sealed"),
            "answers", "judgements", "pairs",
        )  # fmt: skip
        st.dataframe(
            table, hide_index=True, width="stretch", key="coverage_small_table",
            column_config={"share": st.column_config.NumberColumn(format="percent"),
                           "cluster": st.column_config.TextColumn(width="large")},
        )  # fmt: skip
