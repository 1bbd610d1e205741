"""From published conversation trees to training files: everything that is left out on the way is listed and adds up."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.curation.slices import Slice, find_examples
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, verify_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.records import Project
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.training.exports.exporting import export_snapshot

RULES = (
    RuleChoice("empty_answer"),
    RuleChoice("same_answers"),
    RuleChoice("exact_duplicate", parameters=(("on", "prompt"),)),
    RuleChoice("near_duplicate", parameters=(("on", "both"),)),
    RuleChoice("refusal", "drop"),
    RuleChoice("repetition"),
    RuleChoice("language", parameters=(("languages", "en"),)),
    RuleChoice("personal_data", "mask"),
    RuleChoice("secrets", "mask"),
)


@pytest.fixture
def trees(store: Store, real_data: Path) -> Project:
    """OASST trees with a fifth of them sealed."""
    project = create_project(store, "trees", holdout_share=0.2, salt="story")
    report = import_file(store, real_data / "oasst_en_100_tree.jsonl", "trees")
    assert (report.accepted, report.rejected, report.trees) == (254, 0, 100)
    return project


def freeze(store: Store, name: str, recipe: Recipe) -> tuple[Snapshot, pl.DataFrame, pl.DataFrame]:
    snapshot = create_snapshot(store, "trees", name, recipe)
    rows, dropped = (pl.read_parquet(snapshot.folder / f"{part}.parquet") for part in ("rows", "dropped"))
    return snapshot, rows, dropped


@pytest.mark.real_data
def test_trees_become_training_files_and_every_drop_is_on_the_card(
    store: Store, trees: Project, tmp_path: Path
) -> None:
    chosen = Slice(words="-python")
    everything, all_rows, all_dropped = freeze(store, "everything", Recipe())
    units = all_rows.height + all_dropped.height
    snapshot, rows, dropped = freeze(store, "curated", Recipe(slice=chosen, rules=RULES, tie_policy="drop"))

    # Nothing vanishes: the same units, each a row or a drop with a rule, a version and a reason.
    assert rows.height + dropped.height == units
    assert snapshot.counts["rows"] == rows.height < everything.counts["rows"]
    assert dropped.filter((pl.col("rule") == "") | (pl.col("version") == "") | (pl.col("reason") == "")).is_empty()
    by_rule = Counter(dropped["rule"])
    outside = set(all_rows["example_id"]) - set(find_examples(store, "trees", chosen))
    assert outside and set(dropped.filter(pl.col("rule") == "outside_slice")["example_id"]) >= outside

    # A tree never lies on both sides, and the manifest proves that nothing like it does.
    tree_of = dict(store.read("SELECT id, tree FROM examples"))
    sides: dict[str, set[str]] = {}
    for example_id, side in zip(rows["example_id"], rows["split"], strict=True):
        sides.setdefault(tree_of[example_id], set()).add(side)
    assert all(len(both) == 1 for both in sides.values())
    assert {side for both in sides.values() for side in both} == {"train", "holdout"}
    proof = json.loads((snapshot.folder / "manifest.json").read_text())["leak_gate"]
    assert (proof["groups_on_both_sides"], proof["near_duplicate_pairs_across"]) == (0, 0)
    assert verify_snapshot(snapshot.folder, snapshot.id) == []

    # The card tells the same.
    assert read_card(snapshot) == dict(by_rule)

    for form in ("sft", "dpo"):
        check_export(snapshot, form, rows, tmp_path)


def read_card(snapshot: Snapshot) -> dict[str, int]:
    """The table of what was left out, by rule."""
    text = (snapshot.folder / "README.md").read_text(encoding="utf-8")
    section = text.split("## What was left out")[1].split("\n## ")[0]
    found = re.findall(r"^\| `?([a-z_]+)`? \| [^|]+ \| (\d+) \|", section, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in found}


def check_export(snapshot: Snapshot, form: Any, rows: pl.DataFrame, folder: Path) -> None:
    kind = {"sft": "answer", "dpo": "pair"}[form]
    report = export_snapshot(snapshot.folder, form, folder / form, "jsonl")
    assert report.considered == rows.filter(pl.col("row_kind") == kind).height
    assert report.considered == report.kept + sum(report.dropped.values())
    lines = [json.loads(line) for line in report.path.read_text(encoding="utf-8").splitlines()]
    listed = [json.loads(line) for line in (folder / form / f"{form}.dropped.jsonl").read_text().splitlines()]
    assert (len(lines), Counter(row["rule"] for row in listed)) == (report.kept, Counter(report.dropped))
    sealed = set(rows.filter(pl.col("split") == "holdout")["row_id"])
    assert report.kept > 0 and not sealed & {line["row_id"] for line in lines}
