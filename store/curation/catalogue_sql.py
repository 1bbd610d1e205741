"""A curator's SQL: one SELECT over the tables of a catalogue, in a process of its own with bounds on time and memory.

A statement is read before it is run: one SELECT, no function that reaches outside. Even what slips through finds
nothing there: the process sees the catalogue's tables alone, as files in a folder of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pitchpipe.store.curation.catalogue_building import BASE_TABLES, MARK_TABLES, TABLES, VIEWS
from pitchpipe.store.curation.catalogue_filters import check_whole
from pitchpipe.store.errors import UsageError

SECONDS = 5.0
MEGABYTES = 1024
MOST_ROWS = 1000
"""Bounds of one statement: by the clock, of memory, and of rows that are shown."""
EXAMPLE_SQL = """SELECT example_id, request, rating, agreement
FROM examples
WHERE rating < 2 AND raters >= 3
ORDER BY rating"""
"""To begin with."""
_MOST_IDS = 5_000_000
_LONGEST_SQL = 20_000
_STARTING_SECONDS = 3.0
"""For the process to be there at all, on a busy machine."""
_REFUSED = 3
_KILLED = (-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)
_MEMORY_SIGNS = ("Out of Memory", "bad_alloc", "MemoryError", "could not allocate", "Failed to allocate")
_TABLE_FUNCTIONS = ("unnest", "range", "generate_series", "json_each", "json_tree")
_FORBIDDEN = re.compile(
    r"(random|setseed|uuid.*|gen_random_uuid|getenv|current_setting|getvariable|nextval|currval|write_log|error"
    r"|now|today|get_current_.*|current_(date|time|timestamp|query|query_id|transaction_id|connection_id)"
    r"|local(time|timestamp)|transaction_timestamp|txid_current|stats|sleep_ms)"
)
"""Scalars that reach outside, or that would give another slice at each look."""
_CLOCK = re.compile(r"(current_(date|time|timestamp)|local(time|timestamp))")
"""Those that are written like a column."""
_ADVICE = "Write one SELECT over " + ", ".join(TABLES) + "."


def check_sql(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The statement without its end, where it is one SELECT that stays inside.

    Raises:
        UsageError: it is anything else.
    """
    if len(sql) > _LONGEST_SQL:
        raise UsageError(f"The SQL has {len(sql):,} characters.", f"Use at most {_LONGEST_SQL:,}.")
    check_whole(sql)
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"The SQL cannot be read: {_first_lines(str(error))}", _ADVICE) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        found = f"{len(statements)} statements" if len(statements) != 1 else f"a {statements[0].type.name}"
        raise UsageError(f"The SQL is {found}, not one SELECT.", _ADVICE)
    bare = sql.strip().rstrip(";").rstrip()
    tree = json.loads(connection.cursor().execute("SELECT json_serialize_sql(?)", [bare]).fetchall()[0][0])
    if tree.get("error"):
        raise UsageError(f"The SQL cannot be read: {tree.get('error_message')}", _ADVICE)
    for is_table, name in _find_functions(tree):
        if (is_table and name not in _TABLE_FUNCTIONS) or (not is_table and _FORBIDDEN.fullmatch(name)):
            raise UsageError(f"The function '{name}' cannot be used here.", _ADVICE)
    if _has_sample(tree):
        raise UsageError(
            "The SQL takes a random sample, which would be another one at each look.",
            "Take the rows with hash(example_id) % 10 = 0, say, which stay the same.",
        )
    return bare


