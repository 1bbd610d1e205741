"""Datasets of the Hub: fetched by a process of their own, plainly refused where there is no network."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import ImportFileError, UsageError
from pitchpipe.store.importing import read_examples
from pitchpipe.store.records import ParsedRow, Split
from pitchpipe.training.exports import fetching


def test_only_what_begins_with_hf_is_a_name_of_the_hub() -> None:
    assert fetching.read_hub_name("hf://org/name.v2") == "org/name.v2"
    assert fetching.read_hub_name("org/name") is None
    for bad in ("hf://", "hf://../../etc", "hf://a/b/c", "hf://-x"):
        with pytest.raises(UsageError, match="names no dataset"):
            fetching.read_hub_name(bad)


def test_without_a_network_the_error_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    with pytest.raises(ImportFileError) as caught:
        fetching.fetch_dataset("org/name-that-is-nowhere", tmp_path)
    assert "org/name-that-is-nowhere cannot be fetched" in caught.value.happened
    assert "Traceback" not in str(caught.value)
    assert list((tmp_path / "downloads").glob("*") if (tmp_path / "downloads").exists() else []) == []


def test_what_is_fetched_imports_with_the_sides_of_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The library loads a folder by its path as it loads a name: what is tested is all but the network.
    import datasets

    source = tmp_path / "source"
    source.mkdir()
    for split in ("train", "test"):
        (source / f"{split}.jsonl").write_text(f'{{"prompt": "{split}?", "completion": "yes"}}\n')
    load = datasets.load_dataset

    def load_folder(_name: str) -> Any:
        return load(str(source), cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", load_folder)
    fetching.write_dataset("org/name", tmp_path / "out")
    rows = [row for row in read_examples(tmp_path / "out") if isinstance(row, ParsedRow)]
    assert {(row.messages[0].content, row.split) for row in rows} == {
        ("train?", Split.TRAIN), ("test?", Split.HOLDOUT),
    }  # fmt: skip


def test_a_folder_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("no process should be started")

    monkeypatch.setattr(subprocess, "run", fail)
    (tmp_path / "downloads" / "org--name").mkdir(parents=True)
    assert fetching.fetch_dataset("org/name", tmp_path) == tmp_path / "downloads" / "org--name"
