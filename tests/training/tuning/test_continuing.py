"""A round that starts from a finished run: whom it holds to, and that it starts exactly there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import RunStatus, create_run_folder, read_state

CarryOut = Callable[..., Path]


def test_a_round_from_a_run_is_refused_when_the_chat_template_has_changed_since(
    sft_plan: TrainPlan, carry_out: CarryOut, tiny_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    first = carry_out(with_dials(sft_plan, model=str(model)))
    template = model / "chat_template.jinja"
    template.write_text("Today: " + template.read_text())
    with pytest.raises(RunError, match="tuned with another chat template"):
        carry_out(with_dials(sft_plan, model=str(first)))


def test_a_run_whose_reference_is_another_model_ends_at_its_first_step(
    sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.tuning import dpo

    build = dpo.TokenisedDPOTrainer.__init__

    def build_with_a_wrong_reference(trainer: Any, *given: Any, **named: Any) -> None:
        build(trainer, *given, **named)
        for name, weight in trainer.model.named_parameters():
            if "lora_B.ref" in name:
                weight.data += 0.1

    first = carry_out(sft_plan)
    monkeypatch.setattr(dpo.TokenisedDPOTrainer, "__init__", build_with_a_wrong_reference)
    plan = with_dials(sft_plan, method="dpo", model=str(first))
    folder = create_run_folder(tmp_path / "wrong", plan)
    with pytest.raises(RunError, match=r"margin of policy over reference is -?[0-9.]+"):
        carry_out(plan, folder)
    state = read_state(folder)
    assert (state.status, state.step) == (RunStatus.FAILED, 1) and "must be exactly 0" in state.happened
