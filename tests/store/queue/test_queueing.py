"""The queue: no slot twice, no task twice to one person, a lease that ends frees its slot."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.judging.annotating import skip_task, submit_judgement
from pitchpipe.store.projects import change_rules
from pitchpipe.store.queue.gold import set_gold
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from pitchpipe.store.records import ClaimedTask, SubmitOutcome

FIRST = {"verdict": "first", "strength": -2}


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """These guarantees hold in both homes of the tables."""
    return str(request.param)


def submit(store: Store, task: ClaimedTask, annotator: str, **changes: object) -> SubmitOutcome:
    values = {"value": FIRST, "judgement_id": uuid.uuid4().hex, **changes}
    return submit_judgement(store, task_id=task.task_id, annotator=annotator, token=task.token, **values)  # type: ignore[arg-type]


def test_two_threads_that_race_for_one_slot_get_different_tasks(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    for _ in range(5):
        barrier = threading.Barrier(2)

        def claim(name: str, barrier: threading.Barrier = barrier) -> ClaimedTask:
            barrier.wait()
            task = claim_next_task(compare_store, "p", name)
            assert task is not None
            return task

        with ThreadPoolExecutor(2) as pool:
            one, two = pool.map(claim, ("ana", "ben"))
        assert one.task_id != two.task_id
        assert {submit(compare_store, one, "ana"), submit(compare_store, two, "ben")} == {SubmitOutcome.RECORDED}


def test_overlap_is_filled_and_never_exceeded_by_eight_racing_annotators(compare_store: Store) -> None:
    def work(name: str) -> int:
        done = 0
        while task := claim_next_task(compare_store, "p", name):
            assert submit(compare_store, task, name) is SubmitOutcome.RECORDED
            done += 1
        return done

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(work, [f"rater{n}" for n in range(8)]))
    pairs = compare_store.read("SELECT task_id, annotator FROM judgements")
    assert total == 20  # ten tasks, two slots each
    assert set(Counter(task for task, _ in pairs).values()) == {2}
    assert len(set(pairs)) == 20


@pytest.mark.parametrize("home", ["file"])
def test_twenty_threads_race_through_five_hundred_tasks_at_overlap_two(compare_store: Store) -> None:
    compare_store.write(
        lambda t: t.run(
            "INSERT INTO tasks (id, project_id, example_id, kind, candidate_ids, overlap, priority, batch, position, "
            "created_at) SELECT id || '_' || n, project_id, example_id, kind, candidate_ids, 2, 0, '', position + n, "
            "created_at FROM tasks, range(49) AS copies(n)"
        )
    )
    barrier = threading.Barrier(20)

    def work(name: str) -> int:
        barrier.wait()
        done = 0
        while task := claim_next_task(compare_store, "p", name):
            assert submit(compare_store, task, name) is SubmitOutcome.RECORDED
            done += 1
        return done

    with ThreadPoolExecutor(20) as pool:
        total = sum(pool.map(work, [f"rater{n}" for n in range(20)]))
    pairs = compare_store.read("SELECT task_id, annotator FROM judgements")
    assert total == len(pairs) == len(set(pairs)) == 1000
    assert set(Counter(task for task, _ in pairs).values()) == {2}
    assert compare_store.read("SELECT count(*) FROM assignments WHERE leased_until IS NOT NULL") == [(0,)]


def test_the_same_lease_comes_back_in_every_tab_and_after_a_reload(compare_store: Store) -> None:
    first, second = claim_next_task(compare_store, "p", "ana"), claim_next_task(compare_store, "p", "ana")
    assert first is not None
    assert second is not None
    assert (first.task_id, first.token, first.answers) == (second.task_id, second.token, second.answers)


def test_an_expired_lease_frees_its_slot_for_the_next_who_asks(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    held = claim_next_task(compare_store, "p", "ana")
    assert held is not None
    later = utc_now() + timedelta(days=1)
    taken = claim_next_task(compare_store, "p", "ben", now=later)
    assert taken is not None
    assert taken.task_id == held.task_id
    assert submit(compare_store, held, "ana") is SubmitOutcome.STALE
    assert compare_store.read("SELECT count(*) FROM judgements") == [(0,)]


def test_a_skipped_task_goes_to_others_but_not_back_to_the_one_who_skipped(compare_store: Store) -> None:
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    outcome = skip_task(
        compare_store, judgement_id="s1", task_id=task.task_id, annotator="ana", token=task.token, reason="unclear"
    )
    assert outcome is SubmitOutcome.RECORDED
    seen = set()
    while (next_one := claim_next_task(compare_store, "p", "ana")) is not None:
        seen.add(next_one.task_id)
        submit(compare_store, next_one, "ana")
    assert task.task_id not in seen
    assert len(seen) == 9
    assert count_progress(compare_store, "p", "ana").skipped == 1
    served_to_ben = set()
    while (next_one := claim_next_task(compare_store, "p", "ben")) is not None:
        served_to_ben.add(next_one.task_id)
        submit(compare_store, next_one, "ben")
    assert task.task_id in served_to_ben


def test_sides_are_shuffled_and_the_shown_order_is_kept_on_the_judgement(compare_store: Store) -> None:
    orders = Counter()
    while (task := claim_next_task(compare_store, "p", "ana")) is not None:
        shown = [answer.candidate_id for answer in task.answers]
        candidates = compare_store.read("SELECT candidate_ids FROM tasks WHERE id = ?", [task.task_id])[0][0]
        submit(compare_store, task, "ana", judgement_id=f"j{len(orders)}{task.task_id}")
        stored = compare_store.read("SELECT shown, value FROM judgements WHERE task_id = ?", [task.task_id])[0]
        assert shown == json.loads(stored[0])
        is_swapped = shown != json.loads(candidates)
        assert ('"verdict":"b"' in stored[1]) == is_swapped
        orders[is_swapped] += 1
    assert sum(orders.values()) == 10


def test_progress_counts_what_is_done_and_what_is_left(compare_store: Store) -> None:
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    before = count_progress(compare_store, "p", "ana")
    submit(compare_store, task, "ana")
    after = count_progress(compare_store, "p", "ana")
    assert (before.done, before.available) == (0, 10)
    assert (after.done, after.available) == (1, 9)


def test_new_tasks_and_freed_slots_are_found_though_a_window_was_read_before(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    held = claim_next_task(compare_store, "p", "ana")
    assert held is not None
    seen = []
    while (task := claim_next_task(compare_store, "p", "ben")) is not None:
        seen.append(task.task_id)
        submit(compare_store, task, "ben")
    assert len(seen) == 9
    skip_task(
        compare_store, judgement_id="s", task_id=held.task_id, annotator="ana", token=held.token, reason="unclear"
    )
    freed = claim_next_task(compare_store, "p", "ben")
    assert freed is not None
    assert freed.task_id == held.task_id
    submit(compare_store, freed, "ben")
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 2 WHERE id = ?", [seen[0]]))
    widened = claim_next_task(compare_store, "p", "ana")
    assert widened is not None
    assert widened.task_id == seen[0]


def test_two_tabs_that_claim_at_once_get_one_lease(compare_store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda _: claim_next_task(compare_store, "p", "ana"), range(8)))
    assert len({(task.task_id, task.token) for task in tasks if task}) == 1
    assert compare_store.read("SELECT count(*) FROM assignments") == [(1,)]


def claim_beside_a_fault(store: Store, *names: str) -> list[ClaimedTask | None]:
    """Claims that were undone with a write of their batch that failed, and run again."""
    is_busy, release = threading.Event(), threading.Event()

    def block(_: Transaction) -> None:
        is_busy.set()
        release.wait(10)

    def fail(_: Transaction) -> None:
        raise ValueError("on purpose")

    def write_fault() -> None:
        with pytest.raises(ValueError, match="on purpose"):
            store.write(fail)

    with ThreadPoolExecutor(len(names) + 2) as pool:
        blocker = pool.submit(lambda: store.write(block))
        is_busy.wait(10)
        claims = [pool.submit(claim_next_task, store, "p", name) for name in names]
        time.sleep(0.5)  # the claims and the fault behind them wait to become one batch
        fault = pool.submit(write_fault)
        time.sleep(0.2)
        release.set()
        fault.result()
        blocker.result()
        return [claim.result() for claim in claims]


def test_the_last_task_is_found_by_a_claim_whose_batch_was_rolled_back(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("DELETE FROM tasks WHERE position > (SELECT min(position) FROM tasks)"))
    assert compare_store.read("SELECT count(*) FROM tasks") == [(1,)]
    assert None not in claim_beside_a_fault(compare_store, "ana")


def test_a_claim_whose_batch_was_rolled_back_leaves_no_task_behind(compare_store: Store) -> None:
    """What is remembered of a write that was undone and run again must not hide a task."""
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 3"))
    assert None not in claim_beside_a_fault(compare_store, "ana", "ben", "cleo")
    served = set()
    while (task := claim_next_task(compare_store, "p", "ana")) is not None:
        served.add(task.task_id)
        submit(compare_store, task, "ana")
    assert len(served) == 10


def test_a_claim_whose_batch_was_rolled_back_neither_skips_calibration_nor_passes_a_task_over(
    compare_store: Store,
) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    in_order = [row[0] for row in compare_store.read("SELECT id FROM tasks ORDER BY position, id")]
    set_gold(compare_store, "p", in_order[3], {"verdict": "a"})
    change_rules(compare_store, "p", calibration_tasks=1)
    assert count_progress(compare_store, "p", "ana").available == 10  # a window is read
    (task,) = claim_beside_a_fault(compare_store, "ana")
    assert task is not None
    assert task.task_id == in_order[3]
    submit(compare_store, task, "ana")
    (task,) = claim_beside_a_fault(compare_store, "ana")
    assert task is not None
    assert task.task_id == in_order[0]
    assert compare_store.queue_memory.full == {in_order[0]}
