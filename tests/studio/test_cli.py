"""The command line as people and programs use it: real processes, real exit codes, one JSON document on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer import Context
from typer.main import get_command
from typer.testing import CliRunner

from pitchpipe.studio.cli import app
from pitchpipe.studio.cli_panels import PANELS, LoopGroup

COMMANDS = [name for names in PANELS.values() for name in names]


def pitchpipe(*words: str, workspace: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pitchpipe.studio", *words, "--workspace", str(workspace)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def ask(*words: str, workspace: Path) -> Any:
    done = pitchpipe(*words, "--json", workspace=workspace)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a project `p` of six pairs, judged by two raters who differ on one."""
    rows = [
        {"q": f"Question {n}?", "x": f"left {n}", "y": f"right {n}", "ana": "a", "ben": "b" if n == 0 else "a"}
        for n in range(6)
    ]
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    judgements = [f'[[judgements]]\nrater = "{name}"\nvalue = "{{{name}}}"\n' for name in ("ana", "ben")]
    head = 'kind = "compare"\nprompt = "{q}"\nanswer_a = "{x}"\nanswer_b = "{y}"\n'
    (tmp_path / "pairs.toml").write_text(head + "".join(judgements))
    folder = tmp_path / "w"
    ask("init", "--project", "p", "--holdout-share", "0", workspace=folder)
    mapping = ("--map", str(tmp_path / "pairs.toml"))
    report = ask("import", str(tmp_path / "pairs.jsonl"), "--project", "p", *mapping, workspace=folder)
    assert (report["examples"], report["judgements"]) == (6, 12)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.stdout


def test_help_lists_every_command_in_a_panel_in_the_order_of_the_loop() -> None:
    group = get_command(app)
    assert isinstance(group, LoopGroup)
    listed = group.list_commands(Context(group))
    assert listed == COMMANDS
    assert {name: getattr(group.commands[name], "rich_help_panel", None) for name in listed} == {
        name: panel for panel, names in PANELS.items() for name in names
    }
    shown = CliRunner().invoke(app, ["--help"]).stdout
    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "─ Commands ─" not in shown
    assert shown.index(" snapshot ") < shown.index(" export-check ")


def test_from_import_to_export_each_command_prints_one_json_document(workspace: Path, tmp_path: Path) -> None:
    agreement = ask("agreement", "--project", "p", workspace=workspace)
    assert (agreement["unanimous"], agreement["raw_agreement"]) == (5, pytest.approx(5 / 6))
    snapshot = ask("snapshot", "create", "--project", "p", "--name", "s", workspace=workspace)
    assert snapshot["counts"]["pair_train"] == 6
    assert ask("snapshot", "verify", "s", workspace=workspace)["is_whole"]
    assert ask("snapshot", "list", workspace=workspace)["snapshots"][0]["id"] == snapshot["id"]
    assert ask("snapshot", "diff", "s", "s", workspace=workspace)["changed"] == []
    report = ask(
        "export", "s", "--form", "dpo", "--to", str(tmp_path / "out"), "--format", "jsonl", workspace=workspace
    )
    # Question 0 is one against one: a tie by rule, so five pairs are left.
    assert (report["considered"], report["kept"], report["dropped"]) == (6, 5, {"tie": 1})
    row = json.loads((tmp_path / "out" / "dpo.jsonl").read_text().splitlines()[0])
    assert row["chosen"][0]["content"].startswith("left")
    assert ask("lineage", "ana", workspace=workspace)["led_to"]["snapshot"]["ids"] == [snapshot["id"]]
    assert ask("tasks", "--project", "p", "--create", "rate", workspace=workspace)["created"]["made"] == 12


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("import", "nothing.jsonl", "--project", "p"), 1, "nothing.jsonl"),
        (("agreement", "--project", "other"), 1, "There is no project 'other'"),
        (("export", "nope", "--form", "sft", "--to", "out"), 1, "There is no snapshot 'nope'"),
        (("train", "--method", "sft", "--snapshot", "nope"), 1, "There is no snapshot 'nope'"),
        (("evaluate", "run_x"), 1, "There is no run 'run_x'"),
        (("tasks", "--project", "p", "--create", "guess"), 2, "guess"),
        (("lineage", "who"), 1, "'who'"),
        (("tasks",), 2, "--project"),
    ],
)
def test_a_mistake_is_told_in_two_parts_without_a_traceback(
    workspace: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = pitchpipe(*words, workspace=workspace)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) >= 2


