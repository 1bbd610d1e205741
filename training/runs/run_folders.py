"""Run folders: how a run is asked for, watched and sealed. Free of torch.

A run folder holds `plan.toml` before anything starts and `manifest.json` only when everything else is on the disk. All
that lies between is derived from what is there: nobody stores a status, so none can be wrong.

    waiting      plan.toml, and nothing has started
    running      process.json names a process that is alive
    finished     manifest.json is there
    failed       failure.json tells what happened and what to do
    interrupted  it began, but neither finished nor failed, and its process is gone
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, RunError
from pitchpipe.store.identity import hash_file, new_id
from pitchpipe.training.plans.plan_files import Plan, load_plan, plan_to_toml
from pitchpipe.training.runs.disk import DiskFullError, is_disk_full
from pitchpipe.training.runs.processes import is_alive

PLAN, MANIFEST, PROCESS, PROGRESS = "plan.toml", "manifest.json", "process.json", "progress.json"
FAILURE, METRICS, LOG, SUMMARY = "failure.json", "metrics.jsonl", "log.txt", "summary.json"
_PASSING = frozenset({MANIFEST, PROCESS, PROGRESS, FAILURE, LOG})
"""Files that speak of the running, not of the result; a manifest does not list them."""
_SCRATCH = "checkpoints"
"""Folder that only resuming needs; a manifest does not list it."""


class RunStatus(StrEnum):
    """Where a run stands, as its folder tells."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run folder tells about its run."""

    run_id: str
    folder: Path
    status: RunStatus
    kind: str
    method: str | None
    """`sft` or `dpo` for a training run."""
    name: str
    stage: str = ""
    """What it is doing or last did, in words."""
    step: int = 0
    total_steps: int = 0
    eta_seconds: float | None = None
    """Seconds that are left, by the speed so far; None while unknown."""
    seconds: float | None = None
    """Seconds since this process began."""
    happened: str = ""
    advice: str = ""
    """The two parts of the error of a failed run, or of the warning of a finished one."""
    pid: int | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    """The small numbers of a finished run."""


def write_atomic(path: Path, data: bytes | str) -> None:
    """Writes a whole file or none: a temporary neighbour, flushed to the disk, takes the name at the end."""
    with replace_whole(path) as part:
        part.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


