"""The store as a whole: one owner, whole migrations, acknowledged means kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from pitchpipe.store.annotating import submit_judgement
from pitchpipe.store.database import Store, Transaction, open_store
from pitchpipe.store.errors import MigrationError, StoreError, StoreFullError, StoreLockedError
from pitchpipe.store.migrate import Migration, apply_migrations, load_migrations
from pitchpipe.store.opening import explain_error
from pitchpipe.store.queueing import claim_next_task

_INSERT = "INSERT INTO annotators VALUES (?, 'annotator', TIMESTAMP '2026-01-01')"


def test_a_second_process_gets_our_message_with_the_owner(store: Store) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pitchpipe.store.database import open_store\n"
        "from pitchpipe.store.errors import StoreLockedError\n"
        "try: open_store(Path(sys.argv[1]))\n"
        "except StoreLockedError as error: print(error.happened, error.owner_pid)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(store.workspace)], capture_output=True, text=True, check=True
    ).stdout
    assert f"is in use by process {os.getpid()}." in told
    assert told.strip().endswith(str(os.getpid()))


def test_every_migration_applies_once_and_then_is_a_no_op() -> None:
    connection = duckdb.connect()
    names = [migration.name for migration in load_migrations()]
    assert apply_migrations(connection) == names
    assert apply_migrations(connection) == []


def test_a_failing_migration_leaves_nothing_behind() -> None:
    connection = duckdb.connect()
    bad = Migration("0002_bad.sql", "CREATE TABLE half (x INTEGER); INSERT INTO no_such_table VALUES (1);")
    with pytest.raises(MigrationError, match="0002_bad"):
        apply_migrations(connection, [*load_migrations(), bad])
    tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert "half" not in tables
    assert "judgements" in tables
    good = Migration("0002_bad.sql", "CREATE TABLE half (x INTEGER);")
    assert apply_migrations(connection, [*load_migrations(), good]) == ["0002_bad.sql"]


def test_a_changed_migration_and_a_newer_store_are_refused() -> None:
    connection = duckdb.connect()
    apply_migrations(connection, [Migration("0001_a.sql", "CREATE TABLE a (x INTEGER)")])
    with pytest.raises(MigrationError, match="differs"):
        apply_migrations(connection, [Migration("0001_a.sql", "CREATE TABLE a (y INTEGER)")])
    with pytest.raises(MigrationError, match="newer version"):
        apply_migrations(connection, [])


def test_a_failing_write_takes_no_other_write_of_its_batch_with_it(store: Store) -> None:
    release = threading.Event()
    blocker = threading.Thread(target=lambda: store.write(lambda t: release.wait(5)))
    blocker.start()
    results: dict[str, object] = {}

    def write(name: str, sql: str) -> None:
        try:
            results[name] = store.write(lambda t: t.run(sql, [name]))
        except StoreError as error:
            results[name] = error

    good, bad = _INSERT, "INSERT INTO no_such_table VALUES (?)"
    threads = [threading.Thread(target=write, args=(name, sql)) for name, sql in (("a", good), ("b", bad), ("c", good))]
    for thread in threads:
        thread.start()
    release.set()
    for thread in [blocker, *threads]:
        thread.join()
    assert isinstance(results["b"], StoreError)
    assert store.read("SELECT name FROM annotators ORDER BY name") == [("a",), ("c",)]


def test_an_exception_in_a_write_reaches_its_caller_and_the_writer_lives_on(store: Store) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.run(_INSERT, ["lost"])
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.write(fail)
    assert store.read("SELECT count(*) FROM annotators") == [(0,)]
    store.write(lambda t: t.run(_INSERT, ["kept"]))
    assert store.read("SELECT name FROM annotators") == [("kept",)]


def test_an_acknowledged_judgement_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path\n"
        "from pitchpipe.store.database import open_store\n"
        "store = open_store(Path(sys.argv[1]))\n"
        f"for n in range(20):\n    store.write(lambda t: t.run({_INSERT!r}, [f'rater{{n}}']))\n"
        "    print(n, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split()[-1] == "19"
    store = open_store(tmp_path)
    assert store.read("SELECT count(*) FROM annotators") == [(20,)]
    store.close()


def test_a_damaged_log_is_set_aside_and_judgements_come_back_from_the_journal(compare_store: Store) -> None:
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    compare_store.checkpoint()
    submit_judgement(
        compare_store, judgement_id="j1", task_id=task.task_id, annotator="ana", token=task.token,
        value={"verdict": "tie", "strength": 0}, reason="same",
    )  # fmt: skip
    workspace = compare_store.workspace
    copy = workspace.parent / "after_crash"
    copy.mkdir()
    for path in workspace.glob("*.*"):
        (copy / path.name).write_bytes(path.read_bytes())
    log = copy / "store.duckdb.wal"
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    log.write_bytes(bytes(damaged))
    store = open_store(copy)
    assert store.read("SELECT id, reason FROM judgements") == [("j1", "same")]
    assert store.read("SELECT leased_until FROM assignments WHERE annotator = 'ana'") == [(None,)]
    assert list(copy.glob("store.duckdb.wal.damaged.*"))
    store.close()


def test_a_full_disk_is_told_in_two_parts() -> None:
    told = explain_error(duckdb.IOException('IO Error: Could not write file "x": No space left on device'))
    assert isinstance(told, StoreFullError)
    assert "Free some space" in told.advice


def test_a_closed_store_refuses_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write(lambda t: t.run("SELECT 1"))


def test_a_lock_error_is_one_of_ours() -> None:
    error = duckdb.IOException("IO Error: Could not set lock on file: Conflicting lock is held in python (PID 41).")
    told = explain_error(error, Path("store.duckdb"))
    assert isinstance(told, StoreLockedError)
    assert told.owner_pid == 41
