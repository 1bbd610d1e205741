"""Disk: tells a full disk from a defect of ours, however a library words it. Free of torch."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from pitchpipe.store.errors import PitchpipeError, RunError

_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded")
"""How polars, safetensors and tokenizers pass on what the system says."""
_TORCH_WORDS = ("inline_container.cc", "iostream error")
"""What torch.save says of any write that failed; it leaves the reason out."""
_NEXT_TO_NOTHING = 2**20


class DiskFullError(RunError):
    """A disk is full; nothing of the write that failed is used."""


def full_disk_error(error: BaseException, folder: Path) -> DiskFullError | None:
    """The error to tell of a run in `folder` when what ended it was a full disk, else None."""
    if isinstance(error, DiskFullError):
        happened = error.happened
    elif isinstance(error, PitchpipeError) or not is_disk_full(error, folder):
        return None
    else:
        happened = f"The disk that holds {folder} is full."
    return DiskFullError(
        happened, "Free some space and start the run again; it continues from its last checkpoint, if it kept any."
    )


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """True when the error, or one that led to it, comes of a full disk."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        text = str(link)
        if any(words in text for words in _WORDS):
            return True
        if any(words in text for words in _TORCH_WORDS) and shutil.disk_usage(folder).free < _NEXT_TO_NOTHING:
            return True
        link = link.__cause__ or link.__context__
    return False
