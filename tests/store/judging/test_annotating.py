"""Submitting, drafting and undoing: exactly once, nothing lost, nothing overwritten."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.annotating import save_draft, submit_judgement
from pitchpipe.store.judging.judgement_values import to_screen_value, to_stored_value
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.records import ClaimedTask, SubmitOutcome, TaskKind

FIRST = {"verdict": "first", "strength": -2}


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """These guarantees hold in both homes of the tables."""
    return str(request.param)


@pytest.fixture
def task(compare_store: Store) -> ClaimedTask:
    claimed = claim_next_task(compare_store, "p", "ana")
    assert claimed is not None
    return claimed


def send(store: Store, task: ClaimedTask, judgement_id: str = "j1", token: str | None = None) -> SubmitOutcome:
    return submit_judgement(
        store, judgement_id=judgement_id, task_id=task.task_id, annotator="ana", token=token or task.token,
        value=FIRST, reason="clearer", seconds=3.5,
    )  # fmt: skip


def count_judgements(store: Store) -> int:
    return int(store.read("SELECT count(*) FROM judgements")[0][0])


def test_the_same_submit_five_times_is_one_judgement_and_five_successes(
    compare_store: Store, task: ClaimedTask
) -> None:
    with ThreadPoolExecutor(5) as pool:
        outcomes = list(pool.map(lambda _: send(compare_store, task), range(5)))
    assert sorted(outcomes) == [SubmitOutcome.RECORDED] + [SubmitOutcome.REPEATED] * 4
    assert count_judgements(compare_store) == 1


def test_a_second_judgement_under_a_used_lease_is_stale(compare_store: Store, task: ClaimedTask) -> None:
    assert send(compare_store, task, "j1") is SubmitOutcome.RECORDED
    assert send(compare_store, task, "j2") is SubmitOutcome.STALE
    assert count_judgements(compare_store) == 1


def test_an_id_that_stands_for_another_judgement_is_refused_not_swallowed(
    compare_store: Store, task: ClaimedTask
) -> None:
    send(compare_store, task, "j1")
    second = claim_next_task(compare_store, "p", "ana")
    assert second is not None
    with pytest.raises(UsageError, match="belongs to another"):
        send(compare_store, second, "j1")
    assert count_judgements(compare_store) == 1


def test_a_wrong_token_records_nothing(compare_store: Store, task: ClaimedTask) -> None:
    assert send(compare_store, task, token="0" * 16) is SubmitOutcome.STALE
    assert count_judgements(compare_store) == 0


def test_a_submit_sooner_than_the_dwell_is_refused_and_its_id_stays_usable(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE projects SET minimum_dwell_ms = 5000"))
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    assert send(compare_store, task) is SubmitOutcome.TOO_FAST
    compare_store.write(lambda t: t.run("UPDATE projects SET minimum_dwell_ms = 0"))
    assert send(compare_store, task) is SubmitOutcome.RECORDED


def test_a_draft_is_kept_until_the_judgement_is_recorded(compare_store: Store, task: ClaimedTask) -> None:
    body = {"value": {"verdict": "second", "strength": 1}, "reason": "half a sent"}
    assert save_draft(compare_store, task.task_id, "ana", task.token, body)
    reloaded = claim_next_task(compare_store, "p", "ana")
    assert reloaded is not None
    assert reloaded.draft == body
    assert not save_draft(compare_store, task.task_id, "ana", "no such token", {"reason": "x"})
    send(compare_store, task)
    assert compare_store.read("SELECT count(*) FROM drafts") == [(0,)]


def test_a_corrected_answer_becomes_a_candidate_of_its_own(compare_store: Store) -> None:
    from pitchpipe.store.queue.tasking import create_tasks

    create_project(compare_store, "p")
    create_tasks(compare_store, "p", "edit")
    compare_store.write(lambda t: t.run("DELETE FROM tasks WHERE kind = 'compare'"))
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    assert task.kind is TaskKind.EDIT
    outcome = submit_judgement(
        compare_store, judgement_id="e1", task_id=task.task_id, annotator="ana", token=task.token,
        value={"text": "better"},
    )  # fmt: skip
    assert outcome is SubmitOutcome.RECORDED
    rows = compare_store.read("SELECT origin, text, parent_id FROM candidates WHERE judgement_id = 'e1'")
    assert rows == [("person", "better", task.answers[0].candidate_id)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TaskKind.COMPARE, {"verdict": "left"}),
        (TaskKind.COMPARE, {"verdict": "first", "strength": 2}),
        (TaskKind.COMPARE, {"verdict": "tie", "strength": 1}),
        (TaskKind.COMPARE, {"verdict": "first", "strength": -4}),
        (TaskKind.RATE, {}),
        (TaskKind.RATE, {"helpfulness": ["3"]}),
        (TaskKind.RATE, {"helpfulness": True}),
        (TaskKind.EDIT, {"text": "   "}),
        (TaskKind.TAG, {"labels": []}),
        (TaskKind.RANK, {"ranks": [0]}),
    ],
)
def test_a_value_that_does_not_fit_its_kind_is_refused_with_advice(kind: TaskKind, value: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        to_stored_value(kind, value, ["c1", "c2"], ["c2", "c1"])
    assert caught.value.advice.startswith("It must be")


@pytest.mark.parametrize("shown", [["c1", "c2"], ["c2", "c1"]])
@pytest.mark.parametrize(
    "value",
    [
        FIRST,
        {"verdict": "second", "strength": 3},
        {"verdict": "tie", "strength": 0},
        {"verdict": "both_bad", "strength": None},
    ],
)
def test_a_comparison_goes_to_the_store_and_back_unchanged(shown: list[str], value: dict[str, object]) -> None:
    stored = to_stored_value(TaskKind.COMPARE, value, ["c1", "c2"], shown)
    assert to_screen_value(TaskKind.COMPARE, json.loads(json.dumps(stored)), ["c1", "c2"], shown) == value
