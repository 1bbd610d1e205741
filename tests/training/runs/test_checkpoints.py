"""Which checkpoints a run may go on from, and what is rewound with one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.checkpoints import (
    clear_torn_checkpoints,
    last_whole_checkpoint,
    mark_whole,
    rewind_lines,
)
from pitchpipe.training.runs.records import (
    accept_libraries,
    check_continuation,
    check_resumable,
    check_same_inputs,
    check_same_surroundings,
    list_libraries,
)
from pitchpipe.training.runs.run_folders import create_run_folder, read_json, write_json
from tests.training.snapshots import answer_row, write_snapshot


def keep_checkpoint(folder: Path, step: int, whole: bool = True) -> Path:
    checkpoint = folder / "checkpoints" / f"checkpoint-{step}"
    (checkpoint / "inner").mkdir(parents=True)
    (checkpoint / "weights").write_bytes(b"w" * 100)
    (checkpoint / "inner" / "state").write_bytes(b"s")
    if whole:
        mark_whole(checkpoint, step)
    return checkpoint


def test_the_newest_whole_checkpoint_counts_and_one_that_was_not_finished_is_cleared_away(tmp_path: Path) -> None:
    kept = [keep_checkpoint(tmp_path, step) for step in (90, 100)]
    torn = keep_checkpoint(tmp_path, 110, whole=False)
    assert last_whole_checkpoint(tmp_path) == kept[1]
    clear_torn_checkpoints(tmp_path)
    assert kept[0].exists() and not torn.exists()


@pytest.mark.parametrize("damage", ["shorter", "missing", "longer"])
def test_a_checkpoint_with_a_torn_file_is_never_used(tmp_path: Path, damage: str) -> None:
    kept, torn = (keep_checkpoint(tmp_path, step) for step in (10, 20))
    if damage == "missing":
        (torn / "inner" / "state").unlink()
    else:
        (torn / "weights").write_bytes(b"w" * (99 if damage == "shorter" else 101))
    assert last_whole_checkpoint(tmp_path) == kept
    clear_torn_checkpoints(tmp_path)
    assert not torn.exists()


def test_a_run_without_checkpoints_begins_anew(tmp_path: Path) -> None:
    assert last_whole_checkpoint(tmp_path) is None


def test_lines_after_the_checkpoint_are_cut_and_a_torn_one_with_them(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 2, "dev": 1.5}\n{"step": 3}\n{"step": 2, "lo')
    rewind_lines(path, 2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 2, "dev": 1.5}\n'
    rewind_lines(path, 0)
    assert path.read_text() == ""
    rewind_lines(tmp_path / "absent.jsonl", 0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_changed_inputs_are_told_one_by_one(tmp_path: Path) -> None:
    inputs = {"plan": {"epochs": 2.0, "seed": 7}, "snapshot_id": "snap_1", "chat_template_hash": "sha256:1"}
    check_same_inputs(tmp_path, inputs)
    check_same_inputs(tmp_path, inputs)
    other = {"plan": {"epochs": 3.0, "seed": 7}, "snapshot_id": "snap_2", "chat_template_hash": "sha256:2"}
    with pytest.raises(RunError) as caught:
        check_same_inputs(tmp_path, other)
    assert caught.value.happened.endswith(
        "chat_template_hash: 'sha256:1' -> 'sha256:2'; plan.epochs: 2.0 -> 3.0; snapshot_id: 'snap_1' -> 'snap_2'."
    )
    assert read_json(tmp_path / "inputs.json") == inputs


def test_other_libraries_are_refused_only_where_there_is_a_checkpoint_and_can_be_accepted(tmp_path: Path) -> None:
    now = {"device": "cpu", "threads": 2, "libraries": list_libraries()}
    before = now | {"threads": 1, "libraries": list_libraries() | {"torch": "1.0"}}
    write_json(tmp_path / "environment.json", before)
    check_same_surroundings(tmp_path, now)
    assert read_json(tmp_path / "environment.json") == now
    write_json(tmp_path / "environment.json", before)
    keep_checkpoint(tmp_path, 10)
    torch = list_libraries()["torch"]
    with pytest.raises(RunError, match=r"libraries\.torch: '1\.0' -> "):
        check_same_surroundings(tmp_path, now)
    assert accept_libraries(tmp_path) == [f"torch: '1.0' -> {torch!r}"]
    check_same_surroundings(tmp_path, now)
    assert read_json(tmp_path / "environment.json") == now | {"earlier": [before["libraries"]]}
    assert accept_libraries(tmp_path) == []


def test_a_changed_plan_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    snapshot = write_snapshot(tmp_path / "snap_1", [answer_row(1)], "snap_1")
    plan = with_dials(TrainPlan(), snapshot=str(snapshot), name="mine")
    folder = create_run_folder(tmp_path / "runs", plan)
    check_resumable(folder, plan)
    started = {"plan": dataclasses.asdict(plan) | {"name": ""}, "snapshot_id": "snap_1", "rows_hash": "sha256:1"}
    write_json(folder / "inputs.json", started)
    check_resumable(folder, with_dials(plan, name="renamed"))
    with pytest.raises(RunError, match=r"other inputs.*plan\.epochs: 2\.0 -> 3\.0\."):
        check_resumable(folder, with_dials(plan, epochs=3.0))
    write_json(folder / "environment.json", {"libraries": list_libraries() | {"trl": "0.1"}})
    check_resumable(folder, plan)
    keep_checkpoint(folder, 10)
    with pytest.raises(RunError, match=r"other surroundings.*libraries\.trl: '0\.1' -> "):
        check_resumable(folder, plan)


def test_a_round_does_not_continue_from_a_run_with_another_base_or_template() -> None:
    before = {"base_model_hash": "sha256:b", "chat_template_hash": "sha256:t"}
    check_continuation(before, before, "run_1")
    check_continuation({}, before, "run_1")
    with pytest.raises(RunError, match="run_1 was tuned with another chat template: 'sha256:t' -> 'sha256:u'"):
        check_continuation(before, before | {"chat_template_hash": "sha256:u"}, "run_1")
    with pytest.raises(RunError, match="another base model"):
        check_continuation(before, before | {"base_model_hash": "sha256:c"}, "run_1")
