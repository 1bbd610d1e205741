"""What judgements add up to, on cases worked out by hand; and that nobody's place in the list decides."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.measures.consensus import (
    OWN_STRATEGIES,
    aggregate_compare,
    aggregate_ratings,
    closest_three,
    majority,
    mean,
    median,
)

ratings = st.lists(st.integers(0, 4), max_size=8)
verdicts = st.lists(st.sampled_from(["a", "b", "tie", "both_bad", "cannot_judge"]), max_size=7)


def test_a_majority_wins_with_its_share_as_support() -> None:
    found = majority(["refund", "refund", "delay"])
    assert (found.value, found.support, found.n, found.is_tied) == ("refund", 2 / 3, 3, False)


def test_a_tied_majority_has_no_winner_and_says_so() -> None:
    found = majority([4, 4, 1, 1, 0])
    assert (found.value, found.support, found.is_tied) == (None, 2 / 5, True)


def test_the_support_of_a_mean_is_the_share_within_half_a_step() -> None:
    found = mean([3, 4, 3, 0])  # mean 2.5: both threes lie within half a step
    assert (found.value, found.support) == (2.5, 0.5)


def test_opposite_ratings_average_to_a_value_that_nobody_supports() -> None:
    assert (mean([0, 4]).value, mean([0, 4]).support) == (2.0, 0.0)


def test_one_outlier_moves_the_mean_but_not_the_median() -> None:
    assert (mean([4, 4, 0]).value, median([4, 4, 0]).value) == (8 / 3, 4.0)


def test_closest_three_leaves_out_the_ratings_furthest_from_the_others() -> None:
    found = closest_three([0, 3, 4, 3, 1])
    assert (found.value, found.support, found.n, found.is_disputed) == (10 / 3, 2 / 5, 5, False)


def test_closest_three_takes_the_middle_of_equally_close_triples() -> None:
    assert closest_three([0, 1, 2, 3, 4]).value == 2.0


@pytest.mark.parametrize(
    ("values", "is_disputed"), [([0, 2, 4], True), ([0, 1, 2], False), ([0, 3], True), ([4], False)]
)
def test_closest_three_flags_a_spread_of_more_than_two(values: list[int], is_disputed: bool) -> None:
    assert closest_three(values).is_disputed is is_disputed


@pytest.mark.parametrize("strategy", OWN_STRATEGIES)
def test_no_rating_gives_no_value_and_no_support(strategy: str) -> None:
    found = aggregate_ratings([], strategy)
    assert (found.value, found.support, found.n, found.strategy) == (None, None, 0, strategy)


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="majority, mean, median, closest_three"):
        aggregate_ratings([1], "mode")


@given(ratings, st.sampled_from(OWN_STRATEGIES), st.randoms(use_true_random=False))
def test_the_order_of_ratings_changes_nothing(values: list[int], strategy: str, chance: random.Random) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert aggregate_ratings(values, strategy) == aggregate_ratings(shuffled, strategy)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.sampled_from(["mean", "median", "closest_three"]))
def test_a_consensus_lies_among_its_ratings(values: list[int], strategy: str) -> None:
    found = aggregate_ratings(values, strategy)
    assert min(values) <= found.value <= max(values)
    assert found.support is not None
    assert 0 <= found.support <= 1


def test_the_verdict_of_most_raters_counts_and_strengths_are_averaged() -> None:
    found = aggregate_compare(["a", "a", "b"], [-3, -1, 1])
    assert (found.verdict, found.strength, found.support, found.n, found.is_tied) == ("a", -1.0, 2 / 3, 3, False)


def test_a_draw_between_a_and_b_is_a_tie_that_no_rater_supports() -> None:
    found = aggregate_compare(["a", "b"])
    assert (found.verdict, found.support, found.is_tied) == ("tie", 0.0, True)


@pytest.mark.parametrize(
    ("given_verdicts", "verdict", "is_tied"),
    [
        (["a", "tie"], "tie", True),
        (["a", "both_bad"], "tie", True),
        (["tie", "tie", "a"], "tie", False),
        (["both_bad", "both_bad", "a"], "both_bad", False),
        (["a", "cannot_judge", "cannot_judge"], "a", False),
        (["cannot_judge", "cannot_judge"], "cannot_judge", False),
        (["a", "a", "b", "b", "tie"], "tie", True),
    ],
)
def test_the_tie_policy_shows_no_preference_that_raters_did_not(
    given_verdicts: list[str], verdict: str, is_tied: bool
) -> None:
    found = aggregate_compare(given_verdicts)
    assert (found.verdict, found.is_tied) == (verdict, is_tied)


def test_an_abstention_weakens_the_support_of_a_verdict() -> None:
    assert aggregate_compare(["a", "cannot_judge", "cannot_judge"]).support == 1 / 3


def test_a_tie_without_a_strength_counts_as_none_where_others_gave_one() -> None:
    assert aggregate_compare(["a", "a", "tie"], [-3, -3, None]).strength == -2.0
    assert aggregate_compare(["a", "tie"], [None, None]).strength is None


def test_no_verdict_gives_no_verdict() -> None:
    assert aggregate_compare([]).verdict is None


def test_a_word_that_is_no_verdict_is_refused() -> None:
    with pytest.raises(UsageError, match="'left'"):
        aggregate_compare(["left"])


@given(verdicts)
def test_swapping_the_sides_swaps_the_verdict(given_verdicts: list[str]) -> None:
    swap = {"a": "b", "b": "a"}
    found = aggregate_compare(given_verdicts)
    swapped = aggregate_compare([swap.get(verdict, verdict) for verdict in given_verdicts])
    assert swapped.verdict == (swap.get(found.verdict, found.verdict) if found.verdict else None)
    assert swapped.support == found.support
