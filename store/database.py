"""Opens the store and carries every statement: one owner process, one writer thread, a cursor for each reading thread.

A write is a function that gets a `Transaction`. Whatever waits in the queue is committed as one transaction; if one of
them fails, the batch is rolled back and each is run again alone, so a bad write never takes a good one with it. A write
function therefore must depend on nothing but the store and its arguments. Writes that record a judgement also put it in
the journal, and the caller hears "done" only after both are on the disk.
"""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from pitchpipe.store.errors import StoreError, UsageError
from pitchpipe.store.identity import continue_after
from pitchpipe.store.journal import Journal
from pitchpipe.store.opening import (
    FILE_CATALOG,
    POSTGRES_CATALOG,
    connect_file,
    connect_postgres,
    explain_error,
    has_room_to_checkpoint,
    is_conflict,
    restore_from_journal,
)
from pitchpipe.store.queue.queue_memory import QueueMemory

T = TypeVar("T")
Parameters = Sequence[Any] | Mapping[str, Any]
"""Values for the marks of a statement: `?` by place, `$name` by name."""
_LARGEST_BATCH = 64
SPOOL = ".import"
"""How the folders begin in which imports spool their rows."""


def utc_now() -> datetime:
    """The server's clock as naive UTC, as stored."""
    return datetime.now(UTC).replace(tzinfo=None)


def _as_given(parameters: Parameters) -> list[Any] | dict[str, Any]:
    return dict(parameters) if isinstance(parameters, Mapping) else list(parameters)


class Transaction:
    """What a write function may do. Lives for one call on the writer thread."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, queue_memory: QueueMemory) -> None:
        self._connection = connection
        self.queue_memory = queue_memory
        self.journalled: list[dict[str, Any]] = []
        self.full: set[str] = set()  # tasks found without a free slot; remembered when it is committed
        self.afterwards: list[Callable[[], None]] = [lambda: queue_memory.full.update(self.full)]
        """Called in order when it is committed, before anybody hears so: for what is remembered besides."""

    def run(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement; for INSERT, UPDATE and DELETE a single row with the count."""
        return self._connection.execute(sql, _as_given(parameters)).fetchall()

    def insert_frame(self, table: str, frame: pl.DataFrame) -> int:
        """Rows newly inserted into `table`; a row whose key is there already is left as it was.

        The frame's columns are matched by name. Far faster than row by row (100,000 rows in tens of milliseconds).
        """
        if frame.is_empty():
            return 0
        self.afterwards.append(self.queue_memory.drop_windows)
        columns = ", ".join(frame.columns)
        self._connection.register("incoming_rows", frame.to_arrow())
        try:
            sql = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming_rows ON CONFLICT DO NOTHING"
            return int(self._connection.execute(sql).fetchall()[0][0])
        finally:
            self._connection.unregister("incoming_rows")

    def journal(self, record: dict[str, Any]) -> None:
        """Has the record on disk before the caller hears that the write is done."""
        self.journalled.append(record)


class _Order(Enum):
    WRITE = auto()
    CHECKPOINT = auto()
    STOP = auto()


@dataclass(frozen=True, slots=True)
class _Job:
    order: _Order
    run: Callable[[Transaction], Any] | None
    future: Future[Any]
    tries: int = 20
    """Left before a conflict with another process (PostgreSQL only) is told to the caller."""


