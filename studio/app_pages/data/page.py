"""The Data page: chooses one of its views and shows it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.store.team import people
from pitchpipe.studio.app_pages.showing import PAGE_ROLES, show_problem

VIEWS = {
    "Rows": "rows",
    "Import": "imports",
    "Checks": "checks",
    "Consensus": "consensus",
    "Coverage": "coverage",
    "Snapshots": "snapshots",
    "Export": "exports",
}
"""By its title, the module of each view; each has `show_view(store, project, curator)`."""


def show_data(store: Store, project: Project | None, curator: str) -> None:
    """Shows the view that was asked for, by the address (`?view=checks`) or by a press."""
    if people.find_role(store, curator) not in PAGE_ROLES["data"]:
        show_problem("This page is for curators and engineers.", "A lead can give you the role on the People page.")
        return
    titles = {module: title for title, module in VIEWS.items()}
    titles |= {title.lower(): title for title in VIEWS}
    asked = titles.get(st.query_params.get("view", "").lower(), "Rows")
    title = st.segmented_control(
        "View", list(VIEWS), default=asked, required=True, label_visibility="collapsed", key="data_view"
    )
    st.query_params["view"] = VIEWS[title]
    if project is None and title != "Import":
        with st.container(key="card_data_empty"):
            st.text("There is no project yet. Import a file, and its rows are here.")
            st.button("Import a file", type="primary", key="data_import", on_click=_open, args=("Import",))
        return
    # Each view loads what it needs when it is first shown: charts and frames take a second to import.
    show_view: Callable[[Store, Project | None, str], None] = import_module(
        f"pitchpipe.studio.app_pages.data.{VIEWS[title]}"
    ).show_view
    show_view(store, project, curator)


def _open(title: str) -> None:
    st.session_state["data_view"] = title
