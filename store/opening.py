"""Opens the engine: the workspace's own DuckDB file, or an attached PostgreSQL database.

Knows what to do when a file is owned by another process, when its write-ahead log is damaged (set it aside, never
delete it), and how to tell the engine's errors in words.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pitchpipe.store.errors import DISK_FULL, PitchpipeError, StoreError, StoreFullError, StoreLockedError
from pitchpipe.store.journal import read_journal
from pitchpipe.store.migrate import apply_migrations

FILE_CATALOG = "file"
_SPARE_BYTES = 1 << 20
POSTGRES_CATALOG = "pitchpipe_home"

# What a journalled judgement can bring along, in the order in which it is put back.
_WRITTEN_TABLES = (("group_split", "group_splits"), ("example", "examples"), ("candidate", "candidates"))

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def connect_file(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection to the file with its schema up to date. A log that cannot be replayed is set aside, never deleted.

    Raises:
        StoreLockedError: another process owns the file.
        StoreError: it cannot be opened.
    """
    try:
        connection = duckdb.connect(path, config=_SETTINGS)
    except duckdb.Error as error:
        if not _is_log_damage(error, path):
            raise explain_error(error, path) from error
        _set_log_aside(path)
        try:
            connection = duckdb.connect(path, config=_SETTINGS)
        except duckdb.Error as second_error:
            raise explain_error(second_error, path) from second_error
    path.chmod(0o600)
    try:
        if apply_migrations(connection):
            # Replaying DDL from a log is where public reports of damage begin, so it never stays there.
            connection.execute("CHECKPOINT").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def connect_postgres(dsn: str) -> duckdb.DuckDBPyConnection:
    """A connection whose tables live in PostgreSQL, with the schema up to date.

    Raises:
        StoreError: the extension is not installed or the database cannot be reached.
    """
    connection = duckdb.connect(config=_SETTINGS)
    try:
        _load_postgres_extension(connection)
        quoted = dsn.replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {POSTGRES_CATALOG} (TYPE postgres)").fetchall()
        connection.execute(f"USE {POSTGRES_CATALOG}").fetchall()
        apply_migrations(connection)
    except duckdb.Error as error:
        connection.close()
        raise StoreError(
            f"The PostgreSQL store cannot be opened: {error}",
            "Check that the server runs and the database exists, and that the extra is installed: "
            "pip install 'pitchpipe[postgres]'.",
        ) from error
    return connection


def _load_postgres_extension(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        from duckdb_extensions import import_extension  # optional extra, so not at the top
    except ImportError as error:
        raise StoreError(
            "The store is to live in PostgreSQL, but the extension for it is not installed.",
            "Install it: pip install 'pitchpipe[postgres]'.",
        ) from error
    import_extension("postgres_scanner", con=connection)
    connection.execute("LOAD postgres_scanner").fetchall()


def restore_from_journal(connection: duckdb.DuckDBPyConnection, journal_path: Path) -> int:
    """Puts back acknowledged judgements and flags that the store lacks, in their order; returns how many.

    A judgement that is there is passed over with its slot, since later work may have moved that on.
    """
    records = read_journal(journal_path)
    if not records:
        return 0
    known = {row[0] for row in connection.execute("SELECT id FROM judgements").fetchall()}
    known |= {row[0] for row in connection.execute("SELECT entry FROM flag_log").fetchall()}
    known |= {row[0] for row in connection.execute("SELECT id FROM tasks WHERE only_for IS NOT NULL").fetchall()}
    missing = [record for record in records if _name_record(record) not in known]
    if not missing:
        return 0
    connection.begin()
    for record in missing:
        if "judgement" in record:
            _restore_judgement(connection, record)
        elif "flag_entry" in record:
            _restore_flag(connection, record)
        elif "caused_by" in record:
            _restore_effect(connection, record)
        else:
            _insert(connection, "tasks", record["task"])
    connection.commit()
    connection.execute("CHECKPOINT").fetchall()
    return len(missing)


def _name_record(record: dict[str, Any]) -> str:
    if "flag_entry" in record:
        return str(record["flag_entry"]["entry"])
    if "caused_by" in record:
        return str(record["caused_by"])
    return str(record["judgement"]["id"] if "judgement" in record else record["task"]["id"])


def _restore_judgement(connection: duckdb.DuckDBPyConnection, record: dict[str, Any]) -> None:
    judgement, slot = record["judgement"], record["slot"]
    own = [judgement["task_id"], judgement["annotator"]]
    connection.execute("DELETE FROM assignments WHERE task_id = ? AND annotator = ?", own).fetchall()
    if slot is not None:  # whoever holds it in the file held it before
        place = [slot["task_id"], slot["slot"]]
        connection.execute("DELETE FROM assignments WHERE task_id = ? AND slot = ?", place).fetchall()
    _insert(connection, "judgements", judgement)
    _insert(connection, "assignments", slot)
    for name, table in _WRITTEN_TABLES:
        _insert(connection, table, record.get(name))


def _restore_flag(connection: duckdb.DuckDBPyConnection, record: dict[str, Any]) -> None:
    entry = record["flag_entry"]
    _insert(connection, "flags", record["flag"])
    _insert(connection, "flag_log", entry)
    closed = [entry["created_at"], entry["annotator"]] if entry["action"] == "undo" else [None, None]
    if entry["action"] != "raise":
        sql = "UPDATE flags SET closed_at = ?, closed_by = ? WHERE id = ?"
        connection.execute(sql, [*closed, entry["flag_id"]]).fetchall()


def _restore_effect(connection: duckdb.DuckDBPyConnection, record: dict[str, Any]) -> None:
    """What the rules of the queue made of a judgement: one more rater, or a pause."""
    if "widened" in record:
        sql = "UPDATE tasks SET overlap = ? WHERE id = ?"
        connection.execute(sql, [record["overlap"], record["widened"]]).fetchall()
        return
    pause = record["pause"]
    _insert(connection, "standings", {key: pause[key] for key in ("project_id", "annotator")})
    sql = (
        "UPDATE standings SET paused_reason = $paused_reason, paused_at = $paused_at "
        "WHERE project_id = $project_id AND annotator = $annotator"
    )
    connection.execute(sql, pause).fetchall()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any] | None) -> None:
    if row is not None:
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        connection.execute(sql, list(row.values())).fetchall()


