"""Agreement on every kind of task: which questions there are, what a unit is, and what is left out by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.measures.agreement import Agreement
from pitchpipe.store.queue.tasking import create_tasks
from tests.store.desk import add_example, judge


def measure(store: Store) -> dict[tuple[str, str], Agreement]:
    return {(found.kind, found.question): found.agreement for found in measure_project_agreement(store, "p", 0)}


def test_ranks_are_ordinal_and_each_answer_is_a_unit(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["a", "b", "c"])
    create_tasks(store, "p", "rank")
    judge(store, "ana", {"ranks": [0, 1, 2]})
    judge(store, "ben", {"ranks": [0, 2, 1]})
    found = measure(store)["rank", "rank"]
    assert (found.level, found.pairable_units, found.unanimous) == ("ordinal", 3, 1)


def test_sets_of_labels_are_nominal_whatever_their_order(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, [])
    create_tasks(store, "p", "tag", rubric="topics")
    judge(store, "ana", {"labels": ["refund", "other"]})
    judge(store, "ben", {"labels": ["other", "refund"]})
    found = measure(store)["tag", "labels"]
    assert (found.level, found.unanimous) == ("nominal", 1)


def test_a_label_that_somebody_marked_is_a_question_to_all(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "span", rubric="errors")
    judge(store, "ana", {"spans": [{"start": 0, "end": 3, "label": "false"}, {"start": 4, "end": 7, "label": "false"}]})
    judge(store, "ben", {"spans": [{"start": 8, "end": 10, "label": "false"}, {"start": 0, "end": 3, "label": "tone"}]})
    judge(store, "cai", {"spans": []})
    found = measure(store)
    assert set(found) == {("span", "false"), ("span", "tone")}
    assert [found["span", label].raw_agreement for label in ("false", "tone")] == pytest.approx([1 / 3, 1 / 3])
    assert found["span", "false"].ratings == 3


def test_each_turn_is_a_unit_of_each_question(store: Store, tmp_path: Path) -> None:
    user, reply = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}
    add_example(store, tmp_path, ["Bye."], messages=[user, reply, user])
    create_tasks(store, "p", "turns", rubric="turns")
    judge(store, "ana", {"turns": {"1": {"helpfulness": 4}, "3": {"helpfulness": 1}}})
    judge(store, "ben", {"turns": {"1": {"helpfulness": 4}}})
    found = measure(store)["turns", "helpfulness"]
    assert (found.level, found.units, found.pairable_units, found.unanimous) == ("ordinal", 2, 1, 1)


def test_a_screen_is_measured_by_its_parts_and_words_are_left_out_by_name(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["left", "right"])
    create_tasks(store, "p", "screen", rubric="mine", parts=["compare", "rate", "tag"])
    for name, strength in (("ana", -1), ("ben", -2)):
        rated = [{"helpfulness": 4, "tone": "warm", "note": f"by {name}"}, {"helpfulness": 1}]
        value = {"compare": {"verdict": "a", "strength": strength}, "rate": rated, "tag": {"labels": ["refund"]}}
        judge(store, name, value, text_questions=["note"])
    found = measure(store)
    assert {question: (one.level, one.pairable_units, one.unanimous) for (_, question), one in found.items()} == {
        "verdict": ("nominal", 1, 1),
        "strength": ("ordinal", 1, 0),
        "labels": ("nominal", 1, 1),
        "helpfulness": ("ordinal", 2, 2),
        "tone": ("nominal", 1, 1),
        "note": ("nominal", 0, 0),
    }
    assert "words of people's own" in str(found["screen", "note"].undefined_because)
