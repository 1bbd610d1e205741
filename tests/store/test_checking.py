"""The preview of a chain: what each rule would hit in a project, with nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitchpipe.store.checking import describe_hit, preview_rules
from pitchpipe.store.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.store.rules_background import read_background

ANSWERS = ["Paris.", "N/A", "I'm sorry, but I can't help with that.", "Mail me: a@mail.org", ""]


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    create_project(store, "p", holdout_share=0.0)
    rows = [{"instruction": f"Question {n}?", "output": text} for n, text in enumerate(ANSWERS[:4])]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    report = import_file(store, path, "p")
    assert report.accepted == 4
    return store


def test_a_preview_counts_rule_by_rule_what_is_found_and_what_stays(filled: Store) -> None:
    chain = [RuleChoice("empty_answer"), RuleChoice("refusal", "mark"), RuleChoice("personal_data", "mask")]
    told: list[tuple[int, int, str]] = []
    preview = preview_rules(filled, "p", chain, on_progress=lambda *step: told.append(step))
    assert [(count.rule, count.action, count.seen, count.hits, count.by_part) for count in preview.rules] == [
        ("empty_answer", "drop", 4, 1, {"answer_train": 1}),
        ("refusal", "mark", 3, 1, {"answer_train": 1}),
        ("personal_data", "mask", 3, 1, {"answer_train": 1}),
    ]
    assert [preview.rows[hit.place]["answer"] for hit in preview.hits] == ["N/A", ANSWERS[2], ANSWERS[3]]
    assert (preview.considered, preview.kept) == (4, 3)
    assert (preview.before, preview.after) == ({"answer_train": 4}, {"answer_train": 3})
    assert [title for _, _, title in told] == ["Reading the rows", "Empty answers", "Refusals", "Personal data", "Done"]


def test_a_rule_that_stands_twice_is_counted_twice(filled: Store) -> None:
    chain = [RuleChoice("personal_data", "mark"), RuleChoice("personal_data", "mark", (("email", False),))]
    assert [count.hits for count in preview_rules(filled, "p", chain).rules] == [1, 0]


def test_a_hit_is_told_with_its_row_and_the_words_around(filled: Store) -> None:
    preview = preview_rules(filled, "p", [RuleChoice("personal_data", "mark")])
    (hit,) = preview.hits
    told = describe_hit(preview, hit)
    assert told["excerpt"] == "Mail me: a@mail.org"
    assert (told["field"], told["row_kind"], told["split"], told["reason"]) == (
        "answer", "answer", "train", "it holds 1 e-mail address",
    )  # fmt: skip
    assert told["example_id"] == preview.rows[hit.place]["example_id"]
    json.dumps(told)


def test_what_a_curator_keeps_stays_and_is_told(filled: Store) -> None:
    chain = [RuleChoice("refusal", "drop")]
    (hit,) = preview_rules(filled, "p", chain).hits
    row = preview_rules(filled, "p", chain).rows[hit.place]
    decide(filled, row["candidate_id"], "keep", "it is right to refuse here", "cora")
    preview = preview_rules(filled, "p", chain)
    assert (preview.hits[0].is_protected, preview.hits[0].action, preview.kept) == (True, "mark", 4)


def test_a_preview_writes_nothing(filled: Store) -> None:
    tables = ("decisions", "events", "snapshots")
    before = [filled.read(f"SELECT count(*) FROM {table}") for table in tables]
    preview_rules(filled, "p", [RuleChoice("empty_answer")])
    assert [filled.read(f"SELECT count(*) FROM {table}") for table in tables] == before


def test_mistakes_are_told_in_two_parts(filled: Store) -> None:
    with pytest.raises(NotFoundError):
        preview_rules(filled, "nobody", [])
    with pytest.raises(UsageError, match="no rule 'nothing'"):
        preview_rules(filled, "p", [RuleChoice("nothing")])


def test_the_background_of_a_project_has_its_evaluation_sets(filled: Store) -> None:
    assert read_background(filled, "p").evaluation_sets == {}
    with pytest.raises(NotFoundError):
        read_background(filled, "nobody")
