"""Values of every kind of task: to the store and back unchanged, and refused by name where they do not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.judgement_values import Subject, to_screen_value, to_stored_value
from pitchpipe.store.records import TaskKind

TEXTS = {"c1": "The lid is blue.", "c2": "Wash it at 30 degrees.", "c3": "Ask us."}
ONE, TWO, THREE = ["c1"], ["c1", "c2"], ["c1", "c2", "c3"]
SUBJECT = Subject(TEXTS, turns=(1, 3))

WORDS = st.text(min_size=1, max_size=12).filter(str.strip)
RATINGS = st.dictionaries(WORDS, st.integers(0, 10) | WORDS, min_size=1, max_size=3)
LABELS = st.lists(WORDS, min_size=1, max_size=3, unique=True)
COMPARISONS = st.one_of(
    st.builds(lambda n: {"verdict": "a", "strength": -n}, st.integers(1, 3)),
    st.builds(lambda n: {"verdict": "b", "strength": n}, st.integers(1, 3)),
    st.sampled_from([
        {"verdict": "a", "strength": None}, {"verdict": "tie", "strength": 0},
        {"verdict": "both_bad", "strength": None}, {"verdict": "cannot_judge", "strength": None},
    ]),
)  # fmt: skip
SPANS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 8), WORDS).map(
        lambda span: {"start": span[0], "end": span[0] + span[1], "label": span[2]}
    ),
    max_size=3, unique_by=lambda span: (span["start"], span["end"], span["label"]),
)  # fmt: skip


def dense(ranks: list[int]) -> list[int]:
    return [sorted(set(ranks)).index(rank) for rank in ranks]


RANKS = st.lists(st.integers(0, 2), min_size=3, max_size=3).map(lambda ranks: {"ranks": dense(ranks)})
PARTS = {
    "compare": COMPARISONS,
    "rate": st.lists(RATINGS | st.just({}), min_size=2, max_size=2).filter(any),
    "edit": st.fixed_dictionaries({"answer": st.integers(0, 1), "text": WORDS}),
    "tag": st.fixed_dictionaries({"labels": LABELS}),
}
VALUES: dict[TaskKind, tuple[list[str], st.SearchStrategy[dict[str, Any]]]] = {
    TaskKind.RATE: (ONE, RATINGS),
    TaskKind.COMPARE: (TWO, COMPARISONS),
    TaskKind.RANK: (THREE, RANKS),
    TaskKind.EDIT: (ONE, st.fixed_dictionaries({"text": WORDS})),
    TaskKind.WRITE: ([], st.fixed_dictionaries({"text": WORDS}, optional={"instruction": WORDS})),
    TaskKind.TAG: ([], st.fixed_dictionaries({"labels": LABELS})),
    TaskKind.SPAN: (ONE, st.fixed_dictionaries({"spans": SPANS})),
    TaskKind.TURNS: (
        ONE,
        st.dictionaries(st.sampled_from(["1", "3"]), RATINGS, min_size=1).map(lambda t: {"turns": t}),
    ),
    TaskKind.SCREEN: (TWO, st.fixed_dictionaries({}, optional=PARTS).filter(bool)),
}


@pytest.mark.parametrize("kind", list(TaskKind))
@given(data=st.data())
def test_what_is_stored_goes_to_any_screen_and_comes_back_unchanged(kind: TaskKind, data: st.DataObject) -> None:
    candidates, values = VALUES[kind]
    value, shown = data.draw(values), data.draw(st.permutations(candidates))
    screen = to_screen_value(kind, json.loads(json.dumps(value)), candidates, shown)
    assert to_stored_value(kind, screen, candidates, shown, SUBJECT) == value


@given(st.permutations(THREE), st.lists(st.integers(0, 2), min_size=3, max_size=3).map(dense))
def test_a_screen_with_a_ranking_turns_with_its_answers(shown: list[str], ranks: list[int]) -> None:
    value = {"rank": {"ranks": ranks}, "rate": [{"helpfulness": 1}, {}, {"tone": "warm"}]}
    screen = to_screen_value(TaskKind.SCREEN, value, THREE, shown)
    assert screen["rank"]["ranks"][shown.index("c3")] == ranks[2]
    assert screen["rate"][shown.index("c3")] == {"tone": "warm"}
    assert to_stored_value(TaskKind.SCREEN, screen, THREE, shown, SUBJECT) == value


def test_a_screen_speaks_of_the_answers_as_they_were_shown() -> None:
    screen = {
        "compare": {"verdict": "first", "strength": -2}, "rate": [{"helpfulness": 4}, {"helpfulness": 1}],
        "edit": {"answer": 1, "text": "The lid is green."}, "tag": None,
    }  # fmt: skip
    assert to_stored_value(TaskKind.SCREEN, screen, TWO, ["c2", "c1"], SUBJECT) == {
        "compare": {"verdict": "b", "strength": 2}, "rate": [{"helpfulness": 1}, {"helpfulness": 4}],
        "edit": {"answer": 0, "text": "The lid is green."},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("places", "ranks"),
    [
        ([1, 1, 3], [0, 0, 1]),  # two share the first place, so the next is the third: the gap of a competition
        ([1, 1, 2], [0, 0, 1]),
        ([3, 1, 1], [1, 0, 0]),
        ([1, 2, 2], [0, 1, 1]),
        ([0, 2, 1], [0, 2, 1]),
        ([1, 1, 1], [0, 0, 0]),
    ],
)
def test_places_become_dense_ranks(places: list[int], ranks: list[int]) -> None:
    assert to_stored_value(TaskKind.RANK, {"ranks": places}, THREE, THREE)["ranks"] == ranks


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([1, 3, 3], "leave the place 2 empty"),
        ([1, 1, 4], "leave the place 2 empty"),
        ([0, 1, 3], "leave the place 2 empty"),
        ([2, 2, 3], "is first"),
        ([-1, 0, 1], "is first"),
        ([1, 2], "not complete"),
        ([1, 2, None], "not complete"),
        ([1, 2, True], "not complete"),
        (None, "not complete"),
    ],
)
def test_a_ranking_with_a_gap_or_a_forgotten_answer_is_refused(places: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        to_stored_value(TaskKind.RANK, {"ranks": places}, THREE, THREE)


def test_one_answer_or_ten_cannot_be_ranked() -> None:
    for count in (1, 10):
        ids = [f"c{number}" for number in range(count)]
        with pytest.raises(UsageError, match="are to be ranked"):
            to_stored_value(TaskKind.RANK, {"ranks": list(range(count))}, ids, ids)


SPAN = {"start": 0, "end": 3, "label": "false"}


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (TaskKind.RATE, {"tone": " "}, "'tone'"),
        (TaskKind.RATE, {"helpfulness": 11}, "'helpfulness'"),
        (TaskKind.RATE, {"helpfulness": 2.5}, "'helpfulness'"),
        (TaskKind.RATE, {"helpfulness": None}, "'helpfulness'"),
        (TaskKind.EDIT, {"text": TEXTS["c1"]}, "Nothing was changed"),
        (TaskKind.EDIT, {"text": "x" * 100_001}, "too long"),
        (TaskKind.WRITE, {"text": "An answer.", "instruction": "  "}, "The instruction is empty"),
        (TaskKind.WRITE, {"text": None, "instruction": "Ask."}, "The answer is empty"),
        (TaskKind.TAG, {"labels": ["a", "a"]}, "twice"),
        (TaskKind.TAG, {"labels": "refund"}, "cannot be used"),
        (TaskKind.SPAN, {}, "cannot be used"),
        (TaskKind.SPAN, {"spans": [SPAN, SPAN]}, "The stretch 2 is marked twice"),
        (TaskKind.SPAN, {"spans": [{**SPAN, "end": 17}]}, "from 0 to 17"),
        (TaskKind.SPAN, {"spans": [{**SPAN, "end": 0}]}, "from 0 to 0"),
        (TaskKind.SPAN, {"spans": [{**SPAN, "start": -1}]}, "from -1 to 3"),
        (TaskKind.SPAN, {"spans": [{**SPAN, "label": ""}]}, "has no label"),
        (TaskKind.TURNS, {"turns": {"2": {"helpfulness": 3}}}, "'2' is no turn of the assistant"),
        (TaskKind.TURNS, {"turns": {"1": {}}}, "No turn is rated"),
        (TaskKind.TURNS, {"turns": {"1": {"helpfulness": 99}}}, "turn 1"),
        (TaskKind.SCREEN, {}, "Nothing was answered"),
        (TaskKind.SCREEN, {"compare": None, "rate": [{}, {}]}, "Nothing was answered"),
        (TaskKind.SCREEN, {"edit": {"answer": 0, "text": TEXTS["c1"]}}, "Nothing was answered"),
        (TaskKind.SCREEN, {"edit": {"answer": 2, "text": "x"}}, "of the answer 2"),
        (TaskKind.SCREEN, {"edit": {"answer": 0, "text": " "}}, "The correction is empty"),
        (TaskKind.SCREEN, {"rate": [{"helpfulness": 3}]}, "a list of 2"),
        (TaskKind.SCREEN, {"rate": [{}, {"helpfulness": "  "}]}, "answer 2"),
        (TaskKind.SCREEN, {"rank": {"ranks": [1, 3]}}, "leave the place 2 empty"),
        (TaskKind.SCREEN, {"compare": {"verdict": "left"}}, "verdict 'left'"),
        (TaskKind.SCREEN, {"guess": 1}, "'guess'"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_offending_part_named(
    kind: TaskKind, value: dict[str, Any], told: str
) -> None:
    candidates = TWO if kind is TaskKind.SCREEN else ONE
    with pytest.raises(UsageError) as caught:
        to_stored_value(kind, value, candidates, candidates, SUBJECT)
    assert told in str(caught.value)
    assert "nothing was lost" in caught.value.advice


def test_no_error_found_and_a_line_end_that_a_browser_turned_are_understood() -> None:
    assert to_stored_value(TaskKind.SPAN, {"spans": []}, ONE, ONE, SUBJECT) == {"spans": []}
    original = Subject({"c1": "one\r\ntwo"})
    with pytest.raises(UsageError, match="Nothing was changed"):
        to_stored_value(TaskKind.EDIT, {"text": "one\ntwo"}, ONE, ONE, original)


def test_a_correction_that_changes_nothing_is_no_part_of_a_screen() -> None:
    screen = {"compare": {"verdict": "tie", "strength": 0}, "edit": {"answer": 1, "text": TEXTS["c1"]}}
    stored = to_stored_value(TaskKind.SCREEN, screen, TWO, ["c2", "c1"], SUBJECT)
    assert stored == {"compare": {"verdict": "tie", "strength": 0}}
