"""What a recipe masks stands nowhere in the folder of a snapshot: not in rows, reasons, evidence, words or the card."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.knowledge import Knowledge
from pitchpipe.store.freezing.recipe_files import read_recipe
from pitchpipe.store.freezing.snapshot_rules import apply_quality, list_found
from pitchpipe.store.freezing.snapshots import create_snapshot, verify_snapshot
from pitchpipe.store.rules.rule import Background, RuleChoice
from tests.store.desk import add_example
from tests.store.rules.made_rows import answer

EMAIL = "mia.lang@quillmarsh.org"
MASK = {"rule": "personal_data", "action": "mask"}


@pytest.mark.parametrize(
    "rules",
    [
        [{"rule": "refusal", "action": "mark"}, MASK],
        [{"rule": "refusal", "action": "drop"}, MASK],
        [MASK, {"rule": "refusal", "action": "drop"}],
    ],
    ids=["marked", "dropped", "masked first"],
)
def test_what_is_masked_stands_in_no_file_of_the_folder(store: Store, tmp_path: Path, rules: list[object]) -> None:
    example = add_example(store, tmp_path, [f"I cannot help with {EMAIL} or with anything else.", "Yes.", "No."])
    decide(store, f"{example}-2", "drop", f"{EMAIL} asked for it", "cora")
    folder = create_snapshot(store, "p", "s", read_recipe({"rules": rules})).folder
    for file in folder.iterdir():
        told = file.read_text() if file.suffix != ".parquet" else pl.read_parquet(file).write_json()
        assert "quillmarsh" not in told, file.name
        assert "mia." not in told, file.name
    assert verify_snapshot(folder) == []


@pytest.mark.parametrize("action", ["mark", "drop"])
def test_a_quotation_that_ends_in_the_middle_of_an_address_is_hidden(store: Store, tmp_path: Path, action: str) -> None:
    add_example(store, tmp_path, ["I cannot help you with whatever you want of her: mialang@quill.org.", "Yes."])
    recipe = read_recipe({"rules": [{"rule": "refusal", "action": action}, MASK]})
    folder = create_snapshot(store, "p", "s", recipe).folder
    for name in ("marked.parquet", "dropped.parquet", "README.md"):
        if (folder / name).exists():
            told = (folder / name).read_text() if name == "README.md" else pl.read_parquet(folder / name).write_json()
            assert "mialang" not in told, name


def test_evidence_carries_no_hash_that_a_number_could_be_tried_out_on(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["My number is 536-90-4399.", "No."])
    folder = create_snapshot(store, "p", "s", read_recipe({"rules": [MASK]})).folder
    (mark,) = pl.read_parquet(folder / "marked.parquet").to_dicts()
    assert json.loads(mark["evidence"]) == {"fields": {"answer": [[13, 24, "national_id"]]}}


def test_what_raters_wrote_of_an_answer_is_masked_too() -> None:
    words = json.dumps({"comment": [{"rater": "ana", "words": f"ask {EMAIL}"}, {"rater": "ben", "words": "fine"}]})
    row = answer("Yes.", words=words)
    masks = [RuleChoice("personal_data", "mask")]
    outcome = apply_quality([row], masks, Background(), Knowledge({}, {}, {}, {}, {}, {}), lambda *_: None)
    _, marked = list_found(outcome, masks, Background())
    assert json.loads(outcome.rows[0]["words"])["comment"] == [
        {"rater": "ana", "words": "ask [EMAIL]"}, {"rater": "ben", "words": "fine"}
    ]  # fmt: skip
    assert [(mark.action, mark.rule) for mark in marked] == [("mask", "personal_data")]


def test_reasons_quote_as_before_where_nothing_is_masked(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["I cannot help with that.", "Yes."])
    recipe = read_recipe({"rules": [{"rule": "refusal", "action": "drop"}, MASK]})
    folder = create_snapshot(store, "p", "s", recipe).folder
    (drop,) = pl.read_parquet(folder / "dropped.parquet").to_dicts()
    assert drop["reason"] == 'the answer refuses: "I cannot help with that"'
