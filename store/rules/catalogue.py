"""All rules by id, in the order in which a recipe usually asks them: cheap and certain ones first."""

from __future__ import annotations

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules import duplicates
from pitchpipe.store.rules.rule import Rule

_ALL: tuple[Rule, ...] = (*duplicates.RULES,)
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}


def find_rule(id: str) -> Rule:
    """The rule of that id. Raises UsageError where there is none."""
    if id not in RULES:
        raise UsageError(f"There is no rule '{id}'.", f"The rules are: {', '.join(RULES)}.")
    return RULES[id]
