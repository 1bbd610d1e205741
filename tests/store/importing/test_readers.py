"""Raw rows of every kind of file: what is read, what is reported, and that one bad row never costs another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing import json_reader, raw_values
from pitchpipe.store.importing.json_reader import RawResult
from pitchpipe.store.importing.reading import read_raw_rows
from pitchpipe.store.records import RejectedRow

Read = Callable[..., list[RawResult]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes a file and gives back its raw rows."""

    def write_and_read(name: str, content: bytes | str, columns: list[str] | None = None) -> list[RawResult]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(read_raw_rows(path, columns))

    return write_and_read


def test_json_lines_are_numbered_by_line_and_blank_lines_are_passed_over(read: Read) -> None:
    assert read("rows.jsonl", '{"a": 1}\n\n{"a": 2}\r\n') == [(1, {"a": 1}), (3, {"a": 2})]


def test_a_byte_order_mark_is_no_part_of_the_first_row(read: Read) -> None:
    assert read("rows.jsonl", b'\xef\xbb\xbf{"a": 1}') == [(1, {"a": 1})]
    assert read("rows.json", b'\xef\xbb\xbf[{"a": 1}]') == [(1, {"a": 1})]
    assert read("rows.csv", b"\xef\xbb\xbfa\n1\n") == [(2, {"a": "1"})]


def test_a_truncated_last_line_is_reported_with_line_and_column(read: Read) -> None:
    rows = read("rows.jsonl", '{"a": 1}\n{"a": "two')
    assert rows[0] == (1, {"a": 1})
    assert rows[1] == RejectedRow(
        2,
        "7",
        "broken JSON at character 7: Unterminated string starting at; the file ends in the middle of this line",
    )


