"""What a rule of quality is: an id and a version, its parameters, and a pure function from rows to findings.

A rule reads rows as `snapshot_units.list_units` makes them (columns of `knowledge.ROW_COLUMNS`, `row_id` not
yet given) and changes nothing. It never decides: what happens to a row that it finds is said by the recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pitchpipe.store.errors import UsageError

Row = dict[str, Any]
Action = Literal["drop", "mask", "mark"]
"""Leave the row out, replace what was found by a placeholder, or only list it."""
Conversation = Sequence[tuple[str, str]]
"""Turns as (role, text)."""
Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts to rows of unit length, float32, shape (texts, dimensions)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that a rule found."""

    place: int
    """Its place in the rows that were given."""
    reason: str
    """One sentence for people, with the offending value."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What shows it: {"field": "answer", "spans": [[start, end, kind]], "score": 0.93, "other": example id, ...}; of
    several fields {"fields": {"messages.0": [[start, end, kind]], ...}} (`reading.list_spans` reads both)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dial of a rule."""

    name: str
    default: int | float | str | bool
    about: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Background:
    """What rules may know besides the rows."""

    evaluation_sets: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """By name of the set, its items as (id, text)."""
    count_tokens: Callable[[Sequence[Conversation]], list[int]] | None = None
    """Tokens of each conversation for the model that is to be tuned, its chat template included; None where no model
    was named."""
    encoders: Mapping[str, Encode] = field(default_factory=dict)
    """By name: `tfidf` always, `minilm` where its package is installed."""
    kept_ids: Set[str] = frozenset()
    """Examples and answers that a curator decided to keep: among duplicates they are the ones that stay."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the catalogue."""

    id: str
    version: str
    title: str
    about: str
    """One sentence: what it finds and why that should not teach; the source of its thresholds."""
    find: Callable[[Sequence[Row], Mapping[str, Any], Background], Iterator[Finding]]
    """Rows, all parameters by name, background -> at most one finding a row, in order of place."""
    parameters: tuple[Parameter, ...] = ()
    actions: tuple[Action, ...] = ("drop", "mark")
    """What a recipe may ask for; the first is usual."""


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """A rule as a recipe uses it; parameters that are not named have their defaults."""

    rule: str
    action: Action = "drop"
    parameters: tuple[tuple[str, int | float | str | bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a rule of the chain found, and what became of it."""

    place: int
    """In the rows that were given to the chain."""
    rule: str
    version: str
    action: Action
    reason: str
    evidence: dict[str, Any]
    step: int = 0
    """The place of the rule in the chain as it is applied (`catalogue.order_chain`), in which a rule may
    stand twice with other dials."""
    is_protected: bool = False
    """The rule would have dropped the row, and a curator's word keeps it; the action is then mark."""
    row: Row = field(default_factory=dict, repr=False)
    """The row as the rule saw it: masked by the rules before."""


def fill_parameters(rule: Rule, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a rule, checked.

    Raises:
        UsageError: a name is not known, or a value is of another type or out of range.
    """
    known = {parameter.name: parameter for parameter in rule.parameters}
    for name in given:
        if name not in known:
            raise UsageError(
                f"The rule '{rule.id}' has no parameter '{name}'.", f"It has: {', '.join(known) or 'none'}."
            )
    return {
        name: _check_value(rule, parameter, given.get(name, parameter.default)) for name, parameter in known.items()
    }


def _check_value(rule: Rule, parameter: Parameter, value: Any) -> Any:
    wanted = type(parameter.default)
    if wanted is float and type(value) is int and abs(value) < 1 << 53:
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(
            f"The parameter '{parameter.name}' of '{rule.id}' is {value!r}.",
            f"Give a value of the type {wanted.__name__}, such as {parameter.default!r}.",
        )
    is_low = parameter.low is not None and not isinstance(value, str) and not value >= parameter.low
    is_high = parameter.high is not None and not isinstance(value, str) and not value <= parameter.high
    if is_low or is_high:
        raise UsageError(
            f"The parameter '{parameter.name}' of '{rule.id}' is {value!r}.",
            f"Give a value from {parameter.low} to {parameter.high}.",
        )
    if parameter.choices and value not in parameter.choices:
        raise UsageError(
            f"The parameter '{parameter.name}' of '{rule.id}' is {value!r}.",
            f"Give one of: {', '.join(parameter.choices)}.",
        )
    return value
