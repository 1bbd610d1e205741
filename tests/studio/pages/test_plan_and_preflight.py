"""The form that plans a run and the preflight's report: what is typed stays, what blocks cannot start."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.preflight_folders import read_train_plan
from pitchpipe.training.runs import launch
from pitchpipe.training.runs.run_folders import read_plan, write_json
from tests.studio.pages.test_rounds import show_rounds


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of the processes that the page starts; they do nothing here."""
    commands: list[list[str]] = []
    real_popen = subprocess.Popen

    def start_nothing(command: list[str], **options: Any) -> Any:
        commands.append(command)
        return real_popen([sys.executable, "-c", "pass"], **options)

    monkeypatch.setattr(launch.subprocess, "Popen", start_nothing)
    return commands


def find_field(app: AppTest, label: str) -> Any:
    fields = [*app.number_input, *app.selectbox, *app.text_area, *app.text_input, *app.toggle]
    return next(field for field in fields if field.label.startswith(label))


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception
    return app


def ask(app: AppTest, store: Store) -> Path:
    """Presses Preflight and returns the folder that it was asked in."""
    press(app, "Preflight")
    return max((store.workspace / "preflights").iterdir())


def finish(folder: Path, verdict: str, **more: Any) -> None:
    """Leaves a report as the process does."""
    finding = {
        "severity": verdict,
        "topic": "pairs",
        "happened": "Chosen is *longer*.",
        "advice": "Add some.",
        "rows": ["row_1"],
    }
    report = {
        "plan": {"method": "sft", "weights": "lora", "model": "embedded"}, "recipe": "sft/cpu_demo", "changes": [],
        "hardware": {
            "device": "cpu", "devices": 1, "cores": 2, "threads": 2, "memory": 8e9, "memory_free": 4e9,
            "precision": "bf16",
        },
        "rows": {
            "considered": 2, "kept": 1, "truncated": 0, "too_long": 0, "dropped": 1, "learned": 1,
            "reasons": [{"fate": "dropped", "rule": "tie", "rows": 1, "examples": ["row_2"]}],
        },
        "tokens": {"total": 9, "answers": 4, "p50": 9, "longest": 9},
        "verdict": verdict, "findings": [finding], **more,
    }  # fmt: skip
    write_json(folder / "report.json", report)
    lines = {"row_id": ["row_1", "row_2"], "status": ["kept", "dropped"], "why": ["", "tie"], "tokens": [9, None]}
    pl.DataFrame(lines).write_parquet(folder / "ledger.parquet")
    (folder / "masks.jsonl").write_text("", encoding="utf-8")
    write_json(folder / "manifest.json", {})


def test_a_plan_with_every_kind_of_dial_is_asked_about_as_it_was_typed(
    desk: Store, snapshot: Snapshot, started: list[list[str]]
) -> None:
    app = show_rounds()
    find_field(app, "Epochs").set_value(3.0)
    find_field(app, "Layout").set_value("packed")
    find_field(app, "Keep best").set_value(True)
    find_field(app, "TRL overrides").set_value("max_grad_norm = 0.5")
    find_field(app, "Name").set_value("house style")
    app.run()
    folder = ask(app, desk)
    plan = read_train_plan(folder)
    assert (plan.epochs, plan.layout, plan.keep_best) == (3.0, "packed", True)
    assert plan.trl_overrides == {"max_grad_norm": 0.5} and plan.name == "house style"
    assert Path(plan.snapshot) == snapshot.folder.resolve()
    assert started[-1][-2:] == ["preflight", str(folder.resolve())]


