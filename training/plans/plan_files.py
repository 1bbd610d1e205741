"""Plans: what a run is asked to do, as frozen dataclasses that read and write TOML. Free of torch.

A plan names its inputs (a snapshot folder, a model) and a dozen dials. Each dial carries its meaning, unit and range in
the field itself, so the same text serves the pages, the command line and the error that a value out of range raises.
`trl_overrides` hands further arguments to TRL's own configuration; the names are checked when the run starts, before
a model is loaded (`training/tuning/overrides.py`).
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pitchpipe.store.errors import NotFoundError, RunError, UsageError
from pitchpipe.training.plans.dials import check_dial, describe_dials
from pitchpipe.training.plans.measure_plans import EvaluatePlan, GeneratePlan
from pitchpipe.training.plans.train_plan import TrainPlan

RECIPES = Path(__file__).parents[1] / "recipes"
Plan = TrainPlan | EvaluatePlan | GeneratePlan
_KINDS: dict[str, type[TrainPlan] | type[EvaluatePlan] | type[GeneratePlan]] = {
    "train": TrainPlan,
    "evaluate": EvaluatePlan,
    "generate": GeneratePlan,
}
P = TypeVar("P", bound=Plan)


def with_dials(plan: P, **changes: Any) -> P:
    """The same plan with some dials turned, checked again.

    >>> with_dials(TrainPlan(), epochs=1).epochs
    1.0
    """
    known = {entry.name for entry in dataclasses.fields(plan)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise UsageError(
            f"A {plan.kind} plan has no dial {', '.join(repr(name) for name in unknown)}.",
            f"Its dials are: {', '.join(sorted(known))}. Arguments of TRL itself go under [trl_overrides].",
        )
    checked = {
        dial.name: check_dial(dial, changes[dial.name]) for dial in describe_dials(type(plan)) if dial.name in changes
    }
    return dataclasses.replace(plan, **checked)


def plan_from_dict(values: dict[str, Any]) -> Plan:
    """The plan that a document describes; `kind` decides which."""
    kind = values.get("kind", "train")
    if kind not in _KINDS:
        raise UsageError(f"The plan is of kind {kind!r}.", f"It must be one of: {', '.join(_KINDS)}.")
    return with_dials(_KINDS[kind](), **values)


def load_plan(path: Path) -> Plan:
    """Reads a plan file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no plan file {path}.", "Name an existing TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The plan file {path} is not TOML: {error}.", "Correct the line that it names.") from None
    return plan_from_dict(values)


def load_recipe(method: str, name: str = "cpu_demo") -> TrainPlan:
    """The plan that ships under `training/recipes/<method>/<name>.toml`, without its snapshot.

    >>> load_recipe("sft", "cpu_demo").method
    'sft'
    """
    path = RECIPES / method / f"{name}.toml"
    if not path.is_file():
        raise NotFoundError(
            f"There is no recipe {name!r} for the method {method!r}.",
            f"The recipes are: {', '.join(f'{m}/{n}' for m, n in list_recipes())}.",
        )
    plan = load_plan(path)
    if not isinstance(plan, TrainPlan):
        raise RunError(f"The recipe {path} is of kind {plan.kind!r}.", "A recipe must describe a training run.")
    return plan


def list_recipes() -> list[tuple[str, str]]:
    """The (method, name) of every recipe that ships."""
    return sorted((path.parent.name, path.stem) for path in RECIPES.glob("*/*.toml"))


def plan_to_toml(plan: Plan) -> str:
    """The plan as TOML, every dial written out, tables last.

    >>> plan_to_toml(GeneratePlan(run="r")).splitlines()[1]
    'run = "r"'
    """
    values = {entry.name: getattr(plan, entry.name) for entry in dataclasses.fields(plan)}
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    lines = [f"{name} = {_toml_value(value)}" for name, value in {"kind": plan.kind, **plain}.items()]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{_toml_text(key)} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_text(key)} = {_toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str):
        return _toml_text(value)
    return json.dumps(value)


def _toml_text(text: str) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
