"""TRL for real on a tiny model: what is learned, what is recorded, and what happens after a stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.launch import log_tail, run_and_wait, start_run, stop_run
from pitchpipe.training.runs.run_folders import (
    RunStatus,
    create_run_folder,
    read_json,
    read_manifest,
    read_metrics,
    read_state,
    verify_run,
)
from tests.training.snapshots import answer_row, write_snapshot

CarryOut = Callable[..., Path]


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(next((folder / "model").glob("*.safetensors")))


def test_instruction_tuning_changes_every_adapter_weight_and_seals_the_folder(
    sft_plan: TrainPlan, carry_out: CarryOut, snapshot: Path
) -> None:
    folder = carry_out(sft_plan)
    weights = adapter(folder)
    # LoRA's B matrices start at zero, so any that is still zero was never trained.
    assert len(weights) == 2 * 2 * 7 and all(weight.abs().sum() > 0 for weight in weights.values())
    assert verify_run(folder) == []
    rows = pl.read_parquet(snapshot / "rows.parquet")
    answers = rows.filter(pl.col("row_kind") == "answer").height
    ledger = pl.read_parquet(folder / "ledger.parquet")
    assert ledger.height == answers == sum(read_json(folder / "summary.json")["rows"].values()) / 2
    assert dict(ledger["status"].value_counts().iter_rows()) == {"kept": 18, "dropped": 6}
    assert [metric["step"] for metric in read_metrics(folder)] == [1, 2, 3, 4]
    names = {path.name for path in folder.iterdir()}
    assert names >= {"plan.toml", "inputs.json", "environment.json", "samples.jsonl", "model_card.md", "manifest.json"}
    assert read_manifest(folder)["snapshot_id"] == "snap_test"
    assert (
        "/"
        not in read_json(folder / "model" / "adapter_config.json")["base_model_name_or_path"].split("tiny-model")[-1]
    )


def test_preference_tuning_from_the_base_starts_at_margin_zero(sft_plan: TrainPlan, carry_out: CarryOut) -> None:
    folder = carry_out(with_dials(sft_plan, method="dpo", learning_rate=0.01, batch_size=3))
    summary = read_json(folder / "summary.json")
    assert summary["step0_margin"] == 0.0
    assert summary["reference"].startswith("base ")
    assert summary["rows"] == {"considered": 12, "kept": 12, "truncated": 0, "too_long": 0, "dropped": 0}
    assert all(weight.abs().sum() > 0 for weight in adapter(folder).values())
    assert read_metrics(folder)[-1]["rewards/margins"] != 0.0


def test_preference_tuning_goes_on_from_an_instruction_tuned_run_and_holds_to_it(
    sft_plan: TrainPlan, carry_out: CarryOut
) -> None:
    first = carry_out(sft_plan)
    second = carry_out(with_dials(sft_plan, method="dpo", model=str(first), learning_rate=0.001, sft_weight=0.2))
    summary = read_json(second / "summary.json")
    assert (summary["step0_margin"], summary["reference"]) == (0.0, f"run {first.name}")
    assert (read_manifest(second)["parents"], read_manifest(second)["parent_run_id"]) == ([first.name], first.name)
    assert (read_manifest(first)["parents"], read_manifest(first)["parent_run_id"]) == ([], None)
    before, after = adapter(first), adapter(second)
    assert before.keys() == after.keys()
    assert all(not before[name].equal(after[name]) for name in before)


def test_a_checkpointed_run_that_is_killed_ends_with_the_weights_of_one_that_was_not(
    sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    plan = with_dials(sft_plan, max_steps=80, checkpoint_every=10, learning_rate=0.001, samples=0)
    folder = create_run_folder(tmp_path / "runs", plan)
    start_run(folder)
    while read_state(folder).step < 12:
        assert read_state(folder).status is not RunStatus.FAILED, log_tail(folder)
        time.sleep(0.02)
    stop_run(folder, patience_seconds=0.0)
    stopped = read_state(folder)
    assert stopped.status is RunStatus.INTERRUPTED and 12 <= stopped.step < 80
    assert run_and_wait(folder).status is RunStatus.FINISHED, log_tail(folder)
    whole = carry_out(plan)
    one, other = adapter(folder), adapter(whole)
    assert all(one[name].equal(other[name]) for name in one)
    steps = [metric["step"] for metric in read_metrics(folder)]
    assert steps == list(range(1, 81))
    assert [m["loss"] for m in read_metrics(folder)] == [m["loss"] for m in read_metrics(whole)]


def test_a_run_does_not_go_on_with_another_plan_or_snapshot(
    sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    folder = carry_out(sft_plan)
    (folder / "manifest.json").unlink()
    plan = (folder / "plan.toml").read_text()
    (folder / "plan.toml").write_text(plan.replace("batch_size = 4", "batch_size = 2"))
    with pytest.raises(RunError, match=r"plan.batch_size: 4 -> 2"):
        carry_out(sft_plan, folder)
    other = write_snapshot(tmp_path / "other", [answer_row(number) for number in range(5)], "snap_other")
    (folder / "plan.toml").write_text(plan.replace(sft_plan.snapshot, str(other)))
    with pytest.raises(RunError, match="snapshot_id: 'snap_test' -> 'snap_other'"):
        carry_out(sft_plan, folder)
    assert read_state(folder).status is RunStatus.FAILED
    assert "make a new run" in read_state(folder).advice


def test_an_unknown_override_is_told_before_any_model_is_looked_for(sft_plan: TrainPlan, carry_out: CarryOut) -> None:
    with pytest.raises(UsageError, match="no argument 'optimiser'"):
        carry_out(with_dials(sft_plan, model="no/such-model", trl_overrides={"optimiser": "sgd"}))


def test_an_unknown_model_ends_with_two_sentences_and_no_traceback(sft_plan: TrainPlan, tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path, with_dials(sft_plan, model="../no such model"))
    done = subprocess.run(
        [sys.executable, "-m", "pitchpipe.training", "run", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("There is no model '../no such model'")
    assert "Traceback" not in done.stderr
    state = read_state(folder)
    assert (state.status, state.happened) == (RunStatus.FAILED, done.stderr.splitlines()[0])


def test_pickled_weights_and_models_with_code_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    from pitchpipe.training.models.loading import resolve_model

    config = json.loads((tiny_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(RunError, match="no weights in safetensors"):
        resolve_model(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "code.Model"}}))
    with pytest.raises(RunError, match="its own program code"):
        resolve_model(str(tmp_path))


def test_an_altered_file_of_a_finished_run_is_named(sft_plan: TrainPlan, carry_out: CarryOut) -> None:
    folder = carry_out(sft_plan)
    (folder / "samples.jsonl").write_text("{}\n")
    (folder / "model" / "extra.bin").write_bytes(b"")
    (folder / "model_card.md").unlink()
    assert sorted(verify_run(folder)) == [
        "model/extra.bin was added after the run finished",
        "model_card.md is missing",
        "samples.jsonl was altered after the run finished",
    ]


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("sft", {}),
        ("dpo", {}),
        ("dpo", {"dpo": 1}),
        ("kto", {}),
        ("reward", {}),
        ("sft", {"full": 1}),
        ("dpo", {"full": 1}),
    ],
)
def test_a_run_that_is_asked_to_stop_ends_with_the_weights_of_one_that_was_not(
    sft_plan: TrainPlan,
    carry_out: CarryOut,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    overrides: dict[str, Any],
) -> None:
    from pitchpipe.training.tuning import monitor

    plan = with_dials(sft_plan, max_steps=6, checkpoint_every=2, learning_rate=0.01, samples=0)
    if overrides.pop("dpo", None):
        plan = with_dials(plan, model=str(carry_out(sft_plan)))
    if overrides.pop("full", None):
        plan = with_dials(plan, weights="full", learning_rate=0.002)
    plan = with_dials(plan, method=method, trl_overrides=overrides)
    tell = monitor.write_progress

    def tell_and_stop(folder: Path, stage: str, step: int = 0, *rest: Any, **more: Any) -> None:
        tell(folder, stage, step, *rest, **more)
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    folder = create_run_folder(tmp_path / "stopped", plan)
    with monkeypatch.context() as patch:
        patch.setattr(monitor, "write_progress", tell_and_stop)
        with pytest.raises(monitor.StoppedError, match="stopped before"):
            carry_out(plan, folder)
    assert not (folder / "failure.json").exists()
    assert (folder / "checkpoints" / "checkpoint-3" / "whole.json").is_file()
    monitor._stop.clear()
    carry_out(plan, folder)
    whole = carry_out(plan)
    one, other = adapter(folder), adapter(whole)
    assert all(one[name].equal(other[name]) for name in one)
    assert [m["loss"] for m in read_metrics(folder)] == [m["loss"] for m in read_metrics(whole)]
    if method == "dpo":
        assert read_json(folder / "summary.json")["step0_margin"] == 0.0
