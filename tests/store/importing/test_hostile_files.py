"""Files that mean harm or were broken on the way: a report with the place, bounded memory, never a crash."""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import lzma
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import ImportFileError, PitchpipeError
from pitchpipe.store.importing import read_examples
from pitchpipe.store.records import ParsedRow, RejectedRow
from tests.store.importing import test_foreign_formats as foreign
from tests.store.importing.test_odd_input import check_result, import_bytes, values

quick = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
PAIR = {"prompt": "q", "chosen": "a", "rejected": "b"}
GOOD = json.dumps(PAIR)


def read(path: Path) -> list[ParsedRow | RejectedRow]:
    results = list(read_examples(path, "trl-preference"))
    for result in results:
        check_result(result)
    return results


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"prompt": ' + "[" * 100_000, "nested deeper than 400 levels"),
        ('{"prompt": ' + '{"a":' * 100_000, "nested deeper than 400 levels"),
        ("[" * 100_000 + "]" * 100_000, "nested deeper than 400 levels"),
        ('{"prompt": 1e999}', "the number 1e999 is too large"),
        ('{"prompt": NaN}', "NaN is not a JSON number"),
        ('{"prompt": -Infinity}', "-Infinity is not a JSON number"),
        ('{"prompt": ' + "9" * 100_000 + "}", "not JSON: Exceeds the limit"),
        ('{"prompt": "a", "prompt": "b"}', "comes twice"),
        ('{"prompt": "\\ud800", "chosen": "a", "rejected": "b"}', "half a surrogate pair"),
        ('{"prompt": "\\u0000", "chosen": "a", "rejected": "b"}', "NUL"),
    ],
    ids=lambda value: value[:24],
)
@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_a_hostile_row_is_reported_with_its_place_and_the_next_is_read(
    tmp_path: Path, suffix: str, bad: str, reason: str
) -> None:
    path = tmp_path / f"rows{suffix}"
    is_closed = bad.count("[") == bad.count("]") and bad.count("{") == bad.count("}")
    if suffix == ".json" and not is_closed:
        bad += "]" * bad.count("[") + "}" * bad.count("{")
    path.write_text(f"{GOOD}\n{bad}\n{GOOD}\n" if suffix == ".jsonl" else f"[{GOOD},\n{bad},\n{GOOD}]")
    results = read(path)
    assert [type(result).__name__ for result in results] == ["ParsedRow", "RejectedRow", "ParsedRow"]
    assert results[1].line == 2
    assert isinstance(results[1], RejectedRow)
    assert reason in results[1].reason


def pack_zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow"])
@pytest.mark.parametrize("pack", [gzip.compress, pack_zip, bz2.compress, lzma.compress], ids=["gz", "zip", "bz2", "xz"])
def test_a_packed_bomb_under_another_name_is_refused_unopened(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(pack(b"0" * 10_000_000))
    with pytest.raises(ImportFileError, match="archive"):
        read_examples(path)


def test_a_table_of_ten_thousand_columns_is_read_and_its_short_row_reported(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(10_000)]
    path = tmp_path / "wide.csv"
    row = ",".join("x" for _ in names)
    path.write_text(f"{','.join(names)}\n{row}\n{row},x\n")
    mapping = tmp_path / "m.toml"
    mapping.write_text('kind = "write"\nprompt = "{c0}"\nanswer = "{c9999}"\n')
    results = list(read_examples(path, mapping=mapping))
    assert isinstance(results[0], ParsedRow)
    assert isinstance(results[1], RejectedRow)
    assert "has 10001 cells where 10000 are named" in results[1].reason


def write_table(format: str) -> bytes:
    table = pa.table({"prompt": [f"q{n}" for n in range(50)], "chosen": ["a"] * 50, "rejected": ["b"] * 50})
    sink = io.BytesIO()
    if format == ".parquet":
        pq.write_table(table, sink, row_group_size=10)
    else:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=10)
    return sink.getvalue()


@quick
@given(st.data())
@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_parquet_or_arrow_file_cut_or_changed_anywhere_never_crashes(suffix: str, data: st.DataObject) -> None:
    content = bytearray(write_table(suffix))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place : place + 4] = data.draw(st.binary(min_size=1, max_size=4))
    assert import_bytes(bytes(content), suffix, "trl-preference") >= 1


