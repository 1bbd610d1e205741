"""The Rounds page: choose a snapshot and a method, start a run, watch it learn, see how it did on the holdout.

A run is a subprocess that outlives the page; what is shown is read from its folder. Nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store import snapshots
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.store.snapshots import Snapshot
from pitchpipe.studio.app_pages.curves import draw_curves
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.running import list_run_folders, register_finished_runs, start_training
from pitchpipe.training.launch import log_tail, start_run, stop_run
from pitchpipe.training.plans import (
    RECIPES,
    Dial,
    EvaluatePlan,
    TrainPlan,
    describe_dials,
    list_recipes,
    load_recipe,
)
from pitchpipe.training.run_folders import RunState, RunStatus, read_metrics, read_plan, read_state

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
    register_finished_runs(store)
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


def list_training_runs(workspace: Path, snapshot_folders: list[Path]) -> list[RunState]:
    """The training runs on one of these snapshots, newest first."""
    wanted = {path.resolve() for path in snapshot_folders}
    found = []
    for folder in list_run_folders(workspace):
        plan = read_plan(folder)
        if isinstance(plan, TrainPlan) and Path(plan.snapshot).resolve() in wanted:
            found.append(read_state(folder))
    return found


def list_evaluations(workspace: Path, run_folder: Path) -> list[RunState]:
    """The evaluations of a training run, newest first."""
    found = []
    for folder in list_run_folders(workspace):
        plan = read_plan(folder)
        if isinstance(plan, EvaluatePlan) and Path(plan.run).resolve() == run_folder.resolve():
            found.append(read_state(folder))
    return found


def describe_evaluation(summary: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the evaluation table.

    >>> describe_evaluation({"checks": {"next_step": {"base": 0, "tuned": 0.95}}})
    [{'On the sealed holdout': 'next step', 'base': '0%', 'tuned': '95%'}]
    """
    rows = []
    nll = summary.get("holdout_nll") or {}
    if nll:
        rows.append(_row("NLL per token", nll, "{:.3f}"))
    for name, shares in (summary.get("checks") or {}).items():
        rows.append(_row(name.replace("_", " "), shares, "{:.0%}"))
    if summary.get("stop_rate"):
        rows.append(_row("answers that end by themselves", summary["stop_rate"], "{:.0%}"))
    return rows


def _row(title: str, arms: dict[str, float], form: str) -> dict[str, str]:
    return {"On the sealed holdout": title} | {
        arm: form.format(value) for arm, value in arms.items() if value is not None
    }


def _show_start_form(store: Store, frozen: list[Snapshot], found: list[RunState]) -> None:
    st.subheader("New run", anchor=False)
    by_name = {snapshot.name: snapshot for snapshot in reversed(frozen)}
    name = st.selectbox("Snapshot", list(by_name), help="The frozen dataset to learn from; its holdout stays sealed.")
    method = st.segmented_control(
        "Method", list(_METHOD_WORDS), default="sft", required=True, format_func=str.upper, width="stretch"
    )
    st.caption(_METHOD_WORDS[method])
    recipes = [recipe for recipe_method, recipe in list_recipes() if recipe_method == method]
    finished = {f"run {_title(state)}": str(state.folder) for state in found if state.status is RunStatus.FINISHED}
    with st.form(f"start_{method}", border=False):
        recipe = st.selectbox("Recipe", recipes)
        plan = load_recipe(method, recipe or recipes[0])
        start = st.selectbox(
            "Start from", ["embedded", *finished], accept_new_options=True, help=_find_dial("model").help
        )
        changes: dict[str, Any] = {"name": st.text_input("Name", max_chars=60, placeholder=f"{name} {method}")}
        changes |= {dial: _show_dial(dial, plan) for dial in _FIRST_DIALS}
        with st.expander("More dials"):
            changes |= {dial: _show_dial(dial, plan) for dial in _MORE_DIALS[method]}
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
        format_func=lambda run_id: f"{_title(by_id[run_id])} · {by_id[run_id].status}",
    )
    state = by_id[chosen]
    is_running = state.status is RunStatus.RUNNING
    with st.container(key="card_run"):
        # Only this part is drawn again while the run goes on, so the form beside it keeps what is typed into it.
        st.fragment(_show_progress, run_every=_REFRESH_SECONDS if is_running else None)(state.folder, state.status)
        _show_controls(state)
    if state.status is RunStatus.FINISHED:
        with st.container(key="card_evaluation"):
            _show_evaluation(store, state)


def _show_progress(folder: Path, known_status: RunStatus) -> None:
    state = read_state(folder)
    if state.status is not known_status:
        st.rerun()
    metrics = read_metrics(folder)
    show_constant(
        '<div class="pp-bar"><span class="pp-pill {status}">{status}</span><span>{words}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span><span>{left}</span></div>',
        status=state.status.value,
        words=describe_progress(state, metrics[-1] if metrics else {}),
        share=100 if state.status is RunStatus.FINISHED else round(100 * state.step / max(state.total_steps, 1), 1),
        left=f"about {state.eta_seconds:.0f} s left" if state.eta_seconds else "",
    )
    if state.happened:
        show_problem(state.happened, state.advice)
    draw_curves(metrics)
    with st.expander("Log"):
        st.code(log_tail(folder, 40) or "nothing yet", language=None)


def describe_progress(state: RunState, latest: dict[str, Any]) -> str:
    """Where a run stands, in one line."""
    words = [state.stage] if state.stage and state.status is RunStatus.RUNNING else []
    if state.total_steps:
        words.append(f"step {state.step} of {state.total_steps}")
    if "loss" in latest:
        words.append(f"loss {latest['loss']:.3f}")
    if latest.get("tokens_per_second"):
        words.append(f"{latest['tokens_per_second']:.0f} tokens/s")
    if state.status is RunStatus.FINISHED and state.summary.get("seconds"):
        words.append(f"{state.summary['seconds']:.0f} s in all")
    return " · ".join(words)


def _show_controls(state: RunState) -> None:
    with st.container(horizontal=True):
        if state.status is RunStatus.RUNNING and st.button("Stop and keep a checkpoint"):
            with st.spinner("Stopping at the next step"):
                stop_run(state.folder)
            st.rerun()
        if state.status in (RunStatus.FAILED, RunStatus.INTERRUPTED) and st.button("Continue the run", type="primary"):
            start_run(state.folder)
            st.rerun()
        st.text(f"{state.run_id}")


def _show_evaluation(store: Store, state: RunState) -> None:
    st.subheader("Evaluation", anchor=False)
    evaluations = list_evaluations(store.workspace, state.folder)
    done = next((entry for entry in evaluations if entry.status is RunStatus.FINISHED), None)
    if done is None:
        running = any(entry.status is RunStatus.RUNNING for entry in evaluations)
        st.text("It is being measured now." if running else "Measure it beside its base on the sealed holdout:")
        st.code(f"pitchpipe evaluate {state.run_id}", language=None)
        return
    st.table([{key: plain(cell) for key, cell in row.items()} for row in describe_evaluation(done.summary)])
    difference = done.summary.get("nll_difference")
    if difference:
        st.caption(
            f"NLL, tuned minus base: {difference['mean']:+.3f}, 95% interval {difference['low']:+.3f} to "
            f"{difference['high']:+.3f}. Below 0 the tuned model fits the holdout better."
        )


def _title(state: RunState) -> str:
    return f"{state.name or state.run_id[-6:]} ({(state.method or state.kind).upper()})"
