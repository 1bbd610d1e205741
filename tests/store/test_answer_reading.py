"""What each kind of judgement says, taken apart once; and that every measure of agreement starts from the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.answer_reading import is_words, list_answers, read_work
from pitchpipe.store.database import Store
from pitchpipe.store.disputes import find_disputes
from pitchpipe.store.gold import set_gold
from pitchpipe.store.judgement_reading import measure_project_agreement
from pitchpipe.store.known_answers import compare_answers
from pitchpipe.store.projects import change_rules
from pitchpipe.store.quality_reading import describe_project_quality
from pitchpipe.store.rater_reading import describe_raters
from pitchpipe.store.tasking import create_tasks
from tests.store.desk import add_example, judge
from tests.store.judged import PROJECT, add_judgement, add_task
from tests.store.judged import add_example as add_answers

LONG = "No option is as long as this, which is what somebody wrote in words of their own here. " * 2


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """What is read must be the same in both homes of the tables."""
    return str(request.param)


def mark(*labels: str) -> dict[str, Any]:
    return {"spans": [{"start": place, "end": place + 1, "label": label} for place, label in enumerate(labels)]}


def measure_both(store: Store) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Alpha by question, as `pitchpipe agreement` tells it and as the People page does."""
    told = {found.question: found.agreement.alpha for found in measure_project_agreement(store, "p", 0)}
    page = {found.question: found.agreement.alpha for found in describe_project_quality(store, "p").questions}
    return told, page


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("compare", {"verdict": "tie", "strength": 0}, [("verdict", "", "tie"), ("strength", "", 0)]),
        ("compare", {"verdict": "cannot_judge", "strength": None}, [("verdict", "", "cannot_judge")]),
        ("rate", {"help": 3, "tone": "warm"}, [("help", "0", 3), ("tone", "0", "warm")]),
        ("rank", {"ranks": [0, 2, 0]}, [("rank", "0", 0), ("rank", "1", 2), ("rank", "2", 0)]),
        ("tag", {"labels": ["z", "y"]}, [("labels", "", "y, z")]),
        ("span", mark("tone", "false", "tone"), [("false", "0", "marked"), ("tone", "0", "marked")]),
        ("span", mark(), [("", "0", "no error")]),
        ("turns", {"turns": {"1": {"help": 3}, "3": {"help": 0}}}, [("help", "turn 1", 3), ("help", "turn 3", 0)]),
        ("edit", {"text": "x"}, []),
        ("write", {"text": "x", "instruction": "y"}, []),
    ],
)
def test_a_judgement_of_each_kind_is_taken_apart(kind: str, value: dict[str, Any], expected: list[Any]) -> None:
    assert list_answers(kind, value) == [(kind, *answer) for answer in expected]


def test_a_screen_is_taken_apart_by_its_parts_and_ratings_by_their_answers() -> None:
    screen = {"compare": {"verdict": "a"}, "rate": [{}, {"help": 1}], "edit": {"answer": 0, "text": "x"},
              "rank": {"ranks": [1, 0]}, "tag": {"labels": ["z"]}}  # fmt: skip
    assert sorted(list_answers("screen", screen)) == [
        ("compare", "verdict", "", "a"), ("rank", "rank", "0", 1), ("rank", "rank", "1", 0),
        ("rate", "help", "1", 1), ("tag", "labels", "", "z"),
    ]  # fmt: skip


def test_words_are_what_the_judgement_names_and_where_it_names_none_what_no_option_could_be() -> None:
    assert is_words("note", "ok", ["note"]) and not is_words("tone", LONG, ["note"])
    assert [is_words("note", answer, []) for answer in ("warm", "x" * 80, "x" * 81, "two\nlines", 3)] == [
        False, False, True, True, False,
    ]  # fmt: skip


def test_a_repeat_is_compared_without_its_words_and_texts_and_stretches_as_a_whole() -> None:
    assert compare_answers("rate", {"help": 3, "note": "one"}, {"help": 3, "note": "two"}, ["note"]) == 1.0
    assert compare_answers("edit", {"text": "x"}, {"text": "x"}) == 1.0
    assert compare_answers("span", mark("tone"), mark("tone", "tone")) == 0.0
    assert compare_answers("rank", {"ranks": [0, 1, 2]}, {"ranks": [0, 2, 1]}) == pytest.approx(1 / 3)


def test_three_rankings_have_one_alpha_wherever_it_is_told(store: Store, tmp_path: Path) -> None:
    """Ranks by answer 0 0 0, 1 2 1, 2 1 2; three of each value, so mid-ranks 1.5, 4.5, 7.5 are 3 apart.

    Observed: 4 of the ordered pairs of either unit differ by 3, over m - 1 = 2: 2 * 4 * 9 / 2 = 36. Expected: 3 * 3 * 2
    ordered pairs of each two values, 9 + 9 + 36 squared: 18 * 54 = 972. Alpha = 1 - 8 * 36 / 972 = 0.704.
    """
    add_example(store, tmp_path, ["x", "y", "z"])
    create_tasks(store, "p", "rank")
    for rater, ranks in (("ana", [0, 1, 2]), ("ben", [0, 2, 1]), ("cem", [0, 1, 2])):
        judge(store, rater, {"ranks": ranks})
    told, page = measure_both(store)
    assert told == page == {"rank": pytest.approx(0.7037, abs=1e-4)}


