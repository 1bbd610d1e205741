"""The store as a whole: one owner, whole migrations, acknowledged means kept."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pitchpipe.store.database import Store, Transaction, open_store
from pitchpipe.store.errors import MigrationError, StoreError, StoreFullError, StoreLockedError
from pitchpipe.store.identity import continue_after, new_id
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.journal import Journal, read_journal
from pitchpipe.store.migrate import Migration, apply_migrations, load_migrations
from pitchpipe.store.opening import explain_error
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task

_INSERT = "INSERT INTO annotators (name, role, created_at) VALUES (?, 'annotator', TIMESTAMP '2026-01-01')"


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
    bad = Migration("9999_bad.sql", "CREATE TABLE half (x INTEGER); INSERT INTO no_such_table VALUES (1);")
    with pytest.raises(MigrationError, match="9999_bad"):
        apply_migrations(connection, [*load_migrations(), bad])
    tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert "half" not in tables
    assert "judgements" in tables
    good = Migration("9999_bad.sql", "CREATE TABLE half (x INTEGER);")
    assert apply_migrations(connection, [*load_migrations(), good]) == ["9999_bad.sql"]


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


JUDGE = """
import os, signal, sys
from pathlib import Path
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.database import open_store
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
store = open_store(Path(sys.argv[1]))
for number in range(6):
    task = claim_next_task(store, "p", "ana")
    submit_judgement(store, judgement_id=f"j{number}", task_id=task.task_id, annotator="ana", token=task.token,
                     value={"verdict": "tie", "strength": 0}, reason=f"reason {number}")
    print(task.task_id, flush=True)
undo_last(store, "p", "ana")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(compare_store: Store) -> Path:
    """A workspace whose owner was killed right after six acknowledged judgements and one undo."""
    compare_store.close()
    done = subprocess.run([sys.executable, "-c", JUDGE, str(compare_store.workspace)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout.split()) == 6
    return compare_store.workspace


def check_nothing_is_lost(workspace: Path) -> None:
    store = open_store(workspace)
    kept = store.read("SELECT id, reason FROM judgements WHERE status = 'submitted' ORDER BY entry")
    assert kept == [(f"j{number}", f"reason {number}") for number in range(6)]
    assert store.read("SELECT supersedes FROM judgements WHERE status = 'retracted'") == [("j5",)]
    leases = store.read("SELECT count(*), count(leased_until) FROM assignments WHERE annotator = 'ana'")
    assert leases == [(6, 1)]  # six slots, one of them leased again by the undo
    again = claim_next_task(store, "p", "ana")
    assert again is not None
    assert store.read("SELECT task_id FROM judgements WHERE id = 'j5'") == [(again.task_id,)]
    store.close()


def test_acknowledged_judgements_survive_kill_9(killed: Path) -> None:
    check_nothing_is_lost(killed)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_a_log_that_was_cut_short_loses_no_acknowledged_judgement(killed: Path, share: float) -> None:
    log = killed / "store.duckdb.wal"
    data = log.read_bytes()
    log.write_bytes(data[: int(len(data) * share)])
    check_nothing_is_lost(killed)


def test_a_damaged_log_is_set_aside_and_judgements_come_back_from_the_journal(killed: Path) -> None:
    log = killed / "store.duckdb.wal"
    damaged = bytearray(log.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    log.write_bytes(bytes(damaged))
    check_nothing_is_lost(killed)
    assert list(killed.glob("store.duckdb.wal.damaged.*"))


def test_a_torn_journal_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append([{"judgement": 1}, {"judgement": 2}])
    journal.close()
    path.write_bytes(path.read_bytes()[:-7])
    journal = Journal(path)
    before = journal.append([{"judgement": 3}])
    journal.cut(before)  # its commit failed
    journal.append([{"judgement": 4}])
    journal.close()
    assert read_journal(path) == [{"judgement": 1}, {"judgement": 4}]


def test_a_clock_that_was_set_back_does_not_reorder_judgements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early = new_id()
    monkeypatch.setattr("pitchpipe.store.identity._last_stamp", 0)
    monkeypatch.setattr("pitchpipe.store.identity.time.time", lambda: 1_000_000.0)
    assert new_id() < early
    continue_after(early)
    assert new_id() > early


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB; where it cannot be mounted the test is skipped."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip(reason="mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_whole_writes_and_the_store_works_again_when_there_is_room(small_disk: Path) -> None:
    store = open_store(small_disk / "w")
    draft = "INSERT INTO drafts (task_id, annotator, body, updated_at) VALUES (?, 'ana', ?, TIMESTAMP '2026-01-01')"
    store.write(lambda t: t.run(draft, ["before", "x"]))
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 4096)
    for _ in range(3):
        with pytest.raises(StoreFullError, match="disk"):
            store.write(lambda t: t.run(draft, ["during", "y" * 200_000]))
    filler.unlink()
    store.write(lambda t: t.run(draft, ["after", "z"]))
    store.close()
    store = open_store(small_disk / "w")
    assert store.read("SELECT task_id FROM drafts ORDER BY task_id") == [("after",), ("before",)]
    store.close()


def test_an_import_into_a_full_disk_is_told_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    store = open_store(small_disk / "w")
    create_project(store, "p")
    rows = tmp_path / "rows.jsonl"
    line = json.dumps({"instruction": "Do %d", "input": "", "output": os.urandom(2000).hex()})
    rows.write_text("\n".join(line.replace("%d", str(number)) + "" for number in range(4000)) + "\n")
    with (small_disk / "filler").open("wb") as file:
        file.write(b"0" * 3_000_000)
    with pytest.raises(StoreFullError):
        import_file(store, rows, "p", format="alpaca")
    assert store.read("SELECT count(*) FROM examples") == [(0,)]
    assert list((small_disk / "w").glob(".import*")) == []
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
