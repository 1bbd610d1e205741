"""Snapshots: what goes in comes out as a row or a listed drop, the seal holds, every hash can be derived again."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import NotFoundError, SnapshotError, UsageError
from pitchpipe.store.freezing.snapshot_building import Recipe
from pitchpipe.store.freezing.snapshots import (
    create_snapshot,
    diff_snapshots,
    find_snapshot,
    read_rows,
    verify_snapshot,
)
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.store.records import SubmitOutcome, TaskKind
from pitchpipe.training.exports.exporting import export_snapshot

WriteLines = Callable[[str, list[str]], Path]


def judge_all(store: Store, annotator: str, value: dict[str, object]) -> None:
    while task := claim_next_task(store, "p", annotator):
        given_value = value if task.kind is TaskKind.COMPARE else {"text": f"corrected by {annotator} ({task.token})"}
        outcome = submit_judgement(
            store, judgement_id=f"{annotator}-{task.token}", task_id=task.task_id, annotator=annotator,
            token=task.token, value=given_value,
        )  # fmt: skip
        assert outcome is SubmitOutcome.RECORDED


def test_units_in_are_rows_plus_listed_drops(compare_store: Store) -> None:
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    first = compare_store.read("SELECT id FROM examples ORDER BY position LIMIT 1")[0][0]
    decide(compare_store, first, "drop", "off topic", "cora")
    snapshot = create_snapshot(compare_store, "p", "s")
    rows, dropped = read_rows(snapshot.folder), pl.read_parquet(snapshot.folder / "dropped.parquet")
    assert rows.height + dropped.height == 20 + 10  # twenty answers, ten comparisons
    assert dropped["rule"].to_list() == ["decision"] * 3  # its two answers and their comparison
    assert dropped["reason"].to_list() == ["cora: off topic"] * 3


def test_the_consensus_of_a_pair_carries_its_support_raters_and_judgements(compare_store: Store) -> None:
    judge_all(compare_store, "ana", {"verdict": "both_bad", "strength": None})
    judge_all(compare_store, "ben", {"verdict": "both_bad", "strength": None})
    pair = (
        read_rows(create_snapshot(compare_store, "p", "s").folder)
        .filter(pl.col("row_kind") == "pair")
        .row(0, named=True)
    )
    assert (pair["verdict"], pair["support"], pair["n_judgements"]) == ("both_bad", 1.0, 2)
    assert json.loads(pair["raters"]) == ["ana", "ben"]
    assert len(json.loads(pair["judgement_ids"])) == 2


def test_an_unjudged_pair_and_a_retracted_correction_are_dropped_by_name(compare_store: Store) -> None:
    create_tasks(compare_store, "p", "edit", limit=1)
    compare_store.write(lambda t: t.run("UPDATE tasks SET priority = 5 WHERE kind = 'edit'"))
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    submit_judgement(
        compare_store, judgement_id="e", task_id=task.task_id, annotator="ana", token=task.token, value={"text": "new"}
    )
    kept = create_snapshot(compare_store, "p", "with the correction")
    edits = read_rows(kept.folder).filter(pl.col("pair_origin") == "edit")
    assert edits.select("answer_a", "verdict").row(0) == ("new", "a")
    undo_last(compare_store, "p", "ana")
    without = create_snapshot(compare_store, "p", "without it")
    rules = pl.read_parquet(without.folder / "dropped.parquet")["rule"].to_list()
    assert sorted(set(rules)) == ["judgement_taken_back", "not_judged"]
    assert read_rows(without.folder).filter(pl.col("pair_origin") == "edit").height == 0
    assert diff_snapshots(kept.folder, without.folder)["removed"] != []


def test_the_same_knowledge_frozen_twice_is_the_same_snapshot(compare_store: Store) -> None:
    one, two = create_snapshot(compare_store, "p", "one"), create_snapshot(compare_store, "p", "two")
    assert one.id == two.id
    assert create_snapshot(compare_store, "p", "one").id == one.id
    other = create_snapshot(compare_store, "p", "three", Recipe(strategy="median"))
    assert other.id != one.id
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    with pytest.raises(UsageError, match="stands for"):
        create_snapshot(compare_store, "p", "one")


def test_a_second_name_leaves_the_folder_alone_and_other_drops_are_another_snapshot(compare_store: Store) -> None:
    one = create_snapshot(compare_store, "p", "one")
    before = {path.name: path.read_bytes() for path in one.folder.iterdir()}
    assert create_snapshot(compare_store, "p", "two").folder == one.folder
    assert {path.name: path.read_bytes() for path in one.folder.iterdir()} == before
    example = compare_store.read("SELECT id FROM examples ORDER BY position LIMIT 1")[0][0]
    decide(compare_store, example, "drop", "why", "cora")
    decide(compare_store, example, "keep", "", "cora")
    assert create_snapshot(compare_store, "p", "three").id == one.id
    decide(compare_store, example, "drop", "why", "cora")
    assert create_snapshot(compare_store, "p", "four").id != one.id


def test_another_snapshot_in_the_place_of_one_is_found_out(compare_store: Store) -> None:
    one = create_snapshot(compare_store, "p", "one")
    judge_all(compare_store, "ana", {"verdict": "tie", "strength": 0})
    two = create_snapshot(compare_store, "p", "two")
    shutil.rmtree(one.folder)
    shutil.copytree(two.folder, one.folder)
    assert verify_snapshot(one.folder) == []
    assert verify_snapshot(one.folder, one.id) == [f"the content is that of {two.id}, not of {one.id}"]


@pytest.mark.parametrize("damage", ["rows", "card", "missing", "manifest"])
def test_verify_finds_what_was_changed_after_the_freeze(compare_store: Store, damage: str) -> None:
    folder = create_snapshot(compare_store, "p", "s").folder
    assert verify_snapshot(folder) == []
    if damage == "rows":
        rows = pl.read_parquet(folder / "rows.parquet").with_columns(answer=pl.lit("poisoned"))
        rows.write_parquet(folder / "rows.parquet")
        assert any("does not have the content" in fault for fault in verify_snapshot(folder))
    elif damage == "card":
        (folder / "README.md").write_text("nothing to see")
        assert verify_snapshot(folder) == ["README.md was changed"]
    elif damage == "missing":
        (folder / "rows.parquet").unlink()
        assert verify_snapshot(folder) == ["rows.parquet is missing"]
    else:
        (folder / "manifest.json").unlink()
        with pytest.raises(SnapshotError, match="not a finished snapshot"):
            verify_snapshot(folder)


def test_a_training_prompt_that_nearly_equals_a_sealed_one_is_left_out(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.0)
    text = "please tell me in simple words how I can return the blue kettle that I bought last week"
    mapping = write_lines("m.toml", ['kind = "write"', 'prompt = "{q}"', 'answer = "{a}"', 'split = "{s}"'])
    rows = [
        {"q": text, "a": "one", "s": "holdout"},
        {"q": text + " thanks", "a": "two", "s": "train"},
        {"q": "Where is my parcel?", "a": "three", "s": "train"},
    ]
    import_file(store, write_lines("r.jsonl", [json.dumps(row) for row in rows]), "p", mapping=mapping)
    folder = create_snapshot(store, "p", "s").folder
    dropped = pl.read_parquet(folder / "dropped.parquet")
    assert dropped["rule"].to_list() == ["near_duplicate_of_holdout"]
    assert sorted(read_rows(folder)["answer"].to_list()) == ["one", "three"]


def test_an_unknown_snapshot_is_told_with_the_known_ones(compare_store: Store) -> None:
    create_snapshot(compare_store, "p", "first")
    with pytest.raises(NotFoundError, match="first"):
        find_snapshot(compare_store, "nope")


def test_nothing_to_freeze_is_an_error_not_an_empty_dataset(store: Store) -> None:
    create_project(store, "p")
    with pytest.raises(SnapshotError, match="nothing to freeze"):
        create_snapshot(store, "p", "s")


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["import", "import again", "rate", "edit", "undo", "freeze"]), st.integers(0, 30)),
    min_size=3, max_size=14,
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions=ACTIONS, seed=st.integers(0, 1000))
def test_no_sealed_row_reaches_an_export_whatever_the_order_of_events(
    actions: list[tuple[str, int]], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        store = open_store(root / "w")
        create_project(store, "p", holdout_share=0.4, salt=str(seed), minimum_dwell_ms=0, overlap=2)
        mapping = root / "m.toml"
        mapping.write_text('kind = "compare"\nprompt = "{q}"\nanswer_a = "{a}"\nanswer_b = "{b}"\nsplit = "{s}"\n')
        for step, (action, number) in enumerate([("import", 0), *actions, ("freeze", 0)]):
            perform(store, root, mapping, action, number, step, random.Random(seed + step))
        sealed = {
            row[0]
            for row in store.read(
                "SELECT e.id FROM examples e JOIN group_splits g ON g.group_id = e.group_id WHERE g.split = 'holdout'"
            )
        }
        sides = store.read("SELECT group_id, count(DISTINCT split) FROM group_splits GROUP BY group_id")
        assert all(count == 1 for _, count in sides)
        seen: set[str] = set()
        for export in root.glob("export-*/*/*.jsonl"):
            if not export.name.endswith("dropped.jsonl"):
                exported = {json.loads(line)["example_id"] for line in export.read_text().splitlines()}
                assert not exported & sealed
                seen |= exported
        # All but a project whose every group is sealed must have exported something, or the test would prove nothing.
        open_examples = store.read(
            "SELECT count(*) FROM examples e JOIN group_splits g ON g.group_id = e.group_id WHERE g.split = 'train'"
        )[0][0]
        assert bool(seen) == bool(open_examples)
        store.close()


def perform(
    store: Store, root: Path, mapping: Path, action: str, number: int, step: int, chance: random.Random
) -> None:
    """One event of a project's life; imports overlap in their prompts and declare sides that may contradict."""
    if action.startswith("import"):
        side = chance.choice(["", "train", "holdout"]) if action == "import again" else ""
        file = root / f"{step}.jsonl"
        rows = [{"q": f"Ask {n % 12}!", "a": f"a{n}", "b": f"b{n}", "s": side} for n in range(number, number + 6)]
        file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
        import_file(store, file, "p", mapping=mapping)
    elif action == "rate":
        judge_all(store, f"rater{number % 3}", {"verdict": chance.choice(["first", "second"]), "strength": None})
    elif action == "edit":
        create_tasks(store, "p", "edit", limit=3)
        judge_all(store, f"editor{number % 2}", {"verdict": "tie", "strength": 0})
    elif action == "undo":
        undo_last(store, "p", f"rater{number % 3}")
    else:
        snapshot = create_snapshot(store, "p", f"s{step}")
        for form in ("sft", "dpo", "kto", "reward", "classify", "raw"):
            export_snapshot(snapshot.folder, form, root / f"export-{step}" / form, "jsonl")
