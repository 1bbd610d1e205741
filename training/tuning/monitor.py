# ruff: noqa: ARG002 (transformers calls every method with the same arguments by name)
"""Monitor: tells watchers how a run goes, and hears when it is asked to stop."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pitchpipe.store.errors import RunError
from pitchpipe.training.hardware.ranks import any_rank
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.checkpoints import mark_whole
from pitchpipe.training.runs.run_folders import METRICS, finite, read_metrics, write_progress
from pitchpipe.training.tuning.advice import advise

_stop = threading.Event()


def listen_for_stop() -> None:
    """From now on SIGTERM and SIGINT ask the run to end at the next step; a second one ends it at once."""

    def hear(number: int, _: object) -> None:
        if _stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        _stop.set()

    signal.signal(signal.SIGTERM, hear)
    signal.signal(signal.SIGINT, hear)


class StoppedError(RunError):
    """The run was asked to stop; its folder can be continued."""


def stop_if_asked() -> None:
    """Raises when the run was asked to stop; call it between pieces of work."""
    if _stop.is_set():
        raise StoppedError(
            "The run was stopped before it was finished.", "Start it again: it continues where it stopped."
        )


class LossLostError(RunError):
    """The loss or its gradient is no finite number any more; going on would only spoil the weights."""


class Monitor(TrainerCallback):  # type: ignore[misc]
    """Writes a line of metrics.jsonl at every step, keeps progress.json current, and stops training when asked.

    A loss or gradient that is no finite number ends the run at once, before it is saved over the last good checkpoint.
    """

    def __init__(self, folder: Path, plan: TrainPlan) -> None:
        self.folder, self.plan = folder, plan
        self.began = self.last = time.monotonic()
        self.first_step = 0
        self.tokens = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.began = self.last = time.monotonic()
        self.first_step = state.global_step
        self.cut_torn_line()
        before = read_metrics(self.folder)
        self.tokens = before[-1].get("num_tokens", 0.0) if before else 0.0
        write_progress(self.folder, "training", state.global_step, state.max_steps)

    def cut_torn_line(self) -> None:
        """A write that a full disk cut short must not swallow the line that follows it."""
        path = self.folder / METRICS
        if path.is_file():
            with path.open("r+b") as file:
                file.truncate(file.read().rfind(b"\n") + 1)

    def pass_over(self, seconds: float) -> None:
        """Leaves seconds that were spent on measuring out of the speed of training."""
        self.last += seconds

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        spent = time.monotonic() - self.began
        done = state.global_step - self.first_step
        left = spent / done * (state.max_steps - state.global_step)
        write_progress(
            self.folder, "training", state.global_step, state.max_steps, seconds=spent, eta_seconds=round(left, 1)
        )
        if any_rank(_stop.is_set()):
            _stop.set()
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        now = time.monotonic()
        seen = float(logs.get("num_tokens", 0.0))
        metric = {
            "step": state.global_step,
            "time": time.time(),
            "seconds": round(now - self.began, 3),
            "tokens_per_second": round((seen - self.tokens) / max(now - self.last, 1e-9), 1),
            "memory_gb": _peak_memory(),
            **{name: _plain(value) for name, value in logs.items()},
        }
        self.last, self.tokens = now, seen
        self.write_line(metric)
        for finding in advise([metric], self.plan):
            if finding.rule == "not_finite":
                raise LossLostError(finding.happened, f"{finding.advice} {_KEPT}")

    def write_line(self, metric: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(metric, allow_nan=False) + "\n")


_KEPT = "Start a new run with that change. The checkpoints from before this step are kept in the run folder."


def _peak_memory() -> float:
    """Gigabytes at most so far: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return round(float(torch.cuda.max_memory_allocated()) / 2**30, 3)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (2**30 if sys.platform == "darwin" else 2**20), 3)  # macOS counts bytes


def _plain(value: Any) -> float | str | None:
    """A number that JSON can hold; what is not finite becomes None."""
    return value if value is None or isinstance(value, str) else finite(float(value))
