"""The dry run of an import: it tells what the import then does, and stores nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.import_preview import preview_import
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.projects import create_project, list_projects

WriteLines = Callable[[str, list[str]], Path]
TABLES = (
    "projects",
    "examples",
    "candidates",
    "tasks",
    "judgements",
    "assignments",
    "group_splits",
    "imports",
    "events",
)


def dump(store: Store) -> list[list[tuple[object, ...]]]:
    return [store.read(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES]


def pair(number: int, rater: str = "ana") -> str:
    row = {"prompt": f"Question {number}?", "chosen": "yes", "rejected": "no", "rater": rater}
    return json.dumps(row)


def test_a_dry_run_counts_what_the_import_then_adds_and_leaves_no_trace(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.5, salt="s")
    import_file(store, write_lines("first.jsonl", [pair(n) for n in range(4)]), "p")
    before, files = dump(store), sorted(store.workspace.iterdir())
    lines = [
        *(pair(n) for n in range(10)),
        pair(9),
        '{"prompt": "cut',
        '{"prompt": "p", "chosen": "a", "rejected": null}',
    ]
    path = write_lines("more.jsonl", lines)
    preview = preview_import(store, "p", path)
    assert dump(store) == before
    assert sorted(store.workspace.iterdir()) == files
    # Rows 1 to 4 are there already and row 11 repeats row 10, so six examples are new.
    assert (preview.rows, preview.accepted, preview.rejected) == (13, 11, 2)
    assert preview.new == {"examples": 6, "candidates": 12, "tasks": 6, "judgements": 6}
    assert preview.known == {"examples": 4, "candidates": 8, "tasks": 4, "judgements": 4}
    assert (preview.format, preview.reason) == ("trl-preference", "its rows have chosen, rejected")
    assert (preview.kinds, preview.judged, preview.raters) == ({"compare": 11}, {"compare": 11}, ["ana"])
    assert [reject["line"] for reject in preview.rejects] == [12, 13]
    report = import_file(store, path, "p")
    assert report.added == preview.new
    assert report.holdout == preview.sides["holdout"]
    assert preview.sides["train"] == 10 - report.holdout
    assert report.rejects == preview.rejects


def test_the_first_rows_are_shown_as_they_would_become_examples(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p")
    preview = preview_import(store, "p", write_lines("rows.jsonl", [pair(n) for n in range(5)]), rows=2)
    assert [example.messages[0].content for example in preview.examples] == ["Question 0?", "Question 1?"]
    assert [column.name for column in preview.columns] == ["prompt", "chosen", "rejected", "rater"]
    assert preview.columns[3].values == ["ana"]


def test_a_project_that_is_not_there_is_not_made(store: Store, write_lines: WriteLines) -> None:
    preview = preview_import(store, "new one", write_lines("rows.jsonl", [pair(1)]))
    assert (preview.is_new_project, preview.new["examples"]) == (True, 1)
    assert list_projects(store) == []


def test_a_side_that_the_file_declares_counts_unless_the_group_has_another(store: Store, tmp_path: Path) -> None:
    create_project(store, "p", holdout_share=0.0)
    mapping = tmp_path / "m.toml"
    mapping.write_text('kind = "write"\nprompt = "{q}"\nanswer = "{a}"\nsplit = "{s}"\n')
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text('{"q": "one", "a": "x", "s": "train"}\n')
    second.write_text('{"q": "one", "a": "y", "s": "test"}\n{"q": "two", "a": "x", "s": "test"}\n')
    import_file(store, first, "p", mapping=mapping)
    preview = preview_import(store, "p", second, mapping=mapping)
    assert (preview.sides, preview.split_conflicts) == ({"train": 1, "holdout": 1}, 1)
    report = import_file(store, second, "p", mapping=mapping)
    assert (report.holdout, report.split_conflicts) == (1, 1)


def test_a_file_that_is_no_data_is_refused_and_nothing_lies_about(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("{broken")
    with pytest.raises(ImportFileError):
        preview_import(store, "p", path)
    assert not list(store.workspace.glob(".import*"))


def test_the_meter_tells_bytes_read_and_ends_at_the_whole(store: Store, write_lines: WriteLines) -> None:
    path = write_lines("rows.jsonl", [pair(n) for n in range(5000)])
    meter, seen = ReadMeter(), []
    preview_import(store, "p", path, meter=meter, on_progress=lambda rows: seen.append((rows, meter.share)))
    assert [rows for rows, _ in seen] == [1000, 2000, 3000, 4000, 5000]
    assert all(0 < share <= 1 for _, share in seen)
    assert seen[1][1] < seen[3][1]
    assert meter.done == meter.total == path.stat().st_size


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["ana", "ben"])), min_size=1, max_size=12))
def test_whatever_is_in_the_store_the_dry_run_equals_the_import(
    store: Store, tmp_path: Path, rows: list[tuple[int, str]]
) -> None:
    create_project(store, "p", salt="s", holdout_share=0.3)
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(pair(number, rater) for number, rater in rows) + "\n")
    preview = preview_import(store, "p", path)
    report = import_file(store, path, "p")
    assert (report.added, report.holdout) == (preview.new, preview.sides["holdout"])
