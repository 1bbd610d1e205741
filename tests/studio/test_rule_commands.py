"""`pitchpipe check` and `pitchpipe evaluation-sets`, as people and programs use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pitchpipe.studio.cli import app


def pitchpipe(*words: str, workspace: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--workspace", str(workspace)])


def ask(*words: str, workspace: Path) -> Any:
    done = pitchpipe(*words, "--json", workspace=workspace)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A project `p` with four answers: a good one, a placeholder, a refusal and one with an address."""
    answers = ["Paris.", "N/A", "I'm sorry, but I can't help with that.", "Mail a@mail.org"]
    rows = [{"instruction": f"Question {n}?", "output": text} for n, text in enumerate(answers)]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    folder = tmp_path / "w"
    ask("init", "--project", "p", "--holdout-share", "0", workspace=folder)
    ask("import", str(tmp_path / "rows.jsonl"), "--project", "p", workspace=folder)
    return folder


def test_check_without_rules_asks_every_rule_that_can_run_and_drops_nothing(workspace: Path) -> None:
    found = ask("check", "--project", "p", workspace=workspace)
    hits = {rule["rule"]: rule["hits"] for rule in found["rules"] if rule["hits"]}
    assert hits == {"empty_answer": 1, "refusal": 1, "personal_data": 1}
    assert {rule["action"] for rule in found["rules"]} == {"mark"}
    assert (found["rows"], found["would_stay"]) == (4, 4)
    assert not {"too_long", "too_short"} & {rule["rule"] for rule in found["rules"]}


def test_check_takes_rules_with_actions_and_dials(workspace: Path) -> None:
    words = ("--rule", "empty_answer", "--rule", "refusal:drop", "--rule", "personal_data", "--set", "email=false")
    found = ask("check", "--project", "p", *words, "--set", "refusal.most_words=3", workspace=workspace)
    assert [(rule["rule"], rule["action"], rule["hits"]) for rule in found["rules"]] == [
        ("empty_answer", "drop", 1), ("refusal", "drop", 0), ("personal_data", "mask", 0),
    ]  # fmt: skip
    assert found["would_stay"] == 3
    (hit,) = found["rules"][0]["listed"]
    assert (hit["excerpt"], hit["evidence"]["spans"]) == ("N/A", [[0, 3, "placeholder"]])


def test_an_evaluation_set_is_added_listed_and_compared_with(workspace: Path, tmp_path: Path) -> None:
    question = "Which of these four cities is the capital of the country that lies north of Spain?"
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": question}) + '\n{"x": 1}\n', encoding="utf-8")
    (tmp_path / "more.jsonl").write_text(json.dumps({"instruction": question, "output": "Paris"}), encoding="utf-8")
    ask("import", str(tmp_path / "more.jsonl"), "--project", "p", workspace=workspace)
    added = ask("evaluation-sets", "--project", "p", "--file", str(tmp_path / "test.jsonl"), workspace=workspace)
    assert [(kept["name"], kept["items"]) for kept in added["sets"]] == [("test", 1)]
    assert [(kept["found"], kept["share"], kept["flagged"]) for kept in added["sets"]] == [(1, 1.0, True)]
    told = pitchpipe("evaluation-sets", "--project", "p", workspace=workspace)
    assert "100.0% of 'test' stands in the training side, more than 2 %" in told.stderr
    unlooked = ask("evaluation-sets", "--project", "p", "--no-look", workspace=workspace)
    assert "found" not in unlooked["sets"][0]
    assert [row["line"] for row in added["rejected"]] == [2]
    words = ("--rule", "contamination", "--evaluation-set", "test")
    found = ask("check", "--project", "p", *words, workspace=workspace)
    assert [(rule["hits"], found["would_stay"]) for rule in found["rules"]] == [(1, 4)]
    told = pitchpipe("evaluation-sets", "--project", "p", "--name", "x", workspace=workspace)
    assert (told.exit_code, "no file of test items" in told.output) == (2, True)


def test_check_for_people_lists_counts_reasons_and_what_would_stay(workspace: Path) -> None:
    done = pitchpipe("check", "--project", "p", "--rule", "empty_answer", workspace=workspace)
    assert 'the answer is the placeholder "N/A"' in done.stdout
    assert "4 rows, of which 3 would stay. Nothing was changed." in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rule", "nothing"), "There is no rule 'nothing'."),
        (("--rule", "refusal:mask"), "cannot mask rows"),
        (("--rule", "refusal", "--set", "leniency=2"), "No chosen rule has a dial 'leniency'."),
        (("--rule", "too_long"), "no model was named"),
        (("--evaluation-set", "gsm"), "There is no evaluation set 'gsm' in 'p'."),
        (("--model", "no/such"), "There is no model 'no/such' on this machine."),
    ],
)
def test_mistakes_are_told_in_two_parts(workspace: Path, words: tuple[str, ...], told: str) -> None:
    done = pitchpipe("check", "--project", "p", *words, workspace=workspace)
    assert done.exit_code != 0
    assert told in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert len(done.stderr.strip().splitlines()) == 2
