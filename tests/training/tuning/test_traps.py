"""The traps of tuning with TRL that its users fell into most: one test each that ours does not fall in.

The numbers are those of the list of pains that the project keeps; the names say what goes wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.store.identity import hash_text
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_json, read_metrics
from tests.training.snapshots import answer_row, pair_row, write_snapshot

CarryOut = Callable[..., Path]
METHODS = ["sft", "dpo", "kto", "reward"]
PROMPTS = ["where is my parcel", "open the page", "the lamp arrived broken", "send a new one today"]


@pytest.fixture(scope="session")
def rows_of_both_kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight examples, two of them holdout: each with a good answer, and a pair of a short and a long answer."""
    rows: list[dict[str, Any]] = []
    for number in range(8):
        side = {"split": "holdout" if number > 5 else "train"}
        prompt, words = f"{PROMPTS[number % 4]} {number}", "thank you " * (1 + number)
        rows.append(answer_row(number, prompt, words.strip(), scores='{"helpfulness": 4.0}', **side))
        rows.append(pair_row(number, prompt, "thank you", f"please {words}please", **side))
    return write_snapshot(tmp_path_factory.mktemp("traps") / "snap_traps", rows, "snap_traps")


@pytest.fixture
def plan(sft_plan: TrainPlan, rows_of_both_kinds: Path) -> TrainPlan:
    return with_dials(
        sft_plan, snapshot=str(rows_of_both_kinds), max_steps=2, batch_size=2, learning_rate=0.01, samples=0
    )


def job_of(plan: TrainPlan, tmp_path: Path) -> Any:
    from pitchpipe.training.tuning.tune import read_job

    return read_job(create_run_folder(tmp_path, plan), plan)


