"""The Export view: it starts a dry run, follows it, shows what it found as text, and writes the files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.studio.app_pages.data.export_results import count_lengths
from pitchpipe.studio.export_verbs import checks_folder
from pitchpipe.training.exports.export_check import CheckRequest, create_check_folder, list_checks, read_check
from pitchpipe.training.runs import launch
from pitchpipe.training.runs.run_folders import RunStatus, write_json, write_progress

MARKUP = "<img src=x onerror=alert(1)>"


def show_view() -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import exports

        store = session.current_store()
        exports.show_view(store, projects.list_projects(store)[0], "petra")

    app = AppTest.from_function(script, default_timeout=30).run()
    assert not app.exception
    return app


def read_everything(app: AppTest) -> str:
    return "\n".join(str(getattr(element, "proto", "")) for element in app.main)


def ask_check(store: Store, snapshot: Snapshot, form: str = "dpo") -> Path:
    return create_check_folder(checks_folder(store), CheckRequest(str(snapshot.folder.resolve()), form, max_length=40))


def finish_check(folder: Path, *, agrees: bool = True) -> None:
    """Fills a check folder as the process does."""
    parts: dict[str, Any] = {"prompt": 20, "completion": None, "chosen": 9, "rejected": 4}
    pl.DataFrame(
        [
            {"row_id": "row_1", "fate": "kept", "why": "", "troubles": "control_token", "tokens": 29, **parts},
            {
                "row_id": "row_2",
                "fate": "truncated",
                "why": "50 tokens are more",
                "troubles": "",
                "tokens": 50,
                **parts,
            },
            {"row_id": "row_3", "fate": "dropped", "why": "tie: equal", "troubles": "", "tokens": None},
        ],
        infer_schema_length=None,
    ).write_parquet(folder / "ledger.parquet")
    tokens = [["<|im_start|>", 1, "context"], [MARKUP, 7, "loss"]]
    row = {"row_id": "row_1", "prompt": [{"role": "user", "content": MARKUP}]}
    shown = {"row_id": "row_1", "fate": "kept", "troubles": ["control_token"], "row": row}
    sides = [{"side": side, "tokens": tokens} for side in ("chosen", "rejected")]
    (folder / "masks.jsonl").write_text(json.dumps({**shown, "sides": sides}) + "\n")
    counts = {"kept": 1, "truncated": 1, "too_long": 0, "dropped": 1}
    trainer = {"trainer": "DPOTrainer", "rows_expected": 2, "rows": 2 if agrees else 1, "agrees": agrees}
    write_json(
        folder / "summary.json",
        {
            "max_length": 40, "fates": counts, "troubles": {"control_token": 1, "not_prefix": 0},
            "tokens": {"tokens": {"total": 79, "p50": 29, "p95": 50, "longest": 50}},
            "trainer": {**trainer, "tokens": 66, "tokens_expected": 66},
        },
    )  # fmt: skip
    write_json(folder / "manifest.json", {})


def test_a_press_starts_a_dry_run_in_a_process_of_its_own(
    desk: Store, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(folder: Path, command: list[str]) -> int:
        started.append(command)
        return 1

    monkeypatch.setattr("pitchpipe.training.exports.export_check.start_process", start)
    app = show_view()
    assert "No dry run yet" in read_everything(app)
    app.number_input[0].set_value(300)
    next(button for button in app.button if button.label == "Run the dry run").click().run()
    assert not app.exception
    (state,) = list_checks(checks_folder(desk))
    assert (state.request.form, state.request.max_length, state.request.model) == ("sft", 300, "embedded")
    assert state.request.snapshot == str(snapshot.folder.resolve())
    assert started[0][2:5] == ["pitchpipe.training", "check-export", str(snapshot.folder.resolve())]


def test_a_running_check_shows_its_progress_and_can_be_stopped(desk: Store, snapshot: Snapshot) -> None:
    folder = ask_check(desk, snapshot)
    launch.start_process(folder, ["sleep", "60"])
    try:
        write_progress(folder, "tokenising", 500, 2000)
        app = show_view()
        told = read_everything(app)
        assert "tokenising 500 of 2000" in told and "width:25.0%" in told
        next(button for button in app.button if button.label == "Stop it").click().run()
        assert not app.exception
        assert read_check(folder).status is RunStatus.INTERRUPTED
    finally:
        launch.end_process(folder, 0)


def test_a_failed_check_tells_why_in_two_parts(desk: Store, snapshot: Snapshot) -> None:
    write_json(ask_check(desk, snapshot) / "failure.json", {"happened": "No model *x*.", "advice": "Name one."})
    (error,) = show_view().error
    assert error.value == "**No model \\*x\\*\\.**\n\nName one\\."


def test_a_finished_check_shows_fates_troubles_and_the_word_of_the_trainer(desk: Store, snapshot: Snapshot) -> None:
    finish_check(ask_check(desk, snapshot))
    app = show_view()
    assert [metric.value for metric in app.metric] == ["1", "1", "0", "1"]
    assert "DPOTrainer loaded the file: 2 rows and 66 tokens" in app.success[0].value
    assert app.dataframe[0].value["row_id"].to_list() == ["row_1"]
    assert app.dataframe[0].value.columns.to_list() == [
        "row_id", "why", "troubles", "tokens", "prompt", "chosen", "rejected"
    ]  # fmt: skip
    rows = next(control for control in app.segmented_control if control.label == "Rows")
    rows.set_value("left out by a rule").run()
    assert app.dataframe[0].value["why"].to_list() == ["tie: equal"]


def test_a_trainer_that_counts_otherwise_is_an_error_not_a_note(desk: Store, snapshot: Snapshot) -> None:
    finish_check(ask_check(desk, snapshot), agrees=False)
    app = show_view()
    assert not app.success
    assert "Do not train on this file" in app.error[0].value


def test_tokens_reach_the_page_as_data_and_never_as_markup(desk: Store, snapshot: Snapshot) -> None:
    finish_check(ask_check(desk, snapshot))
    app = show_view()
    shown = [str(element.value) for kind in (app.markdown, app.caption, app.success) for element in kind]
    assert MARKUP not in "\n".join(shown)
    assert json.loads(app.json[0].value)["prompt"][0]["content"] == MARKUP


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_files_are_written_into_the_workspace_and_offered(desk: Store, snapshot: Snapshot, format: str) -> None:
    app = show_view()
    next(control for control in app.segmented_control if control.label == "Form").set_value("dpo").run()
    next(control for control in app.segmented_control if control.label == "Format").set_value(format).run()
    next(button for button in app.button if button.label == "Write to the workspace").click().run()
    assert not app.exception
    # Of three comparisons one was judged.
    assert app.success[0].value.startswith("1 of ")
    assert (desk.workspace / "exports" / snapshot.folder.name / f"dpo.{format}").is_file()
    assert f"Download dpo.{format}" in read_everything(app)


def test_lengths_are_counted_in_bins_by_fate() -> None:
    ledger = pl.DataFrame({"tokens": [0, 1, 9, 9, None], "fate": ["kept", "kept", "kept", "truncated", "dropped"]})
    assert count_lengths(ledger, 5).rows() == [(0, 2, "kept", 2), (8, 10, "kept", 1), (8, 10, "truncated", 1)]


def test_the_view_loads_no_torch() -> None:
    program = "import sys, pitchpipe.studio.app_pages.data.exports; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
