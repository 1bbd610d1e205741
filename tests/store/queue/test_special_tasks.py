"""Known answers, repeats and suggestions beside ordinary work: neither may touch the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.annotating import skip_task
from pitchpipe.store.projects import change_rules
from pitchpipe.store.queue.gold import set_gold
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from pitchpipe.store.queue.standing import read_standing
from pitchpipe.store.queue.suggesting import add_suggestions
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.store.review.adjudicating import adjudicate
from pitchpipe.store.review.asking_again import ask_again
from pitchpipe.store.team.people import change_person, sign_in
from tests.store.desk import add_example, claim, judge

LEFT = {"verdict": "a", "strength": -1}


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """These rules hold in both homes of the tables."""
    return str(request.param)


def list_tasks(store: Store) -> list[str]:
    return [row[0] for row in store.read("SELECT id FROM tasks ORDER BY position, id")]


def test_a_pair_with_a_known_answer_gets_no_twin_when_its_answers_come_the_other_way_round(
    store: Store, tmp_path: Path
) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare")
    set_gold(store, "p", list_tasks(store)[0], LEFT)
    store.write(lambda t: t.run("UPDATE candidates SET created_at = TIMESTAMP '2026-01-02' WHERE text = 'x'"))
    assert create_tasks(store, "p", "compare")["made"] == 0


def test_what_was_written_to_a_known_answer_or_in_a_repeat_becomes_no_task(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    set_gold(store, "p", list_tasks(store)[0], {"text": "The lid is green."})
    change_rules(store, "p", calibration_tasks=1)
    judge(store, "ana", {"text": "The lid is red."})
    assert create_tasks(store, "p", "compare")["made"] == 0
    add_example(store, tmp_path, [], prompt="What of the base?")
    create_tasks(store, "p", "write")
    set_gold(store, "p", list_tasks(store)[1], {"text": "It is round."})
    change_rules(store, "p", calibration_tasks=2)
    judge(store, "ana", {"instruction": "And how does one open it at all?", "text": "By hand."})
    assert create_tasks(store, "p", "rate")["asked"] == 1  # the imported answer alone


def test_a_task_of_a_sealed_blind_review_gets_no_known_answer(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare")
    store.write(lambda t: t.run("UPDATE tasks SET batch = 'run-1'"))
    with pytest.raises(UsageError, match="sealed"):
        set_gold(store, "p", list_tasks(store)[0], LEFT)
    assert store.read("SELECT purpose FROM tasks") == [(None,)]


def test_a_curator_who_settles_a_known_answer_they_skipped_is_not_served_it_again(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare")
    (task_id,) = list_tasks(store)
    set_gold(store, "p", task_id, LEFT)
    change_rules(store, "p", calibration_tasks=1)
    task = claim(store, "cora")
    skip_task(store, judgement_id="s", task_id=task_id, annotator="cora", token=task.token, reason="odd")
    adjudicate(store, "p", task_id, LEFT, reason="", actor="cora", adjudication_id="a")
    store.queue_memory.drop_windows()
    assert claim_next_task(store, "p", "cora") is None
    assert read_standing(store, "p", "cora").calibration_left == 0


def test_a_known_answer_that_a_curator_asks_anew_counts_again_only_once_it_is_given(
    store: Store, tmp_path: Path
) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare")
    set_gold(store, "p", list_tasks(store)[0], LEFT)
    change_rules(store, "p", calibration_tasks=1)
    judge(store, "ana", {"verdict": "b", "strength": 3}, judgement_id="j")
    ask_again(store, "p", ["j"], "cora", "the guideline changed")
    claim(store, "ana")
    assert read_standing(store, "p", "ana").gold_judged == 0
    judge(store, "ana", LEFT)
    standing = read_standing(store, "p", "ana")
    assert (standing.gold_right, standing.gold_judged) == (1, 1)


def test_a_task_that_was_taken_back_from_its_rater_is_not_repeated(store: Store, tmp_path: Path) -> None:
    for number in range(3):
        add_example(store, tmp_path, ["x", "y"], prompt=f"Question number {number}?")
    create_tasks(store, "p", "compare")
    change_rules(store, "p", repeat_every=2)
    first = judge(store, "ana", LEFT, judgement_id="j0")
    ask_again(store, "p", ["j0"], "cora", "the guideline changed")
    assert claim(store, "ana").task_id == first.task_id
    # Others take her slot when her lease has run out.
    store.write(lambda t: t.run("DELETE FROM assignments WHERE task_id = ?", [first.task_id]))
    store.write(lambda t: t.run("UPDATE tasks SET overlap = 0 WHERE id = ?", [first.task_id]))
    store.queue_memory.forget_person(store.read("SELECT id FROM projects")[0][0], "ana")
    second = judge(store, "ana", LEFT)
    judge(store, "ana", LEFT)
    repeat = claim(store, "ana")
    assert store.read("SELECT repeat_of FROM tasks WHERE id = ?", [repeat.task_id]) == [(second.task_id,)]


def test_calibration_leaves_out_what_the_annotator_lacks_the_skill_for_until_they_have_it(
    store: Store, tmp_path: Path
) -> None:
    add_example(store, tmp_path, ["x", "y"])
    create_tasks(store, "p", "compare", skill="de")
    (known,) = list_tasks(store)
    set_gold(store, "p", known, LEFT)
    add_example(store, tmp_path, ["x2", "y2"], prompt="Another question?")
    create_tasks(store, "p", "compare")
    change_rules(store, "p", calibration_tasks=1)
    sign_in(store, "ana")
    assert read_standing(store, "p", "ana").calibration_left == 0
    assert count_progress(store, "p", "ana").available == 1
    change_person(store, "ana", skills=["de"], actor="ana")
    assert read_standing(store, "p", "ana").calibration_left == 1
    assert claim(store, "ana").task_id == known


def test_a_suggestion_that_comes_after_the_claim_is_neither_shown_nor_recorded(store: Store, tmp_path: Path) -> None:
    for number in range(2):
        add_example(store, tmp_path, ["x", "y"], prompt=f"Question number {number}?")
    create_tasks(store, "p", "compare")
    first, second = list_tasks(store)
    change_rules(store, "p", suggestions=True)
    add_suggestions(store, "p", [{"task_id": first, "value": LEFT}], "early")
    shown = claim(store, "ana").suggestion
    rival = {"verdict": "b", "strength": 2}
    add_suggestions(store, "p", [{"task_id": first, "value": rival}], "late")
    assert claim(store, "ana").suggestion == shown  # after a reload, too
    judge(store, "ana", LEFT)
    assert claim(store, "ana").suggestion is None
    add_suggestions(store, "p", [{"task_id": second, "value": rival}], "late")
    judge(store, "ana", LEFT)
    details = [row[0] and json.loads(row[0]) for row in store.read("SELECT detail FROM judgements ORDER BY entry")]
    assert details == [{"suggestion": {"source": "early", "score": None, "is_accepted": True}}, None]
