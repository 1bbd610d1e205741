"""How fast the Data page answers at 10,000 and at 1,000,000 judgements: its questions, and an action on 50,000 rows.

Run with `python -m tests.benchmarks data`. Five of twelve raters judge each example, comparisons for one half and
ratings for the other; requests and answers are words drawn at random. Everything is made here and is nobody's data.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.curation import catalogue, curating
from pitchpipe.store.curation.catalogue import Catalogue
from pitchpipe.store.curation.catalogue_charts import read_shape
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.projects import create_project

_START = datetime(2026, 1, 5, 8)
_RATERS, _EACH = 12, 5
_WORDS = [f"{a}{b}" for a in ("par", "ref", "ship", "bill", "lock", "mail", "gift", "desk", "app", "code", "log", "nee")
          for b in ("cel", "und", "ment", "ing", "er", "ed", "s", "ly", "able", "ion", "dle", "ful", "é")]  # fmt: skip


def measure(sizes: tuple[int, ...] = (10_000, 1_000_000), rounds: int = 20) -> dict[str, Any]:
    """Milliseconds of each question (medians), the 95th percentile over all of them, seconds of making and acting.

    A busy machine adds to the clock, so the time of the cores is there as well; two cores share it.
    """
    found: dict[int, Any] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Path(folder))
            fill(store, size)
            found[size] = _measure_one(store, rounds)
            store.close()
    return found


def _measure_one(store: Store, rounds: int) -> dict[str, Any]:
    began, began_cores = time.perf_counter(), time.process_time()
    made = catalogue.open_catalogue(store, "p")
    seconds = {"make": time.perf_counter() - began, "make_of_cores": time.process_time() - began_cores}
    questions: dict[str, Callable[[], object]] = {}
    for name, slice in list_slices().items():
        questions[f"page: {name}"] = lambda slice=slice: catalogue.list_rows(made, slice, limit=50)
        questions[f"count: {name}"] = lambda slice=slice: catalogue.count_rows(made, slice)
    everything = Slice()
    searches = {
        f"first search: {words}": Slice(words=words) for words in ("shipped nickel", '"log mail"', "gifted -apped")
    }
    questions["page: sorted by rating, far down"] = lambda: catalogue.list_rows(
        made, everything, "rating", True, 50, 900
    )
    questions["facets"] = lambda: catalogue.count_facets(made, everything)
    questions["charts"] = lambda: read_shape(made, everything)
    first = {name: _time(lambda slice=slice: catalogue.count_rows(made, slice))[0] for name, slice in searches.items()}
    times = {name: [_time(ask) for _ in range(rounds)] for name, ask in questions.items()}
    by_clock = [clock for values in times.values() for clock, _ in values]
    of_cores = [cores for values in times.values() for _, cores in values]
    seconds |= _act(store, made)
    return {
        "milliseconds_by_clock_and_of_cores": {
            name: [round(statistics.median(part), 1) for part in zip(*values, strict=True)]
            for name, values in times.items()
        },
        "p95_by_clock": round(statistics.quantiles(by_clock, n=20)[-1], 1),
        "p95_of_cores": round(statistics.quantiles(of_cores, n=20)[-1], 1),
        "first_search_ms": {name: round(value, 1) for name, value in first.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


def list_slices() -> dict[str, Slice]:
    """Slices as curators ask for them."""
    return {
        "everything": Slice(),
        "two words": Slice(words="parcel refund"),
        "a phrase that is rare, without a word": Slice(words='"parcel shipment" -locked'),
        "filters": Slice(filters=(("rating", "<=", 2.0), ("source", "is", ("b.jsonl",)), ("raters", ">=", 3.0))),
        "tag and decision": Slice(filters=(("decision", "is", ("undecided",)), ("tags", "has not", ("x",)))),
    }


def _act(store: Store, made: Catalogue) -> dict[str, float]:
    ids = catalogue.list_ids(made, Slice())[:50_000]
    began = time.perf_counter()
    action = curating.act_on(store, "p", "drop", ids, note="too short", actor="cora")
    dropped = time.perf_counter()
    catalogue.open_catalogue(store, "p")
    renewed = time.perf_counter()
    curating.undo_action(store, action, "cora")
    undone = time.perf_counter()
    made.cell.find_ids("SELECT example_id FROM judgements WHERE rating < 2")
    first = time.perf_counter()
    made.cell.find_ids("SELECT example_id FROM judgements WHERE rating < 1")
    return {
        f"drop_{len(ids)}": dropped - began, "renew_after_it": renewed - dropped, "undo": undone - renewed,
        "first_sql": first - undone, "next_sql": time.perf_counter() - first,
    }  # fmt: skip


def fill(store: Store, judgements: int, seed: int = 0) -> None:
    """A project `p` with so many judgements, five on each example's task, and two answers an example."""
    project = create_project(store, "p", overlap=_EACH, holdout_share=0.0)
    chance = np.random.default_rng(seed)
    count = judgements // _EACH
    numbers = np.arange(count)
    ids = [f"ex_{n:026d}" for n in numbers]
    base = {"project_id": project.id, "created_at": _START}
    requests = _make_texts(chance, count, 30)
    examples = pl.DataFrame({
        "id": ids, "import_id": np.array(["imp_a", "imp_b", "imp_c"])[numbers % 3], "group_id": ids,
        "position": numbers, "messages": [json.dumps([{"role": "user", "content": text}]) for text in requests],
        "category": np.array(["orders", "bills", "repairs", "other"])[numbers % 4], "metadata": "{}", **base,
    })  # fmt: skip
    splits = pl.DataFrame({"group_id": ids, "split": "train", "reason": "hash", **base})
    imports = pl.DataFrame({
        "id": ["imp_a", "imp_b", "imp_c"], "file_name": ["a.jsonl", "b.jsonl", "c.jsonl"], "file_sha256": "x",
        "format": "x", "counts": "{}", **base,
    })  # fmt: skip
    tasks = pl.DataFrame({
        "id": [f"task_{n:026d}" for n in numbers], "example_id": ids,
        "kind": np.where(numbers % 2 == 0, "rate", "compare"),
        "candidate_ids": [f'["c{n}a"]' if n % 2 == 0 else f'["c{n}a","c{n}b"]' for n in numbers],
        "overlap": _EACH, "priority": 0, "batch": "", "position": numbers, **base,
    })  # fmt: skip
    for table, frame in (("imports", imports), ("examples", examples), ("group_splits", splits), ("tasks", tasks)):
        store.write(lambda t, table=table, frame=frame: t.insert_frame(table, frame))
    for side in ("a", "b"):
        answers = pl.DataFrame({
            "id": [f"c{n}{side}" for n in numbers], "example_id": ids, "origin": "model", "model": f"model-{side}",
            "text": _make_texts(chance, count, 60), **base,
        })  # fmt: skip
        store.write(lambda t, answers=answers: t.insert_frame("candidates", answers))
    for turn in range(_EACH):
        frame = _judge(chance, numbers, turn).with_columns(
            project_id=pl.lit(project.id), example_id=pl.Series(ids), task_id=tasks["id"]
        )
        store.write(lambda t, frame=frame: t.insert_frame("judgements", frame))


