"""Rows teach as much as people were sure of them: losses worked out by hand, and the same as ever when it is off."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_metrics
from tests.training.snapshots import answer_row, pair_row, write_snapshot

CarryOut = Callable[..., Path]


@pytest.fixture(scope="session")
def doubts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs and two answers; of the first of each everybody was sure, of the second three in four or half."""
    good, bad = {"scores": '{"helpfulness": 4.0}'}, {"scores": '{"helpfulness": 0.0}'}
    rows = [
        pair_row(0, "where is my parcel", "thank you", "the lamp", support=1.0),
        pair_row(1, "open the page", "a new one", "please send", support=0.75, weight=0.5, strength=-1.0),
        answer_row(2, "where is my parcel", "thank you", support=1.0, **good),
        answer_row(3, "open the page", "please send the lamp", support=0.5, **good),
        answer_row(4, "the lamp", "broken", support=0.5, origin="model", **bad),
    ]
    return write_snapshot(tmp_path_factory.mktemp("doubts") / "snap_doubts", rows, "snap_doubts")


@pytest.fixture
def plan(sft_plan: TrainPlan, doubts: Path) -> TrainPlan:
    return with_dials(sft_plan, snapshot=str(doubts), max_steps=1, batch_size=4, samples=0, soft_labels=True)


def log_sigmoid(number: float) -> float:
    return -math.log1p(math.exp(-number))


def nll_of(tiny_model: Path, encoder: Any, pairs: list[tuple[str, str]]) -> list[Any]:
    from pitchpipe.training.measuring.scoring import score_answers
    from pitchpipe.training.models.loading import load_model, resolve_model

    model = load_model(resolve_model(str(tiny_model)), "fp32", "eager")
    rows = [(encoder.prompt([{"role": "user", "content": ask}]), encoder.answer(say)) for ask, say in pairs]
    return score_answers(model, rows, 8, encoder.tokenizer.pad_token_id)


def moved_trainer(plan: TrainPlan, folder: Path) -> tuple[Any, dict[str, Any]]:
    """The trainer of a plan with its adapter pushed away from the reference, and its first batch."""
    import torch

    from pitchpipe.training.tuning.overrides import build_config
    from pitchpipe.training.tuning.tune import _build, read_job

    job = read_job(folder, plan)
    trainer = _build(job, build_config(plan, folder, False, "fp32"), [])
    torch.manual_seed(1)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn_like(weight) * 0.1
    trainer.model.train()
    return trainer, next(iter(trainer.get_train_dataloader()))


def test_an_answer_that_half_were_sure_of_teaches_half_as_much(
    plan: TrainPlan, carry_out: CarryOut, tiny_model: Path, encoder: Any
) -> None:
    sure, unsure = nll_of(
        tiny_model, encoder, [("where is my parcel", "thank you"), ("open the page", "please send the lamp")]
    )
    loss = read_metrics(carry_out(with_dials(plan, method="sft")))[0]["loss"]
    tokens = sure.tokens + unsure.tokens
    assert math.isclose(loss, (sure.nll_sum + 0.5 * unsure.nll_sum) / tokens, rel_tol=1e-5)
    plain = read_metrics(carry_out(with_dials(plan, method="sft", soft_labels=False)))[0]["loss"]
    assert math.isclose(plain, (sure.nll_sum + unsure.nll_sum) / tokens, rel_tol=1e-5)


@pytest.mark.parametrize("sft_weight", [0.0, 0.3])
def test_dpo_takes_a_doubtful_pair_for_wrong_as_often_as_it_may_be(
    plan: TrainPlan, tmp_path: Path, sft_weight: float
) -> None:
    trainer, batch = moved_trainer(with_dials(plan, method="dpo", sft_weight=sft_weight), tmp_path)
    smoothing, weights = batch["label_smoothing"].tolist(), batch["weight"].tolist()
    assert sorted(zip(smoothing, weights, strict=True)) == [(0.0, 1.0), (0.25, 0.5)]
    loss = float(trainer.compute_loss(trainer.model, dict(batch)))
    # The rewards that TRL's own metrics tell of each pair alone give the loss by hand.
    kept, expected = trainer._metrics["train"], 0.0
    tokens = sum(len(row["chosen_ids"]) for row in trainer.train_dataset)
    for row in range(2):
        kept.clear()
        one = {name: value[[row, row + 2]] if len(value) == 4 else value[[row]] for name, value in batch.items()}
        trainer.compute_loss(trainer.model, one)
        z, e, w = kept["rewards/margins"][0], smoothing[row], weights[row]
        assert abs(z) > 1e-3
        expected += w * (-(1 - e) * log_sigmoid(z) - e * log_sigmoid(-z)) / 2
        expected -= sft_weight * w * kept["logps/chosen"][0] / tokens
    assert math.isclose(loss, expected, rel_tol=1e-4)


