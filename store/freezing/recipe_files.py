"""Recipes as JSON: read with checks that name the field, saved under a name in a project, found again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.freezing.recipes import TIE_POLICIES, Recipe, write_recipe
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.measures.consensus import STRATEGIES
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.catalogue import find_rule, order_chain
from pitchpipe.store.rules.rule import Action, RuleChoice, fill_parameters

Take = Callable[[str, Any], Any]
"""The name of a field and its JSON value -> the value of the recipe."""
_FIELDS = tuple(field.name for field in fields(Recipe))
_LEAST_SHARE = 1e-6
_MOST_RULES = 100
_SAVE = (
    "INSERT INTO recipes (project_id, name, recipe, actor, created_at) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (project_id, name) DO UPDATE SET recipe = excluded.recipe, actor = excluded.actor, "
    "created_at = excluded.created_at"
)


def read_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from its JSON values, checked: the inverse of `write_recipe`. A field that is not named has its default.

    Raises:
        UsageError: a field is not known, is of another type or out of range, or names a rule that is not there.

    >>> read_recipe({"strategy": "median", "weights": {"a.jsonl": 1}}).weights
    (('a.jsonl', 1.0),)
    """
    if not isinstance(values, Mapping):
        raise UsageError(f"A recipe is an object, this is {values!r}.", 'Write it as {"strategy": "mean", ...}.')
    for name in values:
        if name not in _FIELDS:
            raise UsageError(f"A recipe has no field '{name}'.", f"It has: {', '.join(_FIELDS)}.")
    taken: dict[str, Any] = {}
    for name, value in values.items():
        take: Take = _READERS.get(name, _take)
        taken[name] = take(name, value)
    recipe = Recipe(**taken)
    check_recipe(recipe)
    try:
        canonical_json(write_recipe(recipe)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError("The recipe holds half of a character (a lone surrogate).", "Type the text anew.") from error
    return recipe


def read_recipe_json(file: Path) -> dict[str, Any]:
    """The values of a recipe in a JSON file, not yet checked. Raises UsageError where there is no JSON to read."""
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The recipe '{file}' cannot be read: {error.strerror}.", "Name a JSON file.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The recipe '{file}' is no JSON: {error}.", "Mend it there, or save it anew.") from error
    return values


def check_recipe(recipe: Recipe) -> None:
    """Raises UsageError, naming the field, where a recipe cannot be followed."""
    for field, strategy in (("strategy", recipe.strategy), *((f"strategies.{q}", s) for q, s in recipe.strategies)):
        if strategy not in STRATEGIES:
            advice = f"Use one of: {', '.join(STRATEGIES)}."
            what = f"The strategy '{strategy}' is not known." if field == "strategy" else _name(field, strategy)
            raise UsageError(what, advice)
    _check_range("near_duplicate_threshold", recipe.near_duplicate_threshold, 0.5, 1)
    if recipe.tie_policy not in TIE_POLICIES:
        raise UsageError(_name("tie_policy", recipe.tie_policy), f"Use one of: {', '.join(TIE_POLICIES)}.")
    if recipe.widest_spread is not None:
        _check_range("widest_spread", recipe.widest_spread, 0, 1000)
    if recipe.lowest_support is not None:
        _check_range("lowest_support", recipe.lowest_support, 0, 1)
    for source, share in recipe.weights:
        _check_range(f"weights.{source}", share, 0 if share == 0 else _LEAST_SHARE, 1_000_000)
    if len(recipe.rules) > _MOST_RULES:
        raise UsageError(f"The recipe has {len(recipe.rules):,} rules.", f"Use at most {_MOST_RULES}.")
    if recipe.weights and not any(share > 0 for _, share in recipe.weights):
        raise UsageError(_name("weights", dict(recipe.weights)), "Give at least one source a share above 0.")
    for choice in recipe.rules:
        fill_parameters(find_rule(choice.rule), dict(choice.parameters))


def save_recipe(store: Store, project: str, name: str, recipe: Recipe, actor: str) -> None:
    """Saves a recipe under a name; an earlier one of that name is replaced.

    Raises:
        UsageError: the name cannot be used, or the recipe cannot be followed.
    """
    if not name.strip() or not name.isprintable():
        raise UsageError(f"The recipe name {name!r} cannot be used.", "Use printable characters.")
    check_recipe(recipe)
    row = [get_project(store, project).id, name, canonical_json(write_recipe(recipe)), actor, utc_now()]

    def insert_recipe(transaction: Transaction) -> None:
        transaction.run(_SAVE, row)
        record_event(transaction, actor, "save_recipe", name, {"project": project})

    store.write(insert_recipe)
    store.checkpoint()  # the journal brings back judgements only


def list_recipes(store: Store, project: str) -> dict[str, Recipe]:
    """The project's saved recipes by name, in the order of their names."""
    rows = store.read(
        "SELECT name, recipe FROM recipes WHERE project_id = ? ORDER BY name", [get_project(store, project).id]
    )
    return {name: read_recipe(json.loads(text)) for name, text in rows}


def find_recipe(store: Store, project: str, name: str) -> Recipe:
    """The saved recipe of that name. Raises NotFoundError, naming the ones there are."""
    rows = store.read(
        "SELECT recipe FROM recipes WHERE project_id = ? AND name = ?", [get_project(store, project).id, name]
    )
    if not rows:
        known = ", ".join(list_recipes(store, project)) or "none yet"
        raise NotFoundError(f"There is no recipe '{name}' in '{project}'.", f"Recipes here: {known}.")
    return read_recipe(json.loads(rows[0][0]))


def _name(field: str, value: Any) -> str:
    return f"The recipe's '{field}' is {value!r}."


def _check_range(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise UsageError(_name(field, value), f"Give a number from {low} to {high}.")


def _take(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(_name(field, value), "Give a text.")
    return value


def _take_number(field: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(_name(field, value), "Give a number.")
    try:
        return float(value)
    except OverflowError as error:
        raise UsageError(f"The recipe's '{field}' is a number of endless digits.", "Give a smaller number.") from error


def _take_number_or_none(field: str, value: Any) -> float | None:
    return None if value is None else _take_number(field, value)


def _take_whole_or_none(field: str, value: Any) -> int | None:
    if value is None or (type(value) is int):
        return value
    raise UsageError(_name(field, value), "Give a whole number, or null for none.")


def _take_object(field: str, value: Any, take: Take) -> tuple[tuple[str, Any], ...]:
    if not isinstance(value, Mapping):
        raise UsageError(_name(field, value), "Give an object of names and values.")
    return tuple((name, take(f"{field}.{name}", value[name])) for name in sorted(value))


def _take_slice(field: str, value: Any) -> Slice | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise UsageError(_name(field, value), "Give an object with words, filters and sql, or null for all examples.")
    return Slice.from_document(value)


def _take_rules(field: str, value: Any) -> tuple[RuleChoice, ...]:
    if not isinstance(value, list):
        raise UsageError(_name(field, value), 'Give a list of objects such as {"rule": "empty_answer"}.')
    # In the order in which they are applied, so that two ways of writing one chain are one recipe.
    return order_chain([_take_choice(f"{field}.{place}", one) for place, one in enumerate(value)])


def _take_choice(field: str, value: Any) -> RuleChoice:
    if not isinstance(value, Mapping) or not isinstance(value.get("rule"), str):
        raise UsageError(_name(field, value), 'Give an object such as {"rule": "empty_answer", "action": "drop"}.')
    strange = set(value) - {"rule", "action", "parameters"}
    if strange:
        raise UsageError(_name(field, value), f"A rule has rule, action and parameters, not {', '.join(strange)}.")
    rule, action = find_rule(value["rule"]), value.get("action", "drop")
    if action not in rule.actions:
        known = ", ".join(rule.actions)
        told = f"'{rule.id}' can: {known}." if action in get_args(Action) else f"The actions are: {known}."
        raise UsageError(_name(f"{field}.action", action), told)
    parameters = value.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise UsageError(_name(f"{field}.parameters", parameters), "Give an object of names and values.")
    filled, usual = fill_parameters(rule, parameters), {dial.name: dial.default for dial in rule.parameters}
    # A dial at its default is left out like a field: the same recipe has the same hash, whoever wrote it.
    changed = {dial: filled[dial] for dial in parameters if filled[dial] != usual[dial]}
    return RuleChoice(rule.id, action, tuple(sorted(changed.items())))


_READERS: dict[str, Take] = {
    "near_duplicate_threshold": _take_number,
    "strategies": lambda field, value: _take_object(field, value, _take),
    "widest_spread": _take_whole_or_none,
    "lowest_support": _take_number_or_none,
    "slice": _take_slice,
    "rules": _take_rules,
    "weights": lambda field, value: _take_object(field, value, _take_number),
}
