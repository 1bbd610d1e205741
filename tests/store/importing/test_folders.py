"""Folders: datasets as `datasets` saves them, shards, and projects of Potato; what they declare and what they lack."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pitchpipe.store.errors import ImportFileError, NotFoundError
from pitchpipe.store.importing import folders, read_examples
from pitchpipe.store.importing.folders import hash_source
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.records import ParsedRow, RejectedRow, Split


def table(*numbers: int) -> pa.Table:
    return pa.table({"prompt": [f"q{n}" for n in numbers], "completion": [f"a{n}" for n in numbers]})


def save_arrow(folder: Path, *shards: pa.Table) -> None:
    """A Dataset as `save_to_disk` writes it: Arrow streams and the state that names them."""
    folder.mkdir(parents=True)
    names = [f"data-{place:05d}-of-{len(shards):05d}.arrow" for place in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, shard.schema) as writer:
            writer.write_table(shard)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


def read(path: Path) -> list[tuple[str, Split | None]]:
    found = []
    for row in read_examples(path):
        assert isinstance(row, ParsedRow), row
        found.append((row.messages[-1].content, row.split))
    return found


def test_a_saved_dataset_is_read_in_the_order_that_its_state_names(tmp_path: Path) -> None:
    save_arrow(tmp_path / "d", table(1, 2), table(3))
    assert read(tmp_path / "d") == [("q1", None), ("q2", None), ("q3", None)]


def test_splits_of_a_saved_dict_declare_the_side_of_the_seal(tmp_path: Path) -> None:
    for name, numbers in (("train", (1, 2)), ("test_prefs", (3,)), ("core", (4,))):
        save_arrow(tmp_path / "d" / name, table(*numbers))
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test_prefs", "core"]}')
    assert read(tmp_path / "d") == [
        ("q1", Split.TRAIN), ("q2", Split.TRAIN), ("q3", Split.HOLDOUT), ("q4", None),
    ]  # fmt: skip


def test_what_the_real_library_saves_is_read(tmp_path: Path) -> None:
    import datasets  # here, for it takes seconds to load

    parts = {name: datasets.Dataset.from_dict({"prompt": [name], "completion": ["a"]}) for name in ("train", "test")}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "d"))
    assert read(tmp_path / "d") == [("train", Split.TRAIN), ("test", Split.HOLDOUT)]


def test_shards_of_parquet_take_their_split_from_their_names(tmp_path: Path) -> None:
    data = tmp_path / "d" / "data"
    data.mkdir(parents=True)
    pq.write_table(table(1), data / "train-00000-of-00002.parquet")
    pq.write_table(table(2), data / "train-00001-of-00002.parquet")
    pq.write_table(table(3), data / "validation-00000-of-00001.parquet")
    (tmp_path / "d" / "README.md").write_text("a card")
    assert read(tmp_path / "d") == [("q1", Split.TRAIN), ("q2", Split.TRAIN), ("q3", Split.HOLDOUT)]


def test_a_rejected_row_of_a_folder_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "q", "completion": "a"}\n')
    (tmp_path / "b.jsonl").write_text('{"prompt": "q", "completion": ""}\n{"prompt"\n')
    rejects = [row for row in read_examples(tmp_path) if isinstance(row, RejectedRow)]
    assert [(row.line, row.reason.partition(":")[0]) for row in rejects] == [(1, "b.jsonl"), (2, "b.jsonl")]


def test_a_folder_with_files_of_several_kinds_is_refused_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"prompt": "q", "completion": "a"}\n')
    (tmp_path / "test.csv").write_text("prompt,completion\nq,a\n")
    with pytest.raises(ImportFileError) as caught:
        read_examples(tmp_path)
    assert caught.value.happened.endswith("holds files of 2 kinds: 1 .csv and 1 .jsonl.")


def test_a_folder_with_too_many_files_is_refused_rather_than_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST_FILES", 2)
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "q", "completion": "a"}\n')
    with pytest.raises(ImportFileError, match="holds 3 data files"):
        read_examples(tmp_path)
    (tmp_path / "c.jsonl").unlink()
    assert len(read(tmp_path)) == 2


def test_a_state_that_names_a_file_elsewhere_reads_no_file_elsewhere(tmp_path: Path) -> None:
    save_arrow(tmp_path / "d", table(1))
    save_arrow(tmp_path / "secret", table(2))
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "../secret/data-00000-of-00001.arrow"}]}')
    assert read(tmp_path / "d") == [("q1", None)]
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "/etc/passwd"}]}')
    with pytest.raises(ImportFileError, match="lacks passwd"):
        read(tmp_path / "d")


def test_an_incomplete_or_broken_saved_dataset_is_refused(tmp_path: Path) -> None:
    save_arrow(tmp_path / "d", table(1), table(2))
    path = tmp_path / "d" / "data-00001-of-00002.arrow"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImportFileError, match="cannot be read as Arrow"):
        read(tmp_path / "d")
    path.unlink()
    with pytest.raises(ImportFileError, match=r"lacks data-00001-of-00002\.arrow"):
        read(tmp_path / "d")
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [], "_indices_data_files": null}')
    with pytest.raises(ImportFileError, match="names no files"):
        read(tmp_path / "d")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImportFileError, match="holds no data files"):
        read(tmp_path / "empty")


def test_the_meter_of_a_folder_ends_at_all_its_bytes(tmp_path: Path) -> None:
    save_arrow(tmp_path / "d", table(1, 2), table(3))
    meter = ReadMeter()
    assert len(list(read_examples(tmp_path / "d", meter=meter))) == 3
    assert 0 < meter.done == meter.total == sum(path.stat().st_size for path in (tmp_path / "d").glob("*.arrow"))


def test_the_hash_of_a_folder_changes_with_any_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    (tmp_path / "b.jsonl").write_text("{}")
    before = hash_source(tmp_path)
    assert hash_source(tmp_path) == before
    (tmp_path / "b.jsonl").write_text("{} ")
    assert hash_source(tmp_path) != before


def test_a_potato_project_gives_each_annotator_the_texts_of_its_data_file(tmp_path: Path) -> None:
    items = [{"id": "1", "prompt": "Best month?", "responses": ["May.", "June."]}]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "items.jsonl").write_text("\n".join(map(json.dumps, items)) + "\n")
    said = {"1": {"best": {"selection": "A"}}, "9": {"best": {"selection": "B"}}}
    as_pairs = {"1": [[{"schema": "best", "name": "selection"}, "B"]]}
    for user, labels in (("ana", said), ("ben", as_pairs)):
        folder = tmp_path / "annotation_output" / user
        folder.mkdir(parents=True)
        (folder / "user_state.json").write_text(json.dumps({"user_id": user, "instance_id_to_label_to_value": labels}))
    results = list(read_examples(tmp_path))
    judged = [(j.rater, j.value["verdict"]) for row in results if isinstance(row, ParsedRow) for j in row.judgements]
    assert judged == [("ana", "a"), ("ben", "b")]
    rejects = [row for row in results if isinstance(row, RejectedRow)]
    assert [row.reason for row in rejects] == ["ana/user_state.json: no data file has the instance '9'"]


def test_potato_outputs_of_version_1_take_the_rater_from_their_folder(tmp_path: Path) -> None:
    for user, label in (("ana", "good"), ("ben", "bad")):
        folder = tmp_path / user
        folder.mkdir()
        row = {"id": "1", "displayed_text": "Great", "label_annotations": {"tone": {label: label}}}
        (folder / "annotated_instances.jsonl").write_text(json.dumps(row) + "\n")
    rows = [row for row in read_examples(tmp_path) if isinstance(row, ParsedRow)]
    assert [(j.rater, j.value) for row in rows for j in row.judgements] == [
        ("ana", {"labels": ["good"]}), ("ben", {"labels": ["bad"]}),
    ]  # fmt: skip


def test_a_name_of_the_hub_is_told_how_to_be_written() -> None:
    with pytest.raises(NotFoundError, match="hf://org/name"):
        read_examples(Path("org/name"))
