"""All rules by id, in the order in which a recipe usually asks them: cheap and certain ones first."""

from __future__ import annotations

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules import contamination, duplicates, semantic
from pitchpipe.store.rules.answers import BOILERPLATE, EMPTY_ANSWER, REFUSAL
from pitchpipe.store.rules.language import LANGUAGE
from pitchpipe.store.rules.lengths import TOO_LONG, TOO_SHORT
from pitchpipe.store.rules.pairs import LENGTH_ONLY, RATING_AGAINST_CHOICE, SAME_ANSWERS, SAME_MODEL
from pitchpipe.store.rules.private_data import PERSONAL_DATA, SECRETS
from pitchpipe.store.rules.prompt_mismatch import PROMPT_MISMATCH
from pitchpipe.store.rules.repetition import REPETITION
from pitchpipe.store.rules.rule import Rule

_ALL: tuple[Rule, ...] = (
    EMPTY_ANSWER,
    SAME_ANSWERS,
    RATING_AGAINST_CHOICE,
    PROMPT_MISMATCH,
    *duplicates.RULES,
    *semantic.RULES,
    *contamination.RULES,
    REFUSAL,
    BOILERPLATE,
    REPETITION,
    LANGUAGE,
    TOO_LONG,
    TOO_SHORT,
    LENGTH_ONLY,
    SAME_MODEL,
    PERSONAL_DATA,
    SECRETS,
)
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}


def find_rule(id: str) -> Rule:
    """The rule of that id. Raises UsageError where there is none."""
    if id not in RULES:
        raise UsageError(f"There is no rule '{id}'.", f"The rules are: {', '.join(RULES)}.")
    return RULES[id]
