"""Undo, redo and reopen: everything comes back as it was, and overlap holds whatever happens in between."""

from __future__ import annotations

import itertools
import time
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.judging.annotating import save_draft, skip_task, submit_judgement
from pitchpipe.store.judging.flagging import close_flag, flag_task, list_flags
from pitchpipe.store.judging.undoing import redo_last, reopen_task, undo_last
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.records import ClaimedTask, SubmitOutcome

FIRST = {"verdict": "first", "strength": -2}


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """These guarantees hold in both homes of the tables."""
    return str(request.param)


@pytest.fixture
def task(compare_store: Store) -> ClaimedTask:
    return claim(compare_store)


def claim(store: Store, annotator: str = "ana", project: str = "p") -> ClaimedTask:
    claimed = claim_next_task(store, project, annotator)
    assert claimed is not None
    return claimed


def send(store: Store, task: ClaimedTask, judgement_id: str | None = None, annotator: str = "ana") -> SubmitOutcome:
    return submit_judgement(
        store, judgement_id=judgement_id or uuid.uuid4().hex, task_id=task.task_id, annotator=annotator,
        token=task.token, value=FIRST, reason="clearer", seconds=3.5,
    )  # fmt: skip


def skip(store: Store, task: ClaimedTask, annotator: str = "ana") -> SubmitOutcome:
    return skip_task(
        store, judgement_id=uuid.uuid4().hex, task_id=task.task_id, annotator=annotator, token=task.token, reason="hard"
    )


def flag(store: Store, task: ClaimedTask, flag_id: str = "f1", annotator: str = "ana") -> SubmitOutcome:
    return flag_task(
        store, flag_id=flag_id, task_id=task.task_id, annotator=annotator, token=task.token, kind="flag", words="odd"
    )


def test_undo_after_submit_gives_the_task_back_with_what_was_entered(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task, "j1")
    undone = undo_last(compare_store, "p", "ana")
    assert undone is not None
    back = undone.task
    assert undone.action == "submit"
    assert back is not None
    assert back.task_id == task.task_id
    assert back.answers == task.answers
    assert back.draft is not None
    assert 0 <= time.time() * 1000 - back.draft["at"] < 60_000  # newer than whatever a browser kept
    assert back.draft == {"value": FIRST, "reason": "clearer", "seconds": 3.5, "at": back.draft["at"]}
    assert back.is_reopened
    assert back.token != task.token
    statuses = compare_store.read("SELECT status, supersedes FROM judgements ORDER BY entry")
    assert statuses == [("submitted", None), ("retracted", "j1")]
    again = claim(compare_store)
    assert again.task_id == task.task_id
    assert send(compare_store, again, "j2") is SubmitOutcome.RECORDED
    assert compare_store.read("SELECT status FROM judgements ORDER BY entry DESC LIMIT 1") == [("submitted",)]


def test_undo_twice_reaches_the_judgement_before_and_redo_twice_brings_both_back(
    compare_store: Store, task: ClaimedTask
) -> None:
    send(compare_store, task, "j1")
    second = claim(compare_store)
    send(compare_store, second, "j2")
    undone = [undo_last(compare_store, "p", "ana"), undo_last(compare_store, "p", "ana")]
    assert [back.task.task_id for back in undone if back and back.task] == [second.task_id, task.task_id]
    assert undo_last(compare_store, "p", "ana") is None
    redone = [redo_last(compare_store, "p", "ana"), redo_last(compare_store, "p", "ana")]
    assert [back.action for back in redone if back] == ["submit", "submit"]
    assert redo_last(compare_store, "p", "ana") is None
    rows = compare_store.read(
        "SELECT task_id, status, value, reason, seconds, shown FROM judgements ORDER BY entry DESC LIMIT 2"
    )
    first_rows = compare_store.read(
        "SELECT task_id, status, value, reason, seconds, shown FROM judgements WHERE id IN ('j1', 'j2') ORDER BY id"
    )
    assert sorted(rows) == sorted(first_rows)
    assert compare_store.read("SELECT count(*) FROM assignments WHERE leased_until IS NULL") == [(2,)]
    assert compare_store.read("SELECT count(*) FROM drafts") == [(0,)]


def test_undo_of_a_skip_brings_the_task_back_with_its_draft_in_the_same_order(
    compare_store: Store, task: ClaimedTask
) -> None:
    for _ in range(8):  # a new order would differ once in two tries
        body = {"value": {"verdict": "first"}, "reason": "half"}
        held = claim(compare_store)
        assert held.task_id == task.task_id
        save_draft(compare_store, held.task_id, "ana", held.token, body)
        skip(compare_store, held)
        undone = undo_last(compare_store, "p", "ana")
        assert undone is not None
        assert undone.task is not None
        assert (undone.action, undone.task.answers, undone.task.draft) == ("skip", task.answers, body)


