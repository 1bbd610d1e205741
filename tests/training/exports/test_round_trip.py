"""Out and in again: what an export wrote and an import reads back makes the same rows, whatever stands in the texts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pitchpipe.store.database import open_store
from pitchpipe.store.freezing.snapshots import create_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.importing.own_tables import is_own_table, restore_cell
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_reading import open_rows
from pitchpipe.store.projects import create_project
from pitchpipe.training.exports.exporting import export_snapshot, neutralise_cell

Format = Literal["parquet", "jsonl", "csv"]
ODD = [
    "=1+1", "'=1+1", "''=1+1", "-5", "+x", "@y", "\tz", "a\tb", "\rq", "a\r\nb", "a\nb", '"quoted"', "'", "''", "it's",
    ",", ";", "[", "[]", '[{"role": "user"}]', "{x}", "null", "None", "True", "0", "1.0", "\ufeffmark", "é 🎻",
    "\u2028line", "\u202eturned", "<|im_end|>", "NaN", "a" * 3000, "\\", "\\n", "  x",
]  # fmt: skip
REFUSED = ["a\x00b", "\ud800", "x\udfffy"]


def round_trip(rows: list[dict[str, Any]], form: str, format: Format) -> tuple[list[Any], list[Any], int]:
    """What the first and the second export hold, without the ids of the rows, and how many rows were refused."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "w")
        first = Path(folder) / "first.jsonl"
        first.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
        seen: list[list[Any]] = []
        source, refused = first, 0
        for name in ("one", "two"):
            create_project(store, name, holdout_share=0.0)
            report = import_file(store, source, name)
            if name == "one":
                refused = report.rejected
                assert all(reject["reason"] for reject in report.rejects)
            else:
                assert report.rejected == 0, report.rejects
            snapshot = create_snapshot(store, name, f"{name}-frozen")
            done = export_snapshot(snapshot.folder, form, Path(folder) / name, format)  # type: ignore[arg-type]
            source = done.path
            seen.append(read_export(done.path))
        store.close()
        return seen[0], seen[1], refused


def read_export(path: Path) -> list[Any]:
    if path.suffix == ".parquet":
        rows = pl.read_parquet(path).to_dicts()
    else:
        found = [result for result in open_rows(path, ReadMeter()) if isinstance(result, tuple)]
        rows = [row for _, row in found]
    kept = [{key: value for key, value in row.items() if key not in ("row_id", "example_id")} for row in rows]
    return sorted(kept, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def build_rows(form: str, texts: list[str]) -> list[dict[str, Any]]:
    """Rows of a form; the number keeps the requests apart, so that none is a duplicate of another."""
    if form == "sft":
        return [{"prompt": f"{n} {text}", "completion": text} for n, text in enumerate(texts)]
    if form == "kto":
        return [{"prompt": f"{n} {text}", "completion": text, "label": n % 2 == 0} for n, text in enumerate(texts)]
    return [{"prompt": f"{n} {text}", "chosen": text, "rejected": f"not {text}"} for n, text in enumerate(texts)]


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize("form", ["sft", "dpo", "kto"])
def test_every_form_comes_back_as_it_went_out_in_every_format(form: str, format: Format) -> None:
    first, second, refused = round_trip(build_rows(form, [*ODD, *REFUSED]), form, format)
    assert refused == len(REFUSED)
    assert len(first) == len(ODD)
    assert first == second


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda text: text.strip()), min_size=15, max_size=15))
def test_whatever_the_texts_hold_a_csv_brings_them_back_or_they_were_refused_at_once(texts: list[str]) -> None:
    first, second, refused = round_trip(build_rows("dpo", texts), "dpo", "csv")
    assert len(first) + refused == len(texts)
    assert first == second


risky = st.text(alphabet="'=+-@\t\ra1", max_size=8) | st.text(max_size=20)


@settings(max_examples=300, deadline=None)
@given(risky)
@example("'=1+1")
@example("''")
def test_a_neutralised_cell_is_restored_exactly_and_never_begins_a_formula(text: str) -> None:
    cell = neutralise_cell(text)
    assert restore_cell(cell) == text
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")


def test_an_apostrophe_in_somebody_elses_table_stays(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("instruction,output\nAdd.,'=1+1\n")
    assert list(open_rows(path, ReadMeter())) == [(2, {"instruction": "Add.", "output": "'=1+1"})]
    assert not is_own_table(["instruction", "output"])


def test_a_cell_of_ours_that_holds_no_json_is_refused_with_its_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text('row_id,example_id,prompt,completion,weight\nr,e,"[{""role"": ","[]",1.0\n')
    found = list(open_rows(path, ReadMeter()))
    assert [(result.line, result.column) for result in found if not isinstance(result, tuple)] == [(2, "prompt")]
