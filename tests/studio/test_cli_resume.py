"""`pitchpipe resume` and `pitchpipe continue-from` for real: the runs are processes, on the tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pitchpipe.store.database import open_store
from pitchpipe.store.runs import find_run
from pitchpipe.studio.cli import app
from pitchpipe.studio.running import prepare_training
from pitchpipe.training.runs.run_folders import read_json, read_plan
from tests.studio.test_cli_rounds import ask, workspace  # noqa: F401 (a fixture)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def test_a_run_goes_on_by_its_id_and_a_round_begins_from_it(
    workspace: Path,  # noqa: F811
    tiny_model: Path,
) -> None:
    store = open_store(workspace)
    dials = {"max_steps": 2, "precision": "fp32", "samples": 0, "max_rows": 0}
    begun = prepare_training(store, "dpo", "s", model=str(tiny_model), dials=dials)
    store.close()
    told = read_plan(Path(begun["folder"]))
    done = json.loads(ask("resume", begun["run"], "--json", workspace=workspace).stdout)
    assert done["run"] == begun["run"] and (Path(begun["folder"]) / "manifest.json").is_file()

    again = CliRunner().invoke(app, ["resume", begun["run"], "--workspace", str(workspace)])
    assert again.exit_code == 1 and "is finished, so there is nothing to go on with" in again.stderr
    nowhere = CliRunner().invoke(app, ["continue-from", "run_none", "--snapshot", "s", "--workspace", str(workspace)])
    assert nowhere.exit_code != 0 and "0 runs have an id that begins with 'run_none'" in nowhere.stderr

    set_dials = [word for name, value in dials.items() for word in ("--set", f"{name}={value}")]
    asked = ("continue-from", begun["run"], "--snapshot", "s", *set_dials, "--json")
    second = json.loads(ask(*asked, workspace=workspace).stdout)
    store = open_store(workspace)
    run = find_run(store, second["run"])
    store.close()
    assert (run.parent_run_id, run.method) == (begun["run"], told.method)  # type: ignore[union-attr]
    assert run.summary["step0_margin"] == 0
    assert run.summary["reference"] == f"run {begun['run']}"
    assert read_json(run.folder / "inputs.json")["start_run"] == begun["run"]