@pytest.mark.parametrize(
    ("bad", "column", "reason"),
    [
        (b'{"a": "\xff"}', "8", "not UTF-8"),
        (b'{"a": "x\\u0000y"}', "a", "NUL"),
        (b'{"a": "x\x00y"}', "9", "broken JSON at character 9"),
        (b'{"a": {"b": ["\\ud800"]}}', "a", "half a surrogate pair (U+D800)"),
        (b'{"a\\udc00": 1}', "a\\udc00", "half a surrogate pair"),
        (b'{"a": NaN}', "", "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "", "-Infinity is not a JSON number"),
        (b'{"a": 1e400}', "", "1e400 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "not JSON"),
        (b'{"a": 1, "a": 2}', "", "the key 'a' comes twice"),
        (b'{"a": ' + b"[" * 100_000, "406", "nested deeper than 400"),
        (b'{"a": ' + b"[" * 500 + b"]" * 500 + b"}", "406", "nested deeper than 400"),
        (b"[1, 2]", "", "should be an object with named columns but is a list of 2"),
        (b'"text"', "", "should be an object"),
        (b'{"a": 1} {"a": 2}', "10", "Extra data"),
    ],
)
def test_a_line_that_cannot_be_stored_is_reported_and_its_neighbours_are_read(
    read: Read, bad: bytes, column: str, reason: str
) -> None:
    rows = read("rows.jsonl", b'{"a": 1}\n' + bad + b'\n{"a": 3}\n')
    assert rows[0] == (1, {"a": 1})
    assert rows[2] == (3, {"a": 3})
    assert isinstance(rows[1], RejectedRow)
    assert (rows[1].line, rows[1].column) == (2, column)
    assert reason in rows[1].reason


def test_what_only_looks_dangerous_is_text(read: Read) -> None:
    # A whole surrogate pair, an escaped backslash before u0000, U+2028 inside a string, 399 levels of nesting.
    line = '{"a": "\\ud83d\\ude00", "b": "\\\\u0000", "c": "x\u2028y", "d": ' + "[" * 399 + "]" * 399 + "}"
    rows = read("rows.jsonl", line)
    assert not isinstance(rows[0], RejectedRow)
    assert [rows[0][1][key] for key in "abc"] == ["\U0001f600", "\\u0000", "x\u2028y"]


def test_a_line_beyond_the_limit_is_reported_and_skipped(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_values, "MAX_LINE_BYTES", 50)
    rows = read("rows.jsonl", '{"a": "' + "x" * 60 + '"}\n{"a": 2}\n')
    assert isinstance(rows[0], RejectedRow)
    assert "longer than" in rows[0].reason
    assert rows[1] == (2, {"a": 2})


def test_an_array_is_read_element_by_element(read: Read) -> None:
    assert read("rows.json", ' [ {"a": 1} ,\n {"a": [2, {"b": "}"}]} ] \n') == [
        (1, {"a": 1}),
        (2, {"a": [2, {"b": "}"}]}),
    ]


def test_an_array_read_in_small_pieces_gives_the_same_rows(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    elements: list[Any] = [{"a": i, "b": 'x"}]{[\\' * i, "c": {"d": [i, None, 1.5, "é\U0001f600"]}} for i in range(30)]
    whole = read("rows.json", json.dumps(elements, ensure_ascii=False, indent=1))
    for size in (1, 7, 64):
        monkeypatch.setattr(json_reader, "_CHUNK_CHARACTERS", size)
        assert read("rows.json", json.dumps(elements, ensure_ascii=False, indent=1)) == whole
    assert whole == list(enumerate(elements, start=1))


def test_a_number_cut_in_two_by_the_end_of_a_piece_is_one_element(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_reader, "_CHUNK_CHARACTERS", 1)
    rows = read("rows.json", '[1234, {"a": 1}]')
    assert isinstance(rows[0], RejectedRow)
    assert rows[1:] == [(2, {"a": 1})]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": tru}', "broken JSON"),
        ('{"a": "\\ud800"}', "half a surrogate"),
        ('{"a": ' + "[" * 600 + "]" * 600 + "}", "nested deeper"),
        ("[1]", "should be an object"),
        ("7", "should be an object"),
    ],
)
def test_a_bad_element_of_an_array_is_reported_and_its_neighbours_are_read(read: Read, bad: str, reason: str) -> None:
    rows = read("rows.json", f'[{{"a": 1}}, {bad}, {{"a": 3}}]')
    assert rows[0] == (1, {"a": 1})
    assert rows[2] == (3, {"a": 3})
    assert isinstance(rows[1], RejectedRow)
    assert reason in rows[1].reason


def test_bytes_that_are_not_utf8_cost_an_array_one_row(read: Read) -> None:
    rows = read("rows.json", b'[{"a": "\xff"}, {"a": 2}]')
    assert isinstance(rows[0], RejectedRow)
    assert "not UTF-8" in rows[0].reason
    assert rows[1] == (2, {"a": 2})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"a": 1}, {"a": "tw', "in the middle of this row"),
        ('[{"a": 1}', "the array breaks off behind row 1"),
        ('[{"a": 1} {"a": 2}]', "expected a comma but found '{' behind row 1"),
        ('[{"a": 1}] more', "more text behind the end"),
        ('[{"a": 1},]', "in the middle of this row"),
    ],
)
def test_an_array_that_breaks_off_keeps_its_sound_rows_and_says_where(read: Read, text: str, reason: str) -> None:
    rows = read("rows.json", text)
    assert rows[0] == (1, {"a": 1})
    assert len(rows) == 2
    assert isinstance(rows[1], RejectedRow)
    assert rows[1].line == 2
    assert reason in rows[1].reason


def test_a_json_file_may_hold_one_object_a_line(read: Read) -> None:
    assert read("rows.json", '{"a": 1}\n{"a": 2}\n') == [(1, {"a": 1}), (2, {"a": 2})]


def test_a_json_file_of_one_object_over_several_lines_is_refused_with_advice(read: Read) -> None:
    with pytest.raises(ImportFileError, match=r"one JSON object over several lines") as caught:
        read("rows.json", '{\n "data": []\n}')
    assert "array of objects" in caught.value.advice


