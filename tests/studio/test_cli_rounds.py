"""`pitchpipe preflight` for real: in a process of its own, with a table for people and a document for programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pitchpipe.studio.cli import app


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))


def ask(*words: str, workspace: Path, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*words, "--workspace", str(workspace)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a snapshot `s` of six pairs, each won by the left answer."""
    rows = [{"q": f"Question {n}?", "x": f"left {n}", "y": f"right {n}", "ana": "a"} for n in range(6)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    head = 'kind = "compare"\nprompt = "{q}"\nanswer_a = "{x}"\nanswer_b = "{y}"\n'
    (tmp_path / "pairs.toml").write_text(head + '[[judgements]]\nrater = "ana"\nvalue = "{ana}"\n')
    folder = tmp_path / "w"
    ask("init", "--project", "p", "--holdout-share", "0", workspace=folder)
    mapping = ("--map", str(tmp_path / "pairs.toml"))
    ask("import", str(tmp_path / "pairs.jsonl"), "--project", "p", *mapping, workspace=folder)
    ask("snapshot", "create", "--project", "p", "--name", "s", workspace=folder)
    return folder


def test_a_preflight_tells_what_would_run_and_trains_nothing(workspace: Path, tiny_model: Path) -> None:
    asked = ("preflight", "--method", "dpo", "--snapshot", "s", "--model", str(tiny_model), "--set", "epochs=4")
    report = json.loads(ask(*asked, "--json", workspace=workspace).stdout)
    assert report["verdict"] == "warns" and report["rows"]["learned"] == 6
    assert report["steps"] == {"steps": 8, "steps_a_pass": 2, "passes": 4.0, "rows_a_step": 4, "devices": 1}
    assert not (workspace / "runs").exists()
    ledger = Path(report["folder"]) / "ledger.parquet"
    assert ledger.is_file()


def test_what_blocks_ends_with_the_code_1_and_a_table_that_says_what_to_do(workspace: Path, tiny_model: Path) -> None:
    asked = ("preflight", "--method", "dpo", "--snapshot", "s", "--model", str(tiny_model))
    shown = ask(*asked, "--set", "max_length=8", workspace=workspace, code=1).stdout
    assert "BLOCKS" in shown and "none is left to learn from" in shown and "The run cannot start" in shown
    wrong = CliRunner().invoke(app, [*asked, "--set", "epochs=0", "--workspace", str(workspace)])
    assert wrong.exit_code == 2 and "The dial `epochs` is set to 0" in wrong.stderr
