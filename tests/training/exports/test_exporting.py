"""Exports load elsewhere, repeat to the byte, carry no holdout row and do nothing in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import SnapshotError, UsageError
from pitchpipe.store.identity import hash_file
from pitchpipe.store.importing.own_tables import restore_cell
from pitchpipe.training.exports.exporting import export_snapshot, neutralise_cell
from pitchpipe.training.exports.mixtures import write_mixture
from tests.training.snapshots import answer_row, pair_row, write_snapshot


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "reward", "classify", "raw"])
def test_an_export_repeats_to_the_byte_and_adds_up(snapshot: Path, tmp_path: Path, form: str, format: str) -> None:
    first = export_snapshot(snapshot, form, tmp_path / "one", format)  # type: ignore[arg-type]
    again = export_snapshot(snapshot, form, tmp_path / "two", format)  # type: ignore[arg-type]
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted([f"{form}.dropped.jsonl", f"{form}.{format}", f"{form}.manifest.json"])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert first.considered == first.kept + sum(first.dropped.values())
    assert (first.kept, first.sha256) == (again.kept, again.sha256)
    listed = [json.loads(line) for line in (tmp_path / "one" / f"{form}.dropped.jsonl").read_text().splitlines()]
    assert len(listed) == first.considered - first.kept


def test_forms_exported_into_one_folder_leave_each_others_files_alone(snapshot: Path, tmp_path: Path) -> None:
    export_snapshot(snapshot, "sft", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    export_snapshot(snapshot, "dpo", tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.items() <= after.items() and len(after) == 6
    for form in ("sft", "dpo"):
        files = json.loads(after[f"{form}.manifest.json"])["files"]
        assert files == {name: hash_file(tmp_path / name) for name in (f"{form}.dropped.jsonl", f"{form}.parquet")}


@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "reward", "classify", "raw"])
def test_no_holdout_row_is_exported(snapshot: Path, tmp_path: Path, form: str) -> None:
    rows = pl.read_parquet(snapshot / "rows.parquet")
    sealed = set(rows.filter(pl.col("split") == "holdout")["row_id"])
    export_snapshot(snapshot, form, tmp_path / "out")  # type: ignore[arg-type]
    exported = set(pl.read_parquet(tmp_path / "out" / f"{form}.parquet")["row_id"])
    assert exported and not exported & sealed


def test_messages_are_lists_of_turns_in_parquet_and_jsonl(snapshot: Path, tmp_path: Path) -> None:
    export_snapshot(snapshot, "dpo", tmp_path, "jsonl")
    export_snapshot(snapshot, "dpo", tmp_path, "parquet")
    line = json.loads((tmp_path / "dpo.jsonl").read_text().splitlines()[0])
    row = pl.read_parquet(tmp_path / "dpo.parquet").to_dicts()[0]
    assert row == line
    assert line["rejected"] == [{"role": "assistant", "content": "thank you"}]


def test_a_formula_in_an_answer_is_text_in_csv_and_comes_back_whole(tmp_path: Path) -> None:
    prompt = "=HYPERLINK(1)"
    folder = write_snapshot(tmp_path / "snap", [answer_row(1, prompt, "+1", row_id="=row")])
    export_snapshot(folder, "raw", tmp_path / "out", "csv")
    with (tmp_path / "out" / "raw.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["answer"] == "'+1" and row["row_id"] == "'=row"
    assert restore_cell(row["answer"]) == "+1"
    assert json.loads(restore_cell(row["messages"])) == [{"content": prompt, "role": "user"}]


@given(st.text(alphabet=st.sampled_from("'=+-@\t\rab"), max_size=6) | st.text())
def test_neutralising_a_cell_is_undone_exactly(text: str) -> None:
    assert restore_cell(neutralise_cell(text)) == text
    assert not neutralise_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_altered_snapshot_is_refused(tmp_path: Path) -> None:
    folder = write_snapshot(tmp_path / "snap", [pair_row(1)])
    pl.read_parquet(folder / "rows.parquet").head(0).write_parquet(folder / "rows.parquet")
    with pytest.raises(SnapshotError, match="not the ones"):
        export_snapshot(folder, "dpo", tmp_path / "out")
    with pytest.raises(SnapshotError, match="no manifest"):
        export_snapshot(tmp_path, "dpo", tmp_path / "out")


def test_an_unknown_form_or_format_is_refused_with_the_known_ones(snapshot: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sft, dpo, kto, reward, classify, raw"):
        export_snapshot(snapshot, "ppo", tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="parquet, jsonl, csv"):
        export_snapshot(snapshot, "sft", tmp_path, "xlsx")  # type: ignore[arg-type]


def test_nothing_is_written_into_a_snapshot(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(snapshot)
    before = sorted(path.name for path in snapshot.iterdir())
    for to in (snapshot, snapshot / "mine", tmp_path / "link"):
        with pytest.raises(UsageError, match="never changes"):
            export_snapshot(snapshot, "raw", to)
    assert sorted(path.name for path in snapshot.iterdir()) == before


def test_no_mixture_takes_the_place_of_a_file_of_a_snapshot(snapshot: Path, tmp_path: Path) -> None:
    file = export_snapshot(snapshot, "sft", tmp_path).path
    before = hash_file(snapshot / "rows.parquet")
    with pytest.raises(UsageError, match="never changes"):
        write_mixture([file], snapshot / "rows.parquet")
    with pytest.raises(UsageError, match="share above 0"):
        write_mixture([file], tmp_path / "mixture.yaml", [float("nan")])
    assert hash_file(snapshot / "rows.parquet") == before
