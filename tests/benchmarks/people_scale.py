"""How long the People page's figures take at 10,000 and at 1,000,000 judgements.

Run with `python -m tests.benchmarks people`. Two of twelve raters judge each task: ratings of one question on five
points for half of the tasks, comparisons for the other half. Everything is made here and is nobody's data.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.judging.answer_reading import read_work
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.measures.agreement import measure_agreement
from pitchpipe.store.projects import create_project
from pitchpipe.store.team.quality_reading import describe_project_quality
from pitchpipe.store.team.rater_reading import describe_raters

_START = datetime(2026, 1, 5, 8)
_RATERS = 12


def measure(sizes: tuple[int, ...] = (10_000, 1_000_000), rounds: int = 3) -> dict[str, Any]:
    """The best of `rounds` in seconds for each size, by the clock and of all cores together.

    A busy machine adds to the first, so the second is the one to compare there.
    """
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Path(folder))
            fill(store, size)
            work = read_work(store, "p")
            ratings = next(part for _, question, _, part in work.split_questions() if question == "helpfulness")
            tasks: dict[str, Callable[[], object]] = {
                "read_work": lambda store=store: read_work(store, "p"),
                "describe_raters": lambda store=store: describe_raters(store, "p"),
                "describe_project_quality": lambda store=store: describe_project_quality(store, "p"),
                "measure_project_agreement": lambda store=store: measure_project_agreement(store, "p"),
                "agreement_of_one_question": lambda ratings=ratings: measure_agreement(ratings, "ordinal", 300),
            }
            found[size] = {name: min(_time(task) for _ in range(rounds)) for name, task in tasks.items()}
            store.close()
    return {"seconds_by_clock_and_of_cores": found}


def fill(store: Store, judgements: int, seed: int = 0) -> None:
    """A project `p` with so many judgements, two on each task."""
    project = create_project(store, "p", overlap=2, holdout_share=0.0)
    chance = np.random.default_rng(seed)
    tasks = judgements // 2
    ids = pl.Series([f"task_{n:026d}" for n in range(tasks)])
    is_rate = np.arange(tasks) % 2 == 0
    pairs = ['["c1","c2"]', '["c2","c1"]']
    task_rows = pl.DataFrame({
        "id": ids, "project_id": project.id, "example_id": ids,
        "kind": np.where(is_rate, "rate", "compare"), "candidate_ids": np.where(is_rate, '["c1"]', pairs[0]),
        "overlap": 2, "priority": 0, "batch": "", "position": np.arange(tasks), "created_at": _START,
    })  # fmt: skip
    truth = chance.integers(0, 5, tasks)
    first = chance.integers(0, _RATERS, tasks)
    second = (first + chance.integers(1, _RATERS, tasks)) % _RATERS
    rows = [_judge(chance, project.id, ids, is_rate, truth, rater, turn) for turn, rater in enumerate((first, second))]
    store.write(lambda t: t.insert_frame("tasks", task_rows))
    for frame in rows:
        store.write(lambda t, frame=frame: t.insert_frame("judgements", frame))


def _judge(
    chance: np.random.Generator, project: str, ids: pl.Series, is_rate: Any, truth: Any, rater: Any, turn: int
) -> pl.DataFrame:
    count = len(ids)
    score = np.clip(truth + chance.integers(-1, 2, count), 0, 4)
    rates = np.array([json.dumps({"helpfulness": n}, separators=(",", ":")) for n in range(5)])
    verdicts = np.array(
        [f'{{"strength":{s},"verdict":"{v}"}}' for v, s in (("a", -2), ("a", -1), ("tie", 0), ("b", 1), ("b", 2))]
    )
    shown = np.array(['["c1","c2"]', '["c2","c1"]'])[chance.integers(0, 2, count)]
    seconds = chance.gamma(4.0, 6.0, count)
    at = pl.Series([_START]).repeat_by(count).explode() + pl.Series(
        (np.cumsum(seconds) * 1e6 / _RATERS).astype(np.int64)
    ).cast(pl.Duration("us"))
    numbers = np.arange(count) + turn * count
    return pl.DataFrame({
        "id": pl.Series(numbers).cast(pl.String), "entry": pl.Series(numbers).cast(pl.String).str.zfill(26),
        "project_id": project, "task_id": ids, "example_id": ids,
        "annotator": np.array([f"rater {n:02d}" for n in range(_RATERS)])[rater],
        "kind": np.where(is_rate, "rate", "compare"), "status": "submitted",
        "value": np.where(is_rate, rates[score], verdicts[score]), "reason": "",
        "shown": np.where(is_rate, '["c1"]', shown), "seconds": seconds, "source": "studio",
        "created_at": at + timedelta(days=turn),
    })  # fmt: skip


def _time(action: Callable[[], object]) -> tuple[float, float]:
    began, worked = time.perf_counter(), time.process_time()
    action()
    return round(time.perf_counter() - began, 3), round(time.process_time() - worked, 3)
