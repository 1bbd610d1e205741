"""Runs come back, answers go to people blind, and every thing knows where it came from and where it went."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, RunError
from pitchpipe.store.folders import write_folder
from pitchpipe.store.freezing.snapshots import Snapshot, create_snapshot, read_rows
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.lineage import trace_lineage
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.queue.tasking import count_tasks
from pitchpipe.store.review.reviewing import _name_arms, report_review
from pitchpipe.store.runs import find_run, list_runs, register_candidates, register_run


@pytest.fixture
def snapshot(compare_store: Store) -> Snapshot:
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    submit_judgement(
        compare_store, judgement_id="j1", task_id=task.task_id, annotator="ana", token=task.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    return create_snapshot(compare_store, "p", "s")


def make_run(store: Store, run_id: str, kind: str, snapshot: Snapshot, parent: str | None = None) -> Path:
    """A finished run folder as training writes it, with the least that registering reads."""

    def fill(folder: Path) -> dict[str, object]:
        if kind == "train":
            pairs = read_rows(snapshot.folder).filter(pl.col("row_kind") == "pair")
            pairs.select("row_id", pl.lit("kept").alias("status")).write_parquet(folder / "ledger.parquet")
        else:
            examples = store.read("SELECT id FROM examples ORDER BY position LIMIT 3")
            texts = (
                [("base", "same"), ("tuned", "same")],
                [("base", "b1"), ("tuned", "t1")],
                [("base", "b2"), ("tuned", "t2")],
            )
            lines = [
                json.dumps({"example_id": row[0], "arm": arm, "model": f"model-{arm}", "text": text})
                for row, arms in zip(examples, texts, strict=True)
                for arm, text in arms
            ]
            (folder / "candidates.jsonl").write_text("\n".join(lines) + "\n")
        return {"run_id": run_id, "kind": kind, "method": "dpo", "snapshot_id": snapshot.id, "parent_run_id": parent}

    folder = store.workspace / "runs" / run_id
    folder.parent.mkdir(exist_ok=True)
    write_folder(folder, fill)
    return folder


@pytest.fixture
def reviewed(compare_store: Store, snapshot: Snapshot) -> Store:
    register_run(compare_store, "p", make_run(compare_store, "run_train", "train", snapshot))
    register_run(compare_store, "p", make_run(compare_store, "run_gen", "generate", snapshot, "run_train"))
    counts = {"candidates": 6, "review_tasks": 2, "identical": 1, "unpaired": 0}
    assert register_candidates(compare_store, "p", "run_gen") == counts
    return compare_store


def test_registering_twice_adds_nothing(reviewed: Store) -> None:
    register_run(reviewed, "p", reviewed.workspace / "runs" / "run_train")
    before = reviewed.read("SELECT (SELECT count(*) FROM candidates), (SELECT count(*) FROM tasks)")
    counts = {"candidates": 6, "review_tasks": 2, "identical": 1, "unpaired": 0}
    assert register_candidates(reviewed, "p", "run_gen") == counts
    assert reviewed.read("SELECT (SELECT count(*) FROM candidates), (SELECT count(*) FROM tasks)") == before
    assert [run.id for run in list_runs(reviewed, "p")] == ["run_train", "run_gen"]


def test_a_run_without_manifest_or_with_a_changed_file_is_refused(compare_store: Store, snapshot: Snapshot) -> None:
    folder = make_run(compare_store, "run_train", "train", snapshot)
    (folder / "ledger.parquet").write_bytes(b"x")
    with pytest.raises(RunError, match="changed after the run ended"):
        register_run(compare_store, "p", folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(RunError, match="not a finished run"):
        register_run(compare_store, "p", folder)


def test_lineage_leads_from_a_judgement_to_the_model_and_on_to_its_answers(reviewed: Store) -> None:
    traced = trace_lineage(reviewed, "j1")
    assert traced["kind"] == "judgement"
    assert traced["made_from"]["annotator"]["ids"] == ["ana"]
    assert traced["led_to"]["run"]["ids"] == ["run_gen", "run_train"]
    assert traced["led_to"]["candidate"]["count"] == 6
    assert traced["models_that_learned"] == ["run_train"]


def test_lineage_leads_from_a_new_answer_back_to_the_annotator(reviewed: Store) -> None:
    answer = reviewed.read("SELECT id FROM candidates WHERE run_id = 'run_gen' LIMIT 1")[0][0]
    traced = trace_lineage(reviewed, answer)
    assert traced["made_from"]["run"]["ids"] == ["run_gen", "run_train"]
    assert traced["made_from"]["snapshot"]["count"] == 1
    assert traced["made_from"]["judgement"]["ids"] == ["j1"]
    assert traced["made_from"]["annotator"]["ids"] == ["ana"]


def test_a_snapshot_names_its_models_and_a_run_only_the_rows_it_learned(reviewed: Store, snapshot: Snapshot) -> None:
    traced = trace_lineage(reviewed, "s")
    assert traced["models_that_learned"] == ["run_train"]
    assert traced["made_from"]["row"]["count"] == snapshot.counts["rows"]
    run = trace_lineage(reviewed, "run_gen")
    assert run["made_from"]["row"]["count"] == 1  # the one pair that was judged, of 21 rows
    assert run["made_from"]["run"]["ids"] == ["run_train"]
    assert trace_lineage(reviewed, "run_train")["led_to"]["run"]["ids"] == ["run_gen"]


def test_an_annotator_by_name_leads_to_the_models_that_learned_from_them(reviewed: Store) -> None:
    assert trace_lineage(reviewed, "ana")["models_that_learned"] == ["run_train"]
    with pytest.raises(NotFoundError, match="nobody"):
        trace_lineage(reviewed, "nobody")


def test_review_comes_first_in_the_queue_and_shows_no_model(reviewed: Store) -> None:
    task = claim_next_task(reviewed, "p", "ben")
    assert task is not None
    assert {answer.text for answer in task.answers} in ({"b1", "t1"}, {"b2", "t2"})
    shown = repr(task)
    assert "model-" not in shown
    assert "run_gen" not in shown


@pytest.mark.parametrize(
    ("arms", "scored_first"),
    [
        (["base", "tuned"], "tuned"),
        (["tuned", "endpoint"], "tuned"),
        (["base", "endpoint"], "endpoint"),
        (["endpoint_1", "endpoint_2"], "endpoint_2"),
    ],
)
def test_wins_are_counted_for_the_tuned_model_or_else_for_the_newcomer(
    reviewed: Store, arms: list[str], scored_first: str
) -> None:
    run = dataclasses.replace(find_run(reviewed, "run_gen"), summary={"arms": arms})
    assert _name_arms(run) == [scored_first, *(arm for arm in arms if arm != scored_first)]


def test_the_arms_are_revealed_only_when_the_batch_is_closed(reviewed: Store) -> None:
    before = report_review(reviewed, "p", "run_gen")
    assert (before["is_closed"], before["open"], before["tuned_against_base"]) == (False, 2, None)
    for annotator in ("ben", "cid"):
        for _ in range(2):
            task = claim_next_task(reviewed, "p", annotator)
            assert task is not None
            tuned_is_first = task.answers[0].text.startswith("t")
            submit_judgement(
                reviewed, judgement_id=f"{annotator}-{task.task_id}", task_id=task.task_id, annotator=annotator,
                token=task.token, value={"verdict": "first" if tuned_is_first else "second", "strength": None},
            )  # fmt: skip
    after = report_review(reviewed, "p", "run_gen")
    assert after["is_closed"] and (before["arms"], after["arms"]) == (None, ["tuned", "base"])
    # Both prompts won by the tuned arm: rate 1; two-sided sign test of 2 wins in 2 is 2 * (1/2)^2 = 0.5.
    outcome = after["tuned_against_base"]
    assert (outcome["wins"], outcome["win_rate"], outcome["sign_test_p"]) == (2, 1.0, 0.5)
    assert [row["open"] for row in count_tasks(reviewed, "p") if row["batch"] == "run_gen"] == [0]
