"""The reference is asked about a pair once, and what a run ends with does not depend on whether it was asked before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_json, read_metrics

CarryOut = Callable[..., Path]


@pytest.fixture
def plan(sft_plan: TrainPlan) -> TrainPlan:
    """Two passes over twelve pairs in three batches each."""
    return with_dials(sft_plan, method="dpo", max_steps=6, learning_rate=0.01, samples=0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the pairs of a batch whenever a reference is computed."""
    from pitchpipe.training.tuning.dpo import TokenisedDPOTrainer

    compute, counts = TokenisedDPOTrainer.compute_ref_log_probs, []

    def count(trainer: Any, model: Any, inputs: Any) -> Any:
        counts.append(len(inputs["input_ids"]) // 2)
        return compute(trainer, model, inputs)

    monkeypatch.setattr(TokenisedDPOTrainer, "compute_ref_log_probs", count)
    return counts


def losses(folder: Path) -> list[float]:
    return [metric["loss"] for metric in read_metrics(folder)]


def test_the_reference_is_asked_in_the_first_pass_only_and_by_the_next_trial_hardly(
    plan: TrainPlan, carry_out: CarryOut, asked: list[int], tmp_path: Path
) -> None:
    first = carry_out(plan)
    assert asked == [4, 4, 4]
    other = carry_out(with_dials(plan, learning_rate=0.02, beta=0.3, lora_rank=2))
    assert asked == [4, 4, 4, 4]
    again = carry_out(plan)
    assert losses(again) == losses(first) != losses(other)
    assert read_json(other / "summary.json")["step0_margin"] == 0.0
    carry_out(with_dials(plan, seed=8))
    assert len(list((tmp_path / "cache" / "references").iterdir())) == 2


def test_a_file_that_does_not_agree_with_the_reference_is_thrown_away(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    first = carry_out(plan)
    (file,) = (tmp_path / "cache" / "references").iterdir()
    honest = file.read_text()
    wrong = [[pair, chosen + 1.0, rejected] for pair, chosen, rejected in map(json.loads, honest.splitlines())]
    file.write_text("".join(json.dumps(line) + "\n" for line in wrong) + '["torn')
    assert losses(carry_out(plan)) == losses(first)
    assert file.read_text() == honest


def test_the_losses_are_those_of_a_reference_that_is_asked_at_every_step_without_sharing(
    plan: TrainPlan, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import DPOTrainer

    from pitchpipe.training.models import fused_head
    from pitchpipe.training.tuning.dpo import TokenisedDPOTrainer

    share, shared = fused_head.share_prompts, []
    monkeypatch.setattr(fused_head, "share_prompts", lambda *given: shared.append(share(*given)) or shared[-1])
    ours = losses(carry_out(plan))
    assert len(shared) == 6 + 3 and None not in shared
    monkeypatch.setattr(TokenisedDPOTrainer, "_compute_loss", DPOTrainer._compute_loss)
    monkeypatch.setattr(fused_head, "share_prompts", lambda *_: None)
    theirs = losses(carry_out(plan))
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert ours[-1] < 0.6
