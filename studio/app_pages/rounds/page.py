"""The Rounds page: plan a run, look ahead at it, start it, watch it learn, see how it did on the holdout.

A run is a subprocess that outlives the page; what is shown is read from its folder. Nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.rounds.preflight_view import show_preflight
from pitchpipe.studio.app_pages.rounds.run_cards import (
    list_training_runs,
    take_finished_runs,
)
from pitchpipe.studio.app_pages.rounds.run_view import show_run
from pitchpipe.studio.app_pages.rounds.start_form import PREFLIGHT_KEY, show_start_form
from pitchpipe.studio.round_verbs import preflights_folder


def show_rounds(store: Store, project: Project | None) -> None:
    """Shows a form that plans a run beside the preflight that was asked for, else beside the project's runs."""
    st.header("Rounds", anchor=False)
    frozen = snapshots.list_snapshots(store, project.name) if project else []
    if project is None or not frozen:
        st.text("A run learns from a frozen dataset. Freeze one first:")
        st.code(
            f'pitchpipe snapshot create --project "{project.name if project else "NAME"}" --name first', language=None
        )
        return
    take_finished_runs(store)
    found = list_training_runs(store.workspace, [snapshot.folder for snapshot in frozen])
    left, right = st.columns([1, 2], gap="medium")
    with left, st.container(key="card_start"):
        show_start_form(store, frozen, found)
    with right:
        looked_at = _find_preflight(store)
        if looked_at is not None:
            show_preflight(store, looked_at)
        elif found:
            show_run(store, found)
        else:
            with st.container(key="card_none"):
                st.text(
                    "No run yet. Plan one on the left: the preflight tells what it would do, and then it can be "
                    "started. It goes on when you close this page."
                )


def _find_preflight(store: Store) -> Path | None:
    """The preflight that the session looks at, if its folder is still there."""
    chosen = st.session_state.get(PREFLIGHT_KEY)
    folder = preflights_folder(store) / str(chosen)
    return folder if chosen and (folder / "plan.toml").is_file() else None
