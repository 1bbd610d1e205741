"""The Rounds page: choose a snapshot and a method, start a run, watch it learn, see how it did on the holdout.

A run is a subprocess that outlives the page; what is shown is read from its folder. Nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.curves import draw_curves
from pitchpipe.studio.app_pages.run_cards import (
    list_training_runs,
    show_evaluation,
    show_state,
    take_finished_runs,
    title_run,
)
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.running import start_evaluation, start_generation, start_training
from pitchpipe.training.plans.dials import Dial, describe_dials
from pitchpipe.training.plans.plan_files import RECIPES, list_recipes, load_recipe
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.launch import log_tail, start_run, stop_run
from pitchpipe.training.runs.run_folders import RunState, RunStatus, read_metrics, read_state

_REFRESH_SECONDS = 2.0
_FIRST_DIALS = ("epochs", "learning_rate", "batch_size", "max_steps")
_MORE_DIALS = {"sft": ("lora_rank", "max_length", "minimum_rating"), "dpo": ("lora_rank", "beta", "minimum_support")}
_METHOD_WORDS = {"sft": "Instruction tuning (SFT)", "dpo": "Preference tuning (DPO)"}
_CHOSEN_KEY = "chosen_run"


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
        _show_start_form(store, frozen, found)
    with right:
        if not found:
            with st.container(key="card_none"):
                st.text("No run yet. Start one on the left; it goes on when you close this page.")
            return
        _show_run(store, found)


def _show_start_form(store: Store, frozen: list[Snapshot], found: list[RunState]) -> None:
    st.subheader("New run", anchor=False)
    by_name = {snapshot.name: snapshot for snapshot in reversed(frozen)}
    name = st.selectbox("Snapshot", list(by_name), help="The frozen dataset to learn from; its holdout stays sealed.")
    method = st.segmented_control(
        "Method", list(_METHOD_WORDS), default="sft", required=True, format_func=str.upper, width="stretch"
    )
    st.caption(_METHOD_WORDS[method])
    recipes = [recipe for recipe_method, recipe in list_recipes() if recipe_method == method]
    finished = {f"run {title_run(state)}": str(state.folder) for state in found if state.status is RunStatus.FINISHED}
    with st.form(f"start_{method}", border=False):
        recipe = st.selectbox("Recipe", recipes)
        plan = load_recipe(method, recipe or recipes[0])
        start = st.selectbox(
            "Start from", ["embedded", *finished], accept_new_options=True, help=_find_dial("model").help
        )
        changes: dict[str, Any] = {"name": st.text_input("Name", max_chars=60, placeholder=f"{name} {method}")}
        changes |= _show_dials(_FIRST_DIALS, plan)
        with st.expander("More dials"):
            changes |= _show_dials(_MORE_DIALS[method], plan)
        if st.form_submit_button("Start the run", type="primary", width="stretch"):
            called = changes.pop("name").strip() or f"{name} {method}"
            started = start_training(
                store,
                method,
                by_name[name].id,
                plan=str(RECIPES / method / f"{recipe}.toml"),
                model=finished.get(start, start),
                dials=changes,
                name=called,
            )
            st.session_state[_CHOSEN_KEY] = started["run"]
            st.rerun()


def _find_dial(name: str) -> Dial:
    return next(dial for dial in describe_dials(TrainPlan) if dial.name == name)


def _show_dials(names: tuple[str, ...], plan: TrainPlan) -> dict[str, Any]:
    left, right = st.columns(2, gap="small")
    changes = {}
    for position, name in enumerate(names):
        with right if position % 2 else left:
            changes[name] = _show_dial(name, plan)
    return changes


def _show_dial(name: str, plan: TrainPlan) -> Any:
    dial, value = _find_dial(name), getattr(plan, name)
    kind = type(value)
    form = "%.1e" if name == "learning_rate" else None
    step = kind(1) if kind is int or name == "epochs" else None
    label = name.replace("_", " ").capitalize() + (f" ({dial.unit})" if dial.unit else "")
    low = None if dial.low is None else kind(dial.low)
    high = None if dial.high is None else kind(dial.high)
    return st.number_input(label, low, high, value, step=step, format=form, help=plain(dial.help))


def _show_run(store: Store, found: list[RunState]) -> None:
    by_id = {state.run_id: state for state in found}
    if st.session_state.get(_CHOSEN_KEY) not in by_id:
        st.session_state[_CHOSEN_KEY] = found[0].run_id
    chosen = st.selectbox(
        "Run",
        list(by_id),
        key=_CHOSEN_KEY,
        format_func=lambda run_id: f"{title_run(by_id[run_id])} · {by_id[run_id].status}",
    )
    state = by_id[chosen]
    is_running = state.status is RunStatus.RUNNING
    with st.container(key="card_run", gap="small"):
        # Only this part is drawn again while the run goes on, so the form beside it keeps what is typed into it.
        st.fragment(_show_progress, run_every=_REFRESH_SECONDS if is_running else None)(state.folder, state.status)
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


def _show_progress(folder: Path, known_status: RunStatus) -> None:
    state = read_state(folder)
    if state.status is not known_status:
        st.rerun()
    metrics = read_metrics(folder)
    show_state(state, metrics[-1] if metrics else {})
    if state.happened:
        show_problem(state.happened, state.advice)
    draw_curves(metrics)
    with st.expander("Log"):
        st.code(log_tail(folder, 40) or "nothing yet", language=None)


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
