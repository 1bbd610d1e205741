"""Timing: how long a run would take, from the speed of earlier runs here, else from stated constants. Free of torch.

A step is counted in operations: 2 per parameter and token forward, as many again for each gradient that flows back
(Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, section 2.1); attention itself is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import MANIFEST, read_json, read_metrics, read_plan

CPU_SPEED = 0.13e12
"""Operations a second that LoRA steps reached on two CPU cores with AMX (243 tokens/s, 135M parameters)."""
GPU_SPEED = 100e12
"""A third of what one 80 GB data-centre GPU of 2020 has in bf16 on paper (312 TFLOP/s); later ones are faster."""
LOADING_SECONDS = 20.0
"""For libraries, model and saving, on a CPU."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a run is expected to be."""

    tokens_per_second: float
    """Tokens of rows, padding not counted."""
    source: str
    is_measured: bool


def find_speed(plan: TrainPlan, runs_dir: Path, base_model: str, device: str, parameters: int, padding: float) -> Speed:
    """The speed of the newest finished run of the same method, model and kind of weights on this device, else a guess.

    Args:
        runs_dir: where earlier runs lie.
        padding: computed tokens by tokens of rows, at least 1.
    """
    for folder in sorted(runs_dir.glob("run_*"), reverse=True):
        speed = measure_run(folder, plan, base_model, device)
        if speed is not None:
            return Speed(speed, f"measured in the run {folder.name} on this kind of device", True)
    operations = count_operations(plan) * parameters * padding
    speed = CPU_SPEED if device == "cpu" else GPU_SPEED
    words = "0.13 TFLOP/s, as on two CPU cores" if device == "cpu" else "100 TFLOP/s, a third of one A100"
    return Speed(speed / operations, f"a rough guess: {words}; no earlier run here tells better", False)


def measure_run(folder: Path, plan: TrainPlan, base_model: str, device: str) -> float | None:
    """Tokens a second of a finished run, its first step left out; None where it says nothing about the plan."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        before = read_plan(folder)
    except PitchpipeError:
        return None
    same = (getattr(before, "method", None), getattr(before, "weights", None)) == (plan.method, plan.weights)
    inputs, surroundings = read_json(folder / "inputs.json"), read_json(folder / "environment.json")
    if not same or inputs.get("base_model") != base_model or surroundings.get("device") != device:
        return None
    return measure_metrics(read_metrics(folder))


def measure_metrics(metrics: list[dict[str, Any]]) -> float | None:
    """Tokens a second between the first and the last step that tell of tokens.

    >>> measure_metrics([{"seconds": 9, "num_tokens": 100}, {"seconds": 11, "num_tokens": 500}])
    200.0
    """
    told = [(line["seconds"], line["num_tokens"]) for line in metrics if line.get("num_tokens")]
    if len(told) < 2 or told[-1][0] <= told[0][0] or told[-1][1] <= told[0][1]:
        return None
    return float((told[-1][1] - told[0][1]) / (told[-1][0] - told[0][0]))


def count_operations(plan: TrainPlan) -> float:
    """Operations for each parameter and token of a row: forward, back, and what else the method runs forward.

    >>> count_operations(TrainPlan()), count_operations(TrainPlan(method="dpo", weights="full"))
    (4.0, 8.0)
    """
    back = 2.0 if plan.weights == "lora" else 4.0  # a frozen matrix needs no gradient of its own
    # The reference of DPO; KTO's too, and its estimate of the KL over strangers' answers, twice.
    beside = {"dpo": 2.0, "kto": 6.0, "rloo": 2.0, "grpo": 2.0}.get(plan.method, 0.0)
    again = 2.0 if plan.checkpointing else 0.0
    return 2.0 + back + beside + again


def estimate_seconds(speed: Speed, tokens_a_step: float, steps: int) -> float:
    """Seconds of the whole run.

    >>> estimate_seconds(Speed(100.0, "", True), tokens_a_step=50, steps=10)
    25.0
    """
    return LOADING_SECONDS + steps * tokens_a_step / speed.tokens_per_second
