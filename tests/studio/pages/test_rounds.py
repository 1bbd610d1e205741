"""The Rounds page over run folders: it shows where one stands, and how a finished one did."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
from streamlit.testing.v1 import AppTest

from pitchpipe.store import runs
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.store.identity import hash_file
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import Plan, load_recipe, with_dials
from pitchpipe.training.runs.processes import process_started
from pitchpipe.training.runs.run_folders import create_run_folder, write_json


def show_rounds() -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.rounds import page as rounds

        store = session.current_store()
        rounds.show_rounds(store, projects.list_projects(store)[0])

    app = AppTest.from_function(script, default_timeout=30).run()
    assert not app.exception
    return app


def read_everything(app: AppTest) -> str:
    return "\n".join(str(getattr(element, "proto", "")) for element in app.main)


def make_run(store: Store, plan: Plan, losses: list[float], **files: Any) -> Path:
    """A run folder as training leaves it: metrics and, for a finished run, everything that its manifest vouches for."""
    folder = create_run_folder(store.workspace / "runs", plan)
    lines = [
        json.dumps({"step": step, "loss": loss, "tokens_per_second": 240.0}) for step, loss in enumerate(losses, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    for name, content in files.items():
        write_json(folder / f"{name}.json", content)
    return folder


def seal_run(folder: Path, plan: Plan, snapshot: Snapshot) -> None:
    pl.DataFrame({"row_id": ["r1"], "status": ["kept"]}).write_parquet(folder / "ledger.parquet")
    names = ("plan.toml", "metrics.jsonl", "summary.json", "ledger.parquet")
    hashes = {name: {"sha256": hash_file(folder / name), "bytes": 1} for name in names}
    method = getattr(plan, "method", None)
    manifest = {"run_id": folder.name, "kind": plan.kind, "method": method, "snapshot_id": snapshot.id, "files": hashes}
    write_json(folder / "manifest.json", manifest)


def test_a_running_run_shows_its_step_curve_and_a_way_to_stop_it(desk: Store, snapshot: Snapshot) -> None:
    plan = with_dials(load_recipe("sft"), snapshot=str(snapshot.folder.resolve()), name="house style")
    here = {"pid": os.getpid(), "started": process_started(os.getpid())}
    progress = {"stage": "training", "step": 2, "total_steps": 30, "eta_seconds": 41.0}
    make_run(desk, plan, [2.0, 1.5], process=here, progress=progress)
    shown = read_everything(app := show_rounds())
    assert "step 2 of 30 · loss 1.500 · 240 tokens/s" in shown
    assert "about 41 s left" in shown
    assert [chart.proto.spec.count('"points"') > 0 for chart in app.get("vega_lite_chart")] == [True, True]
    assert [caption.value for caption in app.caption][-2:] == ["loss", "tokens a second"]
    assert "Stop and keep a checkpoint" in [button.label for button in app.button]


def test_a_failed_run_tells_both_parts_and_can_be_continued(desk: Store, snapshot: Snapshot) -> None:
    plan = with_dials(load_recipe("dpo"), snapshot=str(snapshot.folder.resolve()))
    make_run(desk, plan, [], failure={"happened": "The model 'x' is unknown.", "advice": "Name another."})
    app = show_rounds()
    assert [error.value for error in app.error] == ["**The model 'x' is unknown\\.**\n\nName another\\."]
    assert "Continue the run" in [button.label for button in app.button]


def test_a_finished_run_is_registered_and_its_evaluation_is_a_table(
    desk: Store, snapshot: Snapshot, project_name: str
) -> None:
    plan = with_dials(load_recipe("sft"), snapshot=str(snapshot.folder.resolve()), name="house style")
    trained = make_run(desk, plan, [2.0, 1.0], summary={"seconds": 122.0})
    seal_run(trained, plan, snapshot)
    app = show_rounds()
    assert [run.id for run in runs.list_runs(desk, project_name)] == [trained.name]
    assert f"pitchpipe evaluate {trained.name}" in [code.value for code in app.code]
    measured = with_dials(EvaluatePlan(), run=str(trained.resolve()), snapshot=str(snapshot.folder.resolve()))
    summary = {
        "holdout_nll": {"base": 2.414, "tuned": 1.291},
        "nll_difference": {"mean": -1.123, "low": -1.2, "high": -1.05},
        "checks": {"next_step": {"base": 0.0, "tuned": 0.95}},
    }
    seal_run(make_run(desk, measured, [], summary=summary), measured, snapshot)
    app = show_rounds()
    assert app.table[0].value.to_dict("records") == [
        {"On the sealed holdout": "NLL per token", "base": "2\\.414", "tuned": "1\\.291"},
        {"On the sealed holdout": "next step", "base": "0%", "tuned": "95%"},
    ]
    assert any("tuned minus base: -1.123, 95% interval -1.200 to -1.050" in caption.value for caption in app.caption)
