"""Kills a run at random moments and compares what it becomes with one that was left alone.

`python -m tests.benchmarks kills` does it twenty times, five of them while a checkpoint is being written. The trainer
is loaded once: every run is a fork of a process that has done so, and ends by SIGKILL as any other would.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import (
    METRICS,
    PROGRESS,
    RunStatus,
    create_run_folder,
    read_json,
    read_state,
    verify_run,
)

STEPS, EVERY = 40, 5
_PASSING = ("time", "seconds", "tokens_per_second", "memory_gb")
_PRELOADED = ["pitchpipe.training.tuning.tune", "pitchpipe.training.tuning.sft", "peft", "accelerate"]


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what came of it."""

    moment: str
    """What the run was doing, by its own progress."""
    step: int
    inside_save: bool
    """A checkpoint lay there that was not whole."""
    same_weights: bool
    same_metrics: bool
    """Every line of metrics.jsonl but for clock times and memory."""
    is_sound: bool
    """The run is finished and its folder verifies."""


class Killer:
    """Kills runs of one plan, each in a folder of its own."""

    def __init__(self, plan: TrainPlan, runs: Path, seed: int = 0) -> None:
        self.plan, self.runs = plan, runs
        self.random = random.Random(seed)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(_PRELOADED)
        self.whole = create_run_folder(runs, plan)
        self._start(self.whole).join()

    def kill_anywhere(self) -> Kill:
        """Kills a new run somewhere between its first word and its last, and lets it go on."""
        step, delay = self.random.randrange(STEPS + 1), self.random.uniform(0.0, 0.05)
        return self._kill(lambda folder: read_json(folder / PROGRESS).get("step", -1) >= step, delay)

    def kill_inside_save(self) -> Kill:
        """Kills a new run while a checkpoint of it is being written, and lets it go on."""
        while True:
            number = EVERY * self.random.randrange(1, STEPS // EVERY)
            kill = self._kill(
                lambda folder: (folder / "checkpoints" / f"checkpoint-{number}").is_dir(),  # noqa: B023
                self.random.uniform(0.0, 0.01),
            )
            if kill.inside_save:
                return kill

    def _kill(self, is_due: Callable[[Path], bool], delay: float) -> Kill:
        folder = create_run_folder(self.runs, self.plan)
        process = self._start(folder)
        while process.is_alive() and not is_due(folder):
            time.sleep(0.0005)
        time.sleep(delay)
        with contextlib.suppress(ProcessLookupError):  # it may have ended in the meantime
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        state = read_state(folder)
        checkpoints = list((folder / "checkpoints").glob("checkpoint-*"))
        inside = any(not (path / "whole.json").exists() for path in checkpoints)
        self._start(folder).join()
        return Kill(
            moment=state.stage,
            step=state.step,
            inside_save=inside,
            same_weights=_weights(folder) == _weights(self.whole),
            same_metrics=_lines(folder) == _lines(self.whole),
            is_sound=read_state(folder).status is RunStatus.FINISHED and verify_run(folder) == [],
        )

    def _start(self, folder: Path) -> ForkServerProcess:
        process = self.context.Process(target=_carry_out, args=(folder,))
        # A new process runs the main program's file again, which that of a test worker cannot bear; ours needs none.
        main = vars(sys.modules["__main__"])
        path = main.pop("__file__", None)
        try:
            process.start()
        finally:
            if path is not None:
                main["__file__"] = path
        return process


def _carry_out(folder: Path) -> None:
    from pitchpipe.training.__main__ import run_folder

    run_folder(folder)


def _weights(folder: Path) -> bytes:
    return (folder / "model" / "adapter_model.safetensors").read_bytes()


def _lines(folder: Path) -> list[dict[str, Any]]:
    """The lines as they stand in the file: a step that was repeated would show."""
    lines = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in _PASSING} for line in lines]


def plan_to_kill(model: Path, snapshot: Path) -> TrainPlan:
    """Forty steps of the tiny model in exact fp32, a checkpoint at every fifth."""
    return with_dials(
        TrainPlan(),
        model=str(model),
        snapshot=str(snapshot),
        precision="fp32",
        max_steps=STEPS,
        checkpoint_every=EVERY,
        batch_size=4,
        learning_rate=0.01,
        lora_rank=4,
        lora_dropout=0.1,
        samples=1,
        threads=1,
    )


def measure(kills: int = 20, inside: int = 5) -> dict[str, Any]:
    """Kills so many runs, `inside` of them inside a save."""
    from tests.tiny_model import WORDS, build_tiny_model
    from tests.training.snapshots import answer_row, write_snapshot

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        build_tiny_model(place / "model")
        rows = [answer_row(number, WORDS[number], " ".join(WORDS[number % 9 :][:6])) for number in range(18)]
        snapshot = write_snapshot(place / "snap_kills", rows, "snap_kills")
        killer = Killer(plan_to_kill(place / "model", snapshot), place / "runs")
        done = [killer.kill_inside_save() for _ in range(inside)]
        done += [killer.kill_anywhere() for _ in range(kills - inside)]
    return {
        "kills": len(done),
        "inside a save": sum(kill.inside_save for kill in done),
        "same weights": sum(kill.same_weights for kill in done),
        "same metrics": sum(kill.same_metrics for kill in done),
        "finished and verified": sum(kill.is_sound for kill in done),
        "moments": [f"{kill.moment} at step {kill.step}" for kill in done],
    }
