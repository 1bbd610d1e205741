"""What to label next: what raters are unsure of, what is unlike the rest, what nobody touched; each with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.coverage.covering import read_coverage
from pitchpipe.store.coverage.next_labels import choose_next, find_next
from pitchpipe.store.coverage.uncertainty import UNTOUCHED, find_doubts, measure_doubt
from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.projects import get_project
from pitchpipe.store.review.opinion_reading import read_opinions
from tests.store.coverage.planted import make_unit, plant_groups
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer


def doubt_of(store: Store, task: str, **more: Any) -> tuple[float, str]:
    """Uncertainty and reason of one task."""
    opinions = read_opinions(store, get_project(store, PROJECT).id)
    doubt = find_doubts(opinions, [task], more.get("models", {}), more.get("strengths", {}))[0]
    return round(doubt.uncertainty, 2), doubt.reason


def test_verdicts_on_both_sides_are_unsure_and_each_one_alike_makes_it_surer(store: Store) -> None:
    add_example(store, "e", "xy")
    for task, sides in (("split", "ab"), ("one", "a"), ("three", "aaa"), ("none", "")):
        add_task(store, task, "e", "compare", "xy")
        for number, side in enumerate(sides):
            add_judgement(store, task, f"rater {number}", prefer(side))
    # By hand: (1 + 1/2) / 2 = 0.75 has an entropy of 0.811 bits, 3.5 / 4 = 0.875 one of 0.544.
    assert doubt_of(store, "split") == (1.0, "verdicts stand 1 to 1")
    assert doubt_of(store, "one") == (0.81, "1 verdict so far")
    assert doubt_of(store, "three") == (0.54, "3 verdicts so far, all alike")
    assert doubt_of(store, "none") == (UNTOUCHED, "nobody has judged it")


def test_ratings_far_apart_are_told_with_their_question(store: Store) -> None:
    add_example(store, "e", "x")
    add_task(store, "t", "e", "rate", "x")
    add_judgement(store, "t", "ben", {"helpfulness": 4, "tone": 2})
    add_judgement(store, "t", "eva", {"helpfulness": 0, "tone": 2})
    assert doubt_of(store, "t") == (1.0, "ratings of 'helpfulness' go from 0 to 4")


def test_rankings_in_opposite_orders_and_labels_that_differ_are_unsure(store: Store) -> None:
    add_example(store, "e", "xyz")
    add_task(store, "rank", "e", "rank", "xyz")
    add_judgement(store, "rank", "ben", {"ranks": [0, 1, 2]})
    add_judgement(store, "rank", "eva", {"ranks": [1, 0, 2]})
    add_task(store, "tag", "e", "tag", "")
    add_judgement(store, "tag", "ben", {"labels": ["refund"]})
    add_judgement(store, "tag", "eva", {"labels": ["delay"]})
    assert doubt_of(store, "rank") == (0.33, "1 of 3 pairs are put in opposite orders")
    assert doubt_of(store, "tag") == (1.0, "labels differ: delay or refund")


def test_a_pair_of_equally_strong_authors_is_less_sure_than_one_of_unequal_ones(store: Store) -> None:
    add_example(store, "e", "xyz")
    add_task(store, "even", "e", "compare", "xy")
    add_task(store, "odd", "e", "compare", "xz")
    models = {"ex": "north", "ey": "south", "ez": "west"}
    strengths = {"north": (0, 0.0), "south": (0, 0.0), "west": (0, -3.0)}
    assert doubt_of(store, "even", models=models, strengths=strengths)[0] == 1.0
    unsure, reason = doubt_of(store, "odd", models=models, strengths=strengths)
    assert unsure == 0.28 and "expected to win 95% of the time" in reason  # 1 / (1 + e^-3) = 0.953, 0.275 bits
    assert "north" not in reason and "west" not in reason
    # Models that no comparison links say nothing of each other.
    apart = {**strengths, "west": (1, -3.0)}
    assert doubt_of(store, "odd", models=models, strengths=apart)[0] == UNTOUCHED


def test_a_pair_that_is_rated_alike_is_unsure(store: Store) -> None:
    add_example(store, "e", "xyz")
    for answer, score in (("x", 4), ("y", 4), ("z", 0)):
        add_task(store, f"rate {answer}", "e", "rate", answer)
        add_judgement(store, f"rate {answer}", "ben", {"helpfulness": score})
    add_task(store, "alike", "e", "compare", "xy")
    add_task(store, "apart", "e", "compare", "xz")
    assert doubt_of(store, "alike")[0] == 1.0
    assert doubt_of(store, "apart")[0] < 0.2


def test_written_words_leave_no_doubt(store: Store) -> None:
    add_example(store, "e", "x")
    add_task(store, "t", "e", "edit", "x")
    assert doubt_of(store, "t")[0] == UNTOUCHED
    add_judgement(store, "t", "ben", {"text": "better"})
    assert doubt_of(store, "t")[0] == 0.0


def test_a_tie_that_all_agree_on_is_as_sure_as_any_verdict_and_abstaining_is_none(store: Store) -> None:
    add_example(store, "e", "xy")
    for task, sides in (("tie", ["tie"] * 3), ("all", ["cannot_judge"] * 2), ("odd", ["a", "tie", "cannot_judge"])):
        add_task(store, task, "e", "compare", "xy")
        for number, side in enumerate(sides):
            add_judgement(store, task, f"rater {number}", prefer(side))
    assert doubt_of(store, "tie") == (0.54, "3 verdicts so far, all alike")
    assert doubt_of(store, "all") == (1.0, "none of 2 could judge")
    assert doubt_of(store, "odd") == (1.0, "verdicts stand 1 to 0, 1 for a tie, 1 could not judge")


@given(st.integers(0, 30), st.integers(0, 30))
def test_doubt_is_between_none_and_one_and_falls_with_support(leading: int, others: int) -> None:
    doubt = measure_doubt(leading, leading + others)
    assert 0 < doubt <= 1
    assert measure_doubt(leading + 1, leading + others + 1) <= doubt + 1e-9


def test_untouched_clusters_come_first_the_largest_first() -> None:
    matrix = plant_groups(3, 10)
    labels = np.repeat([0, 1, 2], 10)
    judged = np.arange(30) == 0  # only in the first cluster
    unsure = np.full(30, 0.5)
    unsure[5] = 1.0
    chosen = choose_next(matrix, unsure, judged, labels, 4)
    assert [is_first for _, is_first in chosen] == [True, True, False, False]
    assert [int(labels[row]) for row, _ in chosen[:2]] == [1, 2]
    assert chosen[2] == (5, False)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(1, 50), st.integers(0, 1000))
def test_no_row_comes_twice_and_none_that_is_sure(count: int, limit: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix = make_unit(random.normal(size=(count, 4))) if count else np.zeros((0, 4), np.float32)
    unsure = random.choice([0.0, 0.3, 1.0], count)
    labels = random.integers(0, 3, count)
    chosen = [row for row, _ in choose_next(matrix, unsure, random.random(count) < 0.5, labels, limit)]
    assert len(chosen) == len(set(chosen)) == min(limit, int((unsure > 0).sum()))
    assert all(unsure[row] > 0 for row in chosen)


def test_two_copies_are_not_asked_one_after_the_other() -> None:
    matrix = make_unit([[1, 0], [1, 0], [0, 1]])
    chosen = choose_next(matrix, np.array([1.0, 1.0, 0.6]), np.array([True] * 3), np.array([0, 0, 0]), 3)
    assert [row for row, _ in chosen] == [0, 2, 1]


def fill(store: Store) -> None:
    """Six examples of two answers; the first is judged 1 to 1, the second 3 to 0, the rest not at all."""
    for number in range(6):
        add_example(store, f"e{number}", "xy")
        add_task(store, f"t{number}", f"e{number}", "compare", "xy")
    for rater, first, second in (("ben", "a", "a"), ("eva", "b", "a")):
        add_judgement(store, "t0", rater, prefer(first))
        add_judgement(store, "t1", rater, prefer(second))


def test_each_proposal_names_its_example_task_and_reason(store: Store) -> None:
    fill(store)
    coverage = read_coverage(store, PROJECT, count=1)
    found = find_next(store, PROJECT, coverage, 10)
    assert {label.example_id for label in found} == {f"e{number}" for number in range(6)}
    assert found[0].example_id == "e0" and found[0].reason == "verdicts stand 1 to 1"
    assert all(label.task_id == f"t{label.example_id[1]}" and label.kind == "compare" for label in found)
    assert min(found, key=lambda label: label.uncertainty).example_id == "e1"


def test_what_is_dropped_or_settled_is_not_proposed(store: Store) -> None:
    fill(store)
    decide(store, "e2", "drop", "spam", "lea")
    decide(store, "e3x", "drop", "cut off", "lea")
    add_judgement(store, "t0", "lea", prefer("a"), source="adjudication")
    found = {label.example_id: label for label in find_next(store, PROJECT, read_coverage(store, PROJECT, count=1), 10)}
    assert set(found) == {"e1", "e3", "e4", "e5"}
    assert (found["e3"].task_id, found["e3"].kind) == (None, "rate")  # of its two answers one is left


def test_a_sealed_example_is_not_proposed_and_one_without_a_task_is_told_what_to_ask(store: Store) -> None:
    fill(store)
    add_example(store, "bare", "x")
    store.write(lambda t: t.run("UPDATE group_splits SET split = 'holdout' WHERE group_id = 'e4'"))
    found = {label.example_id: label for label in find_next(store, PROJECT, read_coverage(store, PROJECT, count=1), 10)}
    assert "e4" not in found
    assert (found["bare"].task_id, found["bare"].kind) == (None, "rate")
    assert found["bare"].reason == "no task asks about it"


def test_a_limit_of_nothing_is_refused(store: Store) -> None:
    fill(store)
    with pytest.raises(UsageError, match="limit is 0"):
        find_next(store, PROJECT, read_coverage(store, PROJECT, count=1), 0)


def test_a_dropped_answer_takes_its_own_tasks_along_and_no_others(store: Store) -> None:
    for example in ("e1", "e10"):
        add_example(store, example, "xy")
        add_task(store, f"task {example}", example, "compare", "xy")
        for rater, side in (("ben", "a"), ("eva", "b")):
            add_judgement(store, f"task {example}", rater, prefer(side))
    decide(store, "e1", "drop", "off topic", "cora")  # a name that the other one's answers begin with
    coverage = read_coverage(store, PROJECT, count=1)
    assert [(found.example_id, found.reason) for found in find_next(store, PROJECT, coverage)] == [
        ("e10", "verdicts stand 1 to 1")
    ]
    decide(store, "e10x", "drop", "a copy", "cora")
    assert [found.task_id for found in find_next(store, PROJECT, read_coverage(store, PROJECT, count=1))] == [None]
