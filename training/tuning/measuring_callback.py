# ruff: noqa: ARG002 (transformers calls every method with the same arguments by name)
"""Measuring: every so many steps, how a run does on the rows held back and what it answers to fixed prompts.

It must not disturb what it watches: modes of modules and states of random numbers are put back, nothing has a
gradient, so a run that is measured ends with the very weights of one that is not. Its time is not counted as training.
All that it decides (which step is best, when to stop) is derived from metrics.jsonl, so a continued run decides alike.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pitchpipe.training.measuring.scoring import Score
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.checkpoints import rewind_lines
from pitchpipe.training.runs.run_folders import finite, read_json, read_metrics, write_json, write_progress
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.best_weights import clear_best, find_best, keep_best
from pitchpipe.training.tuning.dev_measures import measure_pairs, measure_scores, reward_dev, score_dev
from pitchpipe.training.tuning.dev_rows import DevRows
from pitchpipe.training.tuning.monitor import Monitor, StoppedError
from pitchpipe.training.tuning.samples import SAMPLES, answer_samples, append_samples, describe_samples
from pitchpipe.training.tuning.standing import find_standing

_REFERENCE = "dev_reference.json"


@contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """The model in evaluation mode; afterwards every module's mode and every random state is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    numbers, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(numbers)
        np.random.set_state(arrays)
        torch.set_rng_state(tensors)
        if on_cards:
            torch.cuda.set_rng_state_all(on_cards)


@dataclass
class Measuring(TrainerCallback):  # type: ignore[misc]
    """Measures before training, every `measure_every` steps and at the last; stops early where the plan says so."""

    folder: Path
    scratch: Path
    """Where checkpoints lie; the reference of the dev rows and the best weights lie beside them."""
    plan: TrainPlan
    monitor: Monitor
    encoder: ChatEncoder
    dev: DevRows
    prompts: list[dict[str, Any]]
    """Rows whose prompts are answered: row_id, prompt."""

    def __post_init__(self) -> None:
        self.fresh: dict[str, Any] = {}
        self.reference: list[float] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.monitor.cut_torn_line()
        model = kwargs["model"]
        if state.global_step == 0:
            clear_best(self.scratch)
            (self.folder / SAMPLES).unlink(missing_ok=True)
            self._set_reference(model)
            measured = self._measure(model, state)
            self._write({"step": 0, "time": time.time(), "seconds": 0.0, **measured}, state)
            return
        rewind_lines(self.folder / SAMPLES, state.global_step)
        self.reference = read_json(self.scratch / _REFERENCE).get("nll_sums", [])
        known = next((line for line in read_metrics(self.folder) if line["step"] == state.global_step), {})
        if known and self._is_due(state) and not describes(known):
            # It was stopped in the middle of this measurement.
            measured = self._measure(model, state)
            self._write({**known, **measured}, state)
            self._keep(model, state, measured)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.fresh = {}
        if not self._is_due(state):
            return
        self.fresh = self._measure(kwargs["model"], state)
        self._keep(kwargs["model"], state, self.fresh)
        seen = [*read_metrics(self.folder), {"step": state.global_step, **self.fresh}]
        if find_standing(seen, state.global_step).is_exhausted(self.plan.patience):
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        # Stands first among the callbacks, so trackers and the monitor hear it as part of the step's own log.
        if logs and "loss" in logs:
            logs.update(self.fresh)
            self.fresh = {}

    def is_done(self, step: int) -> bool:
        """True when a run that is continued at this step had stopped early there."""
        return find_standing(read_metrics(self.folder), step).is_exhausted(self.plan.patience)

    def _is_due(self, state: TrainerState) -> bool:
        return bool(state.global_step % self.plan.measure_every == 0 or state.global_step == state.max_steps)

    def _set_reference(self, model: Any) -> None:
        """Before training the policy is the reference, so its scores are kept for what comes after."""
        if self.dev.method not in ("dpo", "kto") or not len(self.dev):
            return
        with undisturbed(model):
            self.reference = [score.nll_sum for score in self._score(model)]
        if all(finite(value) is not None for value in self.reference):
            write_json(self.scratch / _REFERENCE, {"nll_sums": self.reference})

    def _score(self, model: Any) -> list[Score]:
        return score_dev(model, self.dev, self.plan.batch_size, self.encoder.tokenizer.pad_token_id)

    def _measure(self, model: Any, state: TrainerState) -> dict[str, Any]:
        """The measures of this step; empty when the run is asked to stop meanwhile, as a continued run makes it up."""
        began = time.monotonic()
        write_progress(self.folder, "measuring", state.global_step, state.max_steps)
        try:
            with undisturbed(model):
                measured = self._measure_dev(model)
                lines = answer_samples(model, self.encoder, self.prompts, state.global_step, self.plan.max_new_tokens)
        except StoppedError:
            return {}
        finally:
            self.monitor.pass_over(time.monotonic() - began)
        measured |= describe_samples(lines)
        if state.is_world_process_zero:
            append_samples(self.folder, lines)
        return agree({name: finite(value) for name, value in measured.items()})

    def _measure_dev(self, model: Any) -> dict[str, float]:
        if not len(self.dev):
            return {}
        if self.dev.method == "reward":
            pad = self.encoder.tokenizer.pad_token_id
            return measure_pairs(reward_dev(model, self.dev, self.plan.batch_size, pad))
        return measure_scores(self.dev, self._score(model), self.reference, self.plan.beta)

    def _keep(self, model: Any, state: TrainerState, measured: dict[str, Any]) -> None:
        loss = measured.get("dev_loss")
        if not self.plan.keep_best or loss is None or not state.is_world_process_zero:
            return
        best = find_best(self.scratch)
        if best is None or loss < best[1]:
            keep_best(model, self.scratch, state.global_step, loss)

    def _write(self, line: dict[str, Any], state: TrainerState) -> None:
        if state.is_world_process_zero and describes(line):
            self.monitor.write_line(line)


def describes(line: dict[str, Any]) -> bool:
    """True for a line of metrics.jsonl that holds a measurement."""
    return "dev_loss" in line or "stop_rate" in line


def agree(values: dict[str, Any]) -> dict[str, Any]:
    """The values of the first process, for all of them: what they decide by must be the same to the last bit."""
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return values
    told = [values]
    torch.distributed.broadcast_object_list(told, 0)
    return told[0]
