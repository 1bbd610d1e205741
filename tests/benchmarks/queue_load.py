"""The queue without pause: annotators who claim and submit as fast as the store lets them.

Run with `python -m tests.benchmarks queue`. One annotator, then twenty threads, at a small and a large project; every
task has overlap 1, so all twenty want the same tasks. Checks that no task went over its overlap and nothing failed.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from tests.benchmarks.store_scale import MAPPING

_TIE = {"verdict": "tie", "strength": 0}


@dataclass
class Times:
    """Milliseconds of each call."""

    next: list[float] = field(default_factory=list)
    submit: list[float] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)


def measure(sizes: tuple[int, ...] = (1_000, 50_000), annotators: int = 20, seconds: float = 15.0) -> dict[str, Any]:
    """For each size: labels a second, and p50, p95, p99 of a claim and a submit, with one annotator and with many."""
    return {f"{size} tasks": _measure_size(size, annotators, seconds) for size in sizes}


def _measure_size(size: int, annotators: int, seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        store = _fill(Path(folder), size)
        _work(store, "warm", 3, Times())
        alone = _run(store, 1, min(150, size // 4), seconds)
        together = _run(store, annotators, size, seconds)
        over = store.read("SELECT task_id FROM assignments GROUP BY task_id HAVING count(*) > 1")
        assert over == []
        store.close()
    return {"1 annotator": alone, f"{annotators} annotators": together}


def _fill(folder: Path, size: int) -> Store:
    (folder / "map.toml").write_text(MAPPING)
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(size):
            row = {"q": f"How do I mend thing {number} of kind {number % 77} at home today?", "a": "left " * 40,
                   "b": f"right {number} " * 30}  # fmt: skip
            file.write(json.dumps(row) + "\n")
    store = open_store(folder / "workspace")
    create_project(store, "p", minimum_dwell_ms=0, holdout_share=0.0)
    import_file(store, folder / "rows.jsonl", "p", mapping=folder / "map.toml")
    return store


def _run(store: Store, annotators: int, most: int, seconds: float) -> dict[str, Any]:
    times, until, share = [Times() for _ in range(annotators)], time.monotonic() + seconds, max(1, most // annotators)
    barrier = threading.Barrier(annotators)

    def work(number: int) -> int:
        barrier.wait()
        return _work(store, f"rater{annotators}_{number}", share, times[number], until)

    began, busy = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(annotators) as pool:
        labels = sum(pool.map(work, range(annotators)))
    took, busy = time.monotonic() - began, time.process_time() - busy
    return {
        "labels": labels,
        "processor_ms_a_label": round(1000 * busy / labels, 2),
        "labels_a_second": round(labels / took, 1),
        "next_ms": _describe([value for one in times for value in one.next]),
        "submit_ms": _describe([value for one in times for value in one.submit]),
        "progress_ms": _describe([value for one in times for value in one.progress]),
    }


def _work(store: Store, name: str, most: int, times: Times, until: float = float("inf")) -> int:
    done = 0
    while done < most and time.monotonic() < until:
        task = _time(times.next, lambda: claim_next_task(store, "p", name))
        if task is None:
            break
        values = {"task_id": task.task_id, "annotator": name, "token": task.token, "value": _TIE}
        _time(times.submit, partial(submit_judgement, store, judgement_id=uuid.uuid4().hex, **values))
        _time(times.progress, lambda: count_progress(store, "p", name))
        done += 1
    return done


def _time(into: list[float], action: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = action()
    into.append((time.perf_counter() - began) * 1000)
    return result


def _describe(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}