class Store:
    """The open store of a workspace. Thread-safe; close it to checkpoint and release the file."""

    def __init__(self, workspace: Path, connection: duckdb.DuckDBPyConnection, journal: Journal, catalog: str) -> None:
        self.workspace = workspace
        self._connection = connection
        self._journal = journal
        self._catalog = catalog
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._local = threading.local()
        self._is_closed = False
        self.queue_memory = QueueMemory(is_shared=catalog != FILE_CATALOG)
        self.import_lock = threading.Lock()
        """Held by the import that runs; imports of one process wait for each other."""
        self._writer = threading.Thread(target=self._write_jobs, name="pitchpipe-writer", daemon=True)
        self._writer.start()

    def write(self, job: Callable[[Transaction], T]) -> T:
        """The job's result once it is committed. Jobs run in the order of arrival.

        Raises:
            StoreError: the store is closed, the disk is full, or the engine refused; nothing of the job was kept.
        """
        if self._is_closed:
            raise StoreError("The store is closed.", "Open it again; nothing was written.")
        future: Future[T] = Future()
        self._jobs.put(_Job(_Order.WRITE, job, future))
        return future.result()

    def read(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, seen as of now."""
        try:
            return self._cursor().execute(sql, _as_given(parameters)).fetchall()
        except duckdb.Error as error:
            raise explain_error(error) from error

    def read_frame(self, sql: str, parameters: Parameters = ()) -> pl.DataFrame:
        """The rows of a query as a frame."""
        try:
            return self._cursor().execute(sql, _as_given(parameters)).pl()
        except duckdb.Error as error:
            raise explain_error(error) from error

    def read_at_once(self, reads: Callable[[], T]) -> T:
        """What `reads` returns, with all its calls of `read` and `read_frame` seeing the store at one moment."""
        cursor = self._cursor()
        cursor.begin()
        try:
            return reads()
        finally:
            cursor.rollback()

    def checkpoint(self) -> None:
        """Moves everything from the write-ahead log into the file, then empties the journal.

        Left for the next time when a reader or too little room on the disk stands in the way: a checkpoint that fails
        half way makes the engine refuse all further work, and log and journal hold everything meanwhile. With
        PostgreSQL there is nothing to do: it keeps its own log.
        """
        if self._catalog == FILE_CATALOG and not self._is_closed:
            future: Future[None] = Future()
            self._jobs.put(_Job(_Order.CHECKPOINT, None, future))
            future.result()

    def close(self) -> None:
        """Finishes waiting writes, checkpoints and releases the file. Safe to call twice."""
        if self._is_closed:
            return
        try:
            self.checkpoint()
        finally:
            self._is_closed = True
            self._jobs.put(_Job(_Order.STOP, None, Future()))
            self._writer.join()
            self._journal.close()
            self._connection.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._connection.cursor()
            if self._catalog != FILE_CATALOG:
                cursor.execute(f"USE {self._catalog}").fetchall()
            self._local.cursor = cursor
        return cursor

    def _write_jobs(self) -> None:
        """The writer thread: takes what waits, commits it as one transaction, answers."""
        connection = self._cursor()
        while True:
            batch, order = self._take_batch()
            if batch:
                self._commit_batch(connection, batch)
            if order is not None and order.order is _Order.CHECKPOINT:
                self._checkpoint_now(connection, order.future)
            elif order is not None:
                return

    def _take_batch(self) -> tuple[list[_Job], _Job | None]:
        """The writes that wait now (blocking for the first), and the order that ended the batch, if one did."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job.order is _Order.WRITE:
            batch.append(job)
            if len(batch) == _LARGEST_BATCH or self._jobs.empty():
                return batch, None
            job = self._jobs.get()
        return batch, job

    def _commit_batch(self, connection: duckdb.DuckDBPyConnection, batch: list[_Job]) -> None:
        try:
            results = self._commit_together(connection, batch)
        except Exception as error:  # noqa: BLE001 - whatever a job raises is handed to its caller; this thread lives on
            if len(batch) > 1:
                for job in batch:
                    self._commit_batch(connection, [job])
            elif is_conflict(error) and batch[0].tries > 1:
                self._commit_batch(connection, [replace(batch[0], tries=batch[0].tries - 1)])
            else:
                batch[0].future.set_exception(explain_error(error))
            return
        for job, result in zip(batch, results, strict=True):
            job.future.set_result(result)

    def _commit_together(self, connection: duckdb.DuckDBPyConnection, batch: list[_Job]) -> list[Any]:
        transaction = Transaction(connection, self.queue_memory)
        before = None
        connection.begin()
        try:
            results = [job.run(transaction) for job in batch if job.run is not None]
            if transaction.journalled:
                # Before the commit: if the disk refuses the journal, nothing may be acknowledged.
                before = self._journal.append(transaction.journalled)
            connection.commit()
        except BaseException:
            if before is not None:
                self._journal.cut(before)
            # A commit that failed (a full disk, say) has already ended the transaction.
            with contextlib.suppress(duckdb.TransactionException):
                connection.rollback()
            raise
        for note in transaction.afterwards:
            note()
        return results

    def _checkpoint_now(self, connection: duckdb.DuckDBPyConnection, future: Future[Any]) -> None:
        try:
            if has_room_to_checkpoint(self.workspace):
                connection.execute("CHECKPOINT").fetchall()
                self._journal.empty()
        except duckdb.TransactionException:
            future.set_result(None)  # another transaction is open; the next checkpoint takes this one's work along
        except (duckdb.Error, OSError) as error:
            future.set_exception(explain_error(error))
        else:
            future.set_result(None)


def open_store(workspace: Path, postgres: str | None = None) -> Store:
    """The store of a workspace, made if it is not there, with its schema up to date.

    Args:
        workspace: the folder that holds `store.duckdb`, snapshots and runs.
        postgres: a connection string such as `dbname=pitchpipe host=127.0.0.1`; then the tables live there and several
            processes may open the store at once. None keeps them in the workspace's own file.

    Raises:
        StoreLockedError: another process owns the file.
        StoreError: the file cannot be opened even after its damaged log was set aside.
        MigrationError: the schema cannot be brought up to date.
    """
    if "?" in str(workspace):
        raise UsageError(f"The workspace '{workspace}' has a question mark in its path.", "Use a path without one.")
    workspace.mkdir(parents=True, exist_ok=True)
    journal_path = workspace / "journal.jsonl"
    if postgres is not None:
        return Store(workspace, connect_postgres(postgres), Journal(journal_path), POSTGRES_CATALOG)
    connection = connect_file(workspace / "store.duckdb")
    # What a killed import left behind; nobody imports now, since this process has just become the owner.
    for leftover in workspace.glob(f"{SPOOL}_*"):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        # Always, not only after an open fault: a log that was cut short opens without a word.
        restore_from_journal(connection, journal_path)
        latest = connection.execute("SELECT max(entry) FROM judgements").fetchall()[0][0]
    except BaseException:
        connection.close()
        raise
    if latest is not None:
        continue_after(latest)
    return Store(workspace, connection, Journal(journal_path), FILE_CATALOG)