def test_the_task_held_meanwhile_waits_behind_the_one_that_came_back(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task)
    held = claim(compare_store)
    undo_last(compare_store, "p", "ana")
    assert claim(compare_store).task_id == task.task_id
    redo_last(compare_store, "p", "ana")
    again = claim(compare_store)
    assert (again.task_id, again.token) == (held.task_id, held.token)


def test_a_new_action_ends_what_could_be_redone(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task)
    undo_last(compare_store, "p", "ana")
    send(compare_store, claim(compare_store))
    assert redo_last(compare_store, "p", "ana") is None


def test_undo_never_touches_another_annotator_or_an_imported_judgement(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task)
    assert undo_last(compare_store, "p", "ben") is None
    compare_store.write(lambda t: t.run("UPDATE judgements SET source = 'imp_1'"))
    assert undo_last(compare_store, "p", "ana") is None


def test_what_somebody_else_took_back_is_neither_undone_nor_redone(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task)
    undo_last(compare_store, "p", "ana")
    compare_store.write(lambda t: t.run("UPDATE judgements SET source = 'review' WHERE status = 'retracted'"))
    assert undo_last(compare_store, "p", "ana") is None
    assert redo_last(compare_store, "p", "ana") is None


def test_a_redo_says_so_when_others_have_filled_the_task_and_records_nothing(
    compare_store: Store, task: ClaimedTask
) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    send(compare_store, task)
    undo_last(compare_store, "p", "ana")
    # The lease of the undo runs out and ben takes the slot.
    compare_store.write(lambda t: t.run("UPDATE assignments SET leased_until = claimed_at"))
    other = claim(compare_store, "ben")
    assert other.task_id == task.task_id
    send(compare_store, other, annotator="ben")
    before = compare_store.read("SELECT count(*) FROM judgements")
    with pytest.raises(UsageError, match="Others have filled"):
        redo_last(compare_store, "p", "ana")
    assert compare_store.read("SELECT count(*) FROM judgements") == before
    with pytest.raises(UsageError, match="Others have filled"):
        reopen_task(compare_store, "p", "ana", task.task_id)


def test_an_old_task_is_reopened_from_the_history_and_judged_anew(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task, "j1")
    send(compare_store, claim(compare_store), "j2")
    back = reopen_task(compare_store, "p", "ana", task.task_id)
    assert back.task_id == task.task_id
    assert back.draft is not None
    assert (back.draft["value"], back.draft["reason"]) == (FIRST, "clearer")
    assert claim(compare_store).task_id == task.task_id
    assert reopen_task(compare_store, "p", "ana", task.task_id).task_id == task.task_id  # twice is no harm
    assert send(compare_store, claim(compare_store), "j3") is SubmitOutcome.RECORDED
    latest = compare_store.read("SELECT id, status FROM judgements WHERE task_id = ? ORDER BY entry", [task.task_id])
    assert [row[1] for row in latest] == ["submitted", "retracted", "submitted"]
    with pytest.raises(NotFoundError, match="has not judged"):
        reopen_task(compare_store, "p", "ben", task.task_id)


def test_a_flag_is_recorded_once_needs_words_and_can_be_undone_and_redone(
    compare_store: Store, task: ClaimedTask
) -> None:
    assert [flag(compare_store, task), flag(compare_store, task)] == [SubmitOutcome.RECORDED, SubmitOutcome.REPEATED]
    with pytest.raises(UsageError, match="note is empty"):
        flag_task(
            compare_store, flag_id="f2", task_id=task.task_id, annotator="ana", token=task.token, kind="flag", words=" "
        )
    assert [found["words"] for found in list_flags(compare_store, "p")] == ["odd"]
    undone = undo_last(compare_store, "p", "ana")
    assert undone is not None
    assert undone.action == "flag"
    assert undone.task is not None  # still held
    assert list_flags(compare_store, "p") == []
    assert len(list_flags(compare_store, "p", only_open=False)) == 1
    redo_last(compare_store, "p", "ana")
    assert len(list_flags(compare_store, "p")) == 1


def test_a_flag_that_was_dealt_with_is_out_of_the_reach_of_undo(compare_store: Store, task: ClaimedTask) -> None:
    send(compare_store, task)
    assert flag(compare_store, task) is SubmitOutcome.RECORDED  # on a task judged just now
    close_flag(compare_store, "f1", "cara")
    undone = undo_last(compare_store, "p", "ana")
    assert undone is not None
    assert undone.action == "submit"
    with pytest.raises(NotFoundError):
        close_flag(compare_store, "f9", "cara")


