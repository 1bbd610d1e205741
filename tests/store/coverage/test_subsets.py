"""Subsets: never two that are too near, the better one stays, the budget is kept, the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.coverage.diversity import draw_alike, measure_nearest, measure_set, measure_vendi
from pitchpipe.store.coverage.subsets import cut_lengths, select_balanced, select_diverse, select_spread
from pitchpipe.store.errors import UsageError
from tests.store.coverage.planted import make_unit, plant_groups


@st.composite
def drawn_sets(draw: st.DrawFn) -> tuple[Any, Any]:
    """Unit rows in few dimensions, so that many are near, and a quality with ties for each."""
    count = draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    return make_unit(random.normal(size=(count, 3))), random.integers(0, 4, count).astype(float)


def select_by_hand(matrix: Any, quality: Any, budget: int, highest: float) -> list[int]:
    """The definition, one row after the other."""
    taken: list[int] = []
    for row in sorted(range(len(matrix)), key=lambda row: (-quality[row], row)):
        if len(taken) < budget and all(float(matrix[row] @ matrix[kept]) <= highest + 1e-6 for kept in taken):
            taken.append(row)
    return taken


@settings(max_examples=60, deadline=None)
@given(drawn_sets(), st.integers(1, 80), st.floats(0, 1))
def test_the_diverse_subset_is_what_its_definition_says(drawn: tuple[Any, Any], budget: int, highest: float) -> None:
    matrix, quality = drawn
    taken = select_diverse(matrix, quality, budget, highest)
    assert taken == select_by_hand(matrix, quality, budget, highest)
    assert 1 <= len(taken) <= budget
    cosines = matrix[taken] @ matrix[taken].T - 2 * np.eye(len(taken))
    assert (cosines <= highest + 1e-5).all()
    assert list(quality[taken]) == sorted(quality[taken], reverse=True)


def test_blocks_make_no_difference() -> None:
    matrix = plant_groups(40, 40, dimensions=8)
    quality = np.random.default_rng(3).random(len(matrix))
    assert select_diverse(matrix, quality, 900, 0.97) == select_by_hand(matrix, quality, 900, 0.97)


def test_a_chain_keeps_its_far_end() -> None:
    # A~B and B~C are near, A and C are not: A stays as the best, B goes for A's sake, C stays.
    chain = make_unit([[1, 0], [0.9, 0.4], [0.6, 0.8]])
    assert select_diverse(chain, np.array([3.0, 2.0, 1.0]), 3, 0.9) == [0, 2]


@settings(max_examples=40, deadline=None)
@given(drawn_sets(), st.integers(1, 80))
def test_each_spread_row_is_the_farthest_from_those_before_it(drawn: tuple[Any, Any], budget: int) -> None:
    matrix, _ = drawn
    taken = select_spread(matrix, budget)
    assert len(taken) == len(set(taken)) == min(budget, len(matrix))
    for place in range(1, len(taken)):
        distance = np.maximum(0.0, 1 - (matrix @ matrix[taken[:place]].T).max(axis=1))
        distance[taken[:place]] = -1
        assert distance[taken[place]] == pytest.approx(distance.max(), abs=1e-5)


def test_spread_rows_come_one_from_each_group_first() -> None:
    matrix = plant_groups(6, 25)
    assert len({row // 25 for row in select_spread(matrix, 6)}) == 6


def test_a_spread_subset_can_start_from_what_is_there() -> None:
    matrix = plant_groups(4, 10)
    taken = select_spread(matrix, 3, start_with=[0])
    assert 0 not in taken and {row // 10 for row in taken} == {1, 2, 3}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 50))
def test_balanced_groups_differ_by_one_unless_a_group_has_no_more(groups: list[str], budget: int) -> None:
    taken = select_balanced(groups, np.zeros(len(groups)), budget)
    assert len(taken) == len(set(taken)) == min(budget, len(groups))
    got = {group: sum(groups[row] == group for row in taken) for group in set(groups)}
    unfinished = [got[group] for group in got if got[group] < groups.count(group)]
    assert all(count >= max(got.values()) - 1 for count in unfinished)


def test_shares_are_kept_and_the_best_of_a_group_come_first() -> None:
    groups = ["web"] * 60 + ["desk"] * 60
    quality = np.arange(120.0)
    taken = select_balanced(groups, quality, 40, {"web": 3, "desk": 1})
    assert sorted(taken) == [*range(30, 60), *range(110, 120)]


def test_lengths_are_cut_into_bands_of_about_the_same_size() -> None:
    bands = cut_lengths(list(range(100)), 4)
    assert [bands.count(band) for band in dict.fromkeys(bands)] == [25, 25, 25, 25]
    assert cut_lengths([7, 7, 7], 4) == ["7-7"] * 3 and cut_lengths([], 4) == []


def test_a_budget_of_nothing_and_a_threshold_above_one_are_refused() -> None:
    matrix = np.eye(3, dtype=np.float32)
    with pytest.raises(UsageError, match="budget is 0"):
        select_diverse(matrix, np.zeros(3), 0)
    with pytest.raises(UsageError, match=r"highest cosine is 1\.5"):
        select_diverse(matrix, np.zeros(3), 1, 1.5)


def test_the_vendi_score_counts_different_rows() -> None:
    # Friedman & Dieng: n copies score 1, n at right angles score n; a set and its double score the same.
    assert measure_vendi(np.tile(np.eye(1, 4, dtype=np.float32), (9, 1))) == 1.0
    assert measure_vendi(np.eye(5, dtype=np.float32)) == 5.0
    assert measure_vendi(np.vstack([np.eye(5)] * 2).astype(np.float32)) == 5.0
    # Two rows at 60 degrees: eigenvalues of K/2 are 3/4 and 1/4, and exp(H) = 1.7548.
    assert measure_vendi(make_unit([[1, 0], [0.5, 3**0.5 / 2]])) == pytest.approx(1.7548, abs=1e-4)


def test_more_rows_than_dimensions_give_the_same_score_as_all_their_cosines() -> None:
    matrix = plant_groups(3, 30, dimensions=5)
    shares = np.linalg.eigvalsh(matrix.astype(float) @ matrix.T.astype(float) / len(matrix))
    shares = shares[shares > 1e-9]
    assert measure_vendi(matrix) == pytest.approx(float(np.exp(-(shares * np.log(shares)).sum())), rel=1e-6)


def test_figures_before_and_after() -> None:
    matrix = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    before = measure_set(matrix, range(4), [1, 2, 3, 4], [0, 1, 1, 0], ["x", "x", "y", "y"])
    assert (before.count, before.mean_length, before.quality, before.groups) == (4, 2.5, 0.5, {"x": 2, "y": 2})
    assert before.nearest == pytest.approx(0.5)  # two are copies, two stand alone
    after = measure_set(matrix, [1, 2, 3], [1, 2, 3, 4], [0, 1, 1, 0], ["x", "x", "y", "y"])
    assert after.nearest == 1.0 and after.vendi == 3.0
    assert measure_set(matrix, [], [1], [1], ["x"]).vendi is None
    assert measure_nearest(matrix[:1]) is None


def test_the_random_set_to_compare_with_is_the_same_every_time() -> None:
    assert draw_alike(100, 10) == draw_alike(100, 10) and len(draw_alike(3, 10)) == 3
