"""The commands about exports, as real processes over a real store."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.studio.gateway import list_verbs


def pitchpipe(*words: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pitchpipe.studio", *words, "--workspace", str(workspace), "--json"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def ask(*words: str, workspace: Path) -> Any:
    done = pitchpipe(*words, workspace=workspace)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


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


def test_a_dry_run_from_the_command_line_tells_what_the_trainer_sees(
    workspace: Path, tiny_model: Path, tmp_path: Path
) -> None:
    given = ("--form", "dpo", "--model", str(tiny_model), "--max-length", "64")
    found = ask("export-check", "s", *given, workspace=workspace)
    assert found["fates"] == {"kept": 6, "truncated": 0, "too_long": 0, "dropped": 0}
    assert (found["trainer"]["rows"], found["trainer"]["agrees"], found["status"]) == (6, True, "finished")
    refused = pitchpipe("export-check", "s", "--form", "raw", workspace=workspace)
    assert refused.returncode == 2 and "no dry run for the form 'raw'" in refused.stderr


def test_exports_are_saved_as_datasets_and_mixed_for_trl(workspace: Path, tmp_path: Path) -> None:
    report = ask("export", "s", "--form", "dpo", "--to", str(tmp_path / "a"), "--as", "datasets", workspace=workspace)
    assert (Path(report["datasets"]) / "train" / "state.json").is_file()
    assert (report["kept"], report["format"]) == (6, "datasets")
    ask("export", "s", "--form", "dpo", "--to", str(tmp_path / "b"), "--as", "jsonl", workspace=workspace)
    files = (str(tmp_path / "a" / "dpo.parquet"), str(tmp_path / "b" / "dpo.jsonl"))
    to = tmp_path / "mixture.yaml"
    mixed = ask("mixture", *files, "--to", str(to), "--share", "2", "--share", "1", workspace=workspace)
    assert ([entry["taken"] for entry in mixed["files"]], mixed["rows"]) == ([6, 3], 9)
    assert to.read_text().count("- path: ") == 2


def test_every_verb_about_exports_is_offered_to_programs() -> None:
    assert {"export", "prepare_export_check", "start_export_check", "export_checks", "mixture"} <= set(list_verbs())