class SqlCell:
    """Runs statements over the tables of one catalogue. Its folder is made for the first one and goes with it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._has_marks = False

    def forget_marks(self) -> None:
        """Decisions and tags have changed: they are written out anew for the next statement."""
        self._has_marks = False

    def find_ids(self, sql: str) -> list[str]:
        """The example ids that a slice's SQL returns, each once.

        Raises:
            UsageError: it is refused, has no column example_id, or asks for too much.
        """
        bare = check_sql(self._connection, sql)
        wanted = f"SELECT DISTINCT example_id::VARCHAR AS example_id FROM (\n{bare}\n) WHERE example_id IS NOT NULL"
        return list(self._run(wanted, _MOST_IDS)["example_id"])

    def run_select(self, sql: str, limit: int = MOST_ROWS) -> pl.DataFrame:
        """The first rows of a statement, at most `limit`.

        Raises:
            UsageError: it is refused, faulty, or asks for too much time or memory.
        """
        return self._run(check_sql(self._connection, sql), limit)

    def _run(self, sql: str, limit: int) -> pl.DataFrame:
        with self._lock:  # one at a time: a second heavy statement would take the other core from the pages
            folder = self._write_tables()
            to = folder / "found.parquet"
            order = {
                "folder": str(folder), "tables": [*BASE_TABLES, *MARK_TABLES], "views": VIEWS, "sql": sql,
                "to": str(to), "limit": limit, "seconds": SECONDS, "megabytes": MEGABYTES,
            }  # fmt: skip
            _run_process(order)
            try:
                return pl.read_parquet(to)
            finally:
                to.unlink(missing_ok=True)

    def _write_tables(self) -> Path:
        cursor = self._connection.cursor()
        if self._folder is None:
            folder = Path(tempfile.mkdtemp(prefix="pitchpipe_sql_"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            for name in BASE_TABLES:
                columns = "* EXCLUDE (folded)" if name == "example_facts" else "*"
                frame = cursor.execute(f"SELECT {columns} FROM {name}").pl()
                frame.write_parquet(folder / f"{name}.parquet", compression="lz4")
            self._folder = folder  # only now: a full disk on the way leaves the next statement to try again
        if not self._has_marks:
            for name in MARK_TABLES:
                cursor.execute(f"FROM {name}").pl().write_parquet(self._folder / f"{name}.parquet")
            self._has_marks = True
        return self._folder


def _run_process(order: dict[str, Any]) -> None:
    """Runs an order in the cell and tells what became of it."""
    command = [sys.executable, "-m", "pitchpipe.store.curation.sql_cell"]
    try:
        done = subprocess.run(
            command, input=json.dumps(order), capture_output=True, text=True, check=False,
            timeout=order["seconds"] + _STARTING_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _too_long() from error
    told = done.stdout + done.stderr
    if any(sign in told for sign in _MEMORY_SIGNS) or done.returncode in _KILLED:
        raise UsageError(
            f"The SQL needs more memory than the {MEGABYTES} MB that a statement may use.",
            "Ask for fewer columns or rows, or group before you join.",
        )
    if done.returncode == -signal.SIGXCPU or (done.returncode == _REFUSED and "INTERRUPT" in done.stdout):
        raise _too_long()
    if done.returncode == _REFUSED:
        raise UsageError(f"The SQL does not work: {_first_lines(done.stdout)}", _ADVICE)
    if done.returncode != 0:
        raise RuntimeError(f"the process for SQL ended with {done.returncode}: {done.stderr[-2000:]}")


def _too_long() -> UsageError:
    return UsageError(
        f"The SQL took longer than {SECONDS:g} seconds and was stopped.", "Narrow it: filter first, join on ids."
    )


def _find_functions(node: Any) -> Iterator[tuple[bool, str]]:
    """Every function of a statement's tree: whether it stands in the place of a table, and its name."""
    if isinstance(node, list):
        for entry in node:
            yield from _find_functions(entry)
    elif isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            function = node.get("function") or {}
            yield True, str(function.get("function_name", "")).lower()
            for child in function.get("children") or ():
                yield from _find_functions(child)
            return
        if node.get("class") == "FUNCTION":
            yield False, str(node.get("function_name", "")).lower()
        if node.get("class") == "FUNCTION" and node.get("function_name") == "age" and len(node["children"]) == 1:
            yield False, "now"  # age(x) counts from now
        names = node.get("column_names") if node.get("class") == "COLUMN_REF" else None
        if names and len(names) == 1 and _CLOCK.fullmatch(str(names[0]).lower()):
            yield False, str(names[0]).lower()
        for value in node.values():
            yield from _find_functions(value)


def _has_sample(node: Any) -> bool:
    """Whether a sample is taken anywhere in a statement's tree."""
    if isinstance(node, list):
        return any(_has_sample(entry) for entry in node)
    if not isinstance(node, dict):
        return False
    sample = node.get("sample")
    return (isinstance(sample, dict) and "sample_size" in sample) or any(_has_sample(value) for value in node.values())


def _first_lines(text: str) -> str:
    """What the engine says, without its picture of the place."""
    told = re.sub(r"^\w+ Error: ", "", text.strip()).split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in told[:2])[:300]
