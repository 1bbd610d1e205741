"""Shipping from the command line: a real workspace, a real run of the tiny model, a folder that others load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def pitchpipe(*words: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pitchpipe.studio", *words, "--workspace", str(workspace), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def ask(*words: str, workspace: Path) -> Any:
    done = pitchpipe(*words, workspace=workspace)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def trained(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace with sealed prompts and a tuned tiny model; its run id."""
    folder = tmp_path_factory.mktemp("ship")
    rows = [{"instruction": f"question {n} about the lamp", "input": "", "output": f"answer {n}"} for n in range(24)]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    workspace = folder / "w"
    ask("init", "--project", "p", "--holdout-share", "0.4", workspace=workspace)
    ask("import", str(folder / "rows.jsonl"), "--project", "p", "--format", "alpaca", workspace=workspace)
    ask("snapshot", "create", "--project", "p", "--name", "s", workspace=workspace)
    dials = [f"--set={dial}" for dial in ("max_steps=2", "lora_rank=2", "samples=0", "threads=1", "precision=fp32")]
    told = ask("train", "--method", "sft", "--snapshot", "s", "--model", str(tiny_model), *dials, workspace=workspace)
    return workspace, told["run"]


def test_a_run_is_shipped_listed_and_not_shipped_over_itself(trained: tuple[Path, str], tmp_path: Path) -> None:
    workspace, run = trained
    place = tmp_path / "out"
    told = ask("ship", run, "--to", str(place), "--gguf", "--rows", "4", workspace=workspace)
    assert (told["status"], told["model"], told["rows"]) == ("finished", str(place), 4)
    assert told["golden"] == "5 of 5 equal" and told["gguf"]["largest_difference"] < 1e-3
    assert {"model.safetensors", "model.gguf", "README.md", "golden.json", "manifest.json"} <= {
        path.name for path in place.iterdir()
    }
    (listed,) = ask("shipped", workspace=workspace)["ships"]
    assert (listed["ship"], listed["run"]) == (told["ship"], run)
    refused = pitchpipe("ship", run, "--to", str(place), workspace=workspace)
    assert refused.returncode == 2 and "holds something already" in refused.stderr
    assert "Traceback" not in refused.stderr
