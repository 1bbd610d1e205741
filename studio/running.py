"""Rounds from the studio's side: prepares run folders from what the store knows and takes finished ones back.

Between the two nothing here holds the store: the run is a process of its own that reads and writes folders.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, PitchpipeError, UsageError
from pitchpipe.store.freezing.snapshots import find_snapshot
from pitchpipe.store.runs import Run, find_run, list_run_ids, register_candidates, register_run
from pitchpipe.training.plans.measure_plans import EvaluatePlan, GeneratePlan
from pitchpipe.training.plans.plan_files import Plan, load_plan, load_recipe, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.launch import start_run
from pitchpipe.training.runs.run_folders import RunStatus, create_run_folder, read_state


def prepare_training(
    store: Store,
    method: str,
    snapshot: str,
    plan: str | None = None,
    model: str | None = None,
    dials: dict[str, Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """A run folder that waits to be started.

    Args:
        method: one with a recipe (`list_recipes`), such as `sft`, `dpo`, `kto` or `reward`.
        snapshot: its name or id.
        plan: a TOML file; None takes the recipe that runs on a CPU.
        model: what to start from instead of the plan's model: `embedded`, a model id, a folder, or the id of a run.
        dials: changes to single dials of the plan.

    Raises:
        NotFoundError: no such snapshot or plan. UsageError: a dial is unknown or out of range.
    """
    frozen = find_snapshot(store, snapshot)
    chosen = load_plan(Path(plan)) if plan else load_recipe(method)
    if not isinstance(chosen, TrainPlan) or chosen.method != method:
        raise UsageError(f"The plan '{plan}' is not for the method '{method}'.", "Name the method that the plan says.")
    changes = {**(dials or {}), "snapshot": str(frozen.folder.resolve()), "name": name or f"{method} on {frozen.name}"}
    if model is not None:
        changes["model"] = resolve_model(store, model)
    return _make_folder(store, with_dials(chosen, **changes), frozen.project)


def prepare_evaluation(
    store: Store, run: str, checks: str | None = None, max_prompts: int = 0, plan: str | None = None
) -> dict[str, Any]:
    """A run folder that measures a training run on the sealed holdout of its snapshot.

    Args:
        run: the id of a finished training run.
        checks: a TOML file with a table `[checks]` of name = regular expression.
        max_prompts: holdout prompts to answer; 0 takes as many as the plan says, and all without one.
        plan: a TOML file of kind evaluate; run, snapshot and cache in it are set here.
    """
    trained = _find_training_run(store, run)
    base = load_plan(Path(plan)) if plan else EvaluatePlan()
    if not isinstance(base, EvaluatePlan):
        raise UsageError(f"The plan '{plan}' is of kind {base.kind!r}.", 'Give one with `kind = "evaluate"`.')
    chosen = with_dials(
        base,
        run=str(trained.folder.resolve()),
        snapshot=str(_find_snapshot_folder(store, trained)),
        checks=_read_checks(Path(checks)) if checks else base.checks,
        max_prompts=max_prompts or base.max_prompts,
        cache=_find_cache(store),
        name=base.name or f"evaluation of {trained.id}",
    )
    return _make_folder(store, chosen, trained.project)


def prepare_generation(store: Store, run: str, project: str | None = None, max_prompts: int = 40) -> dict[str, Any]:
    """A run folder in which the tuned model and its base answer the same sealed prompts, for blind review."""
    trained = _find_training_run(store, run)
    if project is not None and project != trained.project:
        raise UsageError(
            f"The run {trained.id} belongs to the project '{trained.project}', not to '{project}'.",
            f"Use --project {trained.project}: its sealed prompts are the ones that the run has not seen.",
        )
    plan = with_dials(
        GeneratePlan(),
        run=str(trained.folder.resolve()),
        snapshot=str(_find_snapshot_folder(store, trained)),
        prompts="holdout",
        max_prompts=max_prompts,
        cache=_find_cache(store),
        name=f"answers of {trained.id}",
    )
    return _make_folder(store, plan, trained.project)


def start_training(
    store: Store,
    method: str,
    snapshot: str,
    plan: str | None = None,
    model: str | None = None,
    dials: dict[str, Any] | None = None,
    name: str = "",
) -> dict[str, Any]:
    """Prepares a training run and starts it as a process of its own; returns at once."""
    prepared = prepare_training(store, method, snapshot, plan, model, dials, name)
    return {**prepared, "pid": start_run(Path(prepared["folder"]))}


def start_evaluation(
    store: Store, run: str, checks: str | None = None, max_prompts: int = 0, plan: str | None = None
) -> dict[str, Any]:
    """Prepares an evaluation and starts it as a process of its own; returns at once."""
    prepared = prepare_evaluation(store, run, checks, max_prompts, plan)
    return {**prepared, "pid": start_run(Path(prepared["folder"]))}


def start_generation(store: Store, run: str, project: str | None = None, max_prompts: int = 40) -> dict[str, Any]:
    """Prepares answers for blind review and starts it as a process of its own; returns at once."""
    prepared = prepare_generation(store, run, project, max_prompts)
    return {**prepared, "pid": start_run(Path(prepared["folder"]))}


def register_finished_runs(store: Store) -> list[str]:
    """Registers every finished run folder of the workspace that is not registered yet; returns the new ids.

    Raises:
        PitchpipeError: a folder cannot be registered; all others were.
    """
    known = list_run_ids(store)
    made, faults = [], []
    for folder in list_run_folders(store.workspace):
        if folder.name in known or read_state(folder).status is not RunStatus.FINISHED:
            continue
        try:
            made.append(_register_folder(store, folder))
        except PitchpipeError as error:  # one damaged folder must not keep the others out
            faults.append(error)
    if faults:
        raise faults[0]
    return made


def _register_folder(store: Store, folder: Path) -> str:
    # By its id, which is the folder's name: a workspace may have been moved since the plan was written.
    project = find_snapshot(store, Path(load_plan(folder / "plan.toml").snapshot).name or "(none)").project
    run = register_run(store, project, folder)
    if run.kind == "generate":
        register_candidates(store, project, run.id)
    return run.id


def list_run_folders(workspace: Path) -> list[Path]:
    """The run folders of a workspace, newest first (their names sort by time)."""
    return sorted((path for path in (workspace / "runs").glob("run_*") if path.is_dir()), reverse=True)


def _make_folder(store: Store, plan: Plan, project: str) -> dict[str, Any]:
    folder = create_run_folder(store.workspace.resolve() / "runs", plan)
    return {"run": folder.name, "folder": str(folder), "project": project}


def _find_cache(store: Store) -> str:
    return str(store.workspace.resolve() / "cache" / "generations")


def _find_training_run(store: Store, run_id: str) -> Run:
    run = find_run(store, run_id)
    if run.kind != "train":
        raise UsageError(
            f"The run {run.id} is a {run.kind} run.", "Name a training run; `pitchpipe report` lists them."
        )
    return run


def _find_snapshot_folder(store: Store, run: Run) -> Path:
    if run.snapshot_id is None:
        raise NotFoundError(f"The run {run.id} names no snapshot.", "Only runs on a snapshot have a sealed holdout.")
    return find_snapshot(store, run.snapshot_id).folder.resolve()


def resolve_model(store: Store, model: str) -> str:
    """What a plan may call the model: `embedded`, an id, or the full path of a folder or of a run's folder."""
    if not model.startswith("run_"):
        # A folder is meant from here; the run is another process, perhaps resumed from elsewhere.
        return str(Path(model).resolve()) if Path(model).is_dir() else model
    try:
        return str(find_run(store, model).folder.resolve())
    except NotFoundError:
        folder = store.workspace.resolve() / "runs" / model
        if folder.is_dir():  # finished, but not registered yet
            return str(folder)
        raise


def _read_checks(path: Path) -> dict[str, str]:
    try:
        checks = tomllib.loads(path.read_text(encoding="utf-8"))["checks"]
        return {str(name): str(pattern) for name, pattern in checks.items()}
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file '{path}'.", "Give a TOML file with a table [checks].") from error
    except (tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
        raise PitchpipeError(
            f"'{path}' is not a file of checks: {error}.", "It needs a table [checks] with name = 'regular expression'."
        ) from error
