"""Records: what a run writes down about its inputs and surroundings, and how it seals its folder."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.plan_files import Plan
from pitchpipe.training.runs.run_folders import read_json, write_json, write_manifest, write_progress

_INPUTS = "inputs.json"
_LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "tokenizers", "polars", "pitchpipe")


def environment() -> dict[str, Any]:
    """The libraries and the machine that a result came from."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def check_same_inputs(folder: Path, inputs: dict[str, Any]) -> None:
    """Writes inputs.json on the first start; on a later one refuses to go on with other inputs, naming each change."""
    before = read_json(folder / _INPUTS)
    if not before:
        write_json(folder / _INPUTS, inputs)
        return
    changes = [f"{name}: {old!r} -> {new!r}" for name, (old, new) in sorted(_differences(before, inputs).items())]
    if changes:
        raise RunError(
            f"The run {folder.name} began with other inputs than it would go on with. {'; '.join(changes)}.",
            "Restore them to continue this run, or make a new run for the new inputs.",
        )


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """What differs between two nested documents, by dotted name.

    >>> _differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    {'a.b': (1, 3)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found |= _differences(before, after, f"{prefix}{name}.")
        elif before != after:
            found[f"{prefix}{name}"] = (before, after)
    return found


def seal_run(folder: Path, plan: Plan, snapshot_id: str | None, parent: str | None, **facts: Any) -> None:
    """Writes the manifest, after which the run counts as finished.

    `parent` is the training run that this one continues from, or that it evaluates or generates with.
    """
    write_progress(folder, "finished")
    write_manifest(
        folder,
        kind=plan.kind,
        method=getattr(plan, "method", None),
        name=plan.name,
        snapshot_id=snapshot_id,
        parent_run_id=parent,
        parents=[parent] if parent else [],
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        pitchpipe_version=importlib.metadata.version("pitchpipe"),
        **facts,
    )
