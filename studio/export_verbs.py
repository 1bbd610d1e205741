"""What one can do with exports: one function a verb, the same name and parameters as its command and its API route."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.studio.running import resolve_model
from pitchpipe.training.exports.export_check import (
    CheckRequest,
    CheckState,
    create_check_folder,
    list_checks,
    start_check,
)
from pitchpipe.training.exports.export_saving import save_apart
from pitchpipe.training.exports.exporting import FORMATS, FORMS, export_snapshot
from pitchpipe.training.exports.mixtures import write_mixture
from pitchpipe.training.rows.formats import Form, FormatPolicy

Format = Literal["parquet", "jsonl", "csv"]
SAVED_AS = (*FORMATS, "datasets")
"""What `export` writes: a file of a format, or a folder of `datasets`."""


def export(
    store: Store, snapshot: str, form: str, to: str, format: str = "parquet", soft_labels: bool = False,
    confidence_weights: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Writes a snapshot as training files, with every row that is left out and why.

    `soft_labels` adds label_smoothing to pairs; `confidence_weights` multiplies weights by how sure people are.
    """
    policy = FormatPolicy(soft_labels=soft_labels, confidence_weights=confidence_weights)
    folder = find_snapshot(store, snapshot).folder
    if form not in FORMS:
        raise UsageError(f"There is no form {form!r}.", f"The forms are: {', '.join(FORMS)}.")
    form_name = cast(Form, form)
    if format == "datasets":
        report = save_apart(folder, form_name, Path(to), policy)
        described = {**asdict(report), "format": format, "datasets": f"{Path(to) / form}.datasets"}
    elif format in FORMATS:
        described = asdict(export_snapshot(folder, form_name, Path(to), cast(Format, format), policy))
    else:
        raise UsageError(f"There is no export format {format!r}.", f"The formats are: {', '.join(SAVED_AS)}.")
    return {name: str(value) if isinstance(value, Path) else value for name, value in described.items()}


def prepare_export_check(
    store: Store, snapshot: str, form: str = "sft", model: str = "embedded", max_length: int = 1024, samples: int = 24
) -> dict[str, Any]:
    """A folder for the dry run of an export that waits to be started.

    Args:
        form: `sft`, `dpo`, `kto` or `reward`.
        model: whose tokenizer and chat template: `embedded`, a model id, a folder, or the id of a run.
        max_length: tokens of a row that the trainer takes.
        samples: rows that are shown token by token.
    """
    found = find_snapshot(store, snapshot)
    request = CheckRequest(str(found.folder.resolve()), form, resolve_model(store, model), max_length, samples)
    folder = create_check_folder(checks_folder(store), request)
    return {"check": folder.name, "folder": str(folder), "project": found.project}


def start_export_check(
    store: Store, snapshot: str, form: str = "sft", model: str = "embedded", max_length: int = 1024, samples: int = 24
) -> dict[str, Any]:
    """Prepares the dry run of an export and starts it as a process of its own; returns at once."""
    prepared = prepare_export_check(store, snapshot, form, model, max_length, samples)
    return {**prepared, "pid": start_check(Path(prepared["folder"]))}


def export_checks(store: Store, check: str | None = None) -> dict[str, Any]:
    """The dry runs of exports, newest first, with their results; with `check` (an id) that one alone."""
    found = list_checks(checks_folder(store))
    if check is not None:
        found = [state for state in found if state.folder.name.startswith(check)]
        if len(found) != 1:
            raise NotFoundError(
                f"{len(found)} dry runs of exports begin with '{check}'.", "Leave the id out to list them all."
            )
    return {"checks": [describe_check(state) for state in found]}


def mixture(store: Store, files: list[str], to: str, shares: list[float] | None = None) -> dict[str, Any]:
    """Writes a configuration that TRL loads as one dataset, over several exported files of one form."""
    del store  # every verb takes it; this one needs files alone
    return write_mixture([Path(file) for file in files], Path(to), shares)


def checks_folder(store: Store) -> Path:
    """Where the dry runs of a workspace lie."""
    return store.workspace.resolve() / "checks"


def describe_check(state: CheckState) -> dict[str, Any]:
    """A dry run as plain values."""
    return {
        "check": state.folder.name, "status": state.status.value, "folder": str(state.folder),
        "snapshot": Path(state.request.snapshot).name, "form": state.request.form, "model": state.request.model,
        "max_length": state.request.max_length, **state.summary,
    }  # fmt: skip
