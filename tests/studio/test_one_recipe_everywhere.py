"""One recipe makes one snapshot: by command, by route, on the Snapshots page, and as Checks said it would."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from pitchpipe.store.curation.evaluation_sets import add_evaluation_set
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing.recipe_files import read_recipe, save_recipe
from pitchpipe.store.freezing.snapshots import list_snapshots
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.team import people
from pitchpipe.studio import session
from pitchpipe.studio.api import build_api
from pitchpipe.studio.cli import app as commands
from pitchpipe.studio.snapshot_verbs import snapshot_create, snapshot_preview
from pitchpipe.training.models.encoder_launch import has_encoder

ITEM = "Which of these four cities is the capital of the country that lies north of Spain?"
ROWS = [
    ("How can I set a new password for my account?", "Open the settings page and choose a new password there."),
    ("How can I set a NEW password for my account?", "Open the settings page and choose a NEW password there."),
    ("Where is my parcel?", "It lies next door, with the neighbours who live to the left of your own house."),
    ("Shall I wait?", "Yes."),
    ("Tell me a story.", "Once upon a time there was a lamp. " + "It was lit and it was put out again. " * 20),
    (ITEM, "The capital of that country is the city of Paris, which lies on the river Seine."),
    ("Whom do I ask?", "Write a letter to anna.meier@mail.org and she will help you with it today."),
]
"""A pair that says the same, one sound answer, one too short, one too long, a test item, and an address."""
EXPECTED = {"semantic_duplicate": 1, "contamination": 1, "too_long": 1, "too_short": 1}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a tokenizer of words and a chat template that adds two of them to each turn."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    core = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    folder = tmp_path / "model"
    folder.mkdir()
    core.save(str(folder / "tokenizer.json"))
    template = "{% for message in messages %}{{ message.role }} {{ message.content }} end {% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return folder


def make_recipe(model: Path, encoder: str) -> dict[str, Any]:
    dials = {"encoder": encoder} if encoder != "tfidf" else {}
    return {
        "strategy": "mean", "near_duplicate_threshold": 0.8, "token_model": str(model),
        "rules": [
            {"rule": "contamination", "action": "drop"},
            {"rule": "too_long", "action": "drop", "parameters": {"most_tokens": 100}},
            {"rule": "too_short", "action": "drop"},
            {"rule": "personal_data", "action": "mask"},
            {"rule": "semantic_duplicate", "action": "drop", **({"parameters": dials} if dials else {})},
        ],
    }  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    store = open_store(folder)
    create_project(store, "p", holdout_share=0.0)
    lines = [json.dumps({"instruction": asked, "output": answer}) for asked, answer in ROWS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    import_file(store, tmp_path / "rows.jsonl", "p")
    (tmp_path / "exam.jsonl").write_text(json.dumps({"question": ITEM}), encoding="utf-8")
    add_evaluation_set(store, "p", tmp_path / "exam.jsonl", "exam")
    people.sign_in(store, "petra")
    store.close()
    return folder


def run(workspace: Path, *words: str) -> Any:
    done = CliRunner().invoke(commands, [*words, "--project", "p", "--workspace", str(workspace), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def show(view: str, **state: Any) -> AppTest:
    def script(view: str) -> None:
        from importlib import import_module

        from pitchpipe.store import projects
        from pitchpipe.studio import session

        store = session.current_store()
        shown = import_module(f"pitchpipe.studio.app_pages.data.{view}")
        shown.show_view(store, projects.list_projects(store)[0], "petra")

    page = AppTest.from_function(script, kwargs={"view": view}, default_timeout=120)
    for name, value in state.items():
        page.session_state[name] = value
    page.run()
    assert not page.exception
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    assert not page.error, [error.value for error in page.error]
    return page


ENCODERS = [
    "tfidf",
    pytest.param("minilm", marks=pytest.mark.skipif(not has_encoder(), reason="the sentence model is not installed")),
]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_recipe_makes_one_snapshot_wherever_it_is_used(
    workspace: Path, tmp_path: Path, model: Path, encoder: str
) -> None:
    recipe = make_recipe(model, encoder)
    (tmp_path / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    # A preview first, in a workspace where nobody has checked anything: it makes the vectors that it needs.
    seen = run(workspace, "snapshot", "preview", "--recipe", str(tmp_path / "recipe.json"))
    assert {drop["rule"]: drop["count"] for drop in seen["drops"]} == EXPECTED
    assert [(mark["rule"], mark["count"]) for mark in seen["marks"]] == [("personal_data", 1)]
    assert seen["recipe"] == recipe

    words = [f"{choice['rule']}:{choice['action']}" for choice in recipe["rules"]]
    rules = [word for rule in words for word in ("--rule", rule)]
    dials = ["--set", "most_tokens=100", "--set", f"encoder={encoder}"]
    checked = run(workspace, "check", *rules, *dials, "--model", str(model))
    hits = {rule["rule"]: rule["hits"] for rule in checked["rules"]}
    assert hits == {**EXPECTED, "personal_data": 1}
    assert (checked["rows"], checked["would_stay"]) == (7, seen["counts"]["rows"])

    made = run(workspace, "snapshot", "create", "--name", "v1", "--recipe", str(tmp_path / "recipe.json"))
    assert made["id"] == seen["id"]
    without = {name: value for name, value in recipe.items() if name != "token_model"}
    (tmp_path / "without.json").write_text(json.dumps(without), encoding="utf-8")
    named = run(workspace, "snapshot", "preview", "--recipe", str(tmp_path / "without.json"), "--model", str(model))
    assert named["id"] == seen["id"]

    store = open_store(workspace)
    session.set_store(store)
    try:
        look_at_pages(store, recipe, seen["id"])
    finally:
        session.set_store(None)
        store.close()


def look_at_pages(store: Store, recipe: dict[str, Any], id: str) -> None:
    route = TestClient(
        build_api("secret"), base_url="http://127.0.0.1", headers={"Authorization": "Bearer secret"}
    ).post("/v1/snapshot_preview", json={"project": "p", "recipe": recipe})
    assert (route.status_code, route.json()["id"]) == (200, id)

    save_recipe(store, "p", "strict", read_recipe(recipe), "petra")
    page = show("snapshots")
    page.selectbox(key="snapshots_base").select("strict").run()
    press(page, "snapshots_preview_run")
    preview = page.session_state["snapshots_preview"]["preview"]
    assert (preview.recipe, preview.snapshot_id) == (read_recipe(recipe), id)
    page.text_input(key="snapshots_name").set_value("v2").run()
    press(page, "snapshots_freeze")
    assert {one.name: one.id for one in list_snapshots(store, "p")} == {"v1": id, "v2": id}

    taken = take_from_checks(recipe)
    page = press(show("snapshots", **taken), "snapshots_preview_run")
    preview = page.session_state["snapshots_preview"]["preview"]
    assert (preview.recipe, preview.snapshot_id) == (read_recipe(recipe), id)


def take_from_checks(recipe: dict[str, Any]) -> dict[str, Any]:
    """Chooses the rules of the recipe in Checks, checks, and takes them: what then lies in the session."""
    page = show("checks")
    wanted = {choice["rule"]: choice for choice in recipe["rules"]}
    for box in page.checkbox:
        id = str(box.key).removeprefix("checks_p_")
        if box.value and id in ("empty_answer", "same_answers", "rating_against_choice", "prompt_mismatch",
                                "exact_duplicate", "refusal", "boilerplate", "repetition", "secrets"):  # fmt: skip
            box.uncheck()
        elif id in wanted:
            box.check()
    page.run()
    page.selectbox(key="checks_p_too_short_action").set_value("drop")
    page.number_input(key="checks_p_too_long_most_tokens").set_value(100)
    encoder = dict(wanted["semantic_duplicate"].get("parameters", {})).get("encoder", "tfidf")
    page.selectbox(key="checks_p_semantic_duplicate_encoder").set_value(encoder)
    page.text_input(key="checks_model").set_value(recipe["token_model"]).run()
    press(page, "checks_run")
    found = page.session_state["checks_found"].preview
    drops = Counter(hit.rule for hit in found.hits if hit.action == "drop")
    assert drops == Counter(EXPECTED)
    press(page, "checks_take")
    keys = ("recipe_rules", "recipe_token_model", "recipe_project")
    return {key: page.session_state[key] for key in keys}


def test_a_recipe_that_counts_tokens_of_no_model_is_refused_with_advice(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text(json.dumps({"rules": [{"rule": "too_long"}]}))
    words = ["snapshot", "preview", "-p", "p", "--recipe", str(tmp_path / "recipe.json"), "-w", str(workspace)]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code != 0
    assert "no model was named" in done.stderr and "token_model" in done.stderr


@pytest.mark.parametrize(("verb", "named"), [(snapshot_preview, {}), (snapshot_create, {"name": "v1"})])
def test_a_preview_and_a_freeze_tell_what_they_are_at(workspace: Path, verb: Any, named: dict[str, str]) -> None:
    store = open_store(workspace)
    told: list[tuple[int, int, str]] = []
    recipe = {"rules": [{"rule": "refusal"}]}
    verb(store, "p", recipe=recipe, on_progress=lambda done, of, step: told.append((done, of, step)), **named)
    store.close()
    assert told[0][2] == "Reading the project"
    assert "Refusals (rule 1 of 1)" in [step for _, _, step in told]
    assert all(0 <= done <= of == 100 for done, of, _ in told)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
