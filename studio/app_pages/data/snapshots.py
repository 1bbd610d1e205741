"""A view of the Data page."""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.records import Project


def show_view(store: Store, project: Project | None, curator: str) -> None:  # noqa: ARG001
    """Shows the view."""
    st.info(f"This view is being built, {curator}.")