def has_room_to_checkpoint(workspace: Path) -> bool:
    """Whether the disk takes what the write-ahead log holds once more, with some to spare."""
    log = workspace / "store.duckdb.wal"
    size = log.stat().st_size if log.exists() else 0
    return shutil.disk_usage(workspace).free > size + _SPARE_BYTES


def explain_error(error: BaseException, path: Path | None = None) -> BaseException:
    """The error in two parts where it comes from the engine or the disk; any other is returned as it is."""
    if isinstance(error, PitchpipeError) or not isinstance(error, duckdb.Error | OSError):
        return error
    text = str(error)
    if "Could not set lock" in text:
        found = re.search(r"PID (\d+)", text)
        pid = int(found.group(1)) if found else None
        owner = f"process {pid}" if pid else "another process"
        return StoreLockedError(
            f"The store '{path}' is in use by {owner}.",
            "Use the studio that runs there, or stop it first. Commands talk to a running studio by themselves.",
            pid,
        )
    if "has been invalidated" in text:
        return StoreError(
            "The engine closed the store after a fault, such as a full disk.",
            "Make room if the disk is full, then start the studio again. Everything acknowledged is safe.",
        )
    if "No space left" in text or "could not allocate" in text.lower():
        return StoreFullError(*DISK_FULL)
    if isinstance(error, OSError):
        place = f"'{error.filename}'" if error.filename else "A file"
        return StoreError(
            f"{place} cannot be read or written: {error.strerror or error}.",
            "Check that its folder exists and is yours.",
        )
    return StoreError(
        f"The store refused: {text.splitlines()[0]}",
        "Nothing of this write was kept. If it happens again, run `pitchpipe doctor` and report what it prints.",
    )


def is_conflict(error: BaseException) -> bool:
    """Whether another process won a race for the same rows, so that the same write may well succeed when run again."""
    signs = ("duplicate key", "could not serialize", "deadlock detected")
    return isinstance(error, duckdb.Error) and any(sign in str(error) for sign in signs)


def _is_log_damage(error: duckdb.Error, path: Path) -> bool:
    wal = path.with_name(path.name + ".wal")
    told = str(error).replace(str(path), "").upper()
    return "COULD NOT SET LOCK" not in told and path.exists() and wal.exists() and "WAL" in told


def _set_log_aside(path: Path) -> Path:
    wal = path.with_name(path.name + ".wal")
    aside = wal.with_name(f"{wal.name}.damaged.{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    return wal.rename(aside)
