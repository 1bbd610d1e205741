"""Tasks for people: made once, widened when more judges are wanted, never for what was dropped or taken back."""

from __future__ import annotations

import pytest

from pitchpipe.store.annotating import submit_judgement
from pitchpipe.store.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.queueing import claim_next_task
from pitchpipe.store.tasking import count_tasks, create_tasks
from pitchpipe.store.undoing import undo_last


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
