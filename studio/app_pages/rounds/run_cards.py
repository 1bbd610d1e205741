"""What a run looks like on any page: its state in one line, its curves, its evaluation. All read from run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.running import list_run_folders, register_finished_runs
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import RunState, RunStatus, read_plan, read_state
from pitchpipe.training.tuning.advice import Finding
from pitchpipe.training.tuning.standing import find_standing


def take_finished_runs(store: Store) -> None:
    """Registers runs that have finished since a page last looked; one damaged folder does not hide the others."""
    try:
        register_finished_runs(store)
    except PitchpipeError as error:
        show_problem(error.happened, error.advice)


def list_training_runs(workspace: Path, snapshot_folders: list[Path]) -> list[RunState]:
    """The training runs on one of these snapshots, newest first."""
    # By name, which is the id: a workspace may have been moved since the plan was written.
    wanted = {path.name for path in snapshot_folders}
    found = []
    for folder in list_run_folders(workspace):
        plan = read_plan(folder)
        if isinstance(plan, TrainPlan) and Path(plan.snapshot).name in wanted:
            found.append(read_state(folder))
    return found


def list_evaluations(workspace: Path, run_folder: Path) -> list[RunState]:
    """The evaluations of a training run, newest first."""
    found = []
    for folder in list_run_folders(workspace):
        plan = read_plan(folder)
        if isinstance(plan, EvaluatePlan) and Path(plan.run).name == run_folder.name:
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
    for name, found in (summary.get("exact_answers") or {}).items():
        rows.append(
            _row(f"{name.replace('_', ' ')}, right", {arm: found[arm]["share"] for arm in ("base", "tuned")}, "{:.1%}")
        )
    if summary.get("stop_rate"):
        rows.append(_row("answers that end by themselves", summary["stop_rate"], "{:.0%}"))
    return rows


def _row(title: str, arms: dict[str, float], form: str) -> dict[str, str]:
    return {"On the sealed holdout": title} | {
        arm: form.format(value) for arm, value in arms.items() if value is not None
    }


def show_state(state: RunState, latest: dict[str, Any]) -> None:
    """A run's state, numbers and progress in one line."""
    show_constant(
        '<div class="pp-bar"><span class="pp-pill {status}">{status}</span><span>{words}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span><span>{left}</span></div>',
        status=state.status.value,
        words=describe_progress(state, latest),
        share=100 if state.status is RunStatus.FINISHED else round(100 * state.step / max(state.total_steps, 1), 1),
        left=f"about {describe_seconds(state.eta_seconds)} left" if state.eta_seconds else "",
    )


def describe_seconds(seconds: float) -> str:
    """A stretch of time in the unit that people would use.

    >>> describe_seconds(41.0), describe_seconds(260.0), describe_seconds(9000.0)
    ('41 s', '4 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def show_advice(findings: list[Finding]) -> None:
    """A card a finding: what the curves say is wrong, and the change to make."""
    for finding in findings:
        show_constant(
            '<div class="pp-advice"><b>{happened}</b><span>{advice}</span><i>{rule}</i></div>',
            happened=finding.happened.replace("`", ""),
            advice=finding.advice.replace("`", ""),
            rule=f"rule {finding.rule.replace('_', ' ')}, step {finding.step}",
        )


def mark_steps(metrics: list[dict[str, Any]], state: RunState) -> list[tuple[int, str]]:
    """What to point at on the curve of the loss: the best measurement, once there is one after it."""
    standing = find_standing(metrics)
    if standing.best_step is None or not standing.since_best:
        return []
    kept = state.summary.get("dev", {}).get("weights_of_step") == standing.best_step
    return [(standing.best_step, "best on held back rows" + (", kept" if kept else ""))]


def describe_progress(state: RunState, latest: dict[str, Any]) -> str:
    """Where a run stands, in one line."""
    words = [state.stage] if state.stage and state.status is RunStatus.RUNNING else []
    if state.total_steps:
        words.append(f"step {state.step} of {state.total_steps}")
    if latest.get("loss") is not None:
        words.append(f"loss {latest['loss']:.3f}")
    if latest.get("tokens_per_second"):
        words.append(f"{latest['tokens_per_second']:.0f} tokens/s")
    if state.status is RunStatus.FINISHED and state.summary.get("seconds"):
        words.append(f"{state.summary['seconds']:.0f} s in all")
    if state.status is RunStatus.FINISHED and state.summary.get("dev", {}).get("stopped_early"):
        words.append("stopped early")
    return " · ".join(words)


def show_evaluation(workspace: Path, state: RunState) -> None:
    """The table of a finished run beside its base, or how to get one."""
    st.subheader("Evaluation", anchor=False)
    if state.status is not RunStatus.FINISHED:
        st.text("It can be measured on the sealed holdout when it is finished.")
        return
    evaluations = list_evaluations(workspace, state.folder)
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


def title_run(state: RunState) -> str:
    """What people call a run, with its method."""
    return f"{state.name or state.run_id[-6:]} ({(state.method or state.kind).upper()})"
