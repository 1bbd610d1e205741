"""The fsynced journal of acknowledged judgements: what makes "saved" survive a lost write-ahead log.

DuckDB syncs its own log at each commit; this second, plain file exists because a damaged log can make a database
unopenable, and the cure (setting the log aside) would lose what was committed since the last checkpoint. Each line is
one judgement row as JSON with a checksum; a torn last line is ignored. Emptied only after a checkpoint that succeeded.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any


class Journal:
    """An append-only file of judgement rows. Used by the writer thread alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def append(self, records: list[dict[str, Any]]) -> None:
        """Writes the records and returns when the disk has them. Raises OSError when it cannot."""
        lines = []
        for record in records:
            body = json.dumps(record, ensure_ascii=True, default=str).encode()
            lines.append(b"%08x %s\n" % (zlib.crc32(body), body))
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())

    def empty(self) -> None:
        """Forgets everything; call only after a checkpoint."""
        self._file.truncate(0)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The whole records of a journal in order; damaged lines are passed over (their checksum does not fit)."""
    if not path.exists():
        return []
    records = []
    for line in path.read_bytes().split(b"\n"):
        checksum, _, body = line.partition(b" ")
        if len(checksum) == 8 and b"%08x" % zlib.crc32(body) == checksum:
            records.append(json.loads(body))
    return records
