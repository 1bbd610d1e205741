"""Contradictions and disagreement by hand-worked cases and by properties."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.measures.contradictions import find_cycles, find_rating_conflicts, find_reversals
from pitchpipe.store.measures.disagreement import measure_labels, measure_reversals, measure_spreads, measure_verdicts


def prefer(*pairs: str, group: str = "e") -> pl.DataFrame:
    """Preferences such as "AB" for A over B, each in a task of its own."""
    rows = [(group, f"t{place}", pair[0], pair[1]) for place, pair in enumerate(pairs)]
    return pl.DataFrame(rows, schema=["group", "task", "winner", "loser"], orient="row")


def test_a_circle_is_found_once_with_its_tasks() -> None:
    found = find_cycles(prefer("AB", "BC", "CA", "AD"))
    assert [(cycle.answers, cycle.tasks) for cycle in found] == [(("A", "B", "C"), ("t0", "t1", "t2"))]


def test_an_order_without_a_circle_has_none() -> None:
    assert find_cycles(prefer("AB", "BC", "AC", "CD", "AD")) == []


def test_two_answers_that_beat_each_other_are_no_circle() -> None:
    assert find_cycles(prefer("AB", "BA", "BC", "CB")) == []


def test_a_circle_of_four_is_found_where_no_shorter_one_is() -> None:
    assert [cycle.answers for cycle in find_cycles(prefer("AB", "BC", "CD", "DA"))] == [("A", "B", "C", "D")]


def test_preferences_of_two_groups_never_close_a_circle_together() -> None:
    assert find_cycles(pl.concat([prefer("AB", "BC", group="e1"), prefer("CA", "CD", group="e2")])) == []


@given(st.permutations("ABCDE"), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_preferences_that_follow_one_order_never_have_a_circle(order: list[str], places: list[tuple[int, int]]) -> None:
    pairs = [order[min(place)] + order[max(place)] for place in places if place[0] != place[1]]
    assert find_cycles(prefer(*pairs)) == [] if pairs else True


@given(st.integers(3, 7))
def test_one_turned_preference_closes_an_order_into_a_circle(size: int) -> None:
    letters = "ABCDEFG"[:size]
    ring = [letters[place] + letters[(place + 1) % size] for place in range(size)]
    assert find_cycles(prefer(*ring))[0].answers == tuple(letters)


def test_a_gap_of_one_point_is_noise_and_of_two_a_conflict() -> None:
    ratings = pl.DataFrame(
        {"rater": ["ana"] * 3 + ["ben"] * 2, "answer": ["A", "B", "C", "A", "B"], "score": [2.0, 4.0, 3.0, 4.0, 2.0]}
    )
    chosen = pl.DataFrame(
        {"rater": ["ana", "ana", "ben"], "task": ["t1", "t2", "t1"], "winner": ["A", "A", "A"],
         "loser": ["B", "C", "B"]}
    )  # fmt: skip
    assert find_rating_conflicts(ratings, chosen).rows() == [("ana", "t1", "A", "B", 2.0, 4.0)]


@pytest.mark.parametrize(("first", "second", "is_found"), [(-1, 1, True), (-1, -3, False), (0, 2, False), (0, 3, True)])
def test_preferences_differ_on_other_sides_or_further_apart_than_the_rule(
    first: int, second: int, is_found: bool
) -> None:
    answers = pl.DataFrame(
        {"rater": ["ana"] * 2, "subject": ["p"] * 2, "task": ["t1", "t2"], "value": [float(first), float(second)]}
    )
    assert bool(find_reversals(answers, 2, has_sides=True).height) == is_found


def test_what_two_raters_say_of_one_thing_is_no_self_contradiction() -> None:
    answers = pl.DataFrame({"rater": ["ana", "ben"], "subject": ["p"] * 2, "task": ["t1", "t2"], "value": [-3.0, 3.0]})
    assert find_reversals(answers, 2, has_sides=True).is_empty()


def test_verdicts_are_counted_with_cannot_judge_as_an_abstention() -> None:
    """a, a, cannot judge: a has 2 of 3 behind it. Both of t2 abstain. A lone verdict is left out."""
    verdicts = pl.DataFrame(
        {"task": ["t1"] * 3 + ["t2"] * 2 + ["t3"], "verdict": ["a", "a", "cannot_judge", "cannot_judge", "cannot_judge",
         "b"], "preference": [-1.0, -3.0, None, None, None, 2.0]}
    )  # fmt: skip
    assert measure_verdicts(verdicts).rows() == [
        ("t1", 3, 2, 0, 1, -3.0, -1.0, 2 / 3, False),
        ("t2", 2, 0, 0, 2, None, None, 0.0, False),
    ]


def test_labels_share_the_first_place_or_do_not() -> None:
    labels = pl.DataFrame(
        {"task": ["t"] * 3, "subject": [""] * 3, "question": ["labels"] * 3, "label": ["refund", "delay", "refund"]}
    )
    assert measure_labels(labels).rows() == [("t", "", "labels", 3, 2, 2 / 3, False, ["delay", "refund"])]


def test_a_reversal_needs_two_raters_on_opposite_sides() -> None:
    """Of the pairs AB and AC the raters turn AB; on AC one has a tie, which is no opposite."""
    ranked = pl.DataFrame(
        {"task": ["t"] * 4, "answer_a": ["A"] * 4, "answer_b": ["B", "C", "B", "C"],
         "preference": [-1.0, -1.0, 1.0, 0.0]}
    )  # fmt: skip
    assert measure_reversals(ranked).rows() == [("t", 2, 1)]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=6))
def test_the_spread_is_the_same_whatever_the_order_of_the_raters(scores: list[int]) -> None:
    def measure(given_scores: list[int]) -> list[tuple[object, ...]]:
        size = len(given_scores)
        frame = {
            "task": ["t"] * size,
            "subject": ["A"] * size,
            "question": ["q"] * size,
            "score": map(float, given_scores),
        }
        return measure_spreads(pl.DataFrame({name: list(column) for name, column in frame.items()})).rows()

    assert measure(scores) == measure(scores[::-1])
    assert measure(scores)[0][3:5] == (min(scores), max(scores))
