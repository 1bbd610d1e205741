"""The verbs of coming in, beside `verbs.import_file`: the dry run, and where a source lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.importing.import_preview import describe_preview, preview_import
from pitchpipe.training.exports.fetching import fetch_dataset, read_hub_name


def find_source(store: Store, source: str) -> Path:
    """The file or folder that is meant; a dataset of the Hub (`hf://org/name`) is fetched into the workspace first."""
    name = read_hub_name(source)
    return Path(source) if name is None else fetch_dataset(name, store.workspace)


def import_preview(
    store: Store,
    file: str,
    project: str,
    format: str | None = None,
    map: str | None = None,
    rows: int = 10,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """What an import of a file would add and refuse, with its first rows; nothing is stored."""
    mapping = Path(map) if map else None
    return describe_preview(
        preview_import(store, project, Path(file), format=format, mapping=mapping, rows=rows, on_progress=on_progress)
    )
