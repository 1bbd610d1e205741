"""How a recipe joins the answers to each question: by which strategy, to what, and which units it leaves out.

An adjudication decides alone, whatever the strategy, also over what other tasks say of the same answer. Dawid-Skene is
fitted once a question over the whole project, from what annotators said (known answers included, adjudicated units
not), so a unit's value may rest on how its raters answered elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pitchpipe.store.consensus.question_answers import LABELS, VERDICT, Given, collect_answers
from pitchpipe.store.errors import UsageError
from pitchpipe.store.freezing.knowledge import ADJUDICATED, Knowledge
from pitchpipe.store.freezing.recipes import TIE_POLICIES, Recipe
from pitchpipe.store.measures.consensus import (
    CHOICE_STRATEGIES,
    DAWID_SKENE,
    STRATEGIES,
    aggregate_compare,
    aggregate_ratings,
    majority,
)
from pitchpipe.store.measures.posteriors import (
    Posteriors,
    Value,
    choose_value,
    choose_verdict,
    expect_number,
    fit_posteriors,
)
from pitchpipe.store.records import Verdict

RULES_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a recipe says about consensus."""

    strategy: str = "mean"
    """For numbers, where `strategies` does not name the question."""
    strategies: Mapping[str, str] = field(default_factory=dict)
    """By question; "verdict" and "labels" name the comparison and the tags. Else options, verdicts and labels go by
    majority."""
    tie_policy: str = "keep"
    widest_spread: float | None = None
    lowest_support: float | None = None

    def differs(self, questions: Iterable[str]) -> bool:
        """Whether the strategy for numbers does not tell it all: another was chosen for one of the questions, or a
        model was asked for, which may have been another."""
        return self.strategy == DAWID_SKENE or any(question in self.strategies for question in questions)

    def name_strategy(self, question: str, is_number: bool) -> str:
        """The strategy for a question.

        Raises:
            UsageError: it cannot join what was answered.
        """
        found = self.strategies.get(question, self.strategy if is_number else "majority")
        known = STRATEGIES if is_number else CHOICE_STRATEGIES
        if found not in known:
            raise UsageError(
                f"The strategy '{found}' cannot join the answers to '{question}'"
                f"{'' if is_number or found not in STRATEGIES else ', which are no numbers'}.",
                f"Use one of: {', '.join(known)}.",
            )
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answers to one question about one unit add up to."""

    value: Any
    """None where nobody answered or the first place is shared."""
    support: float | None
    strategy: str
    n: int
    is_tied: bool = False
    strength: float | None = None
    """Of a verdict, negative for a."""
    spread: float | None = None
    """How far apart the numbers that count lie; of a verdict its strengths."""
    posterior: dict[str, float] | None = None
    """By value its probability, where a model was fitted."""

    @property
    def confidence(self) -> float | None:
        """The probability of the most probable value, else the support."""
        return max(self.posterior.values()) if self.posterior else self.support


def read_choice(recipe: Recipe) -> Choice:
    """What the recipe says about consensus, checked.

    Raises:
        UsageError: a strategy or policy is unknown, or a number lies out of its range.
    """
    choice = Choice(
        recipe.strategy, dict(recipe.strategies), recipe.tie_policy, recipe.widest_spread, recipe.lowest_support
    )
    for name in (choice.strategy, *choice.strategies.values()):
        if name not in STRATEGIES:
            raise UsageError(f"The strategy '{name}' is not known.", f"Use one of: {', '.join(STRATEGIES)}.")
    if choice.tie_policy not in TIE_POLICIES:
        raise UsageError(f"The tie policy '{choice.tie_policy}' is not known.", "Use keep or drop.")
    if choice.widest_spread is not None and choice.widest_spread < 0:
        raise UsageError(f"The widest spread {choice.widest_spread} is below 0.", "Use 2 as HelpSteer2 did, or none.")
    if choice.lowest_support is not None and not 0 <= choice.lowest_support <= 1:
        raise UsageError(f"The lowest support {choice.lowest_support} is no share.", "Use a number from 0 to 1.")
    return choice


class ConsensusPlan:
    """The choice of a recipe with the models that it needs, fitted."""

    def __init__(self, choice: Choice, answers: Mapping[str, Sequence[Given]]) -> None:
        """Fits each question of `answers` for which Dawid-Skene was chosen."""
        self.choice = choice
        self.models: dict[str, Posteriors] = {}
        self._seen: dict[tuple[Any, ...], Outcome] = {}
        for question, given in answers.items():
            is_number = is_scale(question, given)
            if choice.name_strategy(question, is_number) == DAWID_SKENE:
                self.models[question] = fit_posteriors(_tabulate(question, given, is_number))

    def join(self, question: str, unit: str, given: Sequence[Given]) -> Outcome:
        """The consensus on one unit. The order of the answers changes nothing."""
        if question in self.models:
            return self._join(question, unit, given)
        # Most units show one of a few patterns of answers, and without a model nothing else counts.
        pattern = (question, *sorted((str(one.value), str(one.strength), one.is_adjudicated) for one in given),
                   is_scale(question, given))  # fmt: skip
        if pattern not in self._seen:
            self._seen[pattern] = self._join(question, unit, given)
        return self._seen[pattern]

    def _join(self, question: str, unit: str, given: Sequence[Given]) -> Outcome:
        decided = [one for one in given if one.is_adjudicated]
        given = decided or given
        model = self.models.get(question)
        is_number = is_scale(question, given) and (model is None or model.is_scale)
        strategy = self.choice.name_strategy(question, is_number)
        chances = model.find(unit) if model and not decided else None
        if strategy == DAWID_SKENE:
            # What a curator decided, and what no model was found for, is joined as it is.
            strategy = model.strategy if model and chances else "majority"
        if question == VERDICT:
            return _join_verdicts(given, ADJUDICATED if decided else strategy, chances)
        values = [one.value if is_number else str(one.value) for one in given]
        if chances:
            found = (
                expect_number([one.value for one in given], chances, strategy)
                if is_number
                else choose_value(values, {str(value): chance for value, chance in chances.items()}, strategy)
            )
        else:
            found = aggregate_ratings(values, strategy) if is_number else majority(values)
        return Outcome(
            found.value, found.support, ADJUDICATED if decided else found.strategy, found.n, found.is_tied, None,
            found.spread, _name(chances),
        )  # fmt: skip


def plan_consensus(known: Knowledge, recipe: Recipe) -> ConsensusPlan:
    """The plan of a recipe for a project; the answers are read only where a model needs them all."""
    choice = read_choice(recipe)
    needs_model = DAWID_SKENE in (choice.strategy, *choice.strategies.values())
    return ConsensusPlan(choice, collect_answers(known) if needs_model else {})


def is_scale(question: str, given: Sequence[Given]) -> bool:
    """Whether all answers are numbers."""
    return question not in (VERDICT, LABELS) and all(isinstance(one.value, int) for one in given)


def explain_drop(choice: Choice, question: str, outcome: Outcome) -> tuple[str, str] | None:
    """The rule by which a unit is left out for its consensus on a question, with the reason; None where it stays.

    >>> explain_drop(Choice(widest_spread=2), "helpfulness", Outcome(2.0, 0.3, "mean", 3, spread=4))
    ('spread', 'the answers to helpfulness lie 4 apart, more than 2')
    """
    if question == VERDICT and outcome.value == Verdict.TIE and choice.tie_policy == "drop":
        return "tie", "the votes are tied" if outcome.is_tied else "people found the two equal"
    if choice.widest_spread is not None and (outcome.spread or 0) > choice.widest_spread:
        what = "strengths of the verdict" if question == VERDICT else f"answers to {question}"
        return "spread", f"the {what} lie {outcome.spread:g} apart, more than {choice.widest_spread:g}"
    return None


def explain_weak(choice: Choice, support: float | None) -> tuple[str, str] | None:
    """The rule `support` with its reason, where too few agree with a row; None where it stays.

    >>> explain_weak(Choice(lowest_support=0.6), 0.5)
    ('support', '0.50 of the raters agree, below 0.6')
    """
    if choice.lowest_support is None or support is None or support >= choice.lowest_support:
        return None
    return "support", f"{support:.2f} of the raters agree, below {choice.lowest_support:g}"


def _join_verdicts(given: Sequence[Given], strategy: str, chances: Mapping[Value, float] | None) -> Outcome:
    verdicts, strengths = [str(one.value) for one in given], [one.strength for one in given]
    said = [strength for strength in strengths if strength is not None]
    if chances:
        found = choose_verdict(verdicts, strengths, {str(value): chance for value, chance in chances.items()})
    else:
        found = aggregate_compare(verdicts, strengths)
    spread = float(max(said) - min(said)) if said else None
    return Outcome(
        found.verdict, found.support, strategy, found.n, found.is_tied, found.strength, spread, _name(chances)
    )  # fmt: skip


def _tabulate(question: str, given: Sequence[Given], is_number: bool) -> pl.DataFrame:
    """What annotators said, in order of entry; "cannot judge" abstains."""
    counted = sorted(
        (one for one in given if not one.is_adjudicated
         and not (question == VERDICT and one.value == Verdict.CANNOT_JUDGE)),
        key=lambda one: one.entry,
    )  # fmt: skip
    columns = {
        "unit": [one.unit for one in counted],
        "rater": [one.rater for one in counted],
        "value": [one.value if is_number else str(one.value) for one in counted],
    }
    dtype = pl.Int64 if is_number else pl.String
    return pl.DataFrame(columns, schema={"unit": pl.String, "rater": pl.String, "value": dtype})


def _name(chances: Mapping[Value, float] | None) -> dict[str, float] | None:
    return {str(value): chance for value, chance in chances.items()} if chances else None