def test_a_reward_model_takes_a_doubtful_pair_for_wrong_as_often_as_it_may_be(plan: TrainPlan, tmp_path: Path) -> None:
    trainer, batch = moved_trainer(with_dials(plan, method="reward"), tmp_path)
    smoothing, weights, margins = (batch[name].tolist() for name in ("label_smoothing", "weight", "margin"))
    assert sorted(margins) == [1.0, 2.0] and sorted(smoothing) == [0.0, 0.25]
    loss = float(trainer.compute_loss(trainer.model, dict(batch)))
    kept, expected = trainer._metrics["train"], 0.0
    for row in range(2):
        kept.clear()
        one = {name: value[[row, row + 2]] if len(value) == 4 else value[[row]] for name, value in batch.items()}
        trainer.compute_loss(trainer.model, one)
        d, e, w, m = kept["margin"][0], smoothing[row], weights[row], margins[row]
        expected += w * (-(1 - e) * log_sigmoid(d - m) - e * log_sigmoid(-d - m)) / 2
    assert math.isclose(loss, expected, rel_tol=1e-4)


def test_kto_weighs_each_thumb_by_how_sure_people_were(plan: TrainPlan, tmp_path: Path) -> None:
    trainer, batch = moved_trainer(with_dials(plan, method="kto", beta=1.0), tmp_path)
    pairs = sorted(zip(batch["label"].tolist(), batch["weight"].tolist(), strict=True))
    assert pairs == [(False, 0.5), (True, 0.5), (True, 1.0)]
    assert (trainer.desirable_weight, trainer.undesirable_weight) == (1.0, 2.0)
    soft = float(trainer.compute_loss(trainer.model, dict(batch)))
    parts = {}
    for index in range(3):  # a weight of one for one row and of nothing for the others leaves that row's part
        weight = batch["weight"] * 0
        weight[index] = 1.0
        parts[index] = float(trainer.compute_loss(trainer.model, {**batch, "weight": weight}))
    expected = sum(parts[index] * batch["weight"][index].item() for index in range(3))
    assert math.isclose(soft, expected, rel_tol=1e-5)
    hard = {name: value for name, value in batch.items() if name != "weight"}
    assert math.isclose(float(trainer.compute_loss(trainer.model, hard)), sum(parts.values()), rel_tol=1e-5)


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "reward"])
def test_without_the_dial_a_trainer_gets_no_column_of_it_and_with_it_sure_rows_teach_as_before(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path, method: str
) -> None:
    sure = [pair_row(n, "open the page", "thank you", "the lamp", support=1.0) for n in range(4)]
    scores = {"scores": '{"helpfulness": 4.0}', "support": 1.0}
    sure += [answer_row(n, f"the lamp {n}", "thank you", **scores) for n in range(4)]
    snapshot = str(write_snapshot(tmp_path / "sure", sure, "snap_sure"))
    plan = with_dials(plan, method=method, snapshot=snapshot, max_steps=3, learning_rate=0.01)
    soft, hard = (carry_out(with_dials(plan, soft_labels=dial)) for dial in (True, False))
    for one, other in zip(read_metrics(soft), read_metrics(hard), strict=True):
        assert math.isclose(one["loss"], other["loss"], rel_tol=1e-4, abs_tol=1e-6)
    from pitchpipe.training.tuning.tune import read_job

    columns = set(read_job(create_run_folder(tmp_path, plan), with_dials(plan, soft_labels=False)).ledger.learned[0])
    assert not columns & {"weight", "label_smoothing"}


@pytest.mark.parametrize(
    ("method", "dials"),
    [("sft", {"layout": "packed"}), ("dpo", {"trl_overrides": {"loss_type": ["ipo"]}})],
)
def test_a_loss_that_knows_no_weights_is_not_combined_with_soft_labels(
    plan: TrainPlan, carry_out: CarryOut, method: str, dials: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=r"weights of their own|loss of their own"):
        carry_out(with_dials(plan, method=method, model="no/such-model", **dials))
