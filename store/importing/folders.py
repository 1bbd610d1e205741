"""What files of a folder are data, in which order, and which side of the seal each declares.

a Dataset saved by `datasets`        state.json, data-00000-of-00002.arrow, …
a DatasetDict                        dataset_dict.json and a folder like that for each split
shards, as on the Hub                data/train-00000-of-00002.parquet, …, or the same as JSONL or CSV
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.identity import hash_file, hash_value

_SHARDS = (".parquet", ".arrow", ".jsonl", ".ndjson", ".csv", ".tsv")
_NOT_DATA = re.compile(r"\.dropped\.jsonl$|^\.|^annotation_history")
_SHARD_NAME = re.compile(r"[-_.]\d{4,6}(?:-of-\d{4,6})?$")
_MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """Begins the rows of one file of a folder."""

    name: str
    split: str | None
    """The split that its place in the folder declares."""


@dataclass(frozen=True, slots=True)
class FolderPart:
    """A data file of a folder."""

    path: Path
    split: str | None


def list_parts(folder: Path) -> list[FolderPart]:
    """The data files of a folder in their order, with the splits that they declare.

    Raises:
        ImportFileError: it holds none, too many or files of several kinds, or a saved dataset lacks some of its files.
    """
    splits = _read_json(folder / "dataset_dict.json").get("splits")
    if isinstance(splits, list):
        names = [Path(str(name)).name for name in splits]
        return [FolderPart(part.path, name) for name in names for part in _list_saved(folder / name)]
    if (folder / "state.json").is_file():
        return _list_saved(folder)
    shards = _find_shards(folder)
    return [FolderPart(path, _name_split(path, folder)) for path in shards]


def _find_shards(folder: Path) -> list[Path]:
    """The data files of a folder that no state describes, by path: of one kind, and not too many."""
    found = sorted(path for path in folder.rglob("*") if _is_data(path, folder))
    shards = [path for path in found if path.suffix.lower() in _SHARDS]
    if not shards:
        raise ImportFileError(
            f"{folder} holds no data files.",
            f"Name a folder with {', '.join(_SHARDS)} files or a saved dataset, or a file.",
        )
    kinds = Counter(path.suffix.lower() for path in shards)
    if len(kinds) > 1:
        told = " and ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
        raise ImportFileError(
            f"{folder} holds files of {len(kinds)} kinds: {told}.",
            "Put the files of each kind into a folder of their own and import it, or import them one by one.",
        )
    if len(shards) > _MOST_FILES:
        raise ImportFileError(
            f"{folder} holds {len(shards):,} data files.",
            f"Import at most {_MOST_FILES:,} at once: join or divide them.",
        )
    return shards


def hash_source(path: Path) -> str:
    """The tagged SHA-256 of a file, or of the names and hashes of a folder's files."""
    if not path.is_dir():
        return hash_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    return hash_value([[str(file.relative_to(path)), hash_file(file)] for file in files])


def _is_data(path: Path, folder: Path) -> bool:
    inside = path.relative_to(folder).parts
    return path.is_file() and not path.is_symlink() and not any(_NOT_DATA.search(name) for name in inside)


def _list_saved(folder: Path) -> list[FolderPart]:
    """The Arrow files of one saved Dataset, in the order that its state names."""
    state = _read_json(folder / "state.json")
    named = state.get("_data_files")
    if not isinstance(named, list) or not named:
        raise ImportFileError(f"{folder} is no whole saved dataset: state.json names no files.", "Save it again.")
    if state.get("_indices_data_files"):
        raise ImportFileError(
            f"{folder} holds a selection of rows by index.", "Save it again after dataset.flatten_indices()."
        )
    # A name is a file of this folder, whatever else the state says.
    names = [Path(str(entry.get("filename") if isinstance(entry, dict) else entry)).name for entry in named]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ImportFileError(f"{folder} lacks {missing[0]}, which its state.json names.", "Copy the whole folder.")
    return [FolderPart(folder / name, None) for name in names]


def _name_split(path: Path, folder: Path) -> str | None:
    """The split of a shard: its name before the number, or the folder that it lies in."""
    name = _SHARD_NAME.sub("", path.stem)
    if name != path.stem:
        return name
    parents = path.relative_to(folder).parts[:-1]
    return parents[-1] if parents and parents[-1] != "data" else name


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > 1 << 20:
        return {}
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        return {}
    return document if isinstance(document, dict) else {}
