"""The verbs of coming in, beside `verbs.import_file`: the dry run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.import_preview import describe_preview, preview_import


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
