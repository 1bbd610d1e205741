"""What one can do before a round: one function a verb, with the name and parameters of its command and API route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.studio.running import resolve_model
from pitchpipe.training.plans.plan_files import load_plan, load_recipe, plan_from_dict, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.preflight_folders import (
    PreflightState,
    create_preflight_folder,
    read_preflight,
    start_preflight,
)
from pitchpipe.training.runs.launch import start_run
from pitchpipe.training.runs.run_folders import create_run_folder


def preflight(
    store: Store,
    method: str,
    snapshot: str,
    plan: str | None = None,
    model: str | None = None,
    dials: dict[str, Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """Starts looking ahead at a training run, in a process of its own; returns at once: `{"preflight", "folder", ...}`.

    The parameters are those of `start_training`. `preflights` tells the report when it is there.

    Raises:
        NotFoundError: no such snapshot or plan. UsageError: a dial is unknown or out of range.
    """
    prepared = prepare_preflight(store, method, snapshot, plan, model, dials, name)
    return {**prepared, "pid": start_preflight(Path(prepared["folder"]))}


def prepare_preflight(
    store: Store,
    method: str,
    snapshot: str,
    plan: str | None = None,
    model: str | None = None,
    dials: dict[str, Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """A folder for a preflight that waits to be started; the parameters are those of `preflight`."""
    chosen = load_plan(Path(plan)) if plan else load_recipe(method)
    if not isinstance(chosen, TrainPlan) or chosen.method != method:
        raise UsageError(f"The plan '{plan}' is not for the method '{method}'.", "Name the method that the plan says.")
    changes = {**(dials or {}), **({} if model is None else {"model": model})}
    made = resolve_plan(store, with_dials(chosen, **changes), snapshot, name)
    folder = create_preflight_folder(preflights_folder(store), made)
    return {"preflight": folder.name, "folder": str(folder), "project": find_snapshot(store, snapshot).project}


def ask_preflight(store: Store, plan: TrainPlan) -> dict[str, Any]:
    """Starts looking ahead at a whole plan, as the page has it; returns at once."""
    folder = create_preflight_folder(preflights_folder(store), plan)
    return {"preflight": folder.name, "folder": str(folder), "pid": start_preflight(folder)}


def resolve_plan(store: Store, plan: TrainPlan, snapshot: str, name: str = "") -> TrainPlan:
    """The plan with the places of its snapshot and model in this workspace, and a name."""
    frozen = find_snapshot(store, snapshot)
    return with_dials(
        plan,
        snapshot=str(frozen.folder.resolve()),
        model=resolve_model(store, plan.model),
        name=name or plan.name or f"{plan.method} on {frozen.name}",
    )


def preflights(store: Store, preflight: str | None = None) -> dict[str, Any]:
    """The preflights of the workspace, newest first, with their reports; with `preflight` (an id) that one alone."""
    found = list_preflights(store)
    if preflight is not None:
        found = [state for state in found if state.folder.name.startswith(preflight)]
        if len(found) != 1:
            raise NotFoundError(
                f"{len(found)} preflights begin with '{preflight}'.", "Leave the id out to list them all."
            )
    return {"preflights": [describe_preflight(state) for state in found]}


def start_round(store: Store, dials: dict[str, Any]) -> dict[str, Any]:
    """Starts a training run by a whole plan, as a process of its own; returns at once.

    Args:
        dials: all dials of the plan by name, as a plan file has them; its snapshot is one of this workspace.
    """
    made = plan_from_dict(dials)
    if not isinstance(made, TrainPlan):
        raise UsageError(f"The plan is of kind {made.kind!r}.", "A round starts with a plan of kind train.")
    frozen = find_snapshot(store, Path(made.snapshot).name)
    folder = create_run_folder(store.workspace.resolve() / "runs", resolve_plan(store, made, frozen.id))
    return {"run": folder.name, "folder": str(folder), "project": frozen.project, "pid": start_run(folder)}


def list_preflights(store: Store) -> list[PreflightState]:
    """The preflights of a workspace, newest first (their names sort by time)."""
    return [read_preflight(folder) for folder in sorted(preflights_folder(store).glob("pre_*"), reverse=True)]


def preflights_folder(store: Store) -> Path:
    """Where the preflights of a workspace lie, beside its runs."""
    return store.workspace.resolve() / "preflights"


def describe_preflight(state: PreflightState) -> dict[str, Any]:
    """A preflight as plain values."""
    return {
        "preflight": state.folder.name,
        "status": state.status.value,
        "folder": str(state.folder),
        "happened": state.happened,
        "advice": state.advice,
        **state.report,
    }