def test_01_a_tuned_model_stops_since_every_row_teaches_its_end_of_turn(
    plan: TrainPlan, carry_out: CarryOut, rows_of_both_kinds: Path, tmp_path: Path
) -> None:
    job = job_of(plan, tmp_path)
    end = job.encoder.end_of_turn[-1]
    assert all(row["labels"][-1] == end for row in job.ledger.learned)
    run = carry_out(with_dials(plan, weights="full", max_steps=40, batch_size=6, learning_rate=0.005))
    measure = with_dials(EvaluatePlan(), run=str(run), snapshot=str(rows_of_both_kinds), resamples=100)
    behaviour = read_json(carry_out(measure) / "evaluation.json")["behaviour"]
    assert (behaviour["base"]["stop_rate"]["share"], behaviour["tuned"]["stop_rate"]["share"]) == (0.0, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_02_what_pads_a_saved_model_is_never_what_ends_it(plan: TrainPlan, carry_out: CarryOut, method: str) -> None:
    from pitchpipe.training.models.loading import load_model, load_tokenizer, resolve_model

    whole = resolve_model(str(carry_out(with_dials(plan, method=method, weights="full"))))
    model, tokenizer = load_model(whole, "fp32", "eager"), load_tokenizer(whole.folder)
    assert model.config.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id
    if method != "reward":
        settings = read_json(whole.folder / "generation_config.json")
        assert settings["pad_token_id"] == tokenizer.pad_token_id != settings["eos_token_id"]


def test_03_every_row_has_learned_tokens_though_the_template_marks_no_answer(plan: TrainPlan, tmp_path: Path) -> None:
    from trl.chat_template_utils import is_chat_template_stop_token_trained

    job = job_of(plan, tmp_path)
    assert not is_chat_template_stop_token_trained(job.encoder.tokenizer)  # TRL's own mask would be all zeros
    for kept, row in zip(job.result.kept, job.ledger.learned, strict=True):
        learned = [label for label in row["labels"] if label != -100]
        assert learned == job.encoder.answer(kept["completion"][0]["content"])


@pytest.mark.parametrize("policy", ["drop", "truncate"])
@pytest.mark.parametrize("method", METHODS)
def test_04_a_trainer_has_exactly_the_rows_that_the_ledger_keeps(
    plan: TrainPlan, carry_out: CarryOut, method: str, policy: str
) -> None:
    run = carry_out(with_dials(plan, method=method, max_length=30, over_length=policy))
    rows, ledger = read_json(run / "summary.json")["rows"], pl.read_parquet(run / "ledger.parquet")
    assert ledger.height == rows["considered"] == rows["kept"] + rows["truncated"] + rows["too_long"] + rows["dropped"]
    cut, left_out = ledger.filter(status="truncated"), ledger.filter(status="too_long")
    assert bool(cut.height) == (policy == "truncate") and bool(left_out.height) == (policy == "drop")
    assert all("more than the 30" in why for why in [*cut["why"], *left_out["why"]])


@pytest.mark.parametrize("weights", ["lora", "full"])
def test_05_a_model_is_served_with_the_template_that_it_was_trained_with(
    plan: TrainPlan, carry_out: CarryOut, weights: str
) -> None:
    from pitchpipe.training.measuring.arms import Arms

    run = carry_out(with_dials(plan, weights=weights))
    served = Arms(str(run), "fp32", "eager").encoder
    assert served.template_hash == read_json(run / "inputs.json")["chat_template_hash"]
    assert served.template_hash == hash_text(str(served.tokenizer.chat_template))


@pytest.mark.parametrize("method", METHODS)
def test_06_the_ids_of_a_prompt_are_the_beginning_of_its_row(plan: TrainPlan, tmp_path: Path, method: str) -> None:
    rows: list[dict[str, Any]] = []
    for number, answer in enumerate(["\n\nthank you", " thank you", "'s parcel", "you"]):  # what could merge
        rows.append(answer_row(number, "where is\n", answer, scores='{"helpfulness": 4.0}'))
        rows.append(pair_row(number, "where is\n", answer, "\nno"))
    snapshot = write_snapshot(tmp_path / "merging", rows, "snap_merging")
    job = job_of(with_dials(plan, method=method, snapshot=str(snapshot)), tmp_path)
    prompt = job.encoder.prompt([{"role": "user", "content": "where is\n"}])
    for row in job.ledger.learned:
        ids = row.get("input_ids") or row.get("prompt_ids") or row["chosen_ids"]
        assert ids[: len(prompt)] == prompt


def test_07_a_pair_that_teaches_nothing_is_left_out_with_its_reason(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    rows = [pair_row(0, "a", "same", "same"), pair_row(1, "a", "", "b"), pair_row(2, "a", "thank you", "the lamp")]
    snapshot = write_snapshot(tmp_path / "odd", rows, "snap_odd")
    for method in ("dpo", "reward"):
        ledger = pl.read_parquet(carry_out(with_dials(plan, method=method, snapshot=str(snapshot))) / "ledger.parquet")
        assert ledger["status"].to_list() == ["dropped", "dropped", "kept"]
        assert [why.partition(":")[0] for why in ledger["why"]] == ["identical_answers", "empty_answer", ""]


def test_08_the_likelihood_of_the_chosen_answer_is_guarded_by_a_dial(plan: TrainPlan, carry_out: CarryOut) -> None:
    long = with_dials(plan, method="dpo", max_steps=12, batch_size=6, learning_rate=0.02)
    bare, guarded = (read_metrics(carry_out(with_dials(long, sft_weight=weight)))[-1] for weight in (0.0, 1.0))
    assert guarded["logps/chosen"] > bare["logps/chosen"]
    assert guarded["rewards/margins"] > 0 and bare["rewards/margins"] > 0


@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("weights", ["lora", "full"])
def test_09_the_policy_and_its_reference_are_the_run_that_was_named(
    plan: TrainPlan, carry_out: CarryOut, method: str, weights: str
) -> None:
    from pitchpipe.training.measuring.arms import Arms
    from pitchpipe.training.measuring.scoring import score_answers

    first = carry_out(with_dials(plan, learning_rate=0.05))
    second = carry_out(with_dials(plan, method=method, weights=weights, model=str(first), batch_size=6, max_steps=1))
    metric = read_metrics(second)[0]
    # At the first step the log-probability of the chosen answers is that of the first run, not of its base.
    arms, job = Arms(str(first), "fp32", "eager"), job_of(with_dials(plan, method=method), second / "again")
    rows = [row for row in job.ledger.learned if row.get("label", True)]
    sides = [(row["prompt_ids"], row.get("chosen_ids") or row["completion_ids"]) for row in rows]
    means = {}
    for arm in ("base", "tuned"):
        with arms.enter(arm) as model:
            scores = score_answers(model, sides, 6, job.encoder.tokenizer.pad_token_id)
        means[arm] = -sum(score.nll_sum for score in scores) / len(scores)
    assert math.isclose(metric["logps/chosen"], means["tuned"], rel_tol=1e-4)
    assert not math.isclose(means["base"], means["tuned"], rel_tol=1e-2)
    assert read_json(second / "summary.json")["step0_margin"] == 0.0


@pytest.mark.parametrize("method", METHODS)
def test_10_a_run_goes_on_only_with_what_it_began_with(plan: TrainPlan, carry_out: CarryOut, method: str) -> None:
    """That a stopped run of any method ends with the same weights is held in test_tuning.py."""
    run = carry_out(with_dials(plan, method=method))
    (run / "manifest.json").unlink()
    text = (run / "plan.toml").read_text()
    (run / "plan.toml").write_text(text.replace('weights = "lora"', 'weights = "full"'))
    with pytest.raises(RunError, match=r"plan.weights: 'lora' -> 'full'"):
        carry_out(plan, run)


@pytest.mark.parametrize(("weights", "frozen"), [("lora", "torch.bfloat16"), ("full", None)])
def test_11_frozen_weights_are_held_in_half_the_memory_and_trained_ones_are_not(
    plan: TrainPlan, tmp_path: Path, weights: str, frozen: str | None
) -> None:
    from pitchpipe.training.tuning.overrides import build_config
    from pitchpipe.training.tuning.tune import _build

    plan = with_dials(plan, precision="bf16", weights=weights)
    job = job_of(plan, tmp_path)
    trainer = _build(job, build_config(plan, tmp_path, False, "bf16"), [])
    kinds = {(str(weight.dtype), weight.requires_grad) for weight in trainer.model.parameters()}
    assert kinds == {("torch.float32", True)} | ({(frozen, False)} if frozen else set())


def test_12_the_holdout_score_is_the_same_in_any_batch_where_a_mean_over_batches_is_not(
    plan: TrainPlan, carry_out: CarryOut, rows_of_both_kinds: Path
) -> None:
    run = carry_out(plan)
    measure = with_dials(
        EvaluatePlan(), run=str(run), snapshot=str(rows_of_both_kinds), max_prompts=1, max_new_tokens=1, resamples=100
    )
    reports = [carry_out(with_dials(measure, batch_size=size)) for size in (1, 32)]
    one, all_at_once = (read_json(folder / "evaluation.json")["nll"]["tuned"] for folder in reports)
    assert math.isclose(one, all_at_once, abs_tol=1e-5)
    table = pl.read_parquet(reports[0] / "nll.parquet").filter(arm="tuned")
    mean_over_batches_of_one = (table["nll_sum"] / table["tokens"]).mean()
    assert not math.isclose(one, float(mean_over_batches_of_one), abs_tol=1e-3)  # type: ignore[arg-type]


def test_13_packed_rows_do_not_see_each_other(plan: TrainPlan, carry_out: CarryOut) -> None:
    with pytest.raises(UsageError, match="lets rows see each other"):
        carry_out(with_dials(plan, layout="packed", trl_overrides={"packing_strategy": "wrapped"}))
    apart = carry_out(with_dials(plan, layout="shuffled", batch_size=6, max_steps=1))
    packed = carry_out(with_dials(plan, layout="packed", batch_size=6, max_steps=1, max_length=400))
    losses = [read_metrics(run)[0]["loss"] for run in (apart, packed)]
    assert math.isclose(*losses, abs_tol=1e-5)
