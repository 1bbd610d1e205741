"""The rows of a project: find some, look at them, decide on one or on all of them at once.

The page asks the catalogue, which may be some seconds behind the annotators (it says of when it is) and never behind
one's own decisions.
"""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from pitchpipe.store.curation import catalogue
from pitchpipe.store.curation.catalogue import Catalogue
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import rows_actions, rows_charts, rows_filters, rows_sql, rows_table
from pitchpipe.studio.app_pages.showing import show_constant, show_problem

_VIEWS = ("Table", "Charts", "SQL")


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Shows the rows of a project."""
    assert project is not None
    st.html((files("pitchpipe.studio.app_pages.data") / "rows.css").read_text(encoding="utf-8"))
    made = _open(store, project)
    slice = rows_filters.show_search(store, project, curator)
    left, middle = st.columns([1, 4.6], gap="medium")
    with left, st.container(key="rows_left", gap="small"):
        try:
            slice = rows_filters.show_facets(made, slice)
        except UsageError as error:
            show_problem(error.happened, error.advice)
            slice = Slice()
    with middle:
        rows_filters.show_conditions()
        found = catalogue.count_rows(made, slice)
        view = _show_head(made, found)
        if view == "Charts":
            rows_charts.show_charts(made, slice, found)
        elif view == "SQL":
            rows_sql.show_sql(made)
        else:
            rows_table.show_table(
                store, project, made, slice, found, curator,
                lambda chosen: rows_actions.show_actions(store, project, made, slice, found, chosen, curator),
            )  # fmt: skip


def _open(store: Store, project: Project) -> Catalogue:
    is_fresh = bool(st.session_state.pop("rows_is_fresh", False))
    with st.spinner("Reading the project…", show_time=True):
        return catalogue.open_catalogue(store, project.name, is_fresh=is_fresh)


def _show_head(made: Catalogue, found: int) -> str:
    total = catalogue.count_rows(made, Slice())
    with st.container(horizontal=True, vertical_alignment="center"):
        show_constant(
            '<div class="rw-head"><b>{found}</b><span>of {total} examples · as of {at} UTC</span></div>',
            found=f"{found:,}", total=f"{total:,}", at=made.as_of.strftime("%H:%M:%S"),
        )  # fmt: skip
        st.space("stretch")
        st.button("Refresh", key="rows_refresh", shortcut="f", type="tertiary", on_click=_ask_fresh,
                  help="Reads what annotators have done since (f).")  # fmt: skip
        view = st.segmented_control(
            "Look at", _VIEWS, default="Table", required=True, label_visibility="collapsed", key="rows_view"
        )
    return str(view)


def _ask_fresh() -> None:
    st.session_state["rows_is_fresh"] = True
