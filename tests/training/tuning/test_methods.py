"""Every method, with an adapter and with all weights: each weight moves, a small task is learned, folders verify."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.plans.measure_plans import EvaluatePlan, GeneratePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_json, read_manifest, read_metrics, verify_run
from tests.tiny_model import WORDS
from tests.training.snapshots import answer_row, pair_row, write_snapshot

CarryOut = Callable[..., Path]
GOOD, BAD = "thank you", "the lamp arrived broken"


@pytest.fixture(scope="session")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-two prompts, a quarter of them holdout; one answer is always liked and the other never."""
    rows: list[dict[str, Any]] = []
    for number in range(32):
        side = {"split": "holdout" if number % 4 == 0 else "train"}
        prompt = " ".join(WORDS[number % 9 : number % 9 + 3 + number % 4])
        likes = {"scores": '{"helpfulness": 4.0}', "support": 1.0, "origin": "person"}
        hates = {"scores": '{"helpfulness": 0.0}', "support": 1.0, "origin": "model"}
        rows.append(answer_row(number, prompt, GOOD, **side, **likes))
        rows.append(
            answer_row(number, prompt, BAD, **side, **hates, row_id=f"row_b{number}", candidate_id=f"b{number}")
        )
        rows.append(pair_row(number, prompt, GOOD, BAD, **side))
    return write_snapshot(tmp_path_factory.mktemp("tastes") / "snap_tastes", rows, "snap_tastes")


@pytest.fixture
def plan(sft_plan: TrainPlan, tastes: Path) -> TrainPlan:
    """Eighteen steps of eight rows."""
    return with_dials(sft_plan, snapshot=str(tastes), max_steps=18, batch_size=8, learning_rate=0.02, samples=2)


RATES = {("sft", "lora"): 0.02, ("dpo", "lora"): 0.02, ("kto", "lora"): 0.02, ("reward", "lora"): 0.005}


@pytest.mark.parametrize("weights", ["lora", "full"])
@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "reward"])
def test_a_method_moves_every_weight_that_it_trains_and_learns_what_people_liked(
    plan: TrainPlan, carry_out: CarryOut, tiny_model: Path, tastes: Path, method: str, weights: str
) -> None:
    from safetensors.torch import load_file

    folder = carry_out(
        with_dials(plan, method=method, weights=weights, learning_rate=RATES.get((method, weights), 0.005))
    )
    assert verify_run(folder) == []
    summary, metrics = read_json(folder / "summary.json"), read_metrics(folder)
    trained = load_file(next((folder / "model").glob("*.safetensors")))
    if weights == "lora":
        matrices = {name: weight for name, weight in trained.items() if "lora_B" in name}
        assert len(matrices) == 14 and all(weight.abs().sum() > 0 for weight in matrices.values())
    else:
        before = load_file(tiny_model / "model.safetensors")
        shared = before.keys() & trained.keys()
        assert len(shared) == 20 and all(not before[name].equal(trained[name]) for name in shared)
    if method == "sft":
        assert summary["final_loss"] < summary["first_loss"] / 3
    elif method == "reward":
        assert any(name.endswith("score.weight") for name in trained)
        assert summary["final_accuracy"] == 1.0 and summary["final_loss"] < 0.3 < summary["first_loss"]
    else:
        assert summary["step0_margin"] == 0.0
        assert metrics[-1]["rewards/margins"] > 1.0
    evaluation = carry_out(
        with_dials(
            EvaluatePlan(), run=str(folder), snapshot=str(tastes), max_new_tokens=4, max_prompts=2, resamples=100
        )
    )
    preference = read_json(evaluation / "evaluation.json")["preference"]
    assert (preference["pairs"], preference["accuracy"]) == (8, 1.0)
    assert math.isclose(preference["low"], 0.6756, abs_tol=1e-4)  # Wilson of 8 in 8: 8 / (8 + 1.96 ** 2)
    assert verify_run(evaluation) == []


def scores_of(model: Any, run: Path) -> list[float]:
    """What a reward model gives to the two answers after one prompt."""
    from pitchpipe.training.measuring.arms import Arms
    from pitchpipe.training.measuring.pair_accuracy import score_texts

    encoder = Arms(str(run), "fp32", "eager").encoder
    prompt = encoder.prompt([{"role": "user", "content": "where is my parcel"}])
    texts = [prompt + encoder.answer(answer) for answer in (GOOD, BAD)]
    return score_texts(model, texts, 2, encoder.tokenizer.pad_token_id)


@pytest.mark.parametrize("weights", ["lora", "full"])
def test_a_saved_reward_model_gives_the_scores_that_it_gave_when_it_was_trained(
    plan: TrainPlan, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch, weights: str
) -> None:
    from pitchpipe.training.models.loading import load_model, resolve_model
    from pitchpipe.training.tuning import finishing

    trained = []
    save = finishing.save_weights
    monkeypatch.setattr(finishing, "save_weights", lambda model, job: (save(model, job), trained.append(model)))
    run = carry_out(with_dials(plan, method="reward", weights=weights, learning_rate=0.005, max_steps=4))
    loaded = load_model(resolve_model(str(run)), "fp32", "eager")
    first, second = scores_of(trained[0].eval(), run), scores_of(loaded, run)
    assert all(math.isclose(one, other, abs_tol=1e-4) for one, other in zip(first, second, strict=True))
    assert first[0] > first[1]


