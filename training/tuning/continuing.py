# ruff: noqa: ARG002 (transformers calls every method with the same arguments by name)
"""Continuing: trains to the end from wherever a run stands, so that a run that was killed ends like one that was not.

The trainer brings back weights, optimiser, schedule, random numbers and its place in the order of rows. What it forgets
is brought back here: the lines of metrics after the checkpoint are cut, and the tokens seen so far are counted on.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pitchpipe.store.errors import RunError
from pitchpipe.training.runs.checkpoints import (
    checkpoint_step,
    clear_torn_checkpoints,
    last_whole_checkpoint,
    rewind_lines,
)
from pitchpipe.training.runs.run_folders import METRICS, read_metrics
from pitchpipe.training.tuning.watching import Watch


def train(trainer: Any, folder: Path, watch: Watch) -> None:
    """Trains to the end, or until the watch stops it, from the last whole checkpoint when there is one."""
    clear_torn_checkpoints(folder)
    checkpoint = last_whole_checkpoint(folder)
    rewind_lines(folder / METRICS, checkpoint_step(checkpoint))
    if checkpoint is None:
        trainer.train()
        return
    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if watch.is_done(state.global_step, state.max_steps):
        # Resumed at its last step, the trainer would take one more, so the weights are only loaded.
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = state
        return
    seen = [line["num_tokens"] for line in read_metrics(folder) if line.get("num_tokens")]
    if seen and hasattr(trainer, "_total_train_tokens"):
        trainer._total_train_tokens = int(seen[-1])
    trainer.train(resume_from_checkpoint=str(checkpoint))


class MarginCheck(TrainerCallback):  # type: ignore[misc]
    """Ends a run at its first step when policy and reference do not agree there: its reference would be a wrong one."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        margin = float((logs or {}).get("rewards/margins", 0.0))
        if state.global_step == 1 and margin != 0.0 and not math.isnan(margin):
            raise RunError(
                f"Before the first step the margin of policy over reference is {margin!r}; it must be exactly 0.",
                "The run holds to another model than the one that it starts from. Start from a run or a base whose "
                "weights are as they were when it was finished.",
            )
