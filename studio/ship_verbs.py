"""What one can do with a tuned model beyond the workspace: one function a verb, as its command and its API route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.store.runs import Run, find_run, list_runs
from pitchpipe.training.shipping.ship_request import (
    ShipRequest,
    ShipState,
    create_ship_folder,
    list_ships,
    start_ship,
)


def prepare_ship(store: Store, run: str, to: str | None = None, gguf: bool = False, rows: int = 16) -> dict[str, Any]:
    """A ship folder that waits to be started: the run's model as a plain folder, with the proof that it is the same.

    Args:
        run: the id of a finished training run.
        to: the folder that the model goes to; None: in the workspace, under `shipped/`.
        gguf: also write the weights as GGUF.
        rows: rows that the run learned, to score before and after.
    """
    trained = find_training_run(store, run)
    request = ShipRequest(
        run=str(trained.folder.resolve()),
        to=str(Path(to).resolve()) if to else "",
        snapshot=_find_snapshot(store, trained),
        evaluation=_find_evaluation(store, trained),
        gguf=gguf,
        rows=rows,
    )
    folder = create_ship_folder(ships_folder(store), request)
    return {"ship": folder.name, "folder": str(folder), "project": trained.project}


def ship(store: Store, run: str, to: str | None = None, gguf: bool = False, rows: int = 16) -> dict[str, Any]:
    """Prepares the shipping of a model and starts it as a process of its own; returns at once."""
    prepared = prepare_ship(store, run, to, gguf, rows)
    return {**prepared, "pid": start_ship(Path(prepared["folder"]))}


def shipped(store: Store, ship: str | None = None) -> dict[str, Any]:
    """The models shipped from here, newest first, with what was compared; with `ship` (an id) that one alone."""
    found = list_ships(ships_folder(store))
    if ship is not None:
        found = [state for state in found if state.folder.name.startswith(ship)]
        if len(found) != 1:
            raise NotFoundError(f"{len(found)} shippings begin with '{ship}'.", "Leave the id out to list them all.")
    return {"ships": [describe_ship(state) for state in found]}


def ships_folder(store: Store) -> Path:
    """Where the shippings of a workspace lie."""
    return store.workspace.resolve() / "shipped"


def describe_ship(state: ShipState) -> dict[str, Any]:
    """A shipping as plain values."""
    return {
        "ship": state.folder.name,
        "run": Path(state.request.run).name,
        "status": state.status.value,
        "folder": str(state.folder),
        "model": str(state.bundle),
        **state.summary,
    }


def find_training_run(store: Store, run_id: str) -> Run:
    """The registered training run of that id, or of a unique beginning of it."""
    run = find_run(store, run_id)
    if run.kind != "train":
        raise UsageError(
            f"The run {run.id} is of kind {run.kind}.", "Name a training run; `pitchpipe report` lists them."
        )
    return run


def _find_snapshot(store: Store, run: Run) -> str:
    """The snapshot folder of a run; empty where it is gone, and then the golden answers alone are compared."""
    if run.snapshot_id is None:
        return ""
    try:
        folder = find_snapshot(store, run.snapshot_id).folder.resolve()
    except NotFoundError:
        return ""
    return str(folder) if (folder / "rows.parquet").is_file() else ""


def _find_evaluation(store: Store, run: Run) -> str:
    """The newest evaluation of a run, empty where there is none."""
    runs = [known for known in list_runs(store, run.project) if known.kind == "evaluate"]
    found = [known for known in runs if known.parent_run_id == run.id]
    return str(found[-1].folder.resolve()) if found else ""
