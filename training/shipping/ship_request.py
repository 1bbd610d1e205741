"""Ship requests: how the shipping of a model is asked for, watched and read. Free of torch.

A ship folder holds `request.json` first and `manifest.json` last, as a run folder does; between them lie `proof.json`
(what was compared, before and after) and, unless another place was named, the shipped model itself under `model/`.
`training/shipping/shipping.py` fills it.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, RunError, UsageError
from pitchpipe.store.identity import new_id
from pitchpipe.training.runs.launch import end_process, start_process
from pitchpipe.training.runs.run_folders import (
    FAILURE,
    MANIFEST,
    PROGRESS,
    SUMMARY,
    RunStatus,
    derive_status,
    read_json,
    write_json,
)

REQUEST, PROOF, BUNDLE = "request.json", "proof.json", "model"


@dataclass(frozen=True, slots=True)
class ShipRequest:
    """Which run is shipped, where to, and how much is compared before and after."""

    run: str
    """The folder of a finished training run."""
    to: str = ""
    """The folder that the model goes to; it must not hold anything yet. Empty: `model/` in the ship folder."""
    snapshot: str = ""
    """The snapshot whose training rows are scored before and after; empty scores the golden answers alone."""
    evaluation: str = ""
    """The folder of an evaluation of the run, for the card; empty: none is known."""
    gguf: bool = False
    """Also write the weights as GGUF, for llama.cpp."""
    rows: int = 16
    """Training rows to score before and after, 0 to 10,000."""
    max_new_tokens: int = 32
    """Longest golden answer in tokens, 1 to 1,024."""

    def __post_init__(self) -> None:
        for name, low, high in (("rows", 0, 10_000), ("max_new_tokens", 1, 1024)):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}.", f"It must lie between {low} and {high:,}.")


@dataclass(frozen=True, slots=True)
class ShipState:
    """Where the shipping of a model stands."""

    folder: Path
    request: ShipRequest
    status: RunStatus
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    happened: str = ""
    advice: str = ""
    """The two parts of the error of a failed shipping."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Of a finished shipping."""

    @property
    def bundle(self) -> Path:
        """Where the shipped model lies once all is finished."""
        return bundle_of(self.folder, self.request)


def bundle_of(folder: Path, request: ShipRequest) -> Path:
    """The folder that the model goes to."""
    return Path(request.to) if request.to else folder / BUNDLE


def create_ship_folder(ships_dir: Path, request: ShipRequest) -> Path:
    """Makes `<ships_dir>/<ship-id>/request.json` and returns the folder; the shipping then waits.

    Raises:
        UsageError: the place that the model would go to holds something already.
    """
    refuse_full_place(Path(request.to) if request.to else None)
    folder = ships_dir / new_id("ship")
    folder.mkdir(parents=True)
    write_json(folder / REQUEST, dataclasses.asdict(request))
    return folder


def refuse_full_place(place: Path | None) -> None:
    """Raises UsageError where the shipped model would lie among other things."""
    if place is not None and place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"'{place}' holds something already.", "Name a folder that does not exist yet.")


def start_ship(folder: Path) -> int:
    """Starts the shipping of a folder in a process of its own that outlives this one; returns its number."""
    state = read_ship(folder)
    if state.status in (RunStatus.RUNNING, RunStatus.FINISHED):
        raise RunError(f"The shipping {folder.name} is {state.status} already.", "Ship the run again for another copy.")
    return start_process(folder, [sys.executable, "-m", "pitchpipe.training", "ship", str(folder.resolve())])


def stop_ship(folder: Path) -> None:
    """Ends a running shipping; the place it was to fill stays empty."""
    end_process(folder)


def read_ship(folder: Path) -> ShipState:
    """Derives where the shipping stands from the files that are there."""
    asked = read_json(folder / REQUEST)
    if not asked:
        raise NotFoundError(f"{folder} is no ship folder: it has no {REQUEST}.", "Make one with `pitchpipe ship`.")
    status, _ = derive_status(folder)
    progress = read_json(folder / PROGRESS)
    failure = read_json(folder / FAILURE) if status is RunStatus.FAILED else {}
    return ShipState(
        folder=folder,
        request=ShipRequest(**asked),
        status=status,
        stage=progress.get("stage", ""),
        step=progress.get("step", 0),
        total_steps=progress.get("total_steps", 0),
        happened=failure.get("happened", ""),
        advice=failure.get("advice", ""),
        summary=read_json(folder / SUMMARY) if status is RunStatus.FINISHED else {},
    )


def list_ships(ships_dir: Path) -> list[ShipState]:
    """The shippings under a folder, newest first."""
    found = sorted((path for path in ships_dir.glob("ship_*") if (path / REQUEST).is_file()), reverse=True)
    return [read_ship(path) for path in found]


def read_bundle(folder: Path) -> dict[str, Any]:
    """The manifest of a shipped model.

    Raises:
        RunError: the folder is no shipped model, or its manifest is missing.
    """
    manifest = read_json(folder / MANIFEST)
    if manifest.get("kind") != "shipped":
        raise RunError(f"'{folder}' is no shipped model.", "Make one with `pitchpipe ship RUN`.")
    return manifest
