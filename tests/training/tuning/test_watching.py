"""Watching a run for real on the tiny model: it is measured and not disturbed, stops in time, and keeps its best."""

from __future__ import annotations

import json
import math
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
    read_metrics,
    read_state,
    verify_run,
)
from pitchpipe.training.tuning.samples import read_samples
from tests.training.snapshots import answer_row, frame

CarryOut = Callable[..., Path]


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "adapter_model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = adapter(one), adapter(other)
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.fixture
def watched(sft_plan: TrainPlan) -> TrainPlan:
    """A plan that holds back a quarter of the groups and is measured every second step."""
    return with_dials(
        sft_plan, dev_share=0.25, measure_every=2, sample_prompts=2, max_new_tokens=4, lora_dropout=0.2, samples=0
    )


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "reward"])
def test_a_run_that_is_measured_ends_with_the_weights_of_one_that_is_not(
    watched: TrainPlan, carry_out: CarryOut, method: str
) -> None:
    plan = with_dials(watched, method=method, learning_rate=0.01, batch_size=3)
    measured, unmeasured = carry_out(plan), carry_out(with_dials(plan, measure_every=0, sample_prompts=0))
    assert same(measured, unmeasured)
    ours, plain = ([line for line in read_metrics(folder) if "loss" in line] for folder in (measured, unmeasured))
    assert [line["loss"] for line in ours] == [line["loss"] for line in plain]
    found = {line["step"]: line for line in read_metrics(measured) if "dev_loss" in line}
    assert list(found) == [0, 2, 4]
    assert verify_run(measured) == []
    if method == "dpo":
        # Before training the policy is its own reference: no margin, every pair a tie, the loss of a coin.
        assert (found[0]["dev_margin"], found[0]["dev_accuracy"]) == (0.0, 0.5)
        assert found[0]["dev_loss"] == pytest.approx(math.log(2))
        assert found[4]["dev_margin"] != 0.0
    elif method == "kto":
        # A reward of 0 for every answer: the loss of a coin again. The tiny snapshot has good answers only.
        assert found[0]["dev_loss"] == pytest.approx(math.log(2)) and found[4]["dev_loss"] != found[0]["dev_loss"]
    elif method == "reward":
        assert found[4]["dev_loss"] != found[0]["dev_loss"] and 0 <= found[4]["dev_accuracy"] <= 1
        assert "dev_nll" not in found[4] and read_samples(measured) == []
    else:
        assert found[4]["dev_nll"] < found[0]["dev_nll"]


def test_rows_held_back_are_whole_groups_that_the_ledger_lists_and_nothing_learns(
    watched: TrainPlan, carry_out: CarryOut, snapshot: Path
) -> None:
    from pitchpipe.store.runs import _read_trained_rows

    folder = carry_out(watched)
    ledger = pl.read_parquet(folder / "ledger.parquet")
    held = set(ledger.filter(pl.col("status") == "held_back")["row_id"])
    counts = read_json(folder / "summary.json")["rows"]
    assert counts["held_back"] == len(held) > 0
    assert sum(counts.values()) - counts["considered"] == counts["considered"] == ledger.height == 24
    rows = pl.read_parquet(snapshot / "rows.parquet")
    assert set(rows.filter(pl.col("row_id").is_in(held))["split"]) == {"train"}
    assert not held & set(_read_trained_rows(folder, "run_x")["row_id"])
    assert read_json(folder / "summary.json")["dev"]["rows"] == len(held)
    # The groups do not depend on the seed or the method, so what is held back once is not learned in the next round.
    other = carry_out(with_dials(watched, method="dpo", seed=99, max_steps=1))
    groups = dict(zip(rows["row_id"], rows["group_id"], strict=True))
    pairs = pl.read_parquet(other / "ledger.parquet").filter(pl.col("status") == "held_back")["row_id"]
    assert {groups[row] for row in pairs} & {groups[row] for row in held}
    answers = {groups[row] for row in ledger.filter(pl.col("status") == "kept")["row_id"]}
    assert not {groups[row] for row in pairs} & answers


