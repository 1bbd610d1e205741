"""The whole loop, as its users would go round it: commands, a person at the queue, a model, and people again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from pitchpipe.store.database import open_store
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.records import SubmitOutcome
from pitchpipe.studio.cli import app

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_data"
SHORT = ("--set", "max_steps=3", "--set", "batch_size=4", "--set", "samples=0", "--set", "precision=fp32")

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs a command on the test's workspace and returns its JSON document."""

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--workspace", str(tmp_path / "w"), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def import_samples(ask: Ask) -> None:
    ask("init", "--project", "desk", "--holdout-share", "0")
    for name in ("helpdesk", "preferences", "ratings"):
        mapping = str(SAMPLES / f"{name}.map.toml")
        assert ask("import", str(SAMPLES / f"{name}.jsonl"), "--project", "desk", "--map", mapping)["rejected"] == 0


@pytest.mark.slow
def test_round_and_round_it_goes(ask: Ask, tiny_model: Path, tmp_path: Path) -> None:
    import_samples(ask)
    snapshot = ask("snapshot", "create", "--project", "desk", "--name", "one")
    trained = ask("train", "--method", "sft", "--snapshot", "one", "--model", str(tiny_model), *SHORT)
    tuned = ask("train", "--method", "dpo", "--snapshot", "one", "--model", trained["run"], *SHORT)
    assert tuned["step0_margin"] == 0.0
    measured = ask("evaluate", tuned["run"], "--checks", str(SAMPLES / "style.toml"))
    assert set(measured["holdout_nll"]) == {"base", "tuned"}
    answered = ask("generate", tuned["run"], "--project", "desk", "--max-prompts", "6")
    assert answered["review"]["candidates"] == 12
    waiting = answered["review"]["review_tasks"]
    assert waiting + answered["review"]["identical"] == 6
    judge_everything(tmp_path / "w", answered["run"])
    report = ask("report", "--project", "desk", "--run", answered["run"])["reviews"][0]
    assert (report["is_closed"], report["judgements"]) == (True, waiting)
    assert report["tuned_against_base"]["ties"] == waiting

    lineage = ask("lineage", "amara")
    assert sorted(lineage["models_that_learned"]) == sorted([trained["run"], tuned["run"]])
    candidate = open_and_read(tmp_path / "w", "SELECT id FROM candidates WHERE run_id IS NOT NULL LIMIT 1")
    made_from = ask("lineage", candidate)["made_from"]
    assert made_from["snapshot"]["ids"] == [snapshot["id"]]
    assert {"amara", "jonas", "mei"} <= set(made_from["annotator"]["ids"])

    # The next round: the verdicts on sealed prompts are kept as evidence, and still reach no export.
    second = ask("snapshot", "create", "--project", "desk", "--name", "two")
    assert second["counts"]["pair_holdout"] == snapshot["counts"]["pair_holdout"] + waiting
    exported = ask("export", "two", "--form", "dpo", "--to", str(tmp_path / "out"), "--format", "jsonl")
    assert exported["dropped"]["sealed_holdout"] == second["counts"]["pair_holdout"]


def judge_everything(workspace: Path, batch: str) -> None:
    store = open_store(workspace)
    store.write(lambda t: t.run("UPDATE projects SET minimum_dwell_ms = 0"))
    while task := claim_next_task(store, "desk", "nora"):
        if store.read("SELECT batch FROM tasks WHERE id = ?", [task.task_id])[0][0] != batch:
            break
        outcome = submit_judgement(
            store, judgement_id=uuid.uuid4().hex, task_id=task.task_id, annotator="nora", token=task.token,
            value={"verdict": "tie", "strength": 0},
        )  # fmt: skip
        assert outcome is SubmitOutcome.RECORDED
    store.close()


def open_and_read(workspace: Path, sql: str) -> str:
    store = open_store(workspace)
    value = str(store.read(sql)[0][0])
    store.close()
    return value


@pytest.mark.slow
@pytest.mark.parametrize(("method", "form"), [("sft", "sft"), ("dpo", "dpo")])
def test_rows_in_are_rows_kept_plus_listed_drops_and_the_trainer_sees_what_was_kept(
    ask: Ask, tiny_model: Path, tmp_path: Path, method: str, form: str
) -> None:
    import_samples(ask)
    snapshot = ask("snapshot", "create", "--project", "desk", "--name", "one")
    unit = "answer" if method == "sft" else "pair"
    rows_in = snapshot["counts"][f"{unit}_train"] + snapshot["counts"][f"{unit}_holdout"]
    exported = ask("export", "one", "--form", form, "--to", str(tmp_path / "out"), "--format", "jsonl")
    listed = (tmp_path / "out" / f"{form}.dropped.jsonl").read_text().splitlines()
    assert exported["considered"] == rows_in
    assert exported["kept"] + len(listed) == rows_in
    all_rows = ("--set", "max_rows=0") if method == "dpo" else ()
    run = ask("train", "--method", method, "--snapshot", "one", "--model", str(tiny_model), *SHORT, *all_rows)
    ledger = pl.read_parquet(Path(run["folder"]) / "ledger.parquet")
    assert ledger.height == rows_in
    fates = dict(ledger.group_by("status").len().iter_rows())
    assert fates["kept"] == run["rows"]["kept"]
    # What the formats kept, the trainer learns, but for rows that its tokens make too long; those are listed too.
    assert fates["kept"] + fates.get("too_long", 0) == exported["kept"]


@pytest.mark.slow
@pytest.mark.real_data
def test_a_preference_snapshot_of_pandalm_trains_ten_steps(
    ask: Ask, tiny_model: Path, real_data: Path, tmp_path: Path
) -> None:
    mapping = str(ROOT / "tests" / "store" / "pandalm.map.toml")
    source = str(real_data / "pandalm_testset_3raters.json")
    report = ask("import", source, "--project", "pandalm", "--map", mapping)
    assert (report["examples"], report["judgements"]) == (999, 2997)
    found = ask("agreement", "--project", "pandalm")
    assert found["alpha"] == pytest.approx(0.8642, abs=1e-4)
    assert found["ac1"] == pytest.approx(0.8864, abs=1e-4)
    assert found["unanimous"] == 879
    ask("snapshot", "create", "--project", "pandalm", "--name", "prefs")
    exported = ask("export", "prefs", "--form", "dpo", "--to", str(tmp_path / "out"))
    assert exported["kept"] > 500  # how many are sealed depends on the salt of the project
    run = ask(
        "train", "--method", "dpo", "--snapshot", "prefs", "--model", str(tiny_model), "--set", "max_steps=10",
        "--set", "batch_size=4", "--set", "samples=0", "--set", "max_rows=0",
    )  # fmt: skip
    assert run["steps"] == 10
    assert run["step0_margin"] == 0.0
