"""Fetches a dataset of the Hugging Face Hub into a folder of Parquet shards, in a process of its own. Free of torch.

The studio and the command line call `fetch_dataset`; it runs `python -m pitchpipe.training fetch-dataset NAME --to
FOLDER`, so that the `datasets` library and whatever it loads never reach the server process.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError, UsageError

HUB = "hf://"
_NAME = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
_SHARD_ROWS = 100_000
_OFFLINE = ("offline", "connection", "resolve", "network", "timed out", "unreachable", "max retries")


def read_hub_name(source: str) -> str | None:
    """The name of a dataset in `hf://org/name`, None for anything else.

    Raises:
        UsageError: what follows `hf://` is no name.

    >>> read_hub_name("hf://org/name"), read_hub_name("rows.jsonl")
    ('org/name', None)
    """
    if not source.startswith(HUB):
        return None
    name = source.removeprefix(HUB).strip("/")
    if not _NAME.fullmatch(name):
        raise UsageError(f"'{source}' names no dataset of the Hub.", f"Write {HUB}organisation/name.")
    return name


def fetch_dataset(name: str, workspace: Path) -> Path:
    """The folder with the shards of a dataset, `<workspace>/downloads/<org>--<name>`; fetched unless it is there.

    Raises:
        ImportFileError: it cannot be fetched: no network, no such dataset, or one that needs leave or code to run.
    """
    folder = workspace / "downloads" / name.replace("/", "--")
    if folder.is_dir():
        return folder
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    command = [sys.executable, "-m", "pitchpipe.training", "fetch-dataset", name, "--to", str(aside.resolve())]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"},
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(aside, ignore_errors=True)
        lines = done.stderr.strip().splitlines()
        told = lines[-2:] if len(lines) >= 2 else [f"The dataset {name} could not be fetched.", "Try again."]
        raise ImportFileError(*told)
    aside.rename(folder)
    return folder


def write_dataset(name: str, folder: Path) -> None:
    """Fetches every split of a dataset and writes it as `data/<split>-00000-of-00001.parquet`; the child's own work.

    Raises:
        ImportFileError: the dataset cannot be fetched.
    """
    from datasets import load_dataset

    try:
        loaded: Any = load_dataset(name)
    except Exception as error:
        raise _explain(name, error) from error
    target = folder / "data"
    target.mkdir(parents=True)
    for split, dataset in loaded.items():
        count = max(1, -(-len(dataset) // _SHARD_ROWS))
        for place in range(count):
            shard = dataset.shard(count, place, contiguous=True)
            shard.to_parquet(str(target / f"{split}-{place:05d}-of-{count:05d}.parquet"))


def _explain(name: str, error: Exception) -> ImportFileError:
    words = " ".join(str(error).split())[:200] or type(error).__name__
    if any(sign in words.lower() or sign in type(error).__name__.lower() for sign in _OFFLINE):
        return ImportFileError(
            f"The dataset {name} cannot be fetched without a network: {words}.",
            "Download it where there is one, copy its folder here and import the folder.",
        )
    return ImportFileError(
        f"The dataset {name} cannot be fetched: {words}.",
        "Check its name on the Hub, and that you may read it; one with several configurations is downloaded by hand.",
    )
