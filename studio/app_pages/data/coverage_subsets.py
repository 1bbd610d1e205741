"""Subsets: a choice within a budget, and what it does to counts, lengths and diversity."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import polars as pl
import streamlit as st

from pitchpipe.store.coverage.choosing import BALANCES, WAYS, Subset, SubsetOrder, choose_subset
from pitchpipe.store.coverage.covering import UNRATED, Coverage
from pitchpipe.store.coverage.diversity import SetReport
from pitchpipe.store.curation.curating import act_on, undo_action
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import coverage_charts
from pitchpipe.studio.app_pages.showing import show_problem

_KEPT, _TAGGED = "coverage_subset_kept", "coverage_subset_tagged"


def show_part(store: Store, project: Project, curator: str, coverage: Coverage) -> None:
    """Shows the dials, and the last choice with its figures."""
    left, right = st.columns([1, 1.7])
    with left, st.container(key="card_coverage_order"):
        order = _show_dials(coverage)
        if st.button("Choose", type="primary", key="coverage_choose"):
            try:
                with st.spinner("Choosing and measuring"):
                    st.session_state[_KEPT] = (coverage.matrix, order, choose_subset(coverage, order))
            except UsageError as error:
                show_problem(error.happened, error.advice)
    kept = st.session_state.get(_KEPT)
    with right, st.container(key="card_coverage_subset"):
        if kept is None or kept[0] is not coverage.matrix:
            st.text("Set what you want and press Choose. Nothing changes in the project until you tag the choice.")
        else:
            _show_subset(kept[1], kept[2])
            _show_tag(store, project.name, curator, kept[2])


def _show_dials(coverage: Coverage) -> SubsetOrder:
    train = int((coverage.requests["split"] == "train").sum())
    way = st.radio("Way", list(WAYS), captions=list(WAYS.values()), key="coverage_way") or "diverse"
    budget = int(
        st.number_input("At most so many", 1, max(1, train), min(1000, max(1, train // 2)), key="coverage_budget")
    )
    cosine, balance = 0.9, ("source", "length")
    if way == "diverse":
        cosine = st.slider("Highest cosine to one that is taken", 0.3, 1.0, 0.9, 0.01, key="coverage_cosine")
    if way == "balanced":
        balance = tuple(st.multiselect("Balance by", BALANCES, ["source", "length"], key="coverage_balance"))
    return SubsetOrder(way, budget, cosine, balance)


def _show_subset(order: SubsetOrder, subset: Subset) -> None:
    short = f" The threshold leaves no more than that of {order.budget:,}." if subset.after.count < order.budget else ""
    st.text(f"{subset.after.count:,} of {subset.before.count:,} training requests.{short}")
    columns = {"all": subset.before, "this choice": subset.after, "random, as many": subset.alike}
    st.dataframe(make_report(columns), hide_index=True, width="stretch", key="coverage_report")
    st.caption(
        "A smaller set has its members farther apart and a lower Vendi score by itself: "
        "compare the choice with the random one."
    )
    if len(subset.before.groups) > 1:
        coverage_charts.draw_groups(subset.before.groups, subset.after.groups)


def make_report(columns: dict[str, SetReport]) -> pl.DataFrame:
    """The figures of several sets side by side, as words."""
    lines: dict[str, Callable[[SetReport], str]] = {
        "requests": lambda report: f"{report.count:,}",
        "mean length, characters": lambda report: _tell(report.mean_length, ".0f"),
        "shortest and longest tenth": lambda report: f"{_tell(report.low_length, '.0f')} to "
                                                     f"{_tell(report.high_length, '.0f')}",
        "distance to the nearest": lambda report: _tell(report.nearest, ".3f"),
        "Vendi score": lambda report: _tell(report.vendi, ".1f"),
        "mean quality": lambda report: _tell(report.quality, ".3f"),
    }  # fmt: skip
    if all(report.quality in (None, UNRATED) for report in columns.values()):
        del lines["mean quality"]  # nothing is rated
    return pl.DataFrame({
        "": list(lines), **{name: [tell(report) for tell in lines.values()] for name, report in columns.items()}
    })  # fmt: skip


def _tell(number: float | None, form: str) -> str:
    return "–" if number is None else f"{number:{form}}"


def _show_tag(store: Store, project: str, curator: str, subset: Subset) -> None:
    """Tags the chosen examples, so that slices, recipes and the Rows view can ask for them."""
    if not subset.example_ids:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tag = st.text_input("Tag", "subset", key="coverage_tag", width=200)
        if st.button(f"Tag these {len(subset.example_ids):,}", key="coverage_tag_them"):
            try:
                action_id = act_on(
                    store, project, "tag", subset.example_ids, note="a chosen subset", actor=curator, tag=tag
                )
            except UsageError as error:
                show_problem(error.happened, error.advice)
            else:
                st.session_state[_TAGGED] = (action_id, len(subset.example_ids), tag)
        st.download_button(
            "Download the ids", "\n".join(subset.example_ids) + "\n", "subset.txt", key="coverage_download"
        )
    tagged = st.session_state.get(_TAGGED)
    if tagged is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(f"{tagged[1]:,} examples bear the tag '{tagged[2]}' now.")
            if st.button("Untag them", key="coverage_untag"):
                with suppress(UsageError):  # another curator undid it already
                    undo_action(store, tagged[0], curator, is_undo=True)
                del st.session_state[_TAGGED]
                st.rerun()
