"""Rows, slices and actions by command, through the store and through a running studio's API alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from pitchpipe.store.database import Store
from pitchpipe.studio import session
from pitchpipe.studio.api import build_api
from pitchpipe.studio.cli import app


@pytest.fixture
def workspace(compare_store: Store) -> Path:
    """Ten comparisons in a closed store."""
    compare_store.close()
    return compare_store.workspace


def ask(workspace: Path, *words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "--workspace", str(workspace), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_slice_is_found_saved_dropped_and_brought_back(workspace: Path) -> None:
    found = ask(workspace, "rows", "-p", "p", "--words", '"number 3"', "--where", "answers>=2")
    assert (found["found"], found["rows"][0]["request"]) == (1, "Question number 3?")
    ask(workspace, "slices", "-p", "p", "--save", "three", "--words", '"number 3"')
    assert [saved["name"] for saved in ask(workspace, "slices", "-p", "p")["slices"]] == ["three"]
    done = ask(workspace, "curate", "drop", "-p", "p", "--slice", "three", "--note", "odd")
    assert (done["things"], done["is_undone"]) == (1, False)
    standing = ask(workspace, "row", found["rows"][0]["example_id"], "-p", "p")["standing"]
    assert standing[0] == "Out of new snapshots: local dropped it (odd)."
    assert ask(workspace, "undo-action", done["id"])["is_undone"] is True
    assert ask(workspace, "rows", "-p", "p", "--where", "decision=drop")["found"] == 0
    assert [action["kind"] for action in ask(workspace, "actions", "-p", "p")["actions"]] == ["drop"]


def test_examples_are_tagged_and_queued_by_id_or_by_sql(workspace: Path) -> None:
    first = ask(workspace, "rows", "-p", "p", "--limit", "1")["rows"][0]["example_id"]
    ask(workspace, "curate", "tag", first, "-p", "p", "--tag", "look")
    assert ask(workspace, "rows", "-p", "p", "--where", "tags=look")["found"] == 1
    sql = "SELECT example_id FROM examples WHERE list_contains(tags, 'look')"
    assert ask(workspace, "curate", "queue", "-p", "p", "--sql", sql, "--task", "rate")["things"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("curate", "drop", "-p", "p", "--words", "number"), "A drop needs a reason"),
        (("curate", "keep", "-p", "p"), "Name examples or a slice"),
        (("rows", "-p", "p", "--where", "colour=red"), "no field 'colour'"),
        (("rows", "-p", "p", "--sql", "DROP TABLE examples"), "not one SELECT"),
    ],
)
def test_a_mistake_is_told_in_two_parts(workspace: Path, words: tuple[str, ...], told: str) -> None:
    error = ask(workspace, *words, code=2)["error"]
    assert told in error["happened"] and error["advice"]


@pytest.fixture
def api(compare_store: Store) -> Iterator[TestClient]:
    session.set_store(compare_store)
    yield TestClient(build_api("secret"), base_url="http://127.0.0.1", headers={"Authorization": "Bearer secret"})
    session.set_store(None)


def test_the_routes_take_what_the_commands_take(api: TestClient) -> None:
    found = api.post("/v1/rows", json={"project": "p", "where": ["words<=3"], "columns": ["words"]}).json()
    assert found["found"] == 10 and set(found["rows"][0]) == {"example_id", "words"}
    done = api.post("/v1/curate", json={"project": "p", "kind": "keep", "words": "question", "note": "good"}).json()
    assert api.post("/v1/undo_action", json={"action": done["id"]}).json()["is_undone"] is True
    assert api.post("/v1/rows", json={"project": "p", "sql": "SELECT 1; SELECT 2"}).status_code == 422
