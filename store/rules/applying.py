"""Applies a chain of rules to rows: each rule sees what those before it left, and every drop is listed.

Marking and masking change nothing here: later rules see the row as it is, and `masking.mask_row` puts the placeholders
in when the row is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.catalogue import find_rule
from pitchpipe.store.rules.rule import Action, Background, Row, Rule, RuleChoice, fill_parameters


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
    """The place of the rule in the chain, in which a rule may stand twice with other dials."""
    is_protected: bool = False
    """The rule would have dropped the row, and a curator's word keeps it; the action is then mark."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a chain of rules did: every place is in `kept` or has exactly one hit with the action drop."""

    kept: list[int]
    hits: list[Hit]


def apply_rules(
    rows: Sequence[Row],
    choices: Sequence[RuleChoice],
    background: Background,
    on_rule: Callable[[int, str], None] | None = None,
    protects: Callable[[Row, str], bool] | None = None,
) -> Outcome:
    """The places of the rows that stay, in order, and every hit.

    Args:
        on_rule: told before each rule how many are done, and the title of the next.
        protects: whether a row stays although the rule of that id would drop it.

    Raises:
        UsageError: a rule, an action or a parameter is not known, or the background lacks what a rule needs. Nothing
            was looked at then.
    """
    chain = [(check_choice(choice), choice) for choice in choices]
    kept, hits = list(range(len(rows))), []
    for done, ((rule, parameters), choice) in enumerate(chain):
        if on_rule is not None:
            on_rule(done, rule.title)
        gone: set[int] = set()
        for finding in rule.find([rows[place] for place in kept], parameters, background):
            place = kept[finding.place]
            is_protected = choice.action == "drop" and protects is not None and protects(rows[place], rule.id)
            action: Action = "mark" if is_protected else choice.action
            hits.append(Hit(place, rule.id, rule.version, action, finding.reason, finding.evidence, done, is_protected))
            if action == "drop":
                gone.add(place)
        kept = [place for place in kept if place not in gone] if gone else kept
    dropped = [hit.place for hit in hits if hit.action == "drop"]
    assert len(dropped) == len(set(dropped)), "a row was dropped twice"
    assert len(rows) == len(kept) + len(dropped), "a row was neither kept nor listed as dropped"
    return Outcome(kept, hits)


def check_choice(choice: RuleChoice) -> tuple[Rule, dict[str, Any]]:
    """The rule of a choice and all its parameters.

    Raises:
        UsageError: the rule, the action or a parameter is not known, or a value is out of range.
    """
    rule = find_rule(choice.rule)
    if choice.action not in rule.actions:
        raise UsageError(f"The rule '{rule.id}' cannot {choice.action} rows.", f"It can: {', '.join(rule.actions)}.")
    return rule, fill_parameters(rule, dict(choice.parameters))
