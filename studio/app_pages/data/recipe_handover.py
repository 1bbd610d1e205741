"""What Checks and Consensus hand to the recipe editor of Snapshots: it lies in the session, for one project."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pitchpipe.studio.app_pages.showing import plain

RULES, TOKEN_MODEL, CONSENSUS = "recipe_rules", "recipe_token_model", "recipe_consensus"
"""A tuple of RuleChoice; the model whose tokens they count; strategy, strategies, tie_policy, widest_spread and
lowest_support."""
_PROJECT = "recipe_project"


def hand_over(project: str, **values: Any) -> None:
    """Puts values under their keys; what was chosen in another project before is forgotten."""
    if st.session_state.get(_PROJECT, project) != project:
        forget_handed()
    st.session_state[_PROJECT] = project
    for name, value in values.items():
        st.session_state[name] = value


def read_handed(project: str, name: str) -> Any:
    """What was handed over under that key in this project, or None."""
    return st.session_state.get(name) if st.session_state.get(_PROJECT, project) == project else None


def forget_handed() -> None:
    """As if nothing had been taken."""
    for name in (RULES, TOKEN_MODEL, CONSENSUS, _PROJECT):
        st.session_state.pop(name, None)


def show_next(told: str, key: str) -> None:
    """Says what is in the recipe now, and leads to where it is used."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(told), width="content")
        st.button(
            "Go to Snapshots",
            icon=":material/arrow_forward:",
            key=key,
            on_click=go_to,
            args=("Snapshots",),
            type="tertiary",
        )


def go_to(view: str, **chosen: Any) -> None:
    """Opens another view of the Data page, with widgets of it set; for use as a callback."""
    st.session_state["data_view"] = view
    for key, value in chosen.items():
        st.session_state[key] = value