def test_short_words_of_ones_own_are_measured_nowhere(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["x"])
    create_tasks(store, "p", "rate", rubric="checks")
    for rater, score, words in (("ana", 0, "the unit"), ("ben", 4, "a source"), ("cem", 1, "nothing")):
        judge(store, rater, {"helpfulness": score, "note": words}, text_questions=["note"])
    told, page = measure_both(store)
    assert (set(told), set(page)) == ({"helpfulness", "note"}, {"helpfulness"})
    assert told["note"] is None
    assert [card.question for card in describe_raters(store, "p")[0].questions] == ["helpfulness"]
    assert [reason.sentence for reason in find_disputes(store, "p")[0].reasons] == ["Helpfulness: ratings from 0 to 4."]


def test_a_question_that_anybody_answered_in_words_is_one_of_words_to_all(store: Store) -> None:
    add_answers(store, "e1", "A")
    add_task(store, "t1", "e1", "rate", "A")
    for rater, words in (("ana", LONG), ("ben", "ok")):
        add_judgement(store, "t1", rater, {"helpfulness": 3, "note": words}, source="import_1")
    work = read_work(store, PROJECT)
    assert (work.words, set(work.answers["question"])) == ([("rate", "note")], {"helpfulness"})


def test_known_answers_count_for_agreement_and_own_repeats_do_not(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare")
    known = store.read("SELECT id FROM tasks")[0][0]
    set_gold(store, "p", known, {"verdict": "a"})
    change_rules(store, "p", calibration_tasks=1)
    for rater, verdict, strength in (("ana", "a", -1), ("ben", "b", 1)):
        judge(store, rater, {"verdict": verdict, "strength": strength})
    add_task(store, "again", "e1", "compare", "AB", purpose="repeat", repeat_of=known, only_for="ana")
    store.write(lambda t: t.run("UPDATE tasks SET example_id = (SELECT id FROM examples LIMIT 1)"))
    add_judgement(store, "again", "ana", {"verdict": "b", "strength": 1})
    told = {found.question: found.agreement.ratings for found in measure_project_agreement(store, "p", 0)}
    page = {found.question: found.agreement.ratings for found in describe_project_quality(store, "p").questions}
    assert told == page == {"verdict": 2, "strength": 2}


def test_the_same_question_on_a_screen_and_in_a_plain_task_is_measured_apart(store: Store) -> None:
    add_answers(store, "e1", "AB")
    add_task(store, "plain", "e1", "rate", "A")
    add_task(store, "screen", "e1", "screen", "AB")
    for rater, score in (("ana", 1), ("ben", 3)):
        add_judgement(store, "plain", rater, {"helpfulness": 2})
        add_judgement(store, "screen", rater, {"rate": [{"helpfulness": score}, {}]})
    told = {(found.kind, found.question): found.agreement for found in measure_project_agreement(store, "p", 0)}
    assert {asked: found.unanimous for asked, found in told.items()} == {
        ("rate", "helpfulness"): 1, ("screen", "helpfulness"): 0,
    }  # fmt: skip
    page = {found.question: found.agreement.unanimous for found in describe_project_quality(store, "p").questions}
    assert page == {"helpfulness (rate)": 1, "helpfulness (screen)": 0}


def test_marked_stretches_are_measured_on_both_by_label(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "span", rubric="errors")
    for rater, labels in (("ana", ["false"]), ("ben", ["false", "tone"]), ("cem", [])):
        judge(store, rater, mark(*labels))
    told, page = measure_both(store)
    assert told == page and set(page) == {"false", "tone"}
    rest = {card.name: {q.question: q.rest.exact.share for q in card.questions} for card in describe_raters(store, "p")}
    assert rest["ana"] == {"false": 0.5, "tone": 0.5}
    assert rest["cem"] == {"false": 0.0, "tone": 0.5}


def test_of_several_judgements_of_one_task_by_one_rater_the_latest_counts(store: Store) -> None:
    add_answers(store, "e1", "AB")
    for task in ("changed", "kept"):
        add_task(store, task, "e1", "compare", "AB")
        for rater, verdict in (("ana", "a"), ("ben", "b")):
            add_judgement(store, task, rater, {"verdict": verdict})
    add_judgement(store, "changed", "ben", {"verdict": "tie"})
    add_judgement(store, "changed", "ben", {"verdict": "a"})
    verdicts = measure_project_agreement(store, "p", 0)[0].agreement
    assert (verdicts.ratings, verdicts.pairable_units, verdicts.unanimous) == (4, 2, 1)
    assert read_work(store, PROJECT).rows.height == 4