def test_tasks_of_any_kind_are_made_by_rubric_and_a_rubric_for_another_kind_is_refused(workspace: Path) -> None:
    made = ask(
        "tasks", "--project", "p", "--create", "screen", "--priority", "3", "--skill", "german", workspace=workspace
    )
    assert made["created"] == {"asked": 6, "made": 6, "widened": 0}
    assert ask("tasks", "--project", "p", "--create", "tag", workspace=workspace)["created"]["made"] == 6
    refused = pitchpipe("tasks", "--project", "p", "--create", "span", "--rubric", "topics", workspace=workspace)
    assert refused.returncode == 2
    assert "is for tasks of the kind 'tag', not 'span'" in refused.stderr
    missing = pitchpipe("tasks", "--project", "p", "--create", "span", "--rubric", "nope", workspace=workspace)
    assert missing.returncode == 1
    assert "nope.toml" in missing.stderr


def test_a_mistyped_workspace_is_told_and_not_made(tmp_path: Path) -> None:
    done = pitchpipe("tasks", "--project", "p", workspace=tmp_path / "typo")
    assert (done.returncode, "There is no store in" in done.stderr) == (1, True)
    assert not (tmp_path / "typo").exists()


def test_an_unknown_model_is_told_before_anything_is_trained(workspace: Path) -> None:
    ask("snapshot", "create", "--project", "p", "--name", "s", workspace=workspace)
    done = pitchpipe("train", "--method", "dpo", "--snapshot", "s", "--model", "no/such-model", workspace=workspace)
    assert done.returncode == 1
    assert "no/such-model" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def studio(workspace: Path) -> Iterator[str]:
    """The address of a running studio on the workspace."""
    from socket import socket

    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "pitchpipe.studio", "up", "--port", str(port), "--workspace", str(workspace)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (workspace / "studio.json").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    while time.monotonic() < deadline:
        try:
            httpx.get(f"http://127.0.0.1:{port}/_stcore/health").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def test_with_the_studio_up_the_same_commands_work_through_its_api(
    workspace: Path, studio: str, tmp_path: Path
) -> None:
    assert ask("agreement", "--project", "p", workspace=workspace)["unanimous"] == 5
    report = ask(
        "import", str(tmp_path / "pairs.jsonl"), "--project", "p", "--map", str(tmp_path / "pairs.toml"),
        workspace=workspace,
    )  # fmt: skip
    assert report["added"]["examples"] == 0
    assert ask("snapshot", "create", "--project", "p", "--name", "live", workspace=workspace)["name"] == "live"
    done = pitchpipe("agreement", "--project", "other", workspace=workspace)
    assert (done.returncode, "There is no project 'other'" in done.stderr) == (1, True)


def test_people_are_listed_and_changed_by_command_also_while_the_studio_runs(workspace: Path, studio: str) -> None:
    assert ask("people", workspace=workspace) == {"people": []}
    for name in ("Ana", "Ben"):
        answer = httpx.post(f"{studio}/login", data={"name": name}, headers={"Origin": studio})
        assert answer.status_code == 303
    changed = ask("people", "--name", "Ben", "--role", "curator", "--skills", "de,code", workspace=workspace)
    assert [(p["name"], p["role"], p["skills"]) for p in changed["people"]] == [("Ben", "curator", ["code", "de"])]
    assert ask("people", "--name", "Ben", "--revoke", workspace=workspace)["people"][0]["is_revoked"]
    refused = httpx.post(f"{studio}/login", data={"name": "Ben"}, headers={"Origin": studio})
    assert (refused.status_code, "was taken away by a lead" in refused.text) == (422, True)
    last = pitchpipe("people", "--name", "Ana", "--role", "annotator", workspace=workspace)
    assert (last.returncode, "Ana is the last lead" in last.stderr) == (2, True)
    nobody = pitchpipe("people", "--role", "lead", workspace=workspace)
    assert (nobody.returncode, "--name" in nobody.stderr) == (2, True)


