"""How long an export of 50,000 judged pairs takes, in every form and format, with all texts.

Run with `python -m tests.benchmarks export`. The snapshot is made here, of random words, and is nobody's data: 50,000
pair rows and the 100,000 answers that they compare, of which every tenth is rated too.
"""

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.exporting import FORMATS, FORMS, export_snapshot

_TEXT = """
    where is my parcel the lamp arrived broken please send a new one today thank you next step open page we can help
    with refunds within thirty days keep receipt bring it back shop any time or write to us again
"""
_WORDS = _TEXT.split()


def measure(pairs: int = 50_000, rounds: int = 3, forms: tuple[str, ...] = FORMS) -> dict[str, Any]:
    """The best of `rounds` in seconds by form and format: by the clock, and of all cores together."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        snapshot = write_snapshot(Path(folder) / "snap_scale", pairs)
        for form in forms:
            for format in FORMATS:
                times = [_time(snapshot, form, Path(folder) / f"{form}_{format}", format) for _ in range(rounds)]
                found[f"{form} {format}"] = min(times)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"pairs": pairs, "seconds_by_clock_and_of_cores": found, "peak_memory_mib": round(peak)}


def write_snapshot(folder: Path, pairs: int, seed: int = 0) -> Path:
    """A snapshot folder with so many judged pairs and both answers of each; a tenth of the examples is sealed."""
    chance = random.Random(seed)
    rows = [row for number in range(pairs) for row in _make_rows(chance, number)]
    folder.mkdir(parents=True)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "rows.parquet")
    facts = {"sha256": hash_file(folder / "rows.parquet"), "rows": len(rows)}
    manifest = {"snapshot_id": "snap_scale", "name": "scale", "project": "p", "files": {"rows.parquet": facts}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _make_rows(chance: random.Random, number: int) -> list[dict[str, Any]]:
    texts = [" ".join(chance.choices(_WORDS, k=chance.randint(20, 60))) for _ in range(3)]
    request = f"{texts[0]}, question {number}?"
    common = {
        "example_id": f"ex_{number:026d}", "group_id": f"group_{number:026d}", "source": "scale",
        "split": "holdout" if number % 10 == 0 else "train", "weight": 1.0, "support": 1.0, "turn": None,
        "messages": json.dumps([{"role": "user", "content": request}], separators=(",", ":")),
    }  # fmt: skip
    answers = [
        {
            **common, "row_id": f"row_{side}{number:026d}", "row_kind": "answer",
            "candidate_id": f"cand_{side}{number}", "answer": texts[place], "origin": "import",
            "model": f"model-{side}",
            "scores": json.dumps({"helpfulness": chance.randint(0, 4)}) if number % 10 == 1 else None,
        }
        for place, side in ((1, "a"), (2, "b"))
    ]  # fmt: skip
    pair = {
        **common, "row_id": f"row_p{number:026d}", "row_kind": "pair", "candidate_a": f"cand_a{number}",
        "candidate_b": f"cand_b{number}", "answer_a": texts[1], "answer_b": texts[2], "pair_origin": "compare",
        "verdict": chance.choice(("a", "b", "a", "b", "tie")), "strength": chance.choice((-2.0, -1.0, 1.0, 2.0)),
    }  # fmt: skip
    return [*answers, pair]


def _time(snapshot: Path, form: str, to: Path, format: str) -> tuple[float, float]:
    began, worked = time.perf_counter(), time.process_time()
    export_snapshot(snapshot, form, to, format)  # type: ignore[arg-type]
    return round(time.perf_counter() - began, 2), round(time.process_time() - worked, 2)
