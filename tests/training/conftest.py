"""Snapshots written by hand and plans for the tiny model: what training needs of the world, without a store."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read when torch is loaded; waiting threads that spin starve each other on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from pitchpipe.training.plans.plan_files import Plan, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder
from tests.tiny_model import WORDS
from tests.training.snapshots import answer_row, label_row, pair_row, write_snapshot


@pytest.fixture(scope="session")
def encoder(tiny_model: Path) -> Any:
    """The tiny model's tokenizer in our chat encoder."""
    from pitchpipe.training.models.loading import load_tokenizer
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

    return ChatEncoder(load_tokenizer(tiny_model))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four examples, every fourth of them holdout, each with an answer, every second with a pair and a label."""
    rows = []
    for number in range(24):
        side = {"split": "holdout" if number % 4 == 0 else "train"}
        prompt = " ".join(WORDS[number % 7 : number % 7 + 3 + number % 5])
        answer = f"{' '.join(WORDS[number % 11 :][: 4 + number % 6])}.\nnext step: {WORDS[number % 13]}"
        rows.append(answer_row(number, prompt, answer, **side))
        if number % 2:
            rows.append(pair_row(number, prompt, answer, "thank you", **side))
            rows.append(label_row(number, prompt, **side))
    return write_snapshot(tmp_path_factory.mktemp("snapshots") / "snap_test", rows)


@pytest.fixture
def sft_plan(tiny_model: Path, snapshot: Path) -> TrainPlan:
    """Four steps of instruction tuning in exact fp32."""
    return with_dials(
        TrainPlan(),
        model=str(tiny_model),
        snapshot=str(snapshot),
        precision="fp32",
        max_steps=4,
        batch_size=4,
        learning_rate=0.05,
        schedule="constant_with_warmup",
        warmup=0.0,
        lora_rank=4,
        samples=1,
        threads=1,
    )


@pytest.fixture
def carry_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Carries out a plan in this process and returns its run folder; what it caches is this test's own."""
    from pitchpipe.training.__main__ import run_folder

    monkeypatch.setattr("pitchpipe.training.tuning.reference_cache.cache_folder", lambda: tmp_path / "cache")

    def carry_out(plan: Plan, folder: Path | None = None) -> Path:
        folder = folder or create_run_folder(tmp_path / "runs", plan)
        run_folder(folder)
        return folder

    return carry_out


@pytest.fixture(autouse=True)
def forget_stop() -> Iterator[None]:
    """A test that asks a run to stop leaves the request behind in this process, and signal handlers of a run too."""
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    if "pitchpipe.training.tuning.monitor" in sys.modules:
        sys.modules["pitchpipe.training.tuning.monitor"]._stop.clear()
