"""How the store's daily work grows: import, next task, submit, snapshot and export at a small and a large size.

Run with `python -m tests.benchmarks store`. Each size is measured in turn, `rounds` times; the figures are medians.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing.snapshots import create_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.training.exports.exporting import export_snapshot

MAPPING = 'kind = "compare"\nprompt = "{q}"\nanswer_a = "{a}"\nanswer_b = "{b}"\n'


def measure(sizes: tuple[int, int] = (1_000, 50_000), rounds: int = 3, claims: int = 100) -> dict[str, Any]:
    """Medians in milliseconds for each size, and large over small where a flat line is the aim."""
    found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                found[size].append(_measure_once(Path(folder), size, claims))
    medians = {
        size: {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}
        for size, rows in found.items()
    }
    small, large = sizes
    ratios = {name: round(medians[large][name] / medians[small][name], 2) for name in ("next_p50", "submit_p50")}
    return {"milliseconds": medians, "large_over_small": ratios}


def _measure_once(folder: Path, size: int, claims: int) -> dict[str, float]:
    (folder / "map.toml").write_text(MAPPING)
    with (folder / "rows.jsonl").open("w") as file:
        for number in range(size):
            row = {"q": f"How do I mend thing {number} of kind {number % 77} at home today?", "a": "left " * 40,
                   "b": f"right {number} " * 30}  # fmt: skip
            file.write(json.dumps(row) + "\n")
    store = open_store(folder / "workspace")
    create_project(store, "p", minimum_dwell_ms=0, holdout_share=0.0)
    imported = _time(lambda: import_file(store, folder / "rows.jsonl", "p", mapping=folder / "map.toml"))
    nexts, submits = _work(store, claims)
    frozen = _time(lambda: create_snapshot(store, "p", "s"))
    rows = store.workspace / "snapshots"
    exported = _time(lambda: export_snapshot(next(rows.iterdir()), "raw", folder / "out", "jsonl"))
    store.close()
    return {
        "import": imported, "snapshot": frozen, "export_jsonl": exported,
        "next_p50": statistics.median(nexts), "next_p95": statistics.quantiles(nexts, n=20)[-1],
        "submit_p50": statistics.median(submits), "submit_p95": statistics.quantiles(submits, n=20)[-1],
    }  # fmt: skip


def _work(store: Store, claims: int) -> tuple[list[float], list[float]]:
    nexts, submits = [], []
    for _ in range(claims):
        began = time.perf_counter()
        task = claim_next_task(store, "p", "ana")
        nexts.append((time.perf_counter() - began) * 1000)
        assert task is not None
        began = time.perf_counter()
        submit_judgement(
            store, judgement_id=uuid.uuid4().hex, task_id=task.task_id, annotator="ana", token=task.token,
            value={"verdict": "tie", "strength": 0},
        )  # fmt: skip
        submits.append((time.perf_counter() - began) * 1000)
    return nexts, submits


def _time(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000
