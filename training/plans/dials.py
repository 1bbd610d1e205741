"""Dials: the settings of a plan, each described for people: meaning, unit and range. Free of torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from pitchpipe.store.errors import UsageError


@dataclass(frozen=True, slots=True)
class Dial:
    """One setting of a plan, described for people."""

    name: str
    default: Any
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


def dial(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(default=default, metadata={"help": help, "unit": unit, "low": low, "high": high, "choices": choices})


def about(help: str) -> dict[str, Any]:
    """The description of a dial whose default is a fresh list or table."""
    return {"help": help, "unit": "", "low": None, "high": None, "choices": ()}


def describe_dials(plan_type: type[Any]) -> list[Dial]:
    """Every dial of a kind of plan, in the order in which people should meet them."""
    dials = []
    for entry in dataclasses.fields(plan_type):
        made = entry.default_factory() if entry.default_factory is not dataclasses.MISSING else entry.default
        dials.append(Dial(name=entry.name, default=made, **entry.metadata))
    return dials


def check_dial(dial: Dial, value: Any) -> Any:
    """The value in the dial's own type, or a UsageError that names dial, value and range."""
    if isinstance(dial.default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(dial.default):
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}, which is not of type {type(dial.default).__name__}.",
            f"{dial.help} The default is {dial.default!r}.",
        )
    if dial.choices and value not in dial.choices:
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}.", f"It must be one of: {', '.join(dial.choices)}. {dial.help}"
        )
    too_low = dial.low is not None and value < dial.low
    if too_low or (dial.high is not None and value > dial.high):
        top = "any height" if dial.high is None else f"{dial.high:g}"
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}.",
            f"It must lie between {dial.low or 0:g} and {top}{' ' + dial.unit if dial.unit else ''}. {dial.help}",
        )
    return value