@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("weights", ["lora", "full"])
def test_preference_tuning_starts_from_any_run_with_a_margin_of_exactly_nought(
    plan: TrainPlan, carry_out: CarryOut, method: str, weights: str
) -> None:
    short = with_dials(plan, max_steps=3, samples=0)
    for first in (carry_out(short), carry_out(with_dials(short, weights="full", learning_rate=0.005))):
        run = carry_out(with_dials(short, method=method, weights=weights, model=str(first), learning_rate=0.002))
        summary, inputs = read_json(run / "summary.json"), read_json(run / "inputs.json")
        assert (summary["step0_margin"], summary["reference"]) == (0.0, f"run {first.name}")
        assert inputs["start_run"] == read_manifest(run)["parent_run_id"] == first.name
        assert inputs["base_run"] == (first.name if read_json(first / "summary.json")["weights"] == "full" else None)
        assert read_metrics(run)[-1]["logps/chosen"] != read_metrics(run)[0]["logps/chosen"]


def test_a_run_of_all_weights_is_a_model_that_others_start_from_even_when_the_runs_have_moved(
    plan: TrainPlan, carry_out: CarryOut, tiny_model: Path, tmp_path: Path
) -> None:
    from pitchpipe.training.models.loading import hash_weights, load_tokenizer, resolve_model

    first = carry_out(with_dials(plan, weights="full", learning_rate=0.005, max_steps=3))
    second = carry_out(with_dials(plan, model=str(first), max_steps=3))
    whole, worn = resolve_model(str(first)), resolve_model(str(second))
    assert whole.is_whole and (whole.run_id, whole.base_hash) == (first.name, hash_weights(first / "model"))
    assert (worn.base_run, worn.base_hash, worn.run_id) == (first.name, whole.base_hash, second.name)
    tokenizer = load_tokenizer(whole.folder)
    assert tokenizer.chat_template == load_tokenizer(tiny_model).chat_template
    assert str(tmp_path) not in (first / "model" / "config.json").read_text()
    moved = tmp_path / "moved"
    first.parent.rename(moved)
    assert resolve_model(str(moved / second.name)).base_hash == whole.base_hash


def test_all_weights_are_measured_beside_the_model_that_they_came_from(
    plan: TrainPlan, carry_out: CarryOut, tiny_model: Path, tastes: Path, tmp_path: Path
) -> None:
    run = carry_out(with_dials(plan, weights="full", learning_rate=0.005))
    cache = str(tmp_path / "cache")
    answers = carry_out(with_dials(GeneratePlan(), run=str(run), snapshot=str(tastes), max_new_tokens=8, cache=cache))
    lines = pl.read_ndjson(answers / "candidates.jsonl")
    assert set(lines["model"]) == {str(tiny_model), run.name}
    texts = {arm: set(lines.filter(pl.col("arm") == arm)["text"]) for arm in ("base", "tuned")}
    assert texts["tuned"] == {GOOD} and GOOD not in texts["base"]
    assert len(list((tmp_path / "cache").iterdir())) == 2  # each arm has its own answers


def test_a_reward_model_starts_from_a_run_that_writes_but_cannot_become_one(
    plan: TrainPlan, carry_out: CarryOut, tastes: Path
) -> None:
    from safetensors.torch import load_file

    short = with_dials(plan, max_steps=3, samples=0)
    writer = carry_out(short)
    before = load_file(writer / "model" / "adapter_model.safetensors")
    for weights in ("lora", "full"):
        reward = carry_out(with_dials(short, method="reward", model=str(writer), weights=weights, learning_rate=1e-9))
        after = load_file(next((reward / "model").glob("*.safetensors")))
        if weights == "lora":  # at next to no rate the matrices are still those that it started with
            assert all((after[name] - before[name]).abs().max() < 1e-6 for name in before)
        assert [name for name in after if "score" in name]
        with pytest.raises(RunError, match="ends in a score, which cannot learn to write"):
            carry_out(with_dials(short, model=str(reward)))
    again = carry_out(with_dials(short, method="reward", model=str(reward)))
    assert read_manifest(again)["parent_run_id"] == reward.name
    with pytest.raises(RunError, match="scores answers and writes none"):
        carry_out(with_dials(GeneratePlan(), run=str(reward), snapshot=str(tastes)))


def test_kto_wants_neighbours_and_weighs_the_rarer_thumb_more(plan: TrainPlan, carry_out: CarryOut) -> None:
    with pytest.raises(UsageError, match="batch_size is 1"):
        carry_out(with_dials(plan, method="kto", batch_size=1, model="no/such-model"))
    run = carry_out(with_dials(plan, method="kto", max_rows=31, max_steps=1, samples=0))
    summary = read_json(run / "summary.json")
    up, down = summary["thumbs"]["up"], summary["thumbs"]["down"]
    assert up + down == 31 and up != down
    heavier = "undesirable_weight" if up > down else "desirable_weight"
    assert math.isclose(summary[heavier], max(up, down) / min(up, down))
    weighed = carry_out(
        with_dials(plan, method="kto", max_steps=1, samples=0, trl_overrides={"undesirable_weight": 1.5})
    )
    assert read_json(weighed / "summary.json")["undesirable_weight"] == 1.5
