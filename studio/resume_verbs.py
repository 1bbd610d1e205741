"""Going on with runs: one that was stopped, or a new round from a finished one. One function a verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, RunError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.studio.running import list_run_folders, prepare_training
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.records import accept_libraries
from pitchpipe.training.runs.run_folders import RunStatus, read_plan, read_state


def prepare_resume(store: Store, run: str, accept: bool = False) -> dict[str, Any]:
    """The folder of a run that can go on from where it stopped.

    Args:
        run: the id of a run of any kind, or its beginning.
        accept: let it go on with the libraries that are installed now, though it began with others; both are recorded.

    Raises:
        NotFoundError: no run, or more than one, has that id. RunError: it is finished, or it runs.
    """
    folder = _find_folder(store, run)
    state = read_state(folder)
    if state.status in (RunStatus.FINISHED, RunStatus.RUNNING):
        raise RunError(
            f"The run {state.run_id} is {state.status}, so there is nothing to go on with.",
            f"Watch it with `pitchpipe watch {state.run_id}`, or begin a round from it with `pitchpipe continue-from`.",
        )
    changes = accept_libraries(folder) if accept else []
    plan = read_plan(folder)
    project = find_snapshot(store, Path(plan.snapshot).name or "(none)").project
    return {"run": folder.name, "folder": str(folder), "project": project, "accepted": changes}


def prepare_continuation(
    store: Store,
    run: str,
    snapshot: str,
    method: str | None = None,
    plan: str | None = None,
    dials: dict[str, Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """A new round that starts from the weights of a finished run, with a schedule of its own.

    Args:
        run: the id of a finished training run, or its beginning.
        snapshot: what the new round learns from.
        method: how; None takes that of the run.

    Raises:
        NotFoundError: no such run or snapshot. UsageError: the run trained nothing. RunError: it is not finished.
    """
    folder = _find_folder(store, run)
    before = read_plan(folder)
    if not isinstance(before, TrainPlan):
        raise UsageError(f"The run {folder.name} is a {before.kind} run.", "Name a training run.")
    state = read_state(folder)
    if state.status is not RunStatus.FINISHED:
        raise RunError(
            f"The run {state.run_id} is {state.status}, not finished.",
            f"Let it end first: `pitchpipe resume {state.run_id}`.",
        )
    return prepare_training(store, method or before.method, snapshot, plan, folder.name, dials, name)


def _find_folder(store: Store, run: str) -> Path:
    found = [folder for folder in list_run_folders(store.workspace.resolve()) if run and folder.name.startswith(run)]
    if len(found) != 1:
        raise NotFoundError(
            f"{len(found)} runs have an id that begins with '{run}'.",
            "`pitchpipe report` and the Rounds page list them.",
        )
    return found[0]
