"""Ranks: what a process does that is one of several at the same run.

The first one writes the run folder. Every other one does the very same work, but in a folder of its own that is thrown
away, so that nothing else has to ask who it is; only checkpoints are shared, since each process keeps its random
numbers there. Whoever hears that the run is to stop tells the others, so that all stop at the same step.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pitchpipe.training.runs.checkpoints import CHECKPOINTS
from pitchpipe.training.runs.records import INPUTS
from pitchpipe.training.runs.run_folders import PLAN


def rank() -> int:
    """Which process this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes work at the run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def shadow_folder(folder: Path) -> Iterator[Path]:
    """A folder for a process that is not the first: plan and inputs are copied, checkpoints are the run's own."""
    place = Path(tempfile.mkdtemp(prefix=f"rank{rank()}-")) / folder.resolve().name
    place.mkdir()
    try:
        for name in (PLAN, INPUTS):
            if (folder / name).is_file():
                shutil.copy(folder / name, place / name)
        (folder / CHECKPOINTS).mkdir(exist_ok=True)
        (place / CHECKPOINTS).symlink_to((folder / CHECKPOINTS).resolve(), target_is_directory=True)
        yield place
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)


def any_rank(flag: bool) -> bool:
    """True on every process when it is true on one."""
    if world_size() == 1:
        return flag
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        return flag
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    told = torch.tensor([int(flag)], device=device)
    distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
    return bool(told.item())
