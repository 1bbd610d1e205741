"""The Rounds page: choose a snapshot and a method, start a run, watch it learn, see how it did on the holdout.

A run is a subprocess that outlives the page; what is shown is read from its folder. Nothing here imports torch.
"""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.rounds.run_cards import (
    list_training_runs,
    take_finished_runs,
)
from pitchpipe.studio.app_pages.rounds.run_view import show_run
from pitchpipe.studio.app_pages.rounds.start_form import show_start_form


def show_rounds(store: Store, project: Project | None) -> None:
    """Shows the project's runs beside a form that starts one."""
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
        if not found:
            with st.container(key="card_none"):
                st.text("No run yet. Start one on the left; it goes on when you close this page.")
            return
        show_run(store, found)
