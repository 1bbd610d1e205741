"""Applies a chain of rules to rows: each rule sees what those before it left, and every drop is listed.

Rules against duplicates come last whatever order is named, so that no rule behind them takes the row that stays.

Marking changes nothing. Masking puts placeholders into a copy of the row, which is what later rules see; the rows that
were given stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.catalogue import find_rule, order_chain
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.rule import Background, Hit, Row, Rule, RuleChoice, fill_parameters

__all__ = ["Hit", "Outcome", "apply_rules", "check_choice"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a chain of rules did: every place is in `kept` or has exactly one hit with the action drop."""

    kept: list[int]
    hits: list[Hit]
    """In the order of the chain, then of the rows."""
    rows: list[Row]
    """All rows that were given, in order, masked where a rule says so."""


def apply_rules(
    rows: Sequence[Row],
    choices: Sequence[RuleChoice],
    background: Background,
    on_rule: Callable[[int, str], None] | None = None,
    protects: Callable[[Row, str], bool] | None = None,
) -> Outcome:
    """The places of the rows that stay, in order, and every hit.

    Args:
        choices: asked in the order of `order_chain`, which also numbers their steps.
        on_rule: told before each rule how many are done, and the title of the next.
        protects: whether a row stays although the rule of that id would drop it.

    Raises:
        UsageError: a rule, an action or a parameter is not known, or the background lacks what a rule needs. Nothing
            was looked at then.
    """
    chain = [(check_choice(choice), choice) for choice in order_chain(choices)]
    kept, hits, left = list(range(len(rows))), [], list(rows)
    for done, ((rule, parameters), choice) in enumerate(chain):
        if on_rule is not None:
            on_rule(done, rule.title)
        found = []
        for finding in rule.find([left[place] for place in kept], parameters, background):
            row = left[kept[finding.place]]
            is_protected = choice.action == "drop" and protects is not None and protects(row, rule.id)
            found.append(
                Hit(
                    kept[finding.place], rule.id, rule.version, "mark" if is_protected else choice.action,
                    finding.reason, finding.evidence, done, is_protected, row,
                )
            )  # fmt: skip
        for hit in found:
            if hit.action == "mask":
                left[hit.place] = mask_row(hit.row, [hit])[0]
        gone = {hit.place for hit in found if hit.action == "drop"}
        kept = [place for place in kept if place not in gone] if gone else kept
        hits += found
    dropped = [hit.place for hit in hits if hit.action == "drop"]
    assert len(dropped) == len(set(dropped)), "a row was dropped twice"
    assert len(rows) == len(kept) + len(dropped), "a row was neither kept nor listed as dropped"
    return Outcome(kept, hits, left)


def check_choice(choice: RuleChoice) -> tuple[Rule, dict[str, Any]]:
    """The rule of a choice and all its parameters.

    Raises:
        UsageError: the rule, the action or a parameter is not known, or a value is out of range.
    """
    rule = find_rule(choice.rule)
    if choice.action not in rule.actions:
        raise UsageError(f"The rule '{rule.id}' cannot {choice.action} rows.", f"It can: {', '.join(rule.actions)}.")
    return rule, fill_parameters(rule, dict(choice.parameters))
