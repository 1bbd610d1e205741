"""Chosen tasks come first in the queue, and go back where they were."""

from __future__ import annotations

import pytest

from pitchpipe.store.coverage.asking_next import ask_next, find_latest_asked, undo_ask_next
from pitchpipe.store.coverage.next_labels import NextLabel
from pitchpipe.store.coverage.sending import send_next
from pitchpipe.store.curation.curating import undo_action
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.queue.queueing import claim_next_task
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer


@pytest.fixture
def queue(store: Store) -> Store:
    """Four comparisons for three raters each; the last is complete."""
    for number in range(4):
        add_example(store, f"e{number}", "xy")
        add_task(store, f"t{number}", f"e{number}", "compare", "xy", position=number)
    for rater in ("ben", "eva", "kim"):
        add_judgement(store, "t3", rater, prefer("a"))
    return store


def state(store: Store) -> dict[str, tuple[int, int]]:
    return {row[0]: row[1:] for row in store.read("SELECT id, priority, overlap FROM tasks ORDER BY id")}


def test_asked_tasks_are_served_first_also_to_who_has_begun(queue: Store) -> None:
    first = claim_next_task(queue, PROJECT, "ben")
    assert first is not None and first.task_id == "t0"
    ask_next(queue, PROJECT, ["t2"], "lea")
    submit_judgement(
        queue, judgement_id="j1", task_id="t0", annotator="ben", token=first.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    following = claim_next_task(queue, PROJECT, "ben")  # not t1, which ben's window of the queue has next
    assert following is not None and following.task_id == "t2"


def test_a_complete_task_asks_for_one_more_rater(queue: Store) -> None:
    asked = ask_next(queue, PROJECT, ["t3", "t1", "t1"], "lea")
    assert (asked.raised, asked.widened, asked.priority) == (2, 1, 1)
    assert state(queue) == {"t0": (0, 3), "t1": (1, 3), "t2": (0, 3), "t3": (1, 4)}
    task = claim_next_task(queue, PROJECT, "zoe")
    assert task is not None and task.task_id == "t1"
    # What is asked later comes before it.
    assert ask_next(queue, PROJECT, ["t2"], "lea").priority == 2


def test_what_was_asked_is_put_back_once(queue: Store) -> None:
    before = state(queue)
    asked = ask_next(queue, PROJECT, ["t3", "t1"], "lea")
    assert find_latest_asked(queue, PROJECT) == (asked.id, 2)
    assert undo_ask_next(queue, PROJECT, asked.id, "lea") == 2
    assert state(queue) == before and find_latest_asked(queue, PROJECT) is None
    with pytest.raises(NotFoundError, match="nothing"):
        undo_ask_next(queue, PROJECT, asked.id, "lea")


def test_a_place_that_somebody_took_stays(queue: Store) -> None:
    asked = ask_next(queue, PROJECT, ["t3"], "lea")
    task = claim_next_task(queue, PROJECT, "zoe")
    assert task is not None and task.task_id == "t3"
    undo_ask_next(queue, PROJECT, asked.id, "lea")
    assert state(queue)["t3"] == (0, 4)


def test_a_priority_that_was_changed_since_stays(queue: Store) -> None:
    asked = ask_next(queue, PROJECT, ["t1"], "lea")
    later = ask_next(queue, PROJECT, ["t1"], "lea")
    undo_ask_next(queue, PROJECT, asked.id, "lea")
    assert state(queue)["t1"] == (later.priority, 3)


def test_an_unknown_task_and_no_task_are_refused_whole(queue: Store) -> None:
    before = state(queue)
    with pytest.raises(NotFoundError, match="no task 'nowhere'"):
        ask_next(queue, PROJECT, ["t1", "nowhere"], "lea")
    with pytest.raises(UsageError, match="No task"):
        ask_next(queue, PROJECT, [], "lea")
    assert state(queue) == before


def test_proposals_without_a_task_get_one_at_the_head_and_all_is_taken_back(queue: Store) -> None:
    add_example(queue, "bare", "x")
    before = state(queue)
    labels = [NextLabel("e1", "t1", "compare", 0, 1.0, "", ""), NextLabel("bare", None, "rate", 0, 0.9, "", "")]
    sent = send_next(queue, PROJECT, labels, "lea")
    assert (sent.raised, sent.widened, sent.made_for) == (1, 0, 1)
    made = queue.read("SELECT kind, example_id, priority FROM tasks WHERE action_id = ?", [sent.action_ids[0]])
    assert made == [("rate", "bare", 1)]
    assert sent.asked_id is not None
    undo_ask_next(queue, PROJECT, sent.asked_id, "lea")
    undo_action(queue, sent.action_ids[0], "lea")
    assert state(queue) == before
    with pytest.raises(UsageError, match="nothing to send"):
        send_next(queue, PROJECT, [], "lea")
