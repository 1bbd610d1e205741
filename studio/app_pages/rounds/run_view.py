"""The run that is looked at: where it stands, its curves, what can be done with it, and how it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.studio.app_pages.rounds.curves import draw_curves
from pitchpipe.studio.app_pages.rounds.metric_log import read_log
from pitchpipe.studio.app_pages.rounds.run_cards import (
    mark_steps,
    show_advice,
    show_evaluation,
    show_state,
    title_run,
)
from pitchpipe.studio.app_pages.rounds.samples_view import show_samples
from pitchpipe.studio.app_pages.rounds.start_form import CHOSEN_KEY
from pitchpipe.studio.app_pages.showing import show_constant, show_problem
from pitchpipe.studio.running import start_evaluation, start_generation
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.launch import log_tail, start_run, stop_run
from pitchpipe.training.runs.run_folders import RunState, RunStatus, read_plan, read_state

_REFRESH_SECONDS = 2.0


def show_run(store: Store, found: list[RunState]) -> None:
    by_id = {state.run_id: state for state in found}
    if st.session_state.get(CHOSEN_KEY) not in by_id:
        st.session_state[CHOSEN_KEY] = found[0].run_id
    chosen = st.selectbox(
        "Run",
        list(by_id),
        key=CHOSEN_KEY,
        format_func=lambda run_id: f"{title_run(by_id[run_id])} · {by_id[run_id].status}",
    )
    state = by_id[chosen]
    is_running = state.status is RunStatus.RUNNING
    others = {run_id: other for run_id, other in by_id.items() if run_id != chosen}
    with st.container(key="card_run", gap="small"):
        # Only this part is drawn again while the run goes on, so the form beside it keeps what is typed into it.
        st.fragment(_show_progress, run_every=_REFRESH_SECONDS if is_running else None)(state, others)
        _show_controls(state)
    if state.status is RunStatus.FINISHED:
        with st.container(key="card_evaluation"):
            show_evaluation(store.workspace, state)
            _show_next_steps(store, state)


def _show_next_steps(store: Store, state: RunState) -> None:
    """What one does with a finished model: measure it on the sealed prompts, and let people judge its answers."""
    with st.container(horizontal=True):
        if st.button("Measure on the sealed holdout"):
            started = start_evaluation(store, state.run_id)
            st.toast(f"Measuring: {started['run']}. The table appears when it is done.")
        if st.button("Queue its answers for blind review"):
            started = start_generation(store, state.run_id)
            st.toast(f"Answering the sealed prompts: {started['run']}. The pairs join the queue when it is done.")


def _show_progress(known: RunState, others: dict[str, RunState]) -> None:
    state = read_state(known.folder)
    if state.status is not known.status:
        st.rerun()
    log = read_log(state.folder)
    latest: dict[str, Any] = next((line for line in reversed(log.lines) if "loss" in line), {})
    show_state(state, latest)
    if state.happened:
        show_problem(state.happened, state.advice)
    plan = read_plan(state.folder)
    findings = log.advise(plan, state.status is not RunStatus.RUNNING) if isinstance(plan, TrainPlan) else []
    if state.status is not RunStatus.FAILED:  # its one finding is what it failed of
        show_advice(findings)
    runs, is_log = _choose_curves(state, others)
    marks = mark_steps(log.lines, state) if len(runs) == 1 else []
    draw_curves({name: read_log(folder).curves for name, folder in runs.items()}, marks, is_log)
    show_samples(state.folder)
    with st.expander("Log"):
        st.code(log_tail(state.folder, 40) or "nothing yet", language=None)


def _choose_curves(state: RunState, others: dict[str, RunState]) -> tuple[dict[str, Path], bool]:
    """The folders of the runs to draw by a name of their own, this one first, and whether on a logarithmic scale."""
    left, right = st.columns([1, 4], vertical_alignment="center")
    with left:
        is_log = st.toggle("Log scale", key="is_log_scale")
    with right:
        compared = st.multiselect(
            "Compare with",
            list(others),
            key=f"compared_{state.run_id}",
            format_func=lambda run_id: title_run(others[run_id]),
            placeholder="Lay the curves of other runs over these",
            label_visibility="collapsed",
            max_selections=5,
        )
    shown = [state, *(others[run_id] for run_id in compared if run_id in others)]
    titles = [title_run(run) for run in shown]
    return {
        # Two runs may have been given one name; then their ids tell them apart.
        title if titles.count(title) == 1 else f"{title} {run.run_id[-6:]}": run.folder
        for title, run in zip(titles, shown, strict=True)
    }, is_log


def _show_controls(state: RunState) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.status is RunStatus.RUNNING and st.button("Stop and keep a checkpoint"):
            with st.spinner("Stopping at the next step"):
                stop_run(state.folder)
            st.rerun()
        if state.status in (RunStatus.FAILED, RunStatus.INTERRUPTED) and st.button("Continue the run", type="primary"):
            start_run(state.folder)
            st.rerun()
        show_constant('<div class="pp-quiet">{run_id}</div>', run_id=state.run_id)
