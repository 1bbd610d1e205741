"""Writes a folder that others may rely on: built aside, synced, its manifest last, then moved into place at once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.errors import DISK_FULL, StoreError, StoreFullError
from pitchpipe.store.identity import hash_file, new_id

_LEAST_FREE_BYTES = 1 << 20


def write_folder(target: Path, fill: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Makes the folder `target` with what `fill` puts into it; returns its manifest.

    `fill` writes its files into the folder it is given and returns the manifest's fields; the hashes of all files are
    added here. When anything fails, `target` is not there. A folder that is there already is replaced.
    """
    aside = target.with_name(f".{target.name}.{new_id('part')}")
    aside.mkdir(parents=True)
    try:
        fields = fill(aside)
        described = {
            path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size} for path in _list_files(aside)
        }
        manifest = {**fields, "files": described}
        write_synced(aside / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False))
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
        _sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Writes a frame as Parquet.

    Raises:
        StoreFullError: the disk is full. StoreError: the file cannot be written for another reason.
    """
    try:
        frame.write_parquet(path)
    except (pl.exceptions.ComputeError, OSError) as error:
        # The writer hides a full disk behind "transport error", so the disk itself is asked.
        if "No space left" in str(error) or shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
            raise StoreFullError(*DISK_FULL) from error
        raise StoreError(
            f"'{path}' cannot be written: {error}.", "Check that the folder exists and is yours."
        ) from error


def write_synced(path: Path, text: str) -> None:
    """Writes a text file and returns when the disk has it."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
