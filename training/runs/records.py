"""Records: what a run writes down about its inputs and surroundings, and how it seals its folder."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.plan_files import Plan
from pitchpipe.training.runs.checkpoints import last_whole_checkpoint
from pitchpipe.training.runs.run_folders import read_json, write_json, write_manifest, write_progress

INPUTS, ENVIRONMENT = "inputs.json", "environment.json"
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
        "libraries": list_libraries(),
    }


def check_same_inputs(folder: Path, inputs: dict[str, Any]) -> None:
    """Writes inputs.json on the first start; on a later one refuses to go on with other inputs, naming each change."""
    before = read_json(folder / INPUTS)
    if not before:
        write_json(folder / INPUTS, inputs)
        return
    changes = describe_changes(before, inputs)
    if changes:
        raise _other_inputs(folder, changes)


def check_same_surroundings(folder: Path, now: dict[str, Any]) -> None:
    """Writes environment.json; refuses to go on from a checkpoint with other libraries or another device than before.

    Another version may compute other sums, so a run would silently be neither the one nor the other. Without a
    checkpoint nothing is gone on from, and the run begins anew with what is here. The number of threads is recorded but
    not asked for; on another machine than the first a run may differ in the last digits.
    """
    before = read_json(folder / ENVIRONMENT)
    if before and last_whole_checkpoint(folder) is not None:
        changes = describe_changes(
            *({name: told.get(name) for name in ("device", "libraries")} for told in (before, now))
        )
        if changes:
            raise _other_surroundings(folder, changes)
    earlier = {"earlier": before["earlier"]} if "earlier" in before else {}
    write_json(folder / ENVIRONMENT, now | earlier)


def check_resumable(folder: Path, plan: Plan) -> None:
    """Refuses at once, naming each change, what the run itself would refuse after it has loaded everything.

    The run asks for more than this: the hashes of the rows, the base model and the chat template.

    Raises:
        RunError: the plan, the snapshot or, where there is a checkpoint, the libraries are not those of the start.
    """
    before = read_json(folder / INPUTS)
    if not before:
        return
    manifest = read_json(Path(getattr(plan, "snapshot", "")) / "manifest.json")
    now = {
        "plan": json.loads(json.dumps(dataclasses.asdict(plan))) | {"name": ""},
        "snapshot_id": manifest.get("snapshot_id"),
        "snapshot_rows_sha256": manifest.get("files", {}).get("rows.parquet", {}).get("sha256"),
    }
    shared = before.keys() & now.keys()
    changes = describe_changes(*({name: told[name] for name in shared} for told in (before, now)))
    if changes:
        raise _other_inputs(folder, changes)
    told = read_json(folder / ENVIRONMENT).get("libraries")
    if told and last_whole_checkpoint(folder) is not None:
        changes = describe_changes({"libraries": told}, {"libraries": list_libraries()})
        if changes:
            raise _other_surroundings(folder, changes)


def check_continuation(before: dict[str, Any], inputs: dict[str, Any], run_id: str) -> None:
    """Refuses to continue from a run whose base or chat template is not the one that the new round would use.

    Args:
        before: inputs.json of the run that is continued from.
    """
    # The weights of a run that trained all of them are the base of what comes after it.
    base = [] if inputs.get("base_run") == run_id else [("base_model_hash", "base model")]
    for name, words in (*base, ("chat_template_hash", "chat template")):
        if before.get(name) not in (None, inputs.get(name)):
            raise RunError(
                f"The run {run_id} was tuned with another {words}: {before[name]!r} -> {inputs.get(name)!r}.",
                f"Restore the {words} that it was tuned with, or start from the base model.",
            )


def accept_libraries(folder: Path) -> list[str]:
    """Lets a run go on with the libraries that are installed now; returns the changes, in words.

    environment.json keeps the former ones under `earlier`.
    """
    before = read_json(folder / ENVIRONMENT)
    now = list_libraries()
    changes = describe_changes(before.get("libraries", {}), now) if before else []
    if changes:
        earlier = [*before.get("earlier", []), before["libraries"]]
        write_json(folder / ENVIRONMENT, before | {"libraries": now, "earlier": earlier})
    return changes


def _other_inputs(folder: Path, changes: list[str]) -> RunError:
    return RunError(
        f"The run {folder.name} began with other inputs than it would go on with. {'; '.join(changes)}.",
        "Restore them to continue this run, or make a new run for the new inputs.",
    )


def _other_surroundings(folder: Path, changes: list[str]) -> RunError:
    return RunError(
        f"The run {folder.name} began in other surroundings than it would go on in. {'; '.join(changes)}.",
        "Restore them, or accept them with `pitchpipe resume --accept-libraries`; the run then records both.",
    )


def list_libraries() -> dict[str, str]:
    """The versions of the libraries that decide what is computed."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def describe_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two documents, a line a difference.

    >>> describe_changes({"plan": {"epochs": 1.0}}, {"plan": {"epochs": 2.0}})
    ['plan.epochs: 1.0 -> 2.0']
    """
    return [f"{name}: {old!r} -> {new!r}" for name, (old, new) in sorted(_differences(before, after).items())]


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
