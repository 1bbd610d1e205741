"""From a file to parsed rows: what concerns the whole file is said at once, in two parts, before any row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import ImportFileError, NotFoundError, PitchpipeError, UsageError
from pitchpipe.store.importing import FORMATS, guess_format, read_examples
from pitchpipe.store.records import ParsedRow, RejectedRow

ALPACA = {"instruction": "Add.", "input": "1+1", "output": "2"}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("empty.jsonl", "", ImportFileError, "is empty"),
        ("blank.jsonl", "\n \n", ImportFileError, "is empty"),
        ("only_mark.csv", b"\xef\xbb\xbf", ImportFileError, "is empty"),
        ("none.json", "[]", ImportFileError, "holds no rows"),
        ("header.csv", "instruction,output\n", ImportFileError, "holds no rows"),
        ("wide.jsonl", '{"a": 1}'.encode("utf-16"), ImportFileError, "UTF-16"),
        ("array.jsonl", '[{"a": 1}]', ImportFileError, "is one JSON array"),
        ("words.json", "hello", ImportFileError, "does not begin like JSON"),
        ("photo.png", "x", UsageError, r"suffix '.png', which is unknown"),
        ("fake.parquet", "not parquet", ImportFileError, "cannot be read as Parquet"),
        ("cut.jsonl", '{"instruction": "Ad', ImportFileError, "line 1: broken JSON"),
        ("other.jsonl", '{"x": 1, "y": 2}', ImportFileError, "its first row has x, y"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_before_the_first_row(
    tmp_path: Path, name: str, content: str | bytes, error: type[PitchpipeError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        read_examples(write(tmp_path, name, content))
    assert caught.value.happened
    assert caught.value.advice


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"There is no file .*gone\.jsonl"):
        read_examples(tmp_path / "gone.jsonl")
    with pytest.raises(ImportFileError, match="holds no data files"):
        read_examples(tmp_path)
    with pytest.raises(NotFoundError):
        read_examples(Path("a\x00b.jsonl"))


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="alpaca, sharegpt, openai, trl-prompt-completion") as caught:
        read_examples(write(tmp_path, "rows.jsonl", "{}"), format="llama")
    assert "'llama'" in caught.value.happened


def test_a_format_and_a_mapping_together_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", "{}")
    with pytest.raises(UsageError, match="Give one of them"):
        read_examples(path, format="alpaca", mapping=path)


def test_a_format_that_cannot_be_guessed_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError) as caught:
        read_examples(write(tmp_path, "rows.jsonl", '{"question": "?"}'))
    assert "alpaca (instruction, output)" in caught.value.advice
    assert all(name in caught.value.advice for name in FORMATS)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (ALPACA, "alpaca"),
        ({"conversations": [{"from": "human", "value": "hi"}]}, "sharegpt"),
        ({"messages": []}, "openai"),
        ({"prompt": "a", "completion": "b"}, "trl-prompt-completion"),
        ({"prompt": "a", "completion": "b", "label": True}, "trl-kto"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "trl-preference"),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}, "hh-rlhf"),
        ({"chosen": [{"role": "user", "content": "a"}], "rejected": []}, "trl-preference"),
        ({"message_tree_id": "t", "prompt": {"text": "a"}}, "oasst"),
        ({"question": "a"}, None),
    ],
)
def test_every_format_is_known_by_its_columns(row: dict[str, Any], expected: str | None) -> None:
    assert guess_format([row, row]) == expected


def test_rows_of_two_formats_are_not_guessed() -> None:
    assert guess_format([ALPACA, {"messages": []}]) is None


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_the_same_content_parses_the_same_from_any_kind_of_file(tmp_path: Path, name: str) -> None:
    contents = {
        "rows.jsonl": json.dumps(ALPACA) + "\n",
        "rows.json": json.dumps([ALPACA]),
        "rows.csv": "instruction,input,output\nAdd.,1+1,2\n",
    }
    (parsed,) = read_examples(write(tmp_path, name, contents[name]))
    assert isinstance(parsed, ParsedRow)
    assert parsed.line == (2 if name == "rows.csv" else 1)
    assert parsed.messages[0].content == "Add.\n\n1+1"
    assert parsed.candidates[0].text == "2"


def test_rows_that_do_not_fit_the_format_are_reported_in_their_place(tmp_path: Path) -> None:
    rows = [ALPACA, {"instruction": "Add."}, {**ALPACA, "output": " "}, {**ALPACA, "instruction": None}, ALPACA]
    path = write(tmp_path, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    parsed = list(read_examples(path, "alpaca"))
    assert [row.line for row in parsed] == [1, 2, 3, 4, 5]
    assert parsed[1:4] == [
        RejectedRow(2, "output", "is missing; the row has instruction"),
        RejectedRow(3, "output", "the answer is empty"),
        RejectedRow(4, "instruction", "should be text but is null"),
    ]


def test_a_file_is_read_as_it_is_asked_for_and_not_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", (json.dumps(ALPACA) + "\n") * 5000)
    rows = read_examples(path)
    first = next(rows)
    path.write_bytes(b"")  # what was not asked for yet is gone: only the piece in the buffer is left
    assert isinstance(first, ParsedRow)
    assert sum(1 for _ in rows) < 4999
