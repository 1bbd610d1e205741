"""Joint rankings by ranked pairs: textbook elections, circles, and neutrality."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.measures.rankings import aggregate_ranks

rankings = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 4), min_size=size, max_size=size), min_size=1, max_size=6)
)


def test_rankings_that_agree_are_their_own_consensus() -> None:
    found = aggregate_ranks([[2, 0, 1], [2, 0, 1]])
    assert (found.ranks, found.support, found.n, found.is_tied) == ((2, 0, 1), 1.0, 2, False)


def test_the_tennessee_election_is_decided_as_ranked_pairs_decide_it() -> None:
    # The common textbook example: Memphis, Nashville, Chattanooga, Knoxville with 42, 26, 15 and 17 voters.
    # Ranked pairs put Nashville first, then Chattanooga, Knoxville, Memphis.
    votes = 42 * [[0, 1, 2, 3]] + 26 * [[3, 0, 1, 2]] + 15 * [[3, 2, 0, 1]] + 17 * [[3, 2, 1, 0]]
    assert aggregate_ranks(votes).ranks == (3, 0, 1, 2)


def test_the_narrowest_majority_of_a_circle_gives_way() -> None:
    # a beats b 7:2, b beats c 6:3, c beats a 5:4: the last would close a circle.
    votes = 4 * [[0, 1, 2]] + 2 * [[2, 0, 1]] + 3 * [[1, 2, 0]]
    assert aggregate_ranks(votes).ranks == (0, 1, 2)


def test_a_circle_of_equal_majorities_is_a_tie_of_all() -> None:
    found = aggregate_ranks([[0, 1, 2], [2, 0, 1], [1, 2, 0]])
    assert (found.ranks, found.is_tied) == ((0, 0, 0), True)


def test_only_the_majorities_on_a_circle_are_left_open() -> None:
    # All prefer c to b. Every other pair is decided 2:1 and lies on a circle: a > b > d > a or a > c > d > a.
    # What is left is c before b, with a and d, of which nothing is known, between them.
    assert aggregate_ranks([[0, 2, 1, 3], [3, 1, 0, 2], [1, 3, 2, 0]]).ranks == (1, 2, 0, 1)


def test_equal_ranks_of_raters_stay_ties() -> None:
    assert aggregate_ranks([[0, 0, 1]]).ranks == (0, 0, 1)


def test_support_is_the_share_of_pairs_ordered_as_the_consensus() -> None:
    # The third rater turns one pair of three round: 8 of 9.
    assert aggregate_ranks([[0, 1, 2], [0, 1, 2], [0, 2, 1]]).support == pytest.approx(8 / 9)


def test_no_ranking_gives_no_ranks() -> None:
    assert aggregate_ranks([]).ranks == ()


def test_rankings_of_different_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="2, 3"):
        aggregate_ranks([[0, 1], [0, 1, 2]])


@given(rankings, st.randoms(use_true_random=False))
def test_neither_the_order_of_raters_nor_of_candidates_decides(votes: list[list[int]], chance: random.Random) -> None:
    found = aggregate_ranks(votes)
    places = list(range(len(votes[0])))
    chance.shuffle(places)
    turned = [[ranking[place] for place in places] for ranking in votes]
    chance.shuffle(turned)
    assert aggregate_ranks(turned).ranks == tuple(found.ranks[place] for place in places)


@given(rankings)
def test_an_answer_that_everyone_prefers_to_another_stands_before_it(votes: list[list[int]]) -> None:
    ranks = aggregate_ranks(votes).ranks
    for one in range(len(ranks)):
        for other in range(len(ranks)):
            if all(ranking[one] < ranking[other] for ranking in votes):
                assert ranks[one] < ranks[other]
