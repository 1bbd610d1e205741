"""The fast path of an export writes what the plain builders make, whatever the rows are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.importing.own_tables import restore_cell
from pitchpipe.training.exports import exporting
from pitchpipe.training.exports.export_rows import encode_dropped
from pitchpipe.training.exports.exporting import export_snapshot
from pitchpipe.training.rows.formats import DroppedRow, build_rows
from tests.training.snapshots import answer_row, frame, label_row, pair_row, write_snapshot

TEXTS = st.sampled_from(["", " \n", "\x1c", "Yes.", "No.", '=1,"a"\r\n', "answer_a", "é\u2028'"])
PAIRS = st.fixed_dictionaries(
    {
        "a": TEXTS,
        "b": TEXTS,
        "verdict": st.sampled_from(["a", "b", "tie", "both_bad", None]),
        "strength": st.sampled_from([-2.0, 1.0, None]),
        "support": st.sampled_from([1.0, 0.5, None]),
        "split": st.sampled_from(["train", "train", "holdout"]),
    }
)
ANSWERS = st.fixed_dictionaries(
    {
        "prompt": TEXTS,
        "answer": TEXTS,
        "origin": st.sampled_from(["person", "demonstration", "import", "model"]),
        "scores": st.sampled_from([None, '{"helpfulness": 4.0}', '{"helpfulness": 1.0}']),
        "turn": st.sampled_from([None, None, 1]),
    }
)


def build(pairs: list[dict[str, Any]], answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = [pair_row(number, **pair) for number, pair in enumerate(pairs)]
    rows += [answer_row(number % 5, row_id=f"row_x{number}", **answer) for number, answer in enumerate(answers)]
    return [*rows, label_row(99, "Where is it?")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(PAIRS, max_size=6), answers=st.lists(ANSWERS, max_size=8))
@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "reward", "classify"])
def test_what_is_written_is_what_the_builder_makes_of_the_whole_rows(
    tmp_path_factory: pytest.TempPathFactory, form: str, pairs: list[dict[str, Any]], answers: list[dict[str, Any]]
) -> None:
    rows = build(pairs, answers)
    folder = tmp_path_factory.mktemp("fast")
    snapshot = write_snapshot(folder / "snap", rows)
    expected = build_rows(form, frame(rows))
    report = export_snapshot(snapshot, form, folder / "out", "jsonl")  # type: ignore[arg-type]
    lines = [json.loads(line) for line in report.path.read_text("utf-8").split("\n")[:-1]]
    assert lines == expected.kept
    assert (folder / "out" / f"{form}.dropped.jsonl").read_bytes() == encode_dropped(expected.dropped)
    assert (report.considered, report.kept) == (expected.considered, len(expected.kept))


def test_every_format_tells_the_same_rows(tmp_path: Path) -> None:
    rows = [answer_row(n, f"=prompt {n}", text) for n, text in enumerate(["'=x", 'a,"b"\r\n', "\ttab", "plain", "é"])]
    snapshot = write_snapshot(tmp_path / "snap", rows)
    paths = {
        name: export_snapshot(snapshot, "kto", tmp_path / "out", name).path for name in ("parquet", "jsonl", "csv")
    }  # type: ignore[arg-type]
    parquet = pl.read_parquet(paths["parquet"]).to_dicts()
    assert [json.loads(line) for line in paths["jsonl"].read_text("utf-8").splitlines()] == parquet
    cells = pl.read_csv(paths["csv"], infer_schema=False).to_dicts()
    for cell, row in zip(cells, parquet, strict=True):
        assert json.loads(restore_cell(cell["completion"])) == row["completion"]
        assert json.loads(restore_cell(cell["prompt"])) == row["prompt"]
        assert (cell["label"], float(cell["weight"])) == (str(row["label"]), row["weight"])


def test_dropped_rows_are_listed_as_canonical_json() -> None:
    told = DroppedRow("r\u2028é", "tie", "1", 'a "quoted"\nreason\x01')
    assert json.loads(encode_dropped([told])) == {
        "reason": 'a "quoted"\nreason\x01', "row_id": "r\u2028é", "rule": "tie", "version": "1"
    }  # fmt: skip


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
def test_the_bytes_do_not_depend_on_the_pieces_that_the_rows_lie_in(tmp_path: Path, format: str) -> None:
    # How many pieces a sorted table has depends on the number of cores.
    whole = pl.DataFrame({"row_id": [f"row {number}" for number in range(900)], "split": "train"})
    pieces = pl.concat([whole[:100], whole[100:]], rechunk=False)
    assert (whole.n_chunks(), pieces.n_chunks()) == (1, 2)
    for name, table in (("one", whole), ("two", pieces)):
        exporting._WRITERS[format](table.lazy(), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
