"""Snapshots under attack: two freezes at once, and a folder in which any file was touched."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import SnapshotError, UsageError
from pitchpipe.store.freezing.knowledge import Recipe
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, verify_snapshot
from tests.store.desk import add_example
from tests.store.freezing.test_snapshots import judge_all


@pytest.fixture
def snapshot(compare_store: Store) -> Snapshot:
    judge_all(compare_store, "ana", {"verdict": "first", "strength": None})
    return create_snapshot(compare_store, "p", "s")


def freeze_at_once(jobs: list[Callable[[], Snapshot]]) -> list[Any]:
    """What each of the jobs came to, run by as many threads: a snapshot or an error."""
    start, results = threading.Barrier(len(jobs)), []

    def run(job: Callable[[], Snapshot]) -> None:
        start.wait()
        try:
            results.append(job())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_freezes_of_the_same_content_at_once_are_one_snapshot(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["Yes.", "No."])
    made = freeze_at_once([lambda name=name: create_snapshot(store, "p", name) for name in "aaabc"])  # type: ignore[misc]
    assert [type(one) for one in made] == [Snapshot] * 5, made
    assert len({one.id for one in made}) == 1
    assert verify_snapshot(made[0].folder, made[0].id) == []


def test_of_two_contents_under_one_name_the_second_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["Yes.", "No."])
    made = freeze_at_once(
        [lambda s=s: create_snapshot(store, "p", "a", Recipe(strategy=s)) for s in ("mean", "median")]  # type: ignore[misc]
    )
    assert sorted(type(one).__name__ for one in made) == ["Snapshot", "UsageError"]
    assert "stands for the snapshot" in str(next(one for one in made if isinstance(one, UsageError)))


@pytest.mark.parametrize("content", [b"", b"PAR1 \xff\x00 garbage"], ids=["empty", "garbage"])
def test_a_file_that_was_overwritten_is_told(snapshot: Snapshot, tmp_path: Path, content: bytes) -> None:
    for name in sorted(path.name for path in snapshot.folder.iterdir()):
        copy = shutil.copytree(snapshot.folder, tmp_path / name)
        (copy / name).write_bytes(content)
        if name == "manifest.json":
            with pytest.raises(SnapshotError):
                verify_snapshot(copy)
        else:
            assert f"{name} was changed" in verify_snapshot(copy, snapshot.id)


@pytest.mark.parametrize("value", [None, 5, {}], ids=["gone", "number", "empty"])
@pytest.mark.parametrize("field", ["counts", "files", "leak_gate", "recipe_hash", "rows_hash", "snapshot_id"])
def test_a_manifest_that_was_changed_is_told(snapshot: Snapshot, tmp_path: Path, field: str, value: object) -> None:
    copy = shutil.copytree(snapshot.folder, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    changed = {**manifest, field: value} if value is not None else {k: v for k, v in manifest.items() if k != field}
    (copy / "manifest.json").write_text(json.dumps(changed))
    with contextlib.suppress(SnapshotError):  # no manifest at all is told as well
        assert verify_snapshot(copy, snapshot.id) != []


def test_a_file_that_is_not_of_the_snapshot_is_told(snapshot: Snapshot) -> None:
    (snapshot.folder / "more.parquet").write_bytes(b"x")
    (snapshot.folder / ".DS_Store").write_bytes(b"x")
    assert verify_snapshot(snapshot.folder, snapshot.id) == ["more.parquet is not listed in the manifest"]
