"""Checkpoints: which of them are whole, and what else is rewound when a run goes on from one. Free of torch.

A checkpoint counts only with `whole.json`, which is written after all else was flushed to the disk and lists every file
with its size. A run that is killed at any moment, inside a save too, thus finds the last one that is whole. What a run
writes line by line (`metrics.jsonl`, say) is cut back to the step of that checkpoint, so what is derived from those
lines, such as the best measurement so far, is rewound with it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from pitchpipe.training.runs.run_folders import read_json, write_atomic, write_json

CHECKPOINTS = "checkpoints"
_WHOLE = "whole.json"


def mark_whole(checkpoint: Path, step: int) -> None:
    """Flushes every file of a checkpoint to the disk, then says that it is whole."""
    sizes = {}
    for path in sorted(checkpoint.rglob("*")):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if path.is_file():
            sizes[path.relative_to(checkpoint).as_posix()] = path.stat().st_size
    # Flushes the folder as well, after its last file took its name.
    write_json(checkpoint / _WHOLE, {"step": step, "bytes": sizes})


def is_whole(checkpoint: Path) -> bool:
    """True when the checkpoint was written to its end and every file still has its size."""
    told = read_json(checkpoint / _WHOLE)
    return bool(told) and all(
        (checkpoint / name).is_file() and (checkpoint / name).stat().st_size == size
        for name, size in told.get("bytes", {}).items()
    )


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a run folder, or None."""
    whole = [path for path in _list_checkpoints(folder) if is_whole(path)]
    return max(whole, key=checkpoint_step, default=None)


def clear_torn_checkpoints(folder: Path) -> None:
    """Removes what a kill inside a save (or inside the removal of an old checkpoint) left behind."""
    for path in _list_checkpoints(folder):
        if not is_whole(path):
            shutil.rmtree(path)


def _list_checkpoints(folder: Path) -> list[Path]:
    return [path for path in (folder / CHECKPOINTS).glob("checkpoint-*") if path.is_dir()]


def checkpoint_step(checkpoint: Path | None) -> int:
    """The step after which a checkpoint was kept; 0 without one.

    >>> checkpoint_step(Path("runs/run_1/checkpoints/checkpoint-30"))
    30
    """
    number = checkpoint.name.rpartition("-")[2] if checkpoint else ""
    return int(number) if number.isdecimal() else 0


def rewind_lines(path: Path, step: int) -> None:
    """Keeps the lines of a JSONL file that were written up to a step; a torn line goes too."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            is_early = json.loads(line)["step"] <= step
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            continue
        if is_early:
            kept.append(line + b"\n")
    write_atomic(path, b"".join(kept))


def clear_checkpoints(folder: Path) -> None:
    """Frees the space that only resuming needs."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
