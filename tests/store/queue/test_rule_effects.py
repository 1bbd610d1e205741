"""What the rules of a queue made of a judgement outlives the write-ahead log, as the judgement does."""

from __future__ import annotations

import shutil
from pathlib import Path

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.projects import change_rules
from pitchpipe.store.queue.gold import set_gold
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.queue.standing import read_standing, resume_annotator
from pitchpipe.store.queue.tasking import create_tasks
from tests.store.desk import add_example, judge

LEFT, RIGHT = {"verdict": "a", "strength": -3}, {"verdict": "b", "strength": 3}


def reopen_without_log(store: Store, folder: Path) -> Store:
    """The store as it opens after its write-ahead log was lost."""
    for file in store.workspace.iterdir():
        if file.is_file() and file.suffix != ".wal":
            shutil.copy(file, folder)
    return open_store(folder)


def test_a_divided_task_still_gets_its_third_rater(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["x", "y"])
    store.write(lambda t: t.run("UPDATE projects SET overlap = 2"))
    create_tasks(store, "p", "compare", overlap=2)
    change_rules(store, "p", most_raters=5)
    store.checkpoint()
    for name, value in (("ana", LEFT), ("ben", RIGHT)):
        judge(store, name, value)
    (folder := tmp_path / "copy").mkdir()
    again = reopen_without_log(store, folder)
    assert again.read("SELECT overlap FROM tasks") == [(3,)]
    assert claim_next_task(again, "p", "cid") is not None
    again.close()


def test_an_annotator_who_was_paused_stays_so_until_a_lead_resumes_them(store: Store, tmp_path: Path) -> None:
    for number in range(6):
        add_example(store, tmp_path, ["x", "y"], prompt=f"Question number {number}?")
    create_tasks(store, "p", "compare")
    for (task_id,) in store.read("SELECT id FROM tasks ORDER BY position LIMIT 5"):
        set_gold(store, "p", task_id, LEFT)
    change_rules(store, "p", calibration_tasks=5, gold_least_accuracy=0.8)
    store.checkpoint()
    for _ in range(5):
        judge(store, "ana", RIGHT)
    reason = read_standing(store, "p", "ana").paused_reason
    assert reason is not None
    (folder := tmp_path / "copy").mkdir()
    again = reopen_without_log(store, folder)
    assert read_standing(again, "p", "ana").paused_reason == reason
    assert claim_next_task(again, "p", "ana") is None
    resume_annotator(again, "p", "ana", "lea")
    again.close()
    again = open_store(folder)  # a second replay brings no pause back
    assert read_standing(again, "p", "ana").paused_reason is None
    again.close()
