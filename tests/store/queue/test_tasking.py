"""Tasks for people: made once, widened when more judges are wanted, never for what was dropped or taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.queue.tasking import count_tasks, create_tasks
from tests.store.desk import add_example


def test_the_same_tasks_are_made_once_and_a_limit_goes_on_where_it_stopped(compare_store: Store) -> None:
    assert create_tasks(compare_store, "p", "rate", limit=2) == {"asked": 20, "made": 2, "widened": 0}
    assert create_tasks(compare_store, "p", "rate", limit=3)["made"] == 3
    assert create_tasks(compare_store, "p", "rate")["made"] == 15
    assert create_tasks(compare_store, "p", "rate")["made"] == 0


def test_tasks_that_are_there_are_widened_when_more_annotators_are_asked_for(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    assert create_tasks(compare_store, "p", "compare", overlap=3) == {"asked": 10, "made": 0, "widened": 10}
    assert compare_store.read("SELECT DISTINCT overlap FROM tasks") == [(3,)]
    assert create_tasks(compare_store, "p", "compare", overlap=2)["widened"] == 0


def test_a_dropped_example_and_an_answer_that_was_taken_back_get_no_task(compare_store: Store) -> None:
    dropped = compare_store.read("SELECT id FROM examples ORDER BY position LIMIT 1")[0][0]
    decide(compare_store, dropped, "drop", "off topic", "cora")
    create_tasks(compare_store, "p", "edit", limit=1)
    compare_store.write(lambda t: t.run("UPDATE tasks SET priority = 1 WHERE kind = 'edit'"))
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    submit_judgement(
        compare_store, judgement_id="e", task_id=task.task_id, annotator="ana", token=task.token, value={"text": "oops"}
    )
    assert create_tasks(compare_store, "p", "rate")["asked"] == 19  # nine examples with two answers, and the correction
    undo_last(compare_store, "p", "ana")
    assert create_tasks(compare_store, "p", "rate")["asked"] == 18


@pytest.mark.parametrize("values", [{"kind": "guess"}, {"kind": "rate", "overlap": 0}, {"kind": "rate", "limit": 0}])
def test_what_cannot_be_made_is_refused(compare_store: Store, values: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        create_tasks(compare_store, "p", **values)  # type: ignore[arg-type]
    assert count_tasks(compare_store, "p")[0]["tasks"] == 10


def test_a_ranking_takes_three_to_nine_answers_and_says_where_it_left_some_out(store: Store, tmp_path: Path) -> None:
    for count in (2, 3, 12):
        add_example(store, tmp_path, [f"answer {number}" for number in range(count)], prompt=f"Ask {count}")
    assert create_tasks(store, "p", "rank") == {"asked": 2, "made": 2, "widened": 0, "shortened": 1}
    sizes = [len(json.loads(row[0])) for row in store.read("SELECT candidate_ids FROM tasks ORDER BY position")]
    assert sizes == [3, 9]
    assert create_tasks(store, "p", "rank")["made"] == 0


def test_turns_are_asked_of_conversations_that_have_some_and_labels_of_every_example(
    store: Store, tmp_path: Path
) -> None:
    user, reply = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}
    add_example(store, tmp_path, [], prompt="one", messages=[user])
    add_example(store, tmp_path, [], prompt="two", messages=[user, reply, user])
    answered = add_example(store, tmp_path, ["Bye."], prompt="three", messages=[user, reply, user])
    create_tasks(store, "p", "turns", rubric="turns", priority=7, skill="german")
    rows = store.read("SELECT candidate_ids, rubric, priority, skill FROM tasks ORDER BY position")
    assert rows == [("[]", "turns", 7, "german"), (f'["{answered}-0"]', "turns", 7, "german")]
    assert create_tasks(store, "p", "tag", rubric="topics")["made"] == 3
    assert create_tasks(store, "p", "span", rubric="errors")["made"] == 1


@pytest.mark.parametrize(
    ("parts", "tasks"),
    [(["compare", "rate", "edit"], [2, 2]), (["rank", "tag"], [3]), (["rate", "tag"], [1, 1, 1])],
)
def test_a_screen_gets_as_many_answers_as_its_parts_need(
    store: Store, tmp_path: Path, parts: list[str], tasks: list[int]
) -> None:
    add_example(store, tmp_path, ["a", "b", "c"])
    create_tasks(store, "p", "screen", rubric="mine", parts=parts)
    assert [len(json.loads(row[0])) for row in store.read("SELECT candidate_ids FROM tasks")] == tasks


def test_another_rubric_is_another_task_and_the_projects_own_is_the_one_that_is_there(compare_store: Store) -> None:
    assert create_tasks(compare_store, "p", "compare", rubric="preference")["made"] == 0
    assert create_tasks(compare_store, "p", "compare", rubric="safety")["made"] == 10
    assert create_tasks(compare_store, "p", "compare", rubric="safety")["made"] == 0
    assert create_tasks(compare_store, "p", "compare")["made"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "tag"},
        {"kind": "screen", "rubric": "mine"},
        {"kind": "rate", "parts": ["rate"]},
        {"kind": "rate", "priority": 2_000_000},
    ],
)
def test_a_task_that_would_ask_nothing_or_the_wrong_thing_is_refused(
    compare_store: Store, values: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        create_tasks(compare_store, "p", **values)  # type: ignore[arg-type]
