"""Actions on many things at once: they count, are undone and done again as a whole, and take no one's work along."""

from __future__ import annotations

import time

import pytest

from pitchpipe.store.curation import catalogue, curating
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.curation.curating import act_on, list_actions, undo_action
from pitchpipe.store.curation.slices import find_examples
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.queue import queueing
from pitchpipe.store.queue.tasking import TaskOrder, count_tasks, create_tasks
from tests.store.desk import judge


def list_examples(store: Store) -> list[str]:
    return [row[0] for row in store.read("SELECT id FROM examples ORDER BY position")]


def find(store: Store, *condition: object) -> list[str]:
    return find_examples(store, "p", Slice(filters=(condition,)))  # type: ignore[arg-type]


def test_a_drop_counts_until_it_is_undone_and_again_when_the_undo_is_undone(compare_store: Store) -> None:
    ids = list_examples(compare_store)
    action = act_on(compare_store, "p", "drop", ids[:4], note="off topic", actor="cora")
    assert find(compare_store, "decision", "is", ["drop"]) == ids[:4]
    assert create_tasks(compare_store, "p", "rate")["asked"] == 12  # six examples with two answers each
    undone = undo_action(compare_store, action, "ben")
    assert find(compare_store, "decision", "is", ["drop"]) == []
    assert (undone.action.undone_by, undone.kept_tasks) == ("ben", 0)
    assert create_tasks(compare_store, "p", "rate")["asked"] == 20
    undo_action(compare_store, action, "cora")
    assert find(compare_store, "decision", "is", ["drop"]) == ids[:4]
    assert list_actions(compare_store, "p")[0].undone_at is None


def test_an_undone_action_lets_the_decision_before_it_stand_again(compare_store: Store) -> None:
    first = list_examples(compare_store)[0]
    curating.decide(compare_store, first, "drop", "spam", "ana")
    action = act_on(compare_store, "p", "keep", [first], note="", actor="cora")
    assert find(compare_store, "decision", "is", ["keep"]) == [first]
    undo_action(compare_store, action, "cora")
    assert find(compare_store, "decision_reason", "contains", "SPAM") == [first]


def test_of_a_tag_the_latest_action_that_stands_counts(compare_store: Store) -> None:
    ids = list_examples(compare_store)
    act_on(compare_store, "p", "tag", ids[:3], note="", actor="cora", tag=" needs   review ")
    untag = act_on(compare_store, "p", "untag", ids[1:5], note="", actor="cora", tag="needs review")
    assert find(compare_store, "tags", "has", ["needs review"]) == ids[:1]
    undo_action(compare_store, untag, "cora")
    assert find(compare_store, "tags", "has", ["needs review"]) == ids[:3]
    assert [action.tag for action in list_actions(compare_store, "p")] == ["needs review", "needs review"]


def test_a_queue_makes_tasks_for_these_examples_alone_and_its_undo_takes_back_what_nobody_touched(
    compare_store: Store,
) -> None:
    ids = list_examples(compare_store)
    compare_store.write(lambda t: t.run("UPDATE tasks SET priority = -1"))
    action = act_on(compare_store, "p", "queue", ids[:2], note="", actor="cora", order=TaskOrder("rate"))
    assert list_actions(compare_store, "p")[0].things == 4
    judge(compare_store, "ana", {"helpfulness": 3})
    held = queueing.claim_next_task(compare_store, "p", "ben")
    assert held is not None and held.kind == "rate"
    undone = undo_action(compare_store, action, "cora")
    kept = 2 if held.task_id != _judged_task(compare_store) else 1
    assert undone.kept_tasks == kept
    assert compare_store.read("SELECT count(*) FROM tasks WHERE kind = 'rate'") == [(kept,)]
    # Nobody is handed a task that is gone.
    for name in ("ana", "ben"):
        task = queueing.claim_next_task(compare_store, "p", name)
        assert task is not None
    undo_action(compare_store, action, "cora")
    assert compare_store.read("SELECT count(*) FROM tasks WHERE kind = 'rate'") == [(4,)]


def _judged_task(store: Store) -> str:
    return str(store.read("SELECT task_id FROM judgements")[0][0])


def test_a_queue_that_would_make_nothing_is_told_and_leaves_no_action(compare_store: Store) -> None:
    ids = list_examples(compare_store)
    with pytest.raises(UsageError, match="No task of the kind 'compare' could be made"):
        act_on(compare_store, "p", "queue", ids, note="", actor="cora", order=TaskOrder("compare"))
    assert list_actions(compare_store, "p") == []
    assert count_tasks(compare_store, "p")[0]["tasks"] == 10


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "burn"}, "not known"),
        ({"kind": "drop", "note": " "}, "needs a reason"),
        ({"kind": "tag"}, "cannot be used"),
        ({"kind": "tag", "tag": "a\u202eb"}, "cannot be used"),
        ({"kind": "queue"}, "do not fit"),
        ({"kind": "keep", "target_ids": []}, "No example"),
    ],
)
def test_an_action_that_lacks_something_is_refused(compare_store: Store, values: dict[str, object], words: str) -> None:
    given = {"target_ids": list_examples(compare_store)[:1], "note": "", "actor": "cora", **values}
    with pytest.raises(UsageError, match=words):
        act_on(compare_store, "p", **given)  # type: ignore[arg-type]


def test_an_unknown_target_is_named_and_nothing_is_done(compare_store: Store) -> None:
    with pytest.raises(NotFoundError, match="1 of 2 are not in this project, such as 'ex_nobody'"):
        act_on(compare_store, "p", "keep", [list_examples(compare_store)[0], "ex_nobody"], note="", actor="cora")
    assert compare_store.read("SELECT count(*) FROM decisions") == [(0,)]
    with pytest.raises(NotFoundError, match="no action"):
        undo_action(compare_store, "act_none", "cora")


def test_answers_are_dropped_by_their_own_ids(compare_store: Store) -> None:
    answer, example = compare_store.read("SELECT id, example_id FROM candidates LIMIT 1")[0]
    act_on(compare_store, "p", "drop", [answer], note="rude", actor="cora")
    made = catalogue.open_catalogue(compare_store, "p")
    sql = "SELECT example_id FROM candidates WHERE decision = 'drop'"
    assert catalogue.list_ids(made, Slice(sql=sql)) == [example]


def test_fifty_thousand_are_dropped_in_seconds(compare_store: Store) -> None:
    compare_store.write(
        lambda t: t.run(
            "INSERT INTO candidates SELECT 'many' || range, project_id, example_id, origin, text, model, run_id, "
            "judgement_id, parent_id, created_at FROM (SELECT * FROM candidates LIMIT 1), range(50000)"
        )
    )
    began = time.process_time()
    act_on(compare_store, "p", "drop", [f"many{n}" for n in range(50_000)], note="x", actor="cora")
    assert time.process_time() - began < 10  # about one second; a row at a time it would take over a minute


def test_an_undo_from_an_old_page_does_not_turn_back_what_another_curator_undid(compare_store: Store) -> None:
    ids = list_examples(compare_store)
    action = act_on(compare_store, "p", "drop", ids[:4], note="off topic", actor="cora")
    undo_action(compare_store, action, "ben", is_undo=True)
    with pytest.raises(UsageError, match="undone by ben already"):
        undo_action(compare_store, action, "cora", is_undo=True)
    assert find(compare_store, "decision", "is", ["drop"]) == []
    undo_action(compare_store, action, "cora", is_undo=False)
    with pytest.raises(UsageError, match="done again already"):
        undo_action(compare_store, action, "ben", is_undo=False)
    assert find(compare_store, "decision", "is", ["drop"]) == ids[:4]
