"""How a command reaches the store: by opening it, or, where a studio owns it, through that studio's API.

The user does not notice which. While a studio runs, `studio.json` beside the store (readable by its owner alone) says
where it listens and carries the token that its API asks for.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, PitchpipeError, StoreLockedError, UsageError

STUDIO_FILE = "studio.json"
_MAKING_VERBS = ("init", "import_file")
"""Verbs that may make a workspace; any other that finds none was given the wrong place."""
_ERRORS = {error.__name__: error for error in (UsageError, NotFoundError)}


def call_verb(
    workspace: Path, verb: str, values: dict[str, Any], on_progress: Callable[..., None] | None = None
) -> Any:
    """The result of a verb of `verbs` or `running`, run here or in the studio that owns the store.

    Raises:
        PitchpipeError: as the verb raises it; or the store is owned by a process that is no studio of ours.
    """
    # The engine takes a while to load; `--help` must not wait for it.
    from pitchpipe.store.database import open_store
    from pitchpipe.store.opening import explain_error

    if verb not in _MAKING_VERBS and find_postgres() is None and not (workspace / "store.duckdb").exists():
        raise NotFoundError(
            f"There is no store in '{workspace}'.",
            "Name the workspace with --workspace, or make one here: pitchpipe init.",
        )
    try:
        store = open_store(workspace, find_postgres())
    except StoreLockedError as locked:
        studio = read_studio_file(workspace)
        if studio is None:
            raise
        return _call_studio(studio, verb, values, locked)
    try:
        function = list_verbs()[verb]
        if on_progress is not None and "on_progress" in inspect.signature(function).parameters:
            values["on_progress"] = on_progress
        return function(store, **values)
    except OSError as error:
        raise explain_error(error) from error
    finally:
        store.close()


def list_verbs() -> dict[str, Callable[..., Any]]:
    """Every verb by its name: what the command line and the API offer."""
    from pitchpipe.studio import (
        consensus_verbs,
        coverage_verbs,
        data_verbs,
        endpoint_verbs,
        export_verbs,
        import_verbs,
        job_verbs,
        labelling_verbs,
        queue_verbs,
        resume_verbs,
        round_verbs,
        rule_verbs,
        running,
        ship_verbs,
        snapshot_verbs,
        verbs,
        watch_verbs,
    )

    functions: tuple[Callable[..., Any], ...] = (
        *(verbs.init, verbs.import_file, verbs.tasks, verbs.agreement, verbs.register, verbs.review, verbs.report),
        *(verbs.lineage, verbs.people),
        *(import_verbs.import_preview, rule_verbs.check, rule_verbs.evaluation_sets),
        *(queue_verbs.rules, queue_verbs.gold, queue_verbs.suggest, labelling_verbs.suggest_labels),
        *(data_verbs.rows, data_verbs.row, data_verbs.slices, data_verbs.curate, data_verbs.actions),
        data_verbs.undo_action,
        *(consensus_verbs.export_judgements, consensus_verbs.consensus, consensus_verbs.models),
        *(snapshot_verbs.snapshot_create, snapshot_verbs.snapshot_preview, snapshot_verbs.snapshot_list),
        *(snapshot_verbs.snapshot_show, snapshot_verbs.snapshot_diff, snapshot_verbs.snapshot_verify),
        *(snapshot_verbs.recipe_save, snapshot_verbs.recipe_show),
        *(export_verbs.export, export_verbs.prepare_export_check, export_verbs.start_export_check),
        *(export_verbs.export_checks, export_verbs.mixture),
        *(coverage_verbs.coverage, coverage_verbs.next_labels, coverage_verbs.subset),
        *(running.prepare_training, running.prepare_evaluation, running.prepare_generation),
        *(ship_verbs.prepare_ship, ship_verbs.ship, ship_verbs.shipped),
        *(endpoint_verbs.prepare_endpoint_generation, endpoint_verbs.check_serving, job_verbs.job),
        *(running.start_training, running.start_evaluation, running.start_generation, watch_verbs.watch),
        *(resume_verbs.prepare_resume, resume_verbs.prepare_continuation),
        *(round_verbs.preflight, round_verbs.prepare_preflight, round_verbs.preflights, round_verbs.start_round),
    )
    return {function.__name__: function for function in functions}


def find_postgres() -> str | None:
    """The connection string of a PostgreSQL store, from PITCHPIPE_POSTGRES, or None for the workspace's own file."""
    return os.environ.get("PITCHPIPE_POSTGRES") or None


def read_studio_file(workspace: Path) -> dict[str, Any] | None:
    """Where the studio of a workspace listens: `{"url", "pid", "token"}`, or None when none runs."""
    try:
        studio: dict[str, Any] = json.loads((workspace / STUDIO_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return studio


def _call_studio(studio: dict[str, Any], name: str, values: dict[str, Any], locked: StoreLockedError) -> Any:
    import httpx

    values = {key: _make_absolute(key, value) for key, value in values.items()}
    try:
        answer = httpx.post(
            f"{studio['url']}/api/v1/{name}",
            json=values,
            headers={"Authorization": f"Bearer {studio['token']}"},
            timeout=600,
        )
        document = answer.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise PitchpipeError(
            f"{locked.happened} It does not answer at {studio['url']}: {type(error).__name__}.",
            "If no studio runs there any more, stop that process; then try again.",
        ) from error
    if answer.status_code == 200:
        return document
    told = document.get("error") or {
        "happened": f"The studio refused: {document}.",
        "advice": "See the command's --help.",
    }
    raise _ERRORS.get(told.get("type", ""), PitchpipeError)(told["happened"], told["advice"])


def _make_absolute(key: str, value: Any) -> Any:
    """Paths are meant from where the command was typed, not from where the studio was started."""
    is_path = key in ("file", "map", "to", "plan", "checks", "folder") and value is not None
    if is_path and str(value).startswith("hf://"):
        return value
    is_model_folder = key == "model" and value is not None and Path(value).is_dir()
    return str(Path(value).resolve()) if is_path or is_model_folder else value