def _make_texts(chance: np.random.Generator, count: int, longest: int) -> list[str]:
    words = np.array(_WORDS)
    lengths = chance.integers(5, longest * 2, count)
    drawn = words[chance.integers(0, len(words), int(lengths.sum()))]
    ends = np.cumsum(lengths)
    return [" ".join(drawn[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _judge(chance: np.random.Generator, numbers: Any, turn: int) -> pl.DataFrame:
    count = len(numbers)
    score = chance.integers(0, 5, count)
    rates = [f'{{"helpfulness":{n},"correctness":{4 - n}}}' for n in range(5)]
    verdicts = [f'{{"strength":{s},"verdict":"{v}"}}'
                for v, s in (("a", -2), ("a", -1), ("tie", 0), ("b", 1), ("b", 2))]  # fmt: skip
    kinds = np.where(numbers % 2 == 0, "rate", "compare")
    shown = [f'["c{n}a"]' if n % 2 == 0 else (f'["c{n}a","c{n}b"]' if s % 2 else f'["c{n}b","c{n}a"]')
             for n, s in zip(numbers, score, strict=True)]  # fmt: skip
    at = pl.Series([_START + timedelta(days=turn)]).repeat_by(count).explode()
    return pl.DataFrame({
        "id": [f"jdg_{turn}_{n}" for n in numbers], "entry": [f"{turn}{n:025d}" for n in numbers],
        "annotator": np.array([f"rater {n}" for n in range(_RATERS)])[(numbers + turn) % _RATERS], "kind": kinds,
        "status": "submitted", "value": np.where(kinds == "rate", np.array(rates)[score], np.array(verdicts)[score]),
        "reason": "", "shown": shown, "seconds": chance.gamma(4.0, 6.0, count), "source": "studio", "created_at": at,
    })  # fmt: skip


def _time(ask: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of all cores together."""
    began, began_cores = time.perf_counter(), time.process_time()
    ask()
    return (time.perf_counter() - began) * 1000, (time.process_time() - began_cores) * 1000
