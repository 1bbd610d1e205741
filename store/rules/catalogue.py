"""All rules by id, in the order in which a recipe usually asks them: cheap and certain ones first, duplicates last.

Rules against duplicates are asked last whatever order a recipe names (`order_chain`): they leave a row out in favour of
one that stays, and a rule behind them could take that one too.
"""

from __future__ import annotations

from collections.abc import Sequence

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules import contamination, duplicates, semantic
from pitchpipe.store.rules.answers import BOILERPLATE, EMPTY_ANSWER, REFUSAL
from pitchpipe.store.rules.language import LANGUAGE
from pitchpipe.store.rules.lengths import TOO_LONG, TOO_SHORT
from pitchpipe.store.rules.pairs import LENGTH_ONLY, RATING_AGAINST_CHOICE, SAME_ANSWERS, SAME_MODEL
from pitchpipe.store.rules.private_data import PERSONAL_DATA, SECRETS
from pitchpipe.store.rules.prompt_mismatch import PROMPT_MISMATCH
from pitchpipe.store.rules.repetition import REPETITION
from pitchpipe.store.rules.rule import Rule, RuleChoice

_ALL: tuple[Rule, ...] = (
    EMPTY_ANSWER,
    SAME_ANSWERS,
    RATING_AGAINST_CHOICE,
    PROMPT_MISMATCH,
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
    *duplicates.RULES,
    *semantic.RULES,
)
RULES: dict[str, Rule] = {rule.id: rule for rule in _ALL}


_LAST = frozenset(rule.id for rule in (*duplicates.RULES, *semantic.RULES))


def order_chain(choices: Sequence[RuleChoice]) -> tuple[RuleChoice, ...]:
    """A chain in the order in which it is applied and its steps are numbered: as named, but duplicates last.

    >>> [choice.rule for choice in order_chain([RuleChoice("near_duplicate"), RuleChoice("refusal")])]
    ['refusal', 'near_duplicate']
    """
    return tuple(sorted(choices, key=lambda choice: choice.rule in _LAST))


def find_rule(id: str) -> Rule:
    """The rule of that id. Raises UsageError where there is none."""
    if id not in RULES:
        raise UsageError(f"There is no rule '{id}'.", f"The rules are: {', '.join(RULES)}.")
    return RULES[id]