@contextmanager
def replace_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary neighbour to write; it is flushed to the disk and takes the name when all went well."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if is_disk_full(error, path.parent):
            raise DiskFullError(
                f"The disk that holds {path} is full: {error.strerror or error}.", "Free some space and try again."
            ) from error
        raise RunError(
            f"{path} could not be written: {error.strerror or error}.",
            "Fix what it names, the permissions perhaps, then retry.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON document that people can read, whole or not at all."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def finite(number: float) -> float | None:
    """The number where JSON can hold it; NaN and the infinities become None.

    >>> finite(1.5), finite(float("nan"))
    (1.5, None)
    """
    return number if math.isfinite(number) else None


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON document of ours; a missing or torn file counts as empty."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return document if isinstance(document, dict) else {}


def create_run_folder(runs_dir: Path, plan: Plan, run_id: str | None = None) -> Path:
    """Makes `<runs_dir>/<run-id>/plan.toml` and returns the folder; the run is then waiting."""
    folder = runs_dir / (run_id or new_id("run"))
    folder.mkdir(parents=True)
    write_atomic(folder / PLAN, plan_to_toml(plan))
    return folder


def read_plan(folder: Path) -> Plan:
    """The plan of a run folder."""
    if not (folder / PLAN).is_file():
        raise NotFoundError(f"{folder} is no run folder: it has no {PLAN}.", "Name a folder under <workspace>/runs/.")
    return load_plan(folder / PLAN)


def derive_status(folder: Path) -> tuple[RunStatus, int | None]:
    """How far the work in a folder came, and the number of the process that is at it, if one is alive."""
    process = read_json(folder / PROCESS)
    pid = process.get("pid")
    alive = pid is not None and is_alive(pid, process.get("started"))
    if (folder / MANIFEST).is_file():
        status = RunStatus.FINISHED
    elif read_json(folder / FAILURE):
        status = RunStatus.FAILED
    elif alive:
        status = RunStatus.RUNNING
    elif process or read_json(folder / PROGRESS):
        status = RunStatus.INTERRUPTED
    else:
        status = RunStatus.WAITING
    return status, pid if alive else None


def read_state(folder: Path) -> RunState:
    """Derives where the run stands from the files that are there."""
    plan = read_plan(folder)
    # First the status, then what it rests on: a file that is written in between is then read whole.
    status, pid = derive_status(folder)
    progress, failure, summary = (read_json(folder / name) for name in (PROGRESS, FAILURE, SUMMARY))
    told = {RunStatus.FAILED: failure, RunStatus.FINISHED: summary.get("warning", {})}.get(status, {})
    return RunState(
        run_id=folder.resolve().name,
        folder=folder,
        status=status,
        kind=plan.kind,
        method=getattr(plan, "method", None),
        name=plan.name,
        stage=progress.get("stage", ""),
        step=progress.get("step", 0),
        total_steps=progress.get("total_steps", 0),
        eta_seconds=progress.get("eta_seconds") if status is RunStatus.RUNNING else None,
        seconds=progress.get("seconds"),
        happened=told.get("happened", ""),
        advice=told.get("advice", ""),
        pid=pid,
        summary=summary,
    )


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Every line of metrics.jsonl so far; a line still being written is left for next time.

    A resumed run repeats the steps after its last checkpoint: of two lines for one step the later one counts.
    """
    path = folder / METRICS
    if not path.is_file():
        return []
    by_step: dict[int, dict[str, Any]] = {}
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            metric = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
        by_step[metric["step"]] = metric
    return [by_step[step] for step in sorted(by_step)]


def write_progress(folder: Path, stage: str, step: int = 0, total_steps: int = 0, **more: Any) -> None:
    """Tells watchers what the run is doing; cheap, so no flush to the disk."""
    document = {"stage": stage, "step": step, "total_steps": total_steps, "updated_at": time.time(), **more}
    temporary = folder / f".{PROGRESS}.part"
    temporary.write_text(json.dumps(document), encoding="utf-8")
    temporary.replace(folder / PROGRESS)


def result_files(folder: Path) -> list[Path]:
    """The files of a run that a manifest vouches for, in order of name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    kept = [
        path
        for path in files
        if path.relative_to(folder).parts[0] not in (_SCRATCH, *_PASSING) and not path.name.endswith(".part")
    ]
    return sorted(kept, key=lambda path: path.relative_to(folder).as_posix())


def write_manifest(folder: Path, **facts: Any) -> dict[str, Any]:
    """Seals the run: hashes every result file and writes manifest.json, the last file of all."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "bytes": path.stat().st_size}
        for path in result_files(folder)
    }
    manifest = {"run_id": folder.resolve().name, **facts, "files": files}
    write_json(folder / MANIFEST, manifest)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run, or a RunError that says how far it came."""
    if not (folder / MANIFEST).is_file():
        state = read_state(folder)
        raise RunError(
            f"The run {state.run_id} is {state.status}, not finished.",
            state.advice or "Start it (again) and wait until it is finished; it continues where it stopped.",
        )
    return read_json(folder / MANIFEST)


def verify_run(folder: Path) -> list[str]:
    """Re-derives every hash of a finished run; returns what does not hold, in words (empty when all is well)."""
    listed = read_manifest(folder)["files"]
    problems = []
    for name, facts in listed.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif hash_file(path) != facts["sha256"]:
            problems.append(f"{name} was altered after the run finished")
    present = {path.relative_to(folder).as_posix() for path in result_files(folder)}
    return problems + [f"{name} was added after the run finished" for name in sorted(present - set(listed))]
