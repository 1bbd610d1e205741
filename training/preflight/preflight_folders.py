"""Preflight folders: how a preflight is asked for, watched and read. Free of torch.

A folder holds `plan.toml` first and `manifest.json` last, as a run folder does. Between them lie `report.json`,
`ledger.parquet` (every row: its tokens, its fate and why) and `masks.jsonl` (some rows token by token, with what each
token is for). `training/preflight/preflight.py` fills it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.errors import NotFoundError, RunError
from pitchpipe.store.identity import new_id
from pitchpipe.training.plans.plan_files import load_plan, plan_to_toml
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.launch import end_process, start_process
from pitchpipe.training.runs.run_folders import (
    FAILURE,
    PLAN,
    PROGRESS,
    RunStatus,
    derive_status,
    read_json,
    write_atomic,
)

REPORT, LEDGER, MASKS = "report.json", "ledger.parquet", "masks.jsonl"


@dataclass(frozen=True, slots=True)
class PreflightState:
    """Where a preflight stands."""

    folder: Path
    plan: TrainPlan
    status: RunStatus
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    happened: str = ""
    advice: str = ""
    """The two parts of the error of one that failed itself; what is wrong with the plan stands in the report."""
    report: dict[str, Any] = field(default_factory=dict)
    """Of a finished preflight."""


def create_preflight_folder(preflights_dir: Path, plan: TrainPlan) -> Path:
    """Makes `<preflights_dir>/<id>/plan.toml` and returns the folder; the preflight then waits."""
    folder = preflights_dir / new_id("pre")
    folder.mkdir(parents=True)
    write_atomic(folder / PLAN, plan_to_toml(plan))
    return folder


def start_preflight(folder: Path) -> int:
    """Starts the preflight of a folder in a process of its own that outlives this one; returns its number."""
    state = read_preflight(folder)
    if state.status in (RunStatus.RUNNING, RunStatus.FINISHED):
        raise RunError(f"The preflight {folder.name} is {state.status} already.", "Make a new one.")
    return start_process(folder, [sys.executable, "-m", "pitchpipe.training", "preflight", str(folder.resolve())])


def stop_preflight(folder: Path) -> None:
    """Ends a running preflight; what it had found is not used."""
    end_process(folder)


def read_preflight(folder: Path) -> PreflightState:
    """Derives where a preflight stands from the files that are there."""
    plan = read_train_plan(folder)
    status, _ = derive_status(folder)
    progress = read_json(folder / PROGRESS)
    failure = read_json(folder / FAILURE) if status is RunStatus.FAILED else {}
    return PreflightState(
        folder=folder,
        plan=plan,
        status=status,
        stage=progress.get("stage", ""),
        step=progress.get("step", 0),
        total_steps=progress.get("total_steps", 0),
        happened=failure.get("happened", ""),
        advice=failure.get("advice", ""),
        report=read_json(folder / REPORT) if status is RunStatus.FINISHED else {},
    )


def read_train_plan(folder: Path) -> TrainPlan:
    """The plan that a preflight is asked about."""
    if not (folder / PLAN).is_file():
        raise NotFoundError(f"{folder} is no folder of a preflight: it has no {PLAN}.", "Make one with `preflight`.")
    plan = load_plan(folder / PLAN)
    if not isinstance(plan, TrainPlan):
        raise RunError(f"The plan in {folder} is of kind {plan.kind!r}.", "A preflight looks at training plans.")
    return plan


def read_rows(folder: Path) -> pl.DataFrame:
    """Every row of a finished preflight, in order of id; the columns are those of a run's ledger."""
    return pl.read_parquet(folder / LEDGER)


def read_masks(folder: Path) -> list[dict[str, Any]]:
    """The rows that are shown token by token.

    Each is `{"row_id", "fate", "sides": [{"side", "tokens": [[text, id, use]]}]}` with the use `context` (read, not
    learned), `loss` (learned) or `cut` (beyond `max_length`).
    """
    # Not splitlines: a text may hold characters that it takes for the end of a line.
    lines = (folder / MASKS).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]
