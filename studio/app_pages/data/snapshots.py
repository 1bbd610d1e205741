"""The Snapshots view: a recipe and what it would make, the snapshots that were made, and what changed between two."""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import snapshots_compare, snapshots_list, snapshots_preview, snapshots_recipe

PART = "snapshots_part"
_PARTS = ("Make", "Made", "Compare")


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Shows the part that was asked for."""
    if project is None:
        return
    wanted = st.session_state.pop("snapshots_go", None)
    if wanted in _PARTS:
        st.session_state[PART] = wanted
    st.session_state.setdefault(PART, _PARTS[0])
    part = st.segmented_control("Part", _PARTS, required=True, label_visibility="collapsed", key=PART)
    if part == "Made":
        snapshots_list.show_list(store, project.name)
    elif part == "Compare":
        snapshots_compare.show_comparison(store, project.name)
    else:
        left, right = st.columns([1, 2], gap="large")
        with left, st.container(key="card_snapshots_recipe"):
            recipe = snapshots_recipe.edit_recipe(store, project, curator)
        with right:
            snapshots_preview.show_preview(store, project.name, recipe, curator)
