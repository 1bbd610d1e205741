"""What each strategy would make of a question, side by side, before a recipe takes one.

Reads a project as a snapshot does, so the counts are those of its rows. Against known answers, which every rater was
asked unaware, it tells how often each strategy is right; they are not used to fit the model that they measure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Any

import polars as pl

from pitchpipe.store.consensus.consensus_plan import Choice, ConsensusPlan, Outcome, is_scale
from pitchpipe.store.consensus.project_answers import read_answers
from pitchpipe.store.consensus.question_answers import Given, group_units
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.measures.consensus import CHOICE_STRATEGIES, DAWID_SKENE, STRATEGIES
from pitchpipe.store.measures.preference import sign_test
from pitchpipe.store.measures.raters import Share, make_share

NO_CONSENSUS = "no consensus"
_WIDEST_SPREAD = 2
_MOST_CHANGES = 50
_HALF_STEP = 0.5
_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """A unit that another strategy makes something else of."""

    unit: str
    example_id: str
    before: str
    after: str
    answers: list[tuple[str, str]]
    """Rater and what they said."""


@dataclass(frozen=True, slots=True)
class StrategyPreview:
    """What one strategy makes of a question."""

    strategy: str
    model: str | None
    """What was fitted for it (dawid_skene or one_coin); None where nothing was."""
    undefined_because: str | None
    """Why there is no model where one was asked for."""
    distribution: dict[str, int]
    """Units by consensus, numbers rounded to whole ones."""
    mean_support: float | None
    mean_confidence: float | None
    """The mean probability of the most probable value, or the mean support where there is no model."""
    undecided: int
    """Units without a value."""
    tied: int
    disputed: int
    """Units whose numbers that count lie more than 2 apart."""
    changed: int
    """Units of which the current strategy makes something else (of numbers another whole one)."""
    moves: list[tuple[str, str, int]]
    """Current consensus, this one, units; where they differ."""
    changes: list[Change]
    """The first of those units."""
    right: Share
    """How often it finds the known answer: of numbers within half a step; without a value it is wrong."""
    outcomes: pl.DataFrame = field(repr=False, compare=False)
    """One row a unit: unit, example_id, label, support, confidence, spread, is_tied."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Strategies side by side."""

    question: str
    is_number: bool
    units: int
    current: str
    strategies: list[StrategyPreview]
    advice: str
    """Which of majority and Dawid-Skene is right more often, in words."""


def preview_strategies(
    store: Store, project: str, question: str, strategies: Sequence[str] = (), current: str | None = None
) -> Preview:
    """Each strategy on one question of a project.

    Args:
        question: of a rubric, or "verdict" or "labels".
        strategies: those to show; empty shows all that can join the question.
        current: the one that changes are counted against; None is what a plain recipe does (mean, or majority).

    Raises:
        NotFoundError: nobody answered such a question. UsageError: a strategy cannot join it.
    """
    read = read_answers(store, project)
    if question not in read.answers:
        asked = ", ".join(name for name, _, _ in read.describe_questions()) or "none"
        raise NotFoundError(f"Nobody answered a question '{question}' in '{project}'.", f"Answered are: {asked}.")
    return compare_strategies(question, read.answers[question], strategies, current, read.known.get(question, {}))


def compare_strategies(
    question: str,
    answers: Sequence[Given],
    strategies: Sequence[str] = (),
    current: str | None = None,
    known: Mapping[str, Any] | None = None,
) -> Preview:
    """Each strategy on the answers to one question; see `preview_strategies`. Pure.

    >>> said = [Given("u", "e", rater, value, None, rater, False) for rater, value in (("ana", 0), ("ben", 4))]
    >>> [one.distribution for one in compare_strategies("helpfulness", said, ("mean", "majority")).strategies]
    [{'2': 1}, {'no consensus': 1}]
    """
    is_number = is_scale(question, answers)
    current = current or ("mean" if is_number else "majority")
    shown = list(strategies or (STRATEGIES if is_number else CHOICE_STRATEGIES))
    units = group_units(list(answers))
    plans = {name: ConsensusPlan(_choose(question, name), {question: answers}) for name in {*shown, current}}
    joined = {
        name: {unit: plan.join(question, unit, given) for unit, given in units.items()} for name, plan in plans.items()
    }
    counted = {unit: given for unit, given in units.items() if not given[0].is_known}
    facts = {unit: value for unit, value in (known or {}).items() if unit in units}
    previews = [_describe(name, plans[name], question, joined[name], joined[current], counted, facts) for name in shown]
    hits = {name: [_is_right(outcomes[unit], value) for unit, value in facts.items()]
            for name, outcomes in joined.items()}  # fmt: skip
    return Preview(question, is_number, len(counted), current, previews, _advise(hits))


