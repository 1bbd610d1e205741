"""What changed between two snapshots, worked out by hand; the card and the Croissant description of one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import mlcroissant
import polars as pl
import pytest
import yaml

from pitchpipe.store.curation.curating import act_on, decide, undo_action
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.recipe_files import read_recipe
from pitchpipe.store.freezing.snapshot_diff import diff_snapshots, show_rows
from pitchpipe.store.freezing.snapshot_figures import measure_length_bias
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, preview_snapshot, verify_snapshot
from tests.store.desk import add_example
from tests.store.freezing.test_snapshots import judge_all


@pytest.fixture
def two_snapshots(compare_store: Store) -> tuple[Snapshot, Snapshot]:
    """Ten comparisons: first all ties by ana; then ben prefers one side, and one request is dropped."""
    judge_all(compare_store, "ana", {"verdict": "first", "strength": None})
    one = create_snapshot(compare_store, "p", "one")
    judge_all(compare_store, "ben", {"verdict": "tie", "strength": None})
    example = compare_store.read("SELECT id FROM examples ORDER BY position LIMIT 1")[0][0]
    decide(compare_store, example, "drop", "off topic | twice", "cora")
    return one, create_snapshot(compare_store, "p", "two")


def test_a_diff_tells_rows_verdicts_and_what_they_add_up_to(two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    """Ana alone gave ten verdicts for a side; with ben's ties each is tied, so nine flip; the tenth request is gone."""
    one, two = two_snapshots
    found = diff_snapshots(one.folder, two.folder)
    assert (len(found["removed"]), found["added"]) == (3, [])  # two answers and their comparison
    assert len(found["changed"]) == len(found["flipped"]) == 9
    assert all(change["verdict"][0] in ("a", "b") and change["verdict"][1] == "tie" for change in found["flipped"])
    assert {"verdict", "support", "n_judgements", "raters"} <= set(found["flipped"][0]["columns"])
    assert found["rescored"] == []
    change = found["figures"]["change"]
    assert change["counts"] == {"answer_train": -2, "pair_train": -1}
    assert (change["raters"], change["judgements"], change["support"]) == (1, 8, -0.5)
    assert found["drops"] == {"decision": [0, 3]}
    assert diff_snapshots(one.folder, one.folder)["changed"] == []


def test_rows_of_a_diff_can_be_shown(two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    one, two = two_snapshots
    gone = diff_snapshots(one.folder, two.folder)["removed"]
    assert [row["row_id"] for row in show_rows(one.folder, gone)] == gone
    assert show_rows(two.folder, gone) == []


def test_length_bias_is_the_share_of_uneven_pairs_that_the_longer_answer_won() -> None:
    """Longer won, shorter won, longer won; equal lengths and a tie do not count: 2 of 3."""
    pairs = pl.DataFrame(
        [("a", "one two", "one"), ("a", "one", "one two three"), ("b", "one", "one two"), ("b", "x y", "z w"),
         ("tie", "one two", "one")],
        schema=["verdict", "answer_a", "answer_b"], orient="row",
    )  # fmt: skip
    assert measure_length_bias(pairs) == {
        "pairs": 3, "longer_won": 0.6667, "mean_chosen_words": 1.75, "mean_rejected_words": 1.75,
    }  # fmt: skip


def test_the_card_lists_every_drop_and_its_counts_add_up(two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    card = (two_snapshots[1].folder / "README.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"] == [{"split": "everything", "path": "rows.parquet"}]
    assert "30 units were considered: 27 are rows, 3 were left out" in card
    assert "| decision | 1 | 3 | cora: off topic \\| twice |" in card
    counts = [int(count) for count in re.findall(r"^\| (?:answer|pair)_train \| (\d+) \|$", card, re.M)]
    assert sum(counts) == 27
    assert "18 judgements of 2 raters" in card


def test_the_same_content_gives_the_same_card_and_description(compare_store: Store, tmp_path: Path) -> None:
    first = create_snapshot(compare_store, "p", "one")
    kept = {name: (first.folder / name).read_bytes() for name in ("README.md", "croissant.json", "rows.parquet")}
    first.folder.rename(tmp_path / "away")
    again = create_snapshot(compare_store, "p", "two")
    assert again.id == first.id
    assert {name: (again.folder / name).read_bytes() for name in kept} == kept


def test_the_description_is_croissant_and_its_records_can_be_read(two_snapshots: tuple[Snapshot, Snapshot]) -> None:
    folder = two_snapshots[1].folder
    described = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    assert not described.metadata.ctx.issues.errors
    rows = list(described.records("rows"))
    assert len(rows) == 27
    stored = pl.read_parquet(folder / "rows.parquet")["row_id"].to_list()
    assert [row["rows/row_id"].decode() for row in rows] == stored
    assert len(list(described.records("dropped"))) == 3
    assert "croissant.json" in json.loads((folder / "manifest.json").read_text())["files"]


def test_a_preview_is_what_a_freeze_makes_and_writes_nothing(compare_store: Store) -> None:
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    told: list[str] = []
    preview = preview_snapshot(compare_store, "p", tell=lambda step, _: told.append(step))
    assert not (compare_store.workspace / "snapshots").exists()
    assert compare_store.read("SELECT count(*) FROM snapshots")[0][0] == 0
    assert "Proving the seal" in told
    assert create_snapshot(compare_store, "p", "s").id == preview.snapshot_id


def test_a_decision_whose_action_is_undone_does_not_count(compare_store: Store) -> None:
    examples = [row[0] for row in compare_store.read("SELECT id FROM examples ORDER BY position LIMIT 2")]
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    before = preview_snapshot(compare_store, "p")
    action = act_on(compare_store, "p", "drop", examples, note="off topic", actor="cora")
    assert preview_snapshot(compare_store, "p").counts["dropped"] == 6
    undo_action(compare_store, action, "cora")
    assert preview_snapshot(compare_store, "p").snapshot_id == before.snapshot_id


def test_a_slice_takes_its_examples_and_lists_the_others(compare_store: Store) -> None:
    """Ten requests; the words "number 3" are in one of them, with two answers and a comparison."""
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    recipe = read_recipe({"slice": {"words": '"number 3"'}})
    snapshot = create_snapshot(compare_store, "p", "s", recipe)
    assert snapshot.counts == {"answer_train": 2, "pair_train": 1, "rows": 3, "dropped": 27}
    assert set(pl.read_parquet(snapshot.folder / "dropped.parquet")["rule"]) == {"outside_slice"}
    assert json.loads((snapshot.folder / "recipe.json").read_text())["slice"]["words"] == '"number 3"'


def test_a_masked_row_is_another_row_and_told_as_masked(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["Write to mia.lang@quillmarsh.org today.", "No."])
    recipe = read_recipe({"rules": [{"rule": "personal_data", "action": "mask"}]})
    folder = create_snapshot(store, "p", "s", recipe).folder
    assert sorted(pl.read_parquet(folder / "rows.parquet")["answer"]) == ["No.", "Write to [EMAIL] today."]
    (mark,) = pl.read_parquet(folder / "marked.parquet").to_dicts()
    assert (mark["action"], mark["rule"], mark["row_kind"]) == ("mask", "personal_data", "answer")
    assert verify_snapshot(folder) == []
    assert "| personal_data (mask) |" in (folder / "README.md").read_text()
