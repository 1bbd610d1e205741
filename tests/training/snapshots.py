"""Writes small, valid snapshot folders by hand, so that the tests of training need no store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.identity import hash_file, hash_value

STRINGS = """
    row_id row_kind example_id group_id split category source messages candidate_id answer model origin run_id scores
    candidate_a candidate_b answer_a answer_b model_a model_b verdict pair_origin labels strategy raters judgement_ids
    task_ids rubric_hash guideline_hash spans words
"""
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(STRINGS.split(), pl.String),
    "strength": pl.Float64,
    "weight": pl.Float64,
    "n_judgements": pl.Int64,
    "turn": pl.Int64,
    "support": pl.Float64,
}


def user(text: str) -> str:
    """A conversation of one turn as the snapshot stores it."""
    return json.dumps([{"role": "user", "content": text}])


def answer_row(number: int, prompt: str = "Hi", answer: str = "Hello.", **more: Any) -> dict[str, Any]:
    """An answer row; a demonstration of the train side unless said otherwise."""
    return {
        "row_id": f"row_a{number:04d}",
        "row_kind": "answer",
        "example_id": f"ex_{number:04d}",
        "group_id": f"group_{number:04d}",
        "split": "train",
        "messages": user(prompt),
        "candidate_id": f"cand_{number:04d}",
        "answer": answer,
        "origin": "demonstration",
        "weight": 1.0,
        **more,
    }


def pair_row(number: int, prompt: str = "Hi", a: str = "Hello.", b: str = "What?", **more: Any) -> dict[str, Any]:
    """A pair row won by `a`, of the train side unless said otherwise."""
    return {
        "row_id": f"row_p{number:04d}",
        "row_kind": "pair",
        "example_id": f"ex_{number:04d}",
        "group_id": f"group_{number:04d}",
        "split": "train",
        "messages": user(prompt),
        "candidate_a": f"cand_{number:04d}",
        "candidate_b": f"rival_{number:04d}",
        "answer_a": a,
        "answer_b": b,
        "verdict": "a",
        "strength": -2.0,
        "pair_origin": "compare",
        "support": 1.0,
        "weight": 1.0,
        **more,
    }


def label_row(number: int, prompt: str = "Hi", **more: Any) -> dict[str, Any]:
    """A request with the label `refund`, of the train side unless said otherwise."""
    return {
        "row_id": f"row_l{number:04d}",
        "row_kind": "label",
        "example_id": f"ex_{number:04d}",
        "group_id": f"group_{number:04d}",
        "split": "train",
        "messages": user(prompt),
        "labels": '["refund"]',
        "support": 1.0,
        "weight": 1.0,
        **more,
    }


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows with every column of a snapshot."""
    return pl.DataFrame(rows, schema=SCHEMA)


def write_snapshot(folder: Path, rows: list[dict[str, Any]], snapshot_id: str = "snap_test") -> Path:
    """A snapshot folder with its manifest last."""
    folder.mkdir(parents=True)
    frame(rows).write_parquet(folder / "rows.parquet")
    path = folder / "rows.parquet"
    manifest = {
        "snapshot_id": snapshot_id,
        "name": "test",
        "project": "test",
        "files": {"rows.parquet": {"sha256": hash_file(path), "rows": len(rows)}},
        "rows_hash": hash_value(rows),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
