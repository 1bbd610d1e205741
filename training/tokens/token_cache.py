"""Token cache: the ids of texts that were encoded before, kept as Parquet files from one run to the next.

A file is named by everything that decides what is in it: the texts, the tokenizer with its chat template, and the code
that encodes. So a run, a sweep over the same rows and a resumed run share it, a changed letter finds nothing, and
nothing ever has to be declared stale. A damaged file counts as absent and is written anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from polars.exceptions import PolarsError

from pitchpipe.prompts import chat_templates, rendering_apart
from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_file, hash_value
from pitchpipe.training.models.embedded_model import cache_folder
from pitchpipe.training.runs.run_folders import replace_whole

_FEWEST = 200
"""Fewer texts are encoded faster than a file is found."""
_MOST_FILES = 64
T = TypeVar("T")


class TokenCache:
    """Ids of texts in a folder, by default `tokens` in the model cache."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "tokens"

    def find_or_make(
        self, what: str, encoder_hash: str, texts: Sequence[T], make: Callable[[Sequence[T]], list[list[int]]]
    ) -> list[list[int]]:
        """The ids of texts as they were encoded before, or as `make` encodes them now, which is then kept.

        Args:
            what: which way of encoding `make` is.
            encoder_hash: names the tokenizer and the chat template.
        """
        if len(texts) < _FEWEST:
            return make(texts)
        named = [what, encoder_hash, hash_code(), hash_value(list(texts))]
        path = self.folder / f"{what}-{hash_value(named)[7:39]}.parquet"
        found = _read(path, len(texts))
        if found is None:
            found = make(texts)
            self._keep(path, found)
        return found

    def _keep(self, path: Path, ids: list[list[int]]) -> None:
        """Writes a file whole or not at all; a cache that cannot be written costs time, not the run."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replace_whole(path) as part:
                frame = pl.DataFrame({"ids": ids}, schema={"ids": pl.List(pl.Int32)})
                frame.write_parquet(part, metadata={"sha256": _hash_ids(frame)})
            self._forget_oldest()
        except (OSError, RunError):
            return

    def _forget_oldest(self) -> None:
        files = sorted(self.folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime)
        for path in files[:-_MOST_FILES]:
            path.unlink(missing_ok=True)


def _read(path: Path, count: int) -> list[list[int]] | None:
    """The ids in a file, or None where there is no whole file with so many rows."""
    try:
        frame = pl.read_parquet(path)
        wanted = pl.read_parquet_metadata(path).get("sha256")
    except (OSError, PolarsError):
        return None
    if frame.schema != {"ids": pl.List(pl.Int32)} or frame.height != count or _hash_ids(frame) != wanted:
        return None
    path.touch()
    ids: list[list[int]] = frame["ids"].to_list()
    return ids


def _hash_ids(frame: pl.DataFrame) -> str:
    """Tells whether a file still holds what was written, which Parquet itself does not."""
    digest = hashlib.sha256()
    for column in (frame["ids"].list.len(), frame["ids"].explode()):
        digest.update(column.to_numpy().tobytes())
    return digest.hexdigest()


@cache
def hash_code() -> str:
    """Names the code that turns texts into ids: our modules, and the library's version."""
    here = Path(__file__).parent
    ours = [here / f"{name}.py" for name in ("tokenizing", "chat_shapes", "plain_text")]
    rendering: list[Any] = [chat_templates.__file__, rendering_apart.__file__]
    files = [*ours, *(Path(name) for name in rendering)]
    return hash_value([importlib.metadata.version("tokenizers"), *(hash_file(path) for path in files)])
