"""What one can do with models that are served elsewhere: one function a verb, as its command and its API route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.studio.ship_verbs import find_training_run, ships_folder
from pitchpipe.training.measuring.endpoints import Endpoint
from pitchpipe.training.plans.measure_plans import GeneratePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.runs.run_folders import RunStatus, create_run_folder
from pitchpipe.training.shipping.serving_check import check_server
from pitchpipe.training.shipping.ship_request import list_ships


def prepare_endpoint_generation(
    store: Store,
    endpoints: list[str],
    models: list[str],
    run: str | None = None,
    snapshot: str | None = None,
    against: str = "tuned",
    key_variables: list[str] | None = None,
    max_prompts: int = 40,
    max_new_tokens: int = 64,
) -> dict[str, Any]:
    """A run folder in which a served model answers sealed prompts beside another, for blind review.

    Args:
        endpoints: one address, or two that are compared with each other.
        models: what each server calls its model.
        run: the training run to compare one endpoint with; its snapshot gives the prompts.
        snapshot: the snapshot that gives the prompts, where no run is named.
        against: `tuned` or `base`: which of the run's models an endpoint is compared with.
        key_variables: the environment variable of each endpoint's key; an empty text sends none.
    """
    described = _describe_endpoints(endpoints, models, key_variables or [])
    trained = find_training_run(store, run) if run else None
    named = snapshot or (trained.snapshot_id if trained else None)
    if named is None:
        raise UsageError("Nothing says which prompts to answer.", "Name a training run, or a snapshot (--snapshot).")
    if len(described) == 1 and trained is None:
        raise UsageError(
            "One endpoint alone has nothing to be compared with.", "Name a training run, or a second --endpoint."
        )
    frozen = find_snapshot(store, named)
    arms = [against, *described] if len(described) == 1 else list(described)
    plan = with_dials(
        GeneratePlan(),
        run=str(trained.folder.resolve()) if trained and len(described) == 1 else "",
        snapshot=str(frozen.folder.resolve()),
        prompts="holdout",
        arms=arms,
        endpoints=described,
        max_prompts=max_prompts,
        max_new_tokens=max_new_tokens,
        cache=str(store.workspace.resolve() / "cache" / "generations"),
        name=f"answers of {' and '.join(models)}",
    )
    folder = create_run_folder(store.workspace.resolve() / "runs", plan)
    return {"run": folder.name, "folder": str(folder), "project": frozen.project}


def check_serving(store: Store, run: str, endpoint: str, model: str, key_variable: str = "") -> dict[str, Any]:
    """Whether a server answers as the model that was shipped: golden answers and token counts compared.

    Args:
        run: the training run that was shipped, the id of a shipping, or the folder of a shipped model.
        endpoint: the server's address, up to `/v1`.
        model: what the server calls the model.
        key_variable: the environment variable that holds the key, where the server wants one.
    """
    return check_server(_find_bundle(store, run), Endpoint(endpoint, model, key_variable, tries=3))


def _describe_endpoints(addresses: list[str], models: list[str], variables: list[str]) -> dict[str, Any]:
    """The endpoints as a plan holds them, checked."""
    if not 1 <= len(addresses) <= 2 or len(models) != len(addresses) or len(variables) not in (0, len(addresses)):
        raise UsageError(
            f"{len(addresses)} endpoints, {len(models)} models and {len(variables)} key variables were named.",
            "Name one or two endpoints, a model for each, and a key variable for each or for none.",
        )
    found = {}
    for number, (address, model) in enumerate(zip(addresses, models, strict=True), start=1):
        variable = variables[number - 1] if variables else ""
        Endpoint(address, model, variable)
        name = "endpoint" if len(addresses) == 1 else f"endpoint_{number}"
        found[name] = {"url": address, "model": model, "key_variable": variable}
    return found


def _find_bundle(store: Store, named: str) -> Path:
    """The newest shipped model of a run, of a shipping, or in a folder."""
    if Path(named).is_dir():
        return Path(named)
    for state in list_ships(ships_folder(store)):
        is_meant = named in (state.folder.name, Path(state.request.run).name)
        if is_meant and state.status is RunStatus.FINISHED:
            return state.bundle
    raise NotFoundError(f"Nothing was shipped of '{named}'.", "Ship it first: pitchpipe ship RUN.")