def test_a_table_gives_text_cells_and_the_line_on_which_a_row_begins(read: Read) -> None:
    rows = read("rows.csv", 'a,b\n1,"two\nlines"\n\n3,"say ""hi"""\n')
    assert rows == [(2, {"a": "1", "b": "two\nlines"}), (5, {"a": "3", "b": 'say "hi"'})]


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ";"), ("t.tsv", "\t"), ("t.txt", "\t"), ("t.csv", "\t")])
def test_the_delimiter_is_the_one_that_the_first_line_holds(read: Read, name: str, delimiter: str) -> None:
    assert read(name, f"a{delimiter}b\n1{delimiter}2,5\n") == [(2, {"a": "1", "b": "2,5"})]


def test_a_table_without_a_header_takes_its_names_from_the_mapping(read: Read) -> None:
    assert read("t.txt", "ann\t201\t0\n", ["rater", "item", "label"]) == [
        (1, {"rater": "ann", "item": "201", "label": "0"})
    ]


@pytest.mark.parametrize(
    ("bad", "column", "reason"),
    [
        (b"1,2,3", "", "has 3 cells where 2 are named (a, b)"),
        (b"1", "", "has 1 cells"),
        (b"1,x\x00", "b", "NUL"),
        (b"1,\xff", "b", "not UTF-8"),
        (b'1,"x"y', "", "broken table row"),
    ],
)
def test_a_bad_row_of_a_table_is_reported_and_its_neighbours_are_read(
    read: Read, bad: bytes, column: str, reason: str
) -> None:
    rows = read("rows.csv", b"a,b\n1,2\n" + bad + b"\n5,6\n")
    assert rows[0] == (2, {"a": "1", "b": "2"})
    assert rows[2] == (4, {"a": "5", "b": "6"})
    assert isinstance(rows[1], RejectedRow)
    assert (rows[1].line, rows[1].column) == (3, column)
    assert reason in rows[1].reason


def test_a_quote_that_never_closes_is_reported(read: Read) -> None:
    rows = read("rows.csv", 'a,b\n1,2\n3,"four\n5,6\n')
    assert rows[0] == (2, {"a": "1", "b": "2"})
    assert isinstance(rows[1], RejectedRow)
    assert rows[1].line == 3


@pytest.mark.parametrize("header", ["a,a", "a,", "a\x00,b"])
def test_a_header_with_repeated_empty_or_broken_names_is_refused(read: Read, header: str) -> None:
    with pytest.raises(ImportFileError, match="header"):
        read("rows.csv", f"{header}\n1,2\n")


def test_a_long_line_of_a_table_is_reported(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_values, "MAX_LINE_BYTES", 50)
    rows = read("rows.csv", "a\n" + "x" * 80 + "\ny\n")
    assert isinstance(rows[0], RejectedRow)
    assert "longer than" in rows[0].reason
    assert rows[1] == (3, {"a": "y"})


def test_parquet_keeps_types_and_nested_values_and_takes_nan_for_missing(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    turns = [{"role": "user", "content": "hi"}]
    table = pa.table({"n": [1, None], "score": [0.5, float("nan")], "turns": [turns, []], "ok": [True, False]})
    pq.write_table(table, path)
    assert list(read_raw_rows(path)) == [
        (1, {"n": 1, "score": 0.5, "turns": turns, "ok": True}),
        (2, {"n": None, "score": None, "turns": [], "ok": False}),
    ]


def test_parquet_text_that_is_not_utf8_costs_one_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    texts = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0"), pa.py_buffer(b"a\xffc")]
    )
    pq.write_table(pa.table({"t": texts}), path)
    rows = list(read_raw_rows(path))
    assert [rows[0], rows[2]] == [(1, {"t": "a"}), (3, {"t": "c"})]
    assert isinstance(rows[1], RejectedRow)
    assert rows[1].column == "t"


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"a": [1, 2]}), whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-10])
    with pytest.raises(ImportFileError, match=r"cut\.parquet cannot be read as Parquet"):
        list(read_raw_rows(cut))
