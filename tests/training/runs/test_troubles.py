"""What a run tells when its loss is lost or its disk is full, and that it goes on when there is room again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.disk import DiskFullError, full_disk_error
from pitchpipe.training.runs.run_folders import (
    RunStatus,
    create_run_folder,
    read_metrics,
    read_state,
    verify_run,
    write_atomic,
)

CarryOut = Callable[..., Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield place
    # Lazily, for a writer that failed may hold its file open until it is collected.
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> None:
    """Leaves not one free block."""
    with pytest.raises(OSError, match="No space left"), (disk / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def save_with_polars(path: Path) -> None:
    pl.DataFrame({"a": [1.0] * 1000}).write_parquet(path)


def save_with_safetensors(path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1000)}, path)


def save_with_torch(path: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(1000)}, path)


def save_text(path: Path) -> None:
    path.write_text("a" * 10_000)


def save_whole(path: Path) -> None:
    write_atomic(path, "a" * 10_000)


@pytest.mark.parametrize("save", [save_with_polars, save_with_safetensors, save_with_torch, save_text, save_whole])
def test_a_full_disk_is_known_by_whatever_a_library_raises(small_disk: Path, save: Callable[[Path], None]) -> None:
    fill(small_disk)
    # The kinds of error have nothing in common but this base.
    with pytest.raises(Exception) as caught:
        save(small_disk / "file")
    told = full_disk_error(caught.value, small_disk)
    assert told is not None
    assert f"disk that holds {small_disk}" in told.happened and "Free some space and start" in told.advice


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    others = [OSError(13, "Permission denied"), RuntimeError("[enforce fail at inline_container.cc:672]")]
    assert [full_disk_error(error, tmp_path) for error in [*others, RunError("It rained.", "Wait.")]] == [None] * 3


@pytest.mark.parametrize("moment", ["ledger", "metrics", "checkpoint", "adapter"])
def test_a_run_that_fills_its_disk_says_so_and_is_finished_when_there_is_room(
    sft_plan: TrainPlan, carry_out: CarryOut, small_disk: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from pitchpipe.training.tokens.ledger import Ledger
    from pitchpipe.training.tuning import finishing
    from pitchpipe.training.tuning.monitor import Monitor

    plan = with_dials(sft_plan, max_steps=6, checkpoint_every=2, samples=0)
    folder = create_run_folder(small_disk, plan)

    def fill_around(owner: Any, name: str, first_step: int = 0, before: bool = True) -> None:
        usual = getattr(owner, name)

        def filling(*given: Any, **named: Any) -> Any:
            late = len(given) > 2 and getattr(given[2], "global_step", 0) >= first_step
            result = None if before else usual(*given, **named)
            if not first_step or late:
                fill(small_disk)
            return usual(*given, **named) if before else result

        monkeypatch.setattr(owner, name, filling)

    if moment == "ledger":
        fill_around(Ledger, "frame")
    elif moment == "metrics":
        fill_around(Monitor, "on_log", first_step=3)
    elif moment == "checkpoint":
        fill_around(Monitor, "on_log", first_step=4, before=False)
    else:
        fill_around(finishing, "save_weights")
    with pytest.raises(DiskFullError, match=r"The disk that holds .* is full"):
        carry_out(plan, folder)
    state = read_state(folder)
    assert state.status is RunStatus.FAILED and "continues from its last checkpoint" in state.advice
    monkeypatch.undo()
    (small_disk / "ballast").unlink()
    carry_out(plan, folder)
    whole, resumed = (path / "model" / "adapter_model.safetensors" for path in (carry_out(plan), folder))
    assert whole.read_bytes() == resumed.read_bytes()
    assert (read_state(folder).status, verify_run(folder)) == (RunStatus.FINISHED, [])
    assert [metric["step"] for metric in read_metrics(folder)] == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in folder.rglob("*.part")] == []


def test_a_line_cut_short_by_a_full_disk_does_not_swallow_the_next(tmp_path: Path) -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from pitchpipe.training.tuning.monitor import Monitor

    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "lo')
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    Monitor(tmp_path, TrainPlan()).on_train_begin(arguments, TrainerState(), TrainerControl())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2}\n')
    assert [metric["step"] for metric in read_metrics(tmp_path)] == [1, 2]
