"""The preview of a chain: what each rule would hit in a project, with nothing written."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation.checking import describe_hit, preview_rules
from pitchpipe.store.curation.curating import decide
from pitchpipe.store.curation.rules_background import read_background
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshots import preview_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.rules.catalogue import RULES
from pitchpipe.store.rules.rule import RuleChoice
from tests.store.rules.test_chain import BACKGROUND, TEXTS, draw_choice

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
    assert [hit.row["answer"] for hit in preview.hits] == ["N/A", ANSWERS[2], ANSWERS[3]]
    assert (preview.considered, preview.kept) == (4, 3)
    assert (preview.before, preview.after) == ({"answer_train": 4}, {"answer_train": 3})
    titles = [title for _, _, title in told]
    assert [title for title in titles if "rule" in title] == [
        "Empty answers (rule 1 of 3)", "Refusals (rule 2 of 3)", "Personal data (rule 3 of 3)",
    ]  # fmt: skip
    assert (titles[0], titles[-1]) == ("Reading the project", "Done")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_a_rule_that_stands_twice_is_counted_twice(filled: Store) -> None:
    chain = [RuleChoice("personal_data", "mark"), RuleChoice("personal_data", "mark", (("email", False),))]
    assert [count.hits for count in preview_rules(filled, "p", chain).rules] == [1, 0]


def test_a_hit_is_told_with_its_row_and_the_words_around(filled: Store) -> None:
    preview = preview_rules(filled, "p", [RuleChoice("personal_data", "mark")])
    (hit,) = preview.hits
    told = describe_hit(hit)
    assert told["excerpt"] == "Mail me: a@mail.org"
    assert (told["field"], told["row_kind"], told["split"], told["reason"]) == (
        "answer", "answer", "train", "it holds 1 e-mail address",
    )  # fmt: skip
    assert told["example_id"] == hit.row["example_id"]
    json.dumps(told)


def test_what_a_curator_keeps_stays_and_is_told(filled: Store) -> None:
    chain = [RuleChoice("refusal", "drop")]
    (hit,) = preview_rules(filled, "p", chain).hits
    decide(filled, hit.row["candidate_id"], "keep", "it is right to refuse here", "cora")
    preview = preview_rules(filled, "p", chain)
    assert (preview.hits[0].is_protected, preview.hits[0].action, preview.kept) == (True, "mark", 4)


def test_rules_after_a_mask_see_the_masked_text_as_in_a_snapshot(store: Store, tmp_path: Path) -> None:
    """Answers that differ in their address alone are the same once both read [EMAIL], whichever rule is named first."""
    create_project(store, "p", holdout_share=0.0)
    rows = [{"instruction": "Who?", "output": f"Write to {name}@mail.org today."} for name in ("ana", "ben")]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(store, tmp_path / "rows.jsonl", "p")
    mask, double = RuleChoice("personal_data", "mask"), RuleChoice("exact_duplicate", "drop")
    preview = preview_rules(store, "p", [mask, double])
    assert [(count.rule, count.seen, count.hits) for count in preview.rules] == [
        ("personal_data", 2, 2), ("exact_duplicate", 2, 1),
    ]  # fmt: skip
    assert (preview.kept, preview_snapshot(store, "p", Recipe(rules=(mask, double))).rows.height) == (1, 1)
    assert describe_hit(preview.hits[0])["excerpt"].endswith("@mail.org today.")  # as the rule saw it
    assert describe_hit(preview.hits[2])["excerpt"] == "Write to [EMAIL] today."
    turned = preview_rules(store, "p", [double, mask])
    assert [(count.rule, count.hits) for count in turned.rules] == [("personal_data", 2), ("exact_duplicate", 1)]
    assert (turned.kept, turned.hits) == (1, preview.hits)


def test_any_chain_finds_in_a_preview_what_it_finds_in_a_snapshot(store: Store, tmp_path: Path) -> None:
    create_project(store, "p", holdout_share=0.3)
    rows = [{"instruction": f"Question {n % 5}?", "output": text} for n, text in enumerate(TEXTS * 2) if text.strip()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(store, tmp_path / "rows.jsonl", "p")
    first = preview_snapshot(store, "p").rows.row(0, named=True)
    decide(store, first["candidate_id"], "keep", "good", "cora")

    @settings(max_examples=40, deadline=None)
    @given(chain=st.lists(draw_choice(), max_size=5))
    def compare(chain: list[RuleChoice]) -> None:
        seen = preview_rules(store, "p", chain, BACKGROUND)
        made = preview_snapshot(store, "p", Recipe(rules=tuple(chain)), BACKGROUND)
        counts = {name: count for name, count in made.counts.items() if name not in ("rows", "dropped")}
        assert (seen.after, seen.kept) == (counts, made.rows.height)
        drops = Counter(hit.rule for hit in seen.hits if hit.action == "drop")
        assert Counter(rule for rule in made.drops["rule"] if rule in RULES) == drops
        gone = {hit.place for hit in seen.hits if hit.action == "drop"}
        marks = Counter(hit.rule for hit in seen.hits if hit.place not in gone)
        if "near_duplicate_of_holdout" not in made.drops["rule"]:  # it may take what was marked before
            assert Counter(made.marks["rule"]) == marks

    compare()


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
