"""Shipping from the command line: a real workspace, a real run of the tiny model, a folder that others load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.studio.gateway import call_verb
from pitchpipe.training.plans.plan_files import load_plan
from tests.training.measuring.served import serve


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


@pytest.fixture(scope="module")
def shipped(trained: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command said of shipping that run, as GGUF too, to a place outside of the workspace."""
    workspace, run = trained
    place = tmp_path_factory.mktemp("out") / "shipped"
    told: dict[str, Any] = ask("ship", run, "--to", str(place), "--gguf", "--rows", "4", workspace=workspace)
    return told


def test_a_run_is_shipped_listed_and_not_shipped_over_itself(
    trained: tuple[Path, str], shipped: dict[str, Any]
) -> None:
    workspace, run = trained
    assert (shipped["status"], shipped["run"], shipped["rows"]) == ("finished", run, 4)
    assert shipped["golden"] == "5 of 5 equal" and shipped["gguf"]["largest_difference"] < 1e-3
    assert {"model.safetensors", "model.gguf", "README.md", "golden.json", "manifest.json"} <= {
        path.name for path in Path(shipped["model"]).iterdir()
    }
    (listed,) = call_verb(workspace, "shipped", {})["ships"]
    assert (listed["ship"], listed["model"]) == (shipped["ship"], shipped["model"])
    refused = pitchpipe("ship", run, "--to", shipped["model"], workspace=workspace)
    assert refused.returncode == 2 and "holds something already" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_served_model_is_compared_blind_and_a_server_is_checked_against_what_was_shipped(
    trained: tuple[Path, str], shipped: dict[str, Any]
) -> None:
    workspace, run = trained
    with serve(lambda it, body, n: it.reply("from elsewhere")) as server:
        check = ("--endpoint", server.url, "--model", "their-model")
        limits = ("--max-prompts", "3", "--max-new-tokens", "4")
        told = ask("generate", run, *check, *limits, "--against", "base", workspace=workspace)
        assert told["review"]["review_tasks"] + told["review"]["identical"] == 3
        assert told["arms"] == ["base", "endpoint"]
        (report,) = call_verb(workspace, "report", {"project": "p"})["reviews"]
        assert report["arms"] is None and "their-model" not in json.dumps(report)  # nobody may know yet
        wrong = pitchpipe("check-serving", run, *check, workspace=workspace)
        assert wrong.returncode == 1 and json.loads(wrong.stdout)["equal"] == 0


def test_two_endpoints_are_compared_with_each_other_and_one_alone_is_not(trained: tuple[Path, str]) -> None:
    workspace, run = trained

    def prepare(**values: Any) -> Any:
        return load_plan(Path(call_verb(workspace, "prepare_endpoint_generation", values)["folder"]) / "plan.toml")

    two = {"endpoints": ["http://h/v1", "https://i/v1"], "models": ["m", "n"], "snapshot": "s"}
    plan = prepare(**two, key_variables=["", "MY_KEY"])
    assert (plan.arms, plan.run) == (["endpoint_1", "endpoint_2"], "")
    assert plan.endpoints["endpoint_2"] == {"url": "https://i/v1", "model": "n", "key_variable": "MY_KEY"}
    one = {"endpoints": ["http://h/v1"], "models": ["m"]}
    assert prepare(**one, run=run).arms == ["tuned", "endpoint"]
    with pytest.raises(UsageError, match="nothing to be compared with"):
        prepare(**one, snapshot="s")
    with pytest.raises(UsageError, match="which prompts"):
        prepare(**{**two, "snapshot": None})
    with pytest.raises(UsageError, match="2 endpoints, 1 models"):
        prepare(**{**two, "models": ["m"]})


def test_a_run_that_waits_becomes_a_job_for_a_cluster(trained: tuple[Path, str], tiny_model: Path) -> None:
    workspace, _ = trained
    given = ("--method", "sft", "--snapshot", "s", "--model", str(tiny_model), "--later")
    waiting = ask("train", *given, workspace=workspace)["run"]
    told = ask("job", waiting, "--for", "slurm", "--gpus", "8", "--nodes", "2", workspace=workspace)
    assert told["run"] == waiting and "--nodes=2" in Path(told["job"]).read_text()
    assert Path(told["archive"]).parent == workspace.resolve() / "jobs" / waiting