def count_drops(
    outcomes: pl.DataFrame, tie_policy: str = "keep", widest_spread: float | None = None,
    lowest_support: float | None = None,
) -> dict[str, int]:  # fmt: skip
    """How many units the rules of a recipe leave out for one question, by rule, each unit once.

    >>> rows = {"label": ["tie", "a"], "spread": [None, 3.0], "support": [0.0, 0.7]}
    >>> count_drops(pl.DataFrame(rows), "drop", 2, 0.5)
    {'tie': 1, 'spread': 1, 'support': 0}
    """
    ties = (pl.col("label") == "tie") if tie_policy == "drop" else pl.lit(value=False)
    wide = pl.lit(value=False) if widest_spread is None else (pl.col("spread") > widest_spread).fill_null(value=False)
    weak = (
        pl.lit(value=False) if lowest_support is None else (pl.col("support") < lowest_support).fill_null(value=False)
    )
    rule = pl.when(ties).then(pl.lit("tie")).when(wide).then(pl.lit("spread")).when(weak).then(pl.lit("support"))
    found = Counter(outcomes.select(rule.alias("rule"))["rule"].to_list())
    return {name: found[name] for name in ("tie", "spread", "support")}


def name_value(value: Any) -> str:
    """A consensus as people read it: numbers to the nearest whole one, halves upwards.

    >>> name_value(2.5), name_value('["refund","other"]'), name_value(None)
    ('3', 'refund, other', 'no consensus')
    """
    if value is None:
        return NO_CONSENSUS
    if isinstance(value, int | float):
        return str(floor(value + _HALF_STEP))
    if isinstance(value, str) and value.startswith("["):
        return ", ".join(json.loads(value)) or "no label"
    return str(value)


def _choose(question: str, strategy: str) -> Choice:
    return Choice(strategies={question: strategy})


def _describe(
    strategy: str,
    plan: ConsensusPlan,
    question: str,
    joined: Mapping[str, Outcome],
    before: Mapping[str, Outcome],
    units: Mapping[str, Sequence[Given]],
    facts: Mapping[str, Any],
) -> StrategyPreview:
    found = {unit: joined[unit] for unit in units}
    labels = {unit: (name_value(before[unit].value), name_value(outcome.value)) for unit, outcome in found.items()}
    moves = Counter(pair for pair in labels.values() if pair[0] != pair[1])
    changed = [unit for unit, (old, new) in labels.items() if old != new]
    model = plan.models.get(question)
    frame = _tabulate(found, units, labels)
    right = sum(_is_right(joined[unit], value) for unit, value in facts.items())
    return StrategyPreview(
        strategy, model.strategy if model and not model.undefined_because else None,
        model.undefined_because if model else None,
        dict(sorted(Counter(new for _, new in labels.values()).items())),
        _average(frame["support"]), _average(frame["confidence"]),
        sum(outcome.value is None for outcome in found.values()), int(frame["is_tied"].sum()),
        int((frame["spread"] > _WIDEST_SPREAD).sum()), len(changed),
        [(old, new, count) for (old, new), count in sorted(moves.items(), key=lambda one: (-one[1], one[0]))],
        [_show_change(unit, units[unit], labels[unit]) for unit in changed[:_MOST_CHANGES]],
        make_share(right, len(facts), "no answers are known"), frame,
    )  # fmt: skip


def _tabulate(
    found: Mapping[str, Outcome], units: Mapping[str, Sequence[Given]], labels: Mapping[str, tuple[str, str]]
) -> pl.DataFrame:
    rows = [
        (unit, units[unit][0].example_id, labels[unit][1], one.support, one.confidence, one.spread, one.is_tied)
        for unit, one in found.items()
    ]
    schema = {
        "unit": pl.String, "example_id": pl.String, "label": pl.String, "support": pl.Float64,
        "confidence": pl.Float64, "spread": pl.Float64, "is_tied": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _show_change(unit: str, given: Sequence[Given], labels: tuple[str, str]) -> Change:
    said = sorted((one.rater, name_value(one.value)) for one in given)
    return Change(unit, given[0].example_id, labels[0], labels[1], said)


def _is_right(outcome: Outcome, known: Any) -> bool:
    if outcome.value is None:
        return False
    if isinstance(known, int) and isinstance(outcome.value, int | float):
        return abs(outcome.value - known) <= _HALF_STEP
    return bool(str(outcome.value) == str(known))


def _average(column: pl.Series) -> float | None:
    mean = column.mean()
    return float(mean) if isinstance(mean, int | float) else None


def _advise(hits: Mapping[str, Sequence[bool]]) -> str:
    """Whether the model or the majority is right more often, and whether that can be chance (exact sign test)."""
    if DAWID_SKENE not in hits or "majority" not in hits:
        return ""
    model, votes = hits[DAWID_SKENE], hits["majority"]
    if not model:
        return "No answers are known here, so it cannot be told which strategy is closer to the truth."
    ahead = sum(one and not other for one, other in zip(model, votes, strict=True))
    behind = sum(other and not one for one, other in zip(model, votes, strict=True))
    shares = {"Dawid-Skene": sum(model) / len(model), "majority": sum(votes) / len(votes)}
    if ahead == behind:
        return f"On your {len(model):,} known answers majority and Dawid-Skene are right equally often."
    winner, loser = ("Dawid-Skene", "majority") if ahead > behind else ("majority", "Dawid-Skene")
    words = (
        f"On your {len(model):,} known answers {winner} is right more often than {loser}: "
        f"{shares[winner]:.1%} against {shares[loser]:.1%}."
    )
    chance = sign_test(ahead, behind)
    return words if chance < _CHANCE else f"{words} That may be chance (p = {chance:.2f})."