SOUND: list[tuple[str, dict[str, Any]]] = [
    ("argilla", foreign.ARGILLA_NESTED),
    ("argilla", foreign.ARGILLA_FLAT),
    ("argilla", foreign.ARGILLA_V1_RECORD),
    ("argilla", foreign.ARGILLA_V1_HUB),
    (
        "label-studio",
        foreign.ls_task(
            {"prompt": "p", "response": "Hello.", "items": [{"id": "a", "body": "A"}, {"id": "b", "body": "B"}]},
            foreign.ls_annotation(
                {"email": "x"},
                foreign.ls_result("choices", {"choices": ["warm"]}),
                foreign.ls_result("ranker", {"ranker": ["a", "b"]}),
                foreign.ls_result("rating", {"rating": 4}, "q", "response"),
                foreign.ls_result("labels", {"start": 0, "end": 5, "labels": ["x"]}, "m", "response"),
                foreign.ls_result("textarea", {"text": ["t"]}),
            ),
        ),
    ),
    ("potato", {"id": "1", "displayed_text": "t", "label_annotations": {"a": {"scale_1": "1"}, "b": {"x": "x"}}}),
    ("potato", {"id": "1", "user_id": "u", "fields": {"text": "t", "left": "l", "right": "r"},
                "labels": {"c": {"selection": "A"}, "d": {"scale_value": "2"}}, "spans": {}}),
]  # fmt: skip


def list_places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in list_places(item, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SOUND), st.data())
def test_a_foreign_row_with_anything_in_the_place_of_anything_never_crashes(
    sound: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    format, row = sound[0], copy.deepcopy(sound[1])
    for _ in range(data.draw(st.integers(1, 3))):
        places = [place for place in list_places(row) if place]
        row = put(row, data.draw(st.sampled_from(places)), data.draw(values))
    assert import_bytes(json.dumps(row).encode(), ".jsonl", format) >= 1


@quick
@given(
    st.dictionaries(
        st.sampled_from(["state.json", "dataset_dict.json", "a.jsonl", "user_state.json"]), st.binary(max_size=80)
    )
)
def test_a_folder_of_anything_never_crashes(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("folder")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        for result in read_examples(folder, "trl-preference"):
            check_result(result)
    except PitchpipeError as problem:
        assert problem.advice


_MEASURE = """
import resource, sys
from pathlib import Path
from pitchpipe.store.importing import read_examples
from pitchpipe.store.records import RejectedRow
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count, refused = 0, []
for row in read_examples(Path(sys.argv[1]), "trl-preference"):
    count += 1
    if isinstance(row, RejectedRow):
        refused.append((row.line, row.reason))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(repr((count, refused, (after - before) // 1024)))
"""


def measure(path: Path) -> tuple[int, list[tuple[int, str]], int]:
    """Rows, refusals, and how many MiB of memory reading took at the most beyond the start, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True)
    result: tuple[int, list[tuple[int, str]], int] = eval(done.stdout)  # a literal that the lines above printed
    return result


@pytest.mark.parametrize("size", [9_900_000, 40_000_000])
def test_a_line_of_megabytes_takes_memory_in_proportion_to_the_limit_only(tmp_path: Path, size: int) -> None:
    path = tmp_path / "long.jsonl"
    long = json.dumps({**PAIR, "chosen": "x" * size})
    path.write_text(f"{GOOD}\n{long}\n{GOOD}\n")
    count, refused, mebibytes = measure(path)
    assert count == 3
    expected = [] if size < 10_000_000 else [(2, "the line is longer than 10,000,000 bytes")]
    assert refused == expected
    assert mebibytes < 120


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_one_endless_value_is_given_up_at_the_limit(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"endless{suffix}"
    begin = '[{"prompt": "' if suffix == ".json" else 'prompt,chosen,rejected\n"'
    path.write_text(begin + ("x" * 999 + "\n" if suffix == ".csv" else "x" * 1000) * 60_000)
    count, refused, mebibytes = measure(path)
    assert count == len(refused) >= 1
    assert refused[0][0] in (1, 2)
    assert mebibytes < 200
