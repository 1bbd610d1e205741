"""Plan checks: dials that do not go together, what differs from the recipe, and decisions said in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.training.plans.plan_files import list_recipes, load_recipe
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.findings import Finding, block, block_for, fine, warn

_INPUTS = ("snapshot", "name", "kind", "method", "model")
"""Dials that name what a run is about; a recipe does not choose them."""


def compare_with_recipe(plan: TrainPlan) -> dict[str, Any]:
    """The shipped recipe that the plan is closest to and every dial that differs from it.

    `{"recipe": name or None, "changes": [{"dial", "recipe", "plan"}]}`
    """
    found: list[tuple[int, str, list[dict[str, Any]]]] = []
    for method, name in list_recipes():
        if method != plan.method:
            continue
        recipe = load_recipe(method, name)
        changes = [
            {"dial": entry.name, "recipe": getattr(recipe, entry.name), "plan": getattr(plan, entry.name)}
            for entry in dataclasses.fields(plan)
            if entry.name not in _INPUTS and getattr(recipe, entry.name) != getattr(plan, entry.name)
        ]
        found.append((len(changes), name, changes))
    if not found:
        return {"recipe": None, "changes": []}
    _, name, changes = min(found, key=lambda entry: entry[:2])
    return {"recipe": f"{plan.method}/{name}", "changes": changes}


def check_configuration(plan: TrainPlan, folder: Path, on_gpu: bool, precision: str) -> list[Finding]:
    """Whether TRL takes the plan: its configuration is built, with every override, and thrown away."""
    from pitchpipe.training.tuning.overrides import build_config
    from pitchpipe.training.tuning.watching import check_watch

    try:
        check_watch(plan)
        build_config(plan, folder / "scratch", on_gpu, precision)
    except PitchpipeError as error:
        return [block_for("plan", error)]
    overrides = f" with {len(plan.trl_overrides)} overrides" if plan.trl_overrides else ""
    return [fine("plan", f"Every dial is in its range, and TRL takes the plan{overrides}.")]


def check_dials(plan: TrainPlan) -> list[Finding]:
    """Dials that do not go together."""
    found: list[Finding] = []
    if plan.method in ("rloo", "grpo") and not plan.reward_run and not plan.reward_checks:
        found.append(
            block("plan", "Nothing scores the answers.", "Set `reward_run` to a reward run, or `reward_checks`.")
        )
    if plan.weights == "full" and plan.learning_rate >= 1e-4 and plan.method != "reward":
        found.append(
            warn(
                "plan",
                f"The learning rate of {plan.learning_rate:g} is one for an adapter, and all weights are trained.",
                f"Try about {plan.learning_rate / 10:g}; adapters take some ten times more than full weights.",
            )
        )
    return found


def tell_reference(plan: TrainPlan, run_id: str | None) -> list[Finding]:
    """Whom preference tuning holds the model to, in words; it is a decision."""
    if plan.method not in ("dpo", "kto"):
        return []
    if run_id:
        words = f"The reference is the run {run_id}, from which it starts: its adapter is kept as it came."
    else:
        words = f"The reference is {plan.model} as it is: preferences are learned against the plain model."
    return [fine("plan", f"{words} The first margin is exactly 0.")]
