"""Watching a run from anywhere: one function a verb, as its command and its API route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.studio.running import list_run_folders
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_metrics, read_plan, read_state
from pitchpipe.training.tuning.advice import advise
from pitchpipe.training.tuning.standing import find_standing

_MEASURED = ("step", "dev_", "stop_rate", "answer_tokens")


def watch(store: Store, run: str) -> dict[str, Any]:
    """How a training run stands: its last numbers, its best measurement, and what its curves say is wrong.

    Args:
        run: the id of a run, or its beginning; it need not be finished.

    Returns:
        `{"run", "name", "status", "stage", "step", "total_steps", "eta_seconds", "latest": {metric: number},
        "measured": {metric: number}, "best_step", "best_loss", "since_best", "advice": [{"rule", "version", "step",
        "happened", "advice"}]}`; `latest` is the last line of training, `measured` that of held back rows and samples.

    Raises:
        NotFoundError: no training run, or more than one, has that id.
    """
    folder, plan = _find_run(store, run)
    state, metrics = read_state(folder), read_metrics(folder)
    measured = _last(metrics, "dev_loss") or _last(metrics, "stop_rate")
    standing = find_standing(metrics)
    return {
        "run": state.run_id,
        "name": state.name,
        "status": str(state.status),
        "stage": state.stage,
        "step": state.step,
        "total_steps": state.total_steps,
        "eta_seconds": state.eta_seconds,
        "latest": _last(metrics, "loss"),
        "measured": {name: value for name, value in measured.items() if name.startswith(_MEASURED)},
        "best_step": standing.best_step,
        "best_loss": standing.best,
        "since_best": standing.since_best,
        "advice": [finding.as_dict() for finding in advise(metrics, plan)],
    }


def _find_run(store: Store, run: str) -> tuple[Path, TrainPlan]:
    found = []
    for folder in list_run_folders(store.workspace):
        plan = read_plan(folder)
        if folder.name.startswith(run) and isinstance(plan, TrainPlan):
            found.append((folder, plan))
    if len(found) != 1 or not run:
        raise NotFoundError(
            f"{len(found)} training runs have an id that begins with '{run}'.", "The Rounds page shows the id of each."
        )
    return found[0]


def _last(metrics: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next((line for line in reversed(metrics) if name in line), {})
