"""Classifier launch: has a finished classify run label texts, in a process of its own. Free of torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from pitchpipe.training.models.encoder_launch import follow_process


def run_classifier(
    run_folder: Path, texts: Sequence[str], on_progress: Callable[[int, int], None] | None = None
) -> list[tuple[str, float]]:
    """The likeliest class of each text, and its probability, 0 to 1.

    Raises:
        RunError: the run made no classifier, or the process failed; its last lines are told.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "texts.parquet", Path(scratch) / "labels.parquet"
        pl.DataFrame({"text": texts}, schema={"text": pl.String}).write_parquet(source)
        follow_process(
            ["classify", str(run_folder), str(source), str(target)],
            ("The classifier", "Look at what it says."),
            on_progress,
        )
        return list(pl.read_parquet(target).select("label", "confidence").iter_rows())