def test_the_dev_loss_is_the_token_weighted_nll_of_the_rows_held_back(
    watched: TrainPlan, carry_out: CarryOut, encoder: Any, tiny_model: Path, snapshot: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = carry_out(with_dials(watched, max_steps=1))
    ledger = pl.read_parquet(folder / "ledger.parquet")
    held = ledger.filter(pl.col("status") == "held_back")["row_id"].to_list()
    rows = {row["row_id"]: row for row in pl.read_parquet(snapshot / "rows.parquet").to_dicts()}
    model = AutoModelForCausalLM.from_pretrained(tiny_model, attn_implementation="eager").eval()
    total, tokens = 0.0, 0
    for row in (rows[row_id] for row_id in held):
        prompt, answer = encoder.prompt(json.loads(row["messages"])), encoder.answer(row["answer"])
        ids = torch.tensor([prompt + answer])
        logs = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        total -= float(logs[-len(answer) :].sum().detach())
        tokens += len(answer)
    assert read_metrics(folder)[0]["dev_nll"] == pytest.approx(total / tokens, abs=1e-5)


def test_samples_are_answers_to_the_same_prompts_at_every_measurement(watched: TrainPlan, carry_out: CarryOut) -> None:
    folder = carry_out(with_dials(watched, samples=1))
    samples = read_samples(folder)
    by_step = {step: [s["row_id"] for s in samples if s["step"] == step] for step in (0, 2, 4)}
    assert len(set(by_step[0])) == 2 and by_step[0] == by_step[2]
    assert set(by_step[4]) > set(by_step[0])  # and, at the end, the answer to a learned prompt
    lines = {line["step"]: line for line in read_metrics(folder)}
    assert lines[0]["answer_tokens"] == sum(s["tokens"] for s in samples if s["step"] == 0) / 2
    assert 0 <= lines[2]["stop_rate"] <= 1


def test_a_run_stops_when_measurements_get_no_better_and_its_best_weights_are_kept(
    watched: TrainPlan, carry_out: CarryOut
) -> None:
    # At this rate the weights are thrown about, so the dev loss soon stops falling.
    plan = with_dials(watched, max_steps=60, patience=2, keep_best=True, learning_rate=0.3, sample_prompts=0)
    folder = carry_out(plan)
    summary = read_json(folder / "summary.json")
    dev, measured = summary["dev"], {m["step"]: m["dev_loss"] for m in read_metrics(folder) if "dev_loss" in m}
    assert dev["stopped_early"] and summary["steps"] < 60
    assert dev["best_loss"] == min(measured.values()) == measured[dev["best_step"]]
    assert summary["steps"] == max(measured) == dev["best_step"] + 4
    trained = {step: loss for step, loss in measured.items() if step}
    assert dev["weights_of_step"] == min(trained, key=lambda step: trained[step])
    # The weights that were kept are those of that step: a run that ends there has the very same.
    shorter = carry_out(with_dials(plan, max_steps=dev["weights_of_step"], keep_best=False))
    assert same(folder, shorter)
    assert not (folder / "checkpoints").exists()


def test_a_killed_run_decides_as_one_that_was_not(watched: TrainPlan, carry_out: CarryOut, tmp_path: Path) -> None:
    plan = with_dials(
        watched, max_steps=40, checkpoint_every=4, patience=3, keep_best=True, learning_rate=0.02, measure_every=4
    )
    whole = carry_out(plan)
    end = read_json(whole / "summary.json")
    folder = create_run_folder(tmp_path / "runs", plan)
    start_run(folder)
    while read_state(folder).step < min(9, end["steps"] - 2):
        assert read_state(folder).status is not RunStatus.FAILED, log_tail(folder)
        time.sleep(0.02)
    stop_run(folder, patience_seconds=0.0)
    assert read_state(folder).status is RunStatus.INTERRUPTED
    assert run_and_wait(folder).status is RunStatus.FINISHED, log_tail(folder)
    resumed = read_json(folder / "summary.json")
    assert (resumed["steps"], resumed["dev"]) == (end["steps"], end["dev"])
    assert same(folder, whole)
    kept = ("step", "loss", "dev_loss", "stop_rate")
    assert [[m.get(k) for k in kept] for m in read_metrics(folder)] == [
        [m.get(k) for k in kept] for m in read_metrics(whole)
    ]
    assert read_samples(folder) == read_samples(whole)


def test_a_stop_in_the_middle_of_a_measurement_makes_it_up_when_it_goes_on(
    watched: TrainPlan, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.tuning import dev_measures, monitor

    plan = with_dials(watched, checkpoint_every=4, keep_best=True)
    whole = carry_out(plan)
    real, calls = dev_measures.score_answers, []

    def stop_at_the_second(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            monitor._stop.set()
        return real(*arguments)

    monkeypatch.setattr(dev_measures, "score_answers", stop_at_the_second)
    folder = create_run_folder(whole.parent, plan)
    with pytest.raises(monitor.StoppedError):
        carry_out(plan, folder)
    assert [line["step"] for line in read_metrics(folder) if "dev_loss" in line] == [0]
    assert (folder / "checkpoints" / "checkpoint-2" / "whole.json").is_file()
    monitor._stop.clear()
    carry_out(plan, folder)
    kept = ("step", "loss", "dev_loss", "stop_rate")
    assert [[m.get(k) for k in kept] for m in read_metrics(folder)] == [
        [m.get(k) for k in kept] for m in read_metrics(whole)
    ]
    assert same(folder, whole)


def test_a_healthy_run_is_not_cried_at(watched: TrainPlan, carry_out: CarryOut) -> None:
    for method, rate in (("sft", 0.003), ("dpo", 0.001)):
        plan = with_dials(watched, method=method, max_steps=40, measure_every=8, learning_rate=rate, lora_dropout=0.0)
        summary = read_json(carry_out(plan) / "summary.json")
        assert summary["advice"] == [], summary["advice"]


def test_a_loss_that_is_lost_ends_the_run_at_once_and_keeps_the_last_good_checkpoint(
    sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    # A decay of 1e38 throws the weights beyond the range of their numbers at the first step.
    plan = with_dials(sft_plan, learning_rate=1.0, checkpoint_every=1, trl_overrides={"weight_decay": 1e38})
    folder = create_run_folder(tmp_path / "runs", plan)
    with pytest.raises(RunError, match="was no finite number at step 2"):
        carry_out(plan, folder)
    state = read_state(folder)
    assert state.status is RunStatus.FAILED
    assert state.advice.startswith("Lower the learning rate, which is 1, to about 0.1.")
    assert [path.name for path in (folder / "checkpoints").glob("checkpoint-*")] == ["checkpoint-1"]
    assert [line["step"] for line in read_metrics(folder)] == [1, 2]


def test_a_plan_that_chooses_by_nothing_is_refused_before_a_model_is_loaded(
    watched: TrainPlan, carry_out: CarryOut
) -> None:
    from pitchpipe.training.tuning.watching import check_watch

    for dials in ({"patience": 2, "dev_share": 0.0}, {"keep_best": True, "measure_every": 0}):
        with pytest.raises(UsageError, match="needs measurements of held back rows"):
            carry_out(with_dials(watched, model="/no/such/model", **dials))
    with pytest.raises(UsageError, match="'grpo'"):
        check_watch(with_dials(watched, method="grpo", patience=2))


def test_a_larger_share_holds_back_the_same_groups_and_more() -> None:
    from pitchpipe.training.rows.formats import build_sft_rows
    from pitchpipe.training.tuning.dev_rows import choose_groups, hold_back

    groups = {f"g{number}" for number in range(2000)}
    small, large = choose_groups(groups, 0.1), choose_groups(groups, 0.3)
    assert small < large
    assert len(small) == pytest.approx(200, abs=45) and len(large) == pytest.approx(600, abs=70)
    assert len(choose_groups({"a", "b"}, 0.001)) == 1 == len(choose_groups({"a", "b"}, 0.5))
    with pytest.raises(UsageError, match="too few to hold some back"):
        choose_groups({"a"}, 0.5)
    rows = frame([answer_row(number, group_id=f"g{number // 3}") for number in range(30)])
    result, held = hold_back(build_sft_rows(rows), rows, 0.3)
    assert len(held) % 3 == 0 and len(held) + len(result.kept) == 30
    assert {row.rule for row in result.dropped} == {"held_back"}


def test_trackers_are_refused_in_words_when_unknown_or_not_installed(
    watched: TrainPlan, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.tuning import trackers

    with pytest.raises(UsageError, match="There is no tracker 'wandb'"):
        carry_out(with_dials(watched, report_to=["wandb"]))
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda _: None)
    for name, package in (("tensorboard", "tensorboardX"), ("trackio", "trackio"), ("mlflow", "mlflow")):
        with pytest.raises(UsageError, match=f"The tracker '{name}' is not installed") as refused:
            trackers.check_trackers([name])
        assert f"pip install {package}" in refused.value.advice
    with pytest.raises(UsageError, match="'report_to' has a dial of its own"):
        carry_out(with_dials(watched, trl_overrides={"report_to": "all"}))


def test_tensorboard_hears_the_curves_with_the_dev_loss_in_a_folder_beside_the_run(
    watched: TrainPlan, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = pytest.importorskip("tensorboardX")
    folder = carry_out(with_dials(watched, report_to=["tensorboard"]))
    (events,) = (folder.parent / "trackers" / "tensorboard" / folder.name).glob("events*")
    content = events.read_bytes()
    assert board and b"train/loss" in content and b"train/dev_loss" in content
    assert verify_run(folder) == []


def test_what_a_reward_model_gives_a_dev_row_does_not_depend_on_its_batch(tiny_model: Path, encoder: Any) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    from pitchpipe.training.tuning.dev_measures import reward_dev
    from pitchpipe.training.tuning.dev_rows import DevRows

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1).eval()
    pad = model.config.pad_token_id = encoder.tokenizer.pad_token_id
    texts = ["thank you", "open the page today please", "no"]
    prompts = [encoder.prompt([{"role": "user", "content": text}]) for text in texts]
    dev = DevRows("reward", prompts, [[encoder.answer(text), encoder.answer("yes " + text)] for text in texts])
    with torch.no_grad():
        alone = [model(torch.tensor([prompt + answer])).logits.item() for prompt, answer in dev.pieces()]
    assert reward_dev(model, dev, 4, pad) == pytest.approx(alone, abs=1e-5)


def test_thumbs_and_pairs_are_measured_as_worked_out_by_hand() -> None:
    from pitchpipe.training.measuring.scoring import Score
    from pitchpipe.training.tuning.dev_measures import measure_scores
    from pitchpipe.training.tuning.dev_rows import DevRows

    # With beta 0.5 a score of 2 nats less than the reference is a reward of 1, one of 2 nats more a reward of -1.
    scores, reference = [Score(4.0, 2), Score(8.0, 4)], [6.0, 6.0]
    loss = math.log(1 + math.exp(-1))
    found = measure_scores(DevRows("kto", [[]] * 2, [[[]]] * 2, [True, False]), scores, reference, 0.5)
    assert found == pytest.approx({"dev_nll": 2.0, "dev_loss": loss, "dev_accuracy": 1.0, "dev_margin": 2.0})
    found = measure_scores(DevRows("dpo", [[]], [[[], []]]), scores, reference, 0.5)
    pair = math.log(1 + math.exp(-2))
    assert found == pytest.approx({"dev_nll": 2.0, "dev_loss": pair, "dev_accuracy": 1.0, "dev_margin": 2.0})
