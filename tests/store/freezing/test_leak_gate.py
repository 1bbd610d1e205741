"""The leak gate: nothing taught may nearly equal something sealed, and the proof of it follows from the rows alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import SnapshotError
from pitchpipe.store.freezing import snapshot_building, snapshots
from pitchpipe.store.freezing.leak_gate import list_breaches, list_sealed_requests, prove_separation
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, read_manifest, verify_snapshot
from pitchpipe.store.identity import hash_file
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project

ASKED = "please tell me in simple words how I can return the blue kettle that I bought last week"
SAID = "Bring it back to any of our shops within thirty days."


def make_row(number: int, split: str, asked: str, answer: str = "yes", group: str | None = None) -> dict[str, Any]:
    messages = json.dumps([{"role": "user", "content": asked}])
    return {"row_id": f"row_{number}", "example_id": f"ex_{number}", "split": split, "group_id": group or f"g{number}",
            "messages": messages, "answer": answer, "answer_a": None, "answer_b": None}  # fmt: skip


def test_the_proof_counts_what_was_compared_and_what_lies_across() -> None:
    rows = [make_row(1, "train", "Where is my parcel?"), make_row(2, "train", "Where is my parcel?"),
            make_row(3, "holdout", ASKED)]  # fmt: skip
    proof = prove_separation(rows, 0.8, left_out=4)
    assert proof["compared"] == [2 - 1, 1]  # the same request twice is one
    assert (proof["groups_on_both_sides"], proof["near_duplicate_pairs_across"], proof["left_out"]) == (0, 0, 4)
    assert list_breaches(proof) == []


def test_a_nearly_equal_request_and_a_shared_group_are_breaches() -> None:
    rows = [make_row(1, "train", ASKED + " thanks", group="g"), make_row(2, "holdout", ASKED, group="g")]
    breaches = list_breaches(prove_separation(rows, 0.8, 0))
    assert [breach.split(" ", 1)[1] for breach in breaches] == [
        "groups lie on both sides of the seal", "training requests are at least 0.8 similar to a sealed one",
    ]  # fmt: skip


def test_short_later_requests_of_a_sealed_conversation_are_nobodys() -> None:
    told = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "Say more?"}, {"role": "user", "content": ASKED}]  # fmt: skip
    assert list_sealed_requests(json.dumps(told)) == ["Hi", ASKED]


def test_an_answer_copied_from_the_sealed_side_is_told_but_a_short_one_is_not() -> None:
    rows = [make_row(1, "train", "one", SAID.upper()), make_row(2, "train", "two", "Yes."),
            make_row(3, "holdout", "three", SAID), make_row(4, "holdout", "four", "Yes.")]  # fmt: skip
    proof = prove_separation(rows, 0.8, 0)
    assert (proof["answers_copied_from_sealed"], proof["copied_answers"]) == (1, [["row_1", "row_3"]])
    assert list_breaches(proof) == []


@pytest.fixture
def sealed_store(store: Store, tmp_path: Path) -> Store:
    create_project(store, "p", holdout_share=0.0)
    mapping, file = tmp_path / "m.toml", tmp_path / "r.jsonl"
    mapping.write_text('kind = "write"\nprompt = "{q}"\nanswer = "{a}"\nsplit = "{s}"\n')
    rows = [{"q": ASKED, "a": "one", "s": "holdout"}, {"q": ASKED + " thanks", "a": "two", "s": "train"},
            {"q": "Where is my parcel?", "a": "three", "s": "train"}]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_file(store, file, "p", mapping=mapping)
    return store


def freeze(store: Store, name: str = "s") -> Snapshot:
    return create_snapshot(store, "p", name)


def test_the_manifest_holds_the_proof_and_verify_derives_it_again(sealed_store: Store) -> None:
    folder = freeze(sealed_store).folder
    manifest = read_manifest(folder)
    proof = manifest["leak_gate"]
    assert (proof["compared"], proof["left_out"], proof["threshold"]) == ([1, 1], 1, 0.8)
    assert verify_snapshot(folder) == []
    manifest["leak_gate"] = {**proof, "left_out": 0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert verify_snapshot(folder) == [
        "the proof of the seal in the manifest is not the one that follows from the rows"
    ]


def test_a_freeze_that_would_break_the_seal_is_refused(sealed_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_building, "find_leaks", lambda *_: {})
    with pytest.raises(SnapshotError, match=r"1 training requests are at least 0\.8 similar"):
        freeze(sealed_store)
    assert not (sealed_store.workspace / "snapshots").exists()
    assert snapshots.list_snapshots(sealed_store, "p") == []


def test_folders_of_before_without_proof_and_evidence_still_verify(sealed_store: Store) -> None:
    folder = freeze(sealed_store).folder
    drops = pl.read_parquet(folder / "dropped.parquet").drop("evidence")
    drops.write_parquet(folder / "dropped.parquet")
    (folder / "croissant.json").unlink()
    manifest = read_manifest(folder)
    del manifest["leak_gate"], manifest["files"]["croissant.json"]
    manifest["files"]["dropped.parquet"] = {"sha256": hash_file(folder / "dropped.parquet"), "bytes": 0}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert verify_snapshot(folder) == []
