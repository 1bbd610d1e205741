"""Outgrown one process: several studios on one PostgreSQL store keep every promise of the queue."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import StoreError
from pitchpipe.store.freezing.snapshots import create_snapshot, verify_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import skip_task, submit_judgement
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.lineage import trace_lineage
from pitchpipe.store.overview import count_loop
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from pitchpipe.store.queue.tasking import count_tasks
from pitchpipe.store.records import SubmitOutcome


def test_three_studios_race_for_the_same_tasks_without_exceeding_the_overlap(
    postgres_database: str, tmp_path: Path
) -> None:
    studios = [open_store(tmp_path / f"studio{n}", postgres_database) for n in range(3)]
    create_project(studios[0], "p", overlap=2, holdout_share=0.0, minimum_dwell_ms=0)
    (tmp_path / "m.toml").write_text('kind = "compare"\nprompt = "{q}"\nanswer_a = "{a}"\nanswer_b = "{b}"\n')
    rows = [json.dumps({"q": f"Question {n}?", "a": "x", "b": "y"}) for n in range(12)]
    (tmp_path / "r.jsonl").write_text("\n".join(rows) + "\n")
    import_file(studios[0], tmp_path / "r.jsonl", "p", mapping=tmp_path / "m.toml")

    def work(number: int) -> int:
        store, name, done = studios[number % 3], f"rater{number}", 0
        while task := claim_next_task(store, "p", name):
            outcome = submit_judgement(
                store, judgement_id=uuid.uuid4().hex, task_id=task.task_id, annotator=name, token=task.token,
                value={"verdict": "tie", "strength": 0},
            )  # fmt: skip
            assert outcome is SubmitOutcome.RECORDED
            done += 1
        return done

    with ThreadPoolExecutor(6) as pool:
        total = sum(pool.map(work, range(6)))
    pairs = studios[1].read("SELECT task_id, annotator FROM judgements")
    assert total == len(pairs) == len(set(pairs)) == 24
    assert set(Counter(task for task, _ in pairs).values()) == {2}
    for store in studios:
        store.close()


def test_a_task_that_was_skipped_in_one_studio_does_not_come_back_in_another(
    compare_store: Store, postgres_database: str, tmp_path: Path
) -> None:
    other = open_store(tmp_path / "other", postgres_database)
    assert count_progress(other, "p", "ana").available == 10  # its window holds all ten
    skipped = []
    for number in range(3):
        task = claim_next_task(compare_store, "p", "ana")
        assert task is not None
        values = {"judgement_id": f"s{number}", "task_id": task.task_id, "token": task.token, "reason": "odd"}
        skip_task(compare_store, annotator="ana", **values)
        skipped.append(task.task_id)
    assert len(set(skipped)) == 3
    there = claim_next_task(other, "p", "ana")
    assert there is not None
    assert there.task_id not in skipped
    other.close()


@pytest.fixture
def home() -> str:
    return "postgres"


def test_import_snapshot_and_lineage_work_as_in_a_file(compare_store: Store) -> None:
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    submit_judgement(
        compare_store, judgement_id="j1", task_id=task.task_id, annotator="ana", token=task.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    snapshot = create_snapshot(compare_store, "p", "s")
    assert verify_snapshot(snapshot.folder) == []
    assert snapshot.counts == {"answer_train": 20, "pair_train": 1, "rows": 21, "dropped": 9}
    assert trace_lineage(compare_store, "j1")["led_to"]["snapshot"]["ids"] == [snapshot.id]
    assert count_loop(compare_store, "p").judgements == 1
    assert count_tasks(compare_store, "p")[0]["open"] == 10
    assert measure_project_agreement(compare_store, "p")[0].agreement.undefined_because


def test_a_database_that_cannot_be_reached_is_told_in_two_parts(tmp_path: Path, postgres_database: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_store(tmp_path, postgres_database.replace("dbname=test_", "dbname=no_"))
    assert "Check that the server runs" in caught.value.advice