def test_what_is_typed_survives_a_look_at_another_method(desk: Store, snapshot: Snapshot) -> None:
    app = show_rounds()
    find_field(app, "Epochs").set_value(3.0)
    app.run()
    app.segmented_control(key="rounds_method").set_value("dpo")
    app.run()
    assert find_field(app, "Epochs").value == 1.0 and find_field(app, "Beta").value == 0.1
    find_field(app, "Beta").set_value(0.5)
    app.run()
    app.segmented_control(key="rounds_method").set_value("sft")
    app.run()
    assert find_field(app, "Epochs").value == 3.0
    assert not [field for field in app.number_input if field.label == "Beta"]
    app.segmented_control(key="rounds_method").set_value("dpo")
    app.run()
    assert find_field(app, "Beta").value == 0.5 and not app.exception


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "reward", "rloo", "grpo", "classify"])
def test_each_method_can_be_planned_and_the_plan_is_shown_as_a_file(
    desk: Store, snapshot: Snapshot, method: str
) -> None:
    app = show_rounds()
    app.segmented_control(key="rounds_method").set_value(method)
    app.run()
    assert not app.exception and not app.error
    shown = next(tomllib.loads(code.value) for code in app.code if code.value.startswith("kind = "))
    assert shown["method"] == method and TrainPlan(**shown)


def test_a_plan_file_that_is_opened_fills_the_fields_and_a_wrong_one_is_told(desk: Store, snapshot: Snapshot) -> None:
    app = show_rounds()
    text = 'kind = "train"\nmethod = "dpo"\nname = "from a file"\nbeta = 0.7\n[trl_overrides]\nmax_grad_norm = 2.0\n'
    app.file_uploader[0].upload("plan.toml", text.encode(), "application/toml")
    app.run()
    assert not app.exception
    assert app.segmented_control(key="rounds_method").value == "dpo"
    assert find_field(app, "Beta").value == 0.7 and find_field(app, "Name").value == "from a file"
    plan = read_train_plan(ask(app, desk))
    assert plan.trl_overrides == {"max_grad_norm": 2.0} and plan.beta == 0.7
    app.file_uploader[0].upload("plan.toml", b"epochs = 0.0", "application/toml")
    app.run()
    assert "The dial `epochs` is set to" in app.error[0].value.replace("\\", "")


def test_a_table_that_is_no_toml_is_told_beside_the_form(desk: Store, snapshot: Snapshot) -> None:
    app = show_rounds()
    find_field(app, "TRL overrides").set_value("max_grad_norm: 0.5")
    app.run()
    assert "is not TOML" in app.error[0].value
    assert "Preflight" not in [button.label for button in app.button]


def test_what_blocks_cannot_start_and_what_warns_starts_after_a_tick(
    desk: Store, snapshot: Snapshot, started: list[list[str]]
) -> None:
    app = show_rounds()
    folder = ask(app, desk)
    finish(folder, "blocks")
    app.run()
    start = next(button for button in app.button if button.label == "Start the run")
    assert start.disabled and app.error[0].value == "The run cannot start as it is planned."
    folder = ask(app, desk)
    finish(folder, "warns")
    app.run()
    assert next(button for button in app.button if button.label == "Start the run").disabled
    assert any("Chosen is \\*longer\\*\\." in text.value for text in app.markdown)  # stored text is never markup
    next(box for box in app.checkbox if box.label == "I have read the warnings").check()
    app.run()
    press(app, "Start the run")
    (run,) = (desk.workspace / "runs").iterdir()
    assert read_plan(run) == read_train_plan(folder)
    assert started[-1][-2:] == ["run", str(run.resolve())]
    assert app.selectbox(key="chosen_run").value == run.name  # and now the run is shown


def test_a_preflight_that_was_cut_short_is_told_and_one_can_go_back(desk: Store, snapshot: Snapshot) -> None:
    app = show_rounds()
    folder = ask(app, desk)
    write_json(folder / "failure.json", {"happened": "The disk is full.", "advice": "Free some."})
    app.run()
    assert app.error[0].value == "**The disk is full\\.**\n\nFree some\\."
    press(app, "Back to the runs")
    assert any("No run yet" in text.value for text in app.text)
