"""How far a reader has come, in bytes: what a bar can be true about before anybody knows how many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ReadMeter:
    """Bytes read of the files of one import. Ask it from the thread that reads."""

    def __init__(self) -> None:
        self.total = 0
        """Bytes of all files, 0 until they are known."""
        self._behind = 0
        self._tell: Callable[[], int] | None = None

    @property
    def done(self) -> int:
        """Bytes read so far."""
        return self._behind + (self._tell() if self._tell is not None else 0)

    @property
    def share(self) -> float:
        """The part that has been read, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 0.0

    @contextmanager
    def watch(self, tell: Callable[[], int]) -> Iterator[None]:
        """Counts one file while it is read; `tell` gives the bytes of it that were read."""
        self._tell = tell
        try:
            yield
        finally:
            self._behind += tell()
            self._tell = None