def test_flags_undos_and_redos_come_back_from_the_journal(store: Store, compare_store: Store, home: str) -> None:
    if home == "postgres":
        return  # it keeps its own log
    task = claim(compare_store)
    compare_store.checkpoint()
    flag(compare_store, task, "f1")
    flag(compare_store, task, "f2")
    undo_last(compare_store, "p", "ana")
    send(compare_store, task, "j1")
    undo_last(compare_store, "p", "ana")
    redo_last(compare_store, "p", "ana")
    tables = ("judgements", "assignments", "flags", "flag_log")
    before = [compare_store.read(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    journal = (compare_store.workspace / "journal.jsonl").read_bytes()
    # As after a torn log: nothing since the checkpoint is in the file, the journal has it.
    for table in ("judgements", "flags", "flag_log"):
        compare_store.write(lambda t, table=table: t.run(f"DELETE FROM {table}"))
    compare_store.close()
    (compare_store.workspace / "journal.jsonl").write_bytes(journal)
    opened = open_store(compare_store.workspace)
    assert [opened.read(f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == before
    opened.close()


_names = itertools.count()


def make_small_project(store: Store) -> str:
    """A project of three tasks at overlap 1 on the examples of `compare_store`."""
    name = f"small{next(_names)}"
    project = create_project(store, name, overlap=1, holdout_share=0.0, minimum_dwell_ms=0)
    store.write(
        lambda t: t.run(
            "INSERT INTO tasks (id, project_id, example_id, kind, candidate_ids, overlap, priority, batch, position, "
            "created_at) SELECT id || ?, ?, example_id, kind, candidate_ids, 1, priority, batch, position, created_at "
            "FROM tasks WHERE batch = '' AND id NOT LIKE '%small%' ORDER BY position LIMIT 3",
            [name, project.id],
        )
    )
    return name


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["ana", "ben"]), st.sampled_from(["submit", "skip", "flag", "undo", "redo"])),
        max_size=18,
    )
)
def test_any_sequence_equals_two_plain_stacks_and_never_exceeds_the_overlap(
    compare_store: Store, steps: list[tuple[str, str]]
) -> None:
    project = make_small_project(compare_store)
    project_id = compare_store.read("SELECT id FROM projects WHERE name = ?", [project])[0][0]
    done: dict[str, list[tuple[str, str]]] = {"ana": [], "ben": []}
    undone: dict[str, list[tuple[str, str]]] = {"ana": [], "ben": []}
    for name, action in steps:
        if action in ("submit", "skip", "flag"):
            task = claim_next_task(compare_store, project, name)
            if task is None:
                continue
            act = {"submit": send, "skip": skip}.get(action)
            if act is not None:
                assert act(compare_store, task, annotator=name) is SubmitOutcome.RECORDED
            else:
                assert flag(compare_store, task, uuid.uuid4().hex, name) is SubmitOutcome.RECORDED
            done[name].append((action, task.task_id))
            undone[name].clear()
        elif action == "undo":
            taken = undo_last(compare_store, project, name)
            assert (taken is None) == (not done[name])
            if taken is not None:
                assert taken.action == done[name][-1][0]
                undone[name].append(done[name].pop())
        else:
            check_redo(compare_store, project, name, done[name], undone[name])
        check_equal(compare_store, project_id, name, done[name])
    over = compare_store.read(
        "SELECT task_id FROM assignments WHERE project_id = ? GROUP BY task_id HAVING count(*) > 1", [project_id]
    )
    assert over == []


def check_redo(
    store: Store, project: str, name: str, done: list[tuple[str, str]], undone: list[tuple[str, str]]
) -> None:
    if not undone:
        assert redo_last(store, project, name) is None
        return
    action, task_id = undone[-1]
    others = store.read("SELECT annotator FROM assignments WHERE task_id = ? AND annotator <> ?", [task_id, name])
    if action == "submit" and others:
        with pytest.raises(UsageError, match="Others have filled"):
            redo_last(store, project, name)
        return
    redone = redo_last(store, project, name)
    assert redone is not None
    assert redone.action == action
    done.append(undone.pop())


def check_equal(store: Store, project_id: str, name: str, done: list[tuple[str, str]]) -> None:
    latest = store.read(
        "SELECT task_id, arg_max(status, entry) FROM judgements WHERE project_id = ? AND annotator = ? GROUP BY 1",
        [project_id, name],
    )
    words = {"submit": "submitted", "skip": "skipped"}
    standing = {(task_id, status) for task_id, status in latest if status != "retracted"}
    assert standing == {(task_id, words[action]) for action, task_id in done if action in words}
    flags = store.read(
        "SELECT count(*) FROM flags WHERE project_id = ? AND annotator = ? AND closed_at IS NULL", [project_id, name]
    )
    assert flags == [(sum(action == "flag" for action, _ in done),)]
