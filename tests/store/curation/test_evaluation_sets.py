"""Evaluation sets: what a file's items are, that a set never changes, and how much of one a project contains."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.curation.contamination_report import report_contamination
from pitchpipe.store.curation.evaluation_sets import add_evaluation_set, list_evaluation_sets, read_evaluation_sets
from pitchpipe.store.database import Store
from pitchpipe.store.errors import ImportFileError, NotFoundError, UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project

WriteLines = Callable[[str, list[str]], Path]
PANDALM = Path(__file__).parents[1] / "pandalm.map.toml"


def read_items(store: Store, file: Path, **options: Any) -> list[tuple[str, str]]:
    create_project(store, "p")
    add_evaluation_set(store, "p", file, "exam", **options)
    return read_evaluation_sets(store, "p")["exam"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"instruction": "Add.", "input": "1 and 2", "output": "3"}, "Add.\n1 and 2"),
        ({"instruction": "Greet.", "instances": [{"input": "", "output": "Hi"}]}, "Greet."),
        ({"prompt": "Why?", "response": "So."}, "Why?"),
        ({"question": "Why?", "answer": "So."}, "Why?"),
        ({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}, "Why?"),
        ({"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}, "Why?"),
        ({"prompt": ["First turn.", "Second turn."]}, "First turn.\nSecond turn."),
    ],
)
def test_the_text_of_an_item_is_found_in_the_usual_shapes(
    store: Store, write_lines: WriteLines, row: dict[str, Any], text: str
) -> None:
    assert read_items(store, write_lines("exam.jsonl", [json.dumps({"id": "q1", **row})])) == [("q1", text)]


def test_an_instruction_with_several_instances_is_several_items(store: Store, write_lines: WriteLines) -> None:
    row = {"id": "t", "instruction": "Add.", "instances": [{"input": "1, 2"}, {"input": "3, 4"}, {"input": "1, 2"}]}
    items = read_items(store, write_lines("exam.json", [json.dumps([row])]))
    assert items == [("t", "Add.\n1, 2"), ("t.2", "Add.\n3, 4")]


def test_named_columns_of_a_table_make_the_text_and_lines_the_ids(store: Store, tmp_path: Path) -> None:
    frame = pl.DataFrame({"context": ["In Rome.", "In Oslo."], "query": ["Where?", "Where?"]})
    frame.write_parquet(tmp_path / "exam.parquet")
    items = read_items(store, tmp_path / "exam.parquet", fields=["context", "query"])
    assert items == [("line 1", "In Rome.\nWhere?"), ("line 2", "In Oslo.\nWhere?")]


def test_rows_without_a_text_are_told_and_ids_given_twice_stay_apart(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p")
    rows = ["id,question", "a,Why?", "a,How?", "b,"]
    added = add_evaluation_set(store, "p", write_lines("exam.csv", rows), "exam")
    assert read_evaluation_sets(store, "p") == {"exam": [("a", "Why?"), ("a (line 3)", "How?")]}
    assert [(reject.line, reject.reason[:17]) for reject in added.rejected] == [(4, "has no text in in")]
    with pytest.raises(ImportFileError, match="holds no test item: line 2"):
        add_evaluation_set(store, "p", write_lines("odd.csv", ["a,b", "1,2"]), "odd")


def test_a_set_never_changes_and_is_listed_with_its_hash(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p")
    first = write_lines("exam.jsonl", ['{"prompt": "Why?"}', '{"prompt": "How?"}'])
    added = add_evaluation_set(store, "p", first, "exam", "cora")
    assert add_evaluation_set(store, "p", first, "exam") == added
    with pytest.raises(UsageError, match="stands for 2 other items"):
        add_evaluation_set(store, "p", write_lines("other.jsonl", ['{"prompt": "Who?"}']), "exam")
    assert list_evaluation_sets(store, "p") == [added]
    assert (added.items, added.hash[:7]) == (2, "sha256:")
    with pytest.raises(UsageError, match="cannot be used"):
        add_evaluation_set(store, "p", first, "one, two")
    create_project(store, "q")
    assert add_evaluation_set(store, "q", first, "same").hash == added.hash
    assert len(read_evaluation_sets(store, "p")["exam"]) == 2, "sets of another project are not mixed in"


ASKED = "to what was asked in full length"


def test_the_report_counts_items_in_requests_and_answers_of_the_open_side(
    store: Store, write_lines: WriteLines
) -> None:
    create_project(store, "p", holdout_share=0.0)
    # Shorter answers are not compared as a whole.
    rows = [{"prompt": f"Question {n}?", "completion": f"Answer {n} {ASKED}."} for n in range(60)]
    import_file(store, write_lines("rows.jsonl", [json.dumps(row) for row in rows]), "p")
    create_project(store, "sealed", holdout_share=0.5, salt="x")
    import_file(store, write_lines("rows.jsonl", [json.dumps(row) for row in rows]), "sealed")
    items = [{"id": n, "prompt": f"question {n}"} for n in range(59, 100)] + [
        {"id": "x", "prompt": f"Answer 3 {ASKED}"}
    ]
    exam = write_lines("exam.jsonl", [json.dumps(item) for item in items])
    for project in ("p", "sealed"):
        add_evaluation_set(store, project, exam, "exam")
    report = report_contamination(store, "p", "exam")
    assert (report.items, report.hit_items, report.exact_items) == (42, 2, 2)
    assert (report.share, report.is_flagged) == (2 / 42, True)
    assert [(hit["item"], hit["candidate_id"] is None) for hit in report.hits] == [("59", True), ("x", False)]
    sql = "SELECT e.messages FROM examples e JOIN group_splits g USING (project_id, group_id) "
    sql += "JOIN projects p ON p.id = e.project_id WHERE p.name = 'sealed' AND g.split = 'holdout'"
    sealed = {row[0] for row in store.read(sql)}
    expected = sum(not any(f'"Question {number}?"' in text for text in sealed) for number in (3, 59))
    assert report_contamination(store, "sealed", "exam").hit_items == expected
    with pytest.raises(NotFoundError, match="no evaluation set 'other'"):
        report_contamination(store, "p", "other")


@pytest.mark.real_data
def test_pandalm_contains_169_items_of_the_user_oriented_set_and_none_of_the_seed_tasks(
    store: Store, real_data: Path
) -> None:
    create_project(store, "pandalm", holdout_share=0.0)
    import_file(store, real_data / "pandalm_testset_3raters.json", "pandalm", mapping=PANDALM)
    for name in ("self_instruct_user_oriented_252", "self_instruct_seed_tasks"):
        add_evaluation_set(store, "pandalm", real_data / f"{name}.jsonl", name)
    assert [(kept.name, kept.items) for kept in list_evaluation_sets(store, "pandalm")] == [
        ("self_instruct_seed_tasks", 175), ("self_instruct_user_oriented_252", 252)
    ]  # fmt: skip
    report = report_contamination(store, "pandalm", "self_instruct_user_oriented_252")
    requests = [hit for hit in report.hits if hit["candidate_id"] is None]
    assert (len(requests), sum(hit["exact"] for hit in requests)) == (169, 169)
    assert report.is_flagged
    assert report_contamination(store, "pandalm", "self_instruct_seed_tasks").hits == []
