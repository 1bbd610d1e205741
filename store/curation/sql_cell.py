"""Runs one SELECT of a curator in a process of its own: `python -m pitchpipe.store.curation.sql_cell`.

The process sees one folder of Parquet files, has its memory and time bounded by the system, and dies alone. It takes a
JSON document on stdin and writes the rows to a Parquet file in the same folder; a refusal goes to stdout in words.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
import threading
from typing import Any

import duckdb

_THREADS = 2
_PLAIN = re.compile(
    r"(?:BOOLEAN|U?(?:TINY|SMALL|BIG|HUGE)?(?:INT|INTEGER)|FLOAT|DOUBLE|DECIMAL\(.*\)|VARCHAR|BLOB)(?:\[\])*"
)
_SPARE_MEGABYTES = 1536
"""Of address space, for the engine's own code, stacks and maps beside what its queries may hold."""


def run_select(order: dict[str, Any]) -> str | None:
    """Runs the order and returns what went wrong, or None.

    Args:
        order: `folder`, `tables` (names of Parquet files in it), `views` (name to SQL), `sql`, `to` (file to write),
            `limit` (rows), `seconds` (of processor time), `megabytes`.
    """
    _bound(order["seconds"], order["megabytes"])
    folder = order["folder"]
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
            "python_enable_replacements": "false", "temp_directory": "", "memory_limit": f"{order['megabytes']}MB",
            "threads": _THREADS,
        },
    )  # fmt: skip
    connection.execute(f"SET allowed_directories = ['{folder}']").fetchall()
    connection.execute("SET enable_external_access = false").fetchall()
    for name in order["tables"]:
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{folder}/{name}.parquet')").fetchall()
    for name, sql in order["views"].items():
        connection.execute(f"CREATE VIEW {name} AS {sql}").fetchall()
    connection.execute("SET lock_configuration = true").fetchall()
    clock = threading.Timer(order["seconds"], connection.interrupt)
    clock.start()
    try:
        wrapped = f"{_write_select(connection, order['sql'])} LIMIT {int(order['limit'])}"
        connection.execute(f"COPY ({wrapped}) TO '{order['to']}' (FORMAT parquet)").fetchall()
    except (duckdb.Error, MemoryError) as error:
        return str(error) or "MemoryError"
    finally:
        clock.cancel()
    return None


def _write_select(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The statement with every column that a frame cannot hold, such as an interval or an endless date, as text."""
    kinds = [(row[0], row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM (\n{sql}\n)").fetchall()]
    names = [f"c{place}" for place in range(len(kinds))]
    said = [
        f'{name if _PLAIN.fullmatch(kind) else f"CAST({name} AS VARCHAR)"} AS "{called.replace(chr(34), chr(34) * 2)}"'
        for name, (called, kind) in zip(names, kinds, strict=True)
    ]
    return f"SELECT {', '.join(said)} FROM (\n{sql}\n) AS asked({', '.join(names)})"


def _bound(seconds: float, megabytes: int) -> None:
    most = (megabytes + _SPARE_MEGABYTES) << 20
    for kind, limit in ((resource.RLIMIT_AS, most), (resource.RLIMIT_CPU, int(seconds * _THREADS) + 2)):
        with contextlib.suppress(ValueError, OSError):  # a system without that bound has the parent's clock still
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    fault = run_select(json.load(sys.stdin))
    if fault is not None:
        sys.stdout.write(fault)
        sys.exit(3)