def test_a_second_studio_and_a_busy_port_are_told_and_lose_nothing(workspace: Path, studio: str) -> None:
    port = studio.rsplit(":", 1)[1]
    busy = pitchpipe("up", "--port", port, workspace=workspace)
    assert (busy.returncode, f"The port {port}" in busy.stderr) == (1, True)
    second = pitchpipe("up", "--port", "0", workspace=workspace)
    assert (second.returncode, "is in use by process" in second.stderr) == (1, True)
    assert "Traceback" not in busy.stderr + second.stderr
    assert (workspace / "studio.json").exists()
    assert ask("tasks", "--project", "p", workspace=workspace)["tasks"][0]["judgements"] == 12


def test_the_api_refuses_strangers_and_the_token_file_is_its_owners_alone(workspace: Path, studio: str) -> None:
    token = json.loads((workspace / "studio.json").read_text())["token"]
    assert (workspace / "studio.json").stat().st_mode & 0o777 == 0o600
    body, owner = {"project": "p"}, {"Authorization": f"Bearer {token}"}
    url = f"{studio}/api/v1/agreement"
    assert httpx.post(url, json=body).status_code == 401
    assert httpx.post(url, json=body, headers={"Authorization": "Bearer x"}).status_code == 401
    assert httpx.post(url, json=body, headers={**owner, "Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(url, json=body, headers={**owner, "Host": "evil.example"}).status_code == 403
    assert httpx.post(url, json={"project": "p", "drop": 1}, headers=owner).status_code == 422
    assert httpx.post(url, json=body, headers=owner).json()["project"] == "p"
    page = httpx.get(f"{studio}/api/docs").text
    assert "https://" not in page  # the script comes from here, so the page works offline
    assert httpx.get(f"{studio}/api/static-offline-docs/swagger-ui-bundle.js").status_code == 200
    routes = httpx.get(f"{studio}/api/openapi.json").json()["paths"]
    assert {"/v1/import_file", "/v1/agreement", "/v1/lineage"} <= set(routes)


def test_doctor_says_what_is_here_and_changes_nothing(workspace: Path) -> None:
    before = sorted(path.name for path in workspace.iterdir())
    findings = {f["check"]: f for f in ask("doctor", workspace=workspace)["findings"]}
    assert findings["store"]["found"] == "6 examples, 12 judgements in 1 projects"
    assert sorted(path.name for path in workspace.iterdir()) == before


def test_rules_are_shown_with_their_meaning_and_changed(workspace: Path) -> None:
    found = ask("rules", "--project", "p", "--set", "gold_every=10", "--set", "suggestions=true", workspace=workspace)
    by_name = {row["rule"]: row["value"] for row in found["rules"]}
    assert (by_name["gold_every"], by_name["suggestions"], by_name["repeat_every"]) == (10, True, 0)
    assert all(row["meaning"] for row in found["rules"])
    assert found["cost_left"]["slots_left"] == 0
    refused = pitchpipe("rules", "--project", "p", "--set", "gold_evry=1", workspace=workspace)
    assert refused.returncode != 0
    assert "There is no rule 'gold_evry'" in refused.stderr


def test_a_known_answer_and_suggestions_come_in_by_command(workspace: Path, tmp_path: Path) -> None:
    made = ask("tasks", "--project", "p", "--create", "rate", workspace=workspace)
    assert made["created"]["made"] == 12
    ask("export", ask("snapshot", "create", "-p", "p", "-n", "s", workspace=workspace)["id"], "--form", "raw",
        "--format", "jsonl", "--to", str(tmp_path / "out"), workspace=workspace)  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out" / "raw.jsonl").read_text().splitlines()]
    task_id = next(json.loads(line["task_ids"])[0] for line in lines if line["pair_origin"] == "compare")
    value = '{"verdict": "a", "strength": -2}'
    found = ask("gold", "-p", "p", "--task", task_id, "--value", value, "--explanation", "shorter", workspace=workspace)
    assert [(row["task_id"], row["value"]["verdict"], row["explanation"]) for row in found["gold"]] == [
        (task_id, "a", "shorter")
    ]
    (tmp_path / "s.jsonl").write_text(json.dumps({"task_id": task_id, "value": json.loads(value), "score": 0.7}) + "\n")
    done = ask("suggest", str(tmp_path / "s.jsonl"), "-p", "p", "--source", "judge-v1", workspace=workspace)
    assert (done["added"], done["replaced"]) == (1, 0)
    (tmp_path / "bad.jsonl").write_text("{\n")
    refused = pitchpipe("suggest", str(tmp_path / "bad.jsonl"), "-p", "p", "--source", "x", workspace=workspace)
    assert "Line 1 of 'bad.jsonl' is not JSON" in refused.stderr
    assert "is not JSON" in pitchpipe("gold", "-p", "p", "--task", "t", "--value", "{", workspace=workspace).stderr


def test_a_recipe_is_previewed_saved_and_frozen(workspace: Path, tmp_path: Path) -> None:
    """Of six pairs one is tied between the raters: with the tie policy drop it stays out, by name."""
    recipe = tmp_path / "strict.json"
    recipe.write_text('{"tie_policy": "drop"}')
    preview = ask("snapshot", "preview", "--project", "p", "--recipe", str(recipe), workspace=workspace)
    assert [(drop["rule"], drop["count"]) for drop in preview["drops"]] == [("tie", 1)]
    assert (preview["counts"]["rows"], preview["refused"]) == (17, [])
    assert ask("snapshot", "list", workspace=workspace)["snapshots"] == []
    ask("snapshot", "recipe", "save", str(recipe), "--project", "p", "--name", "strict", workspace=workspace)
    shown = ask("snapshot", "recipe", "show", "--project", "p", workspace=workspace)
    assert shown["recipes"][0]["tie_policy"] == "drop"
    made = ask("snapshot", "create", "-p", "p", "-n", "s", "--recipe", "strict", workspace=workspace)
    assert made["id"] == preview["id"]
    ask("snapshot", "create", "-p", "p", "-n", "all", workspace=workspace)
    changed = ask("snapshot", "diff", "s", "all", workspace=workspace)
    assert (len(changed["added"]), changed["drops"]) == (1, {"tie": [1, 0]})
    done = pitchpipe(
        "snapshot", "preview", "--project", "p", "--recipe", str(tmp_path / "no.json"), workspace=workspace
    )
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


def test_a_dry_run_shows_the_rows_and_stores_nothing(workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "more.jsonl"
    path.write_text('{"prompt": "hi", "chosen": "x", "rejected": "y"}\n{broken\n')
    shown = pitchpipe("import", str(path), "--project", "p", "--dry-run", workspace=workspace)
    assert shown.returncode == 0, shown.stderr
    assert "is read as trl-preference: its rows have chosen, rejected" in shown.stdout
    assert "2 rows, 1 accepted, 1 rejected" in shown.stdout
    assert "row 2, 2: broken JSON" in shown.stdout
    preview = ask("import", str(path), "--project", "p", "--dry-run", workspace=workspace)
    assert preview["new"] == {"examples": 1, "candidates": 2, "tasks": 1, "judgements": 1}
    assert ask("import", str(path), "--project", "p", workspace=workspace)["examples"] == 1
