"""The fsynced journal of acknowledged judgements: what makes "saved" survive a lost or torn write-ahead log.

DuckDB syncs its own log at each commit; this second, plain file exists because a damaged log can make a database
unopenable (the cure, setting the log aside, loses what was committed since the last checkpoint), and because a torn one
opens without a word and without its tail. Each line is one record as JSON with a checksum: the judgement row, the slot
of its annotator after it (none after a skip), and the answers and example written with it; or a flag and what its
annotator did with it; or a task made for one annotator alone; or what the rules of the queue made of a judgement (one
more rater, a pause), by the id of that judgement. Whatever of it the store lacks is put back at each
opening. Emptied only after a checkpoint that succeeded.
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
        # Unbuffered: bytes that a full disk refused must not wait somewhere to be written later.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append(self, records: list[dict[str, Any]]) -> int:
        """Writes the records and returns, when the disk has them, the size from before, for `cut`.

        Raises:
            OSError: the disk refuses; the file is as it was.
        """
        before = os.fstat(self._file).st_size
        # Begins with a line end, so that a line that a crash tore does not take the next record with it.
        lines = [b"\n"]
        for record in records:
            body = json.dumps(record, ensure_ascii=True, default=str).encode()
            lines.append(b"%08x %s\n" % (zlib.crc32(body), body))
        rest = memoryview(b"".join(lines))
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            self.cut(before)
            raise
        return before

    def cut(self, size: int) -> None:
        """Takes back what was appended beyond `size`: its commit failed, so it was never acknowledged."""
        os.ftruncate(self._file, size)

    def empty(self) -> None:
        """Forgets everything; call only after a checkpoint."""
        self.cut(0)
        os.fsync(self._file)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)


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
