"""The Snapshots view: a recipe is edited, previewed and frozen; snapshots are verified and compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing.recipe_files import find_recipe, save_recipe
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshots import create_snapshot, list_snapshots
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.store.team.people import sign_in
from pitchpipe.studio import session
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    """Four comparisons, one of them tied between ana and ben; one request was dropped by name of markup."""
    store = open_store(tmp_path / "workspace")
    session.set_store(store)
    for n in range(4):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab")
        add_judgement(store, f"t{n}", "ana", prefer("a", -2))
        add_judgement(store, f"t{n}", "ben", prefer("b" if n == 0 else "a", 1 if n == 0 else -1))
    decide(store, "e3", "drop", "**loud** <b>mallory</b>", "cora")
    sign_in(store, "lea")
    yield store
    session.set_store(None)
    store.close()


def show(**state: object) -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import snapshots

        store = session.current_store()
        snapshots.show_view(store, projects.list_projects(store)[0], "lea")

    app = AppTest.from_function(script, default_timeout=60)
    for name, value in state.items():
        app.session_state[name] = value
    app.run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def read_metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_a_preview_tells_counts_and_reasons_and_freezes_under_a_name(desk: Store) -> None:
    """Four requests with two answers and a comparison each; the dropped one takes three units with it."""
    app = press(show(), "snapshots_preview_run")
    assert (read_metrics(app)["Training rows"], read_metrics(app)["Left out"]) == ("9", "3")
    reasons = app.dataframe[0].value
    assert reasons["reason"].to_list() == ["cora: **loud** <b>mallory</b>"] * 3
    assert list_snapshots(desk, PROJECT) == []
    assert "no name" in press(app, "snapshots_freeze").error[0].value
    app.text_input(key="snapshots_name").set_value("first")
    press(app, "snapshots_freeze")
    (made,) = list_snapshots(desk, PROJECT)
    assert (made.name, made.counts["rows"]) == ("first", 9)
    assert "first" in app.dataframe[0].value["name"].to_list(), "the view goes on to what was made"


def test_what_other_views_chose_is_in_the_recipe_and_can_be_changed(desk: Store) -> None:
    chain = (RuleChoice("empty_answer"), RuleChoice("repetition", "mark"))
    app = show(recipe_rules=chain, recipe_consensus={"tie_policy": "drop"})
    (rules,) = app.multiselect
    assert rules.value == ["empty_answer", "repetition"]
    press(app, "snapshots_preview_run")
    assert app.session_state["snapshots_preview"]["preview"].recipe == Recipe(rules=chain, tie_policy="drop")
    assert read_metrics(app)["Left out"] == "4"  # the tied comparison too
    app.multiselect[0].unselect("repetition").run()
    assert any("has changed since this preview" in caption.value for caption in app.caption)
    assert app.button(key="snapshots_freeze").disabled
    app.text_input(key="snapshots_recipe_name").set_value("strict").run()
    press(app, "snapshots_recipe_save")
    assert find_recipe(desk, PROJECT, "strict") == Recipe(rules=chain[:1], tie_policy="drop")


def test_a_chain_is_edited_with_its_dials_and_a_rule_may_stand_in_it_twice(desk: Store) -> None:
    chain = (RuleChoice("repetition", "mark"), RuleChoice("secrets", "mask"), RuleChoice("repetition", "drop"))
    save_recipe(desk, PROJECT, "twice", Recipe(rules=chain), "cora")
    app = show()
    app.selectbox(key="snapshots_base").select("twice").run()
    assert app.multiselect[0].value == ["repetition", "secrets", "repetition 2"]
    press(app, "snapshots_preview_run")
    assert app.session_state["snapshots_preview"]["preview"].recipe == Recipe(rules=chain)
    (dial,) = [one for one in app.number_input if str(one.key).startswith("snapshots_dial_repetition 2_")]
    dial.set_value(2.0).run()
    press(app, "snapshots_preview_run")
    changed = (*chain[:2], RuleChoice("repetition", "drop", (("leniency", 2.0),)))
    assert app.session_state["snapshots_preview"]["preview"].recipe == Recipe(rules=changed)
    assert any(caption.value == "leniency 2.0" for caption in app.caption)


def test_a_rule_that_counts_tokens_asks_for_the_model_and_the_recipe_remembers_it(desk: Store) -> None:
    save_recipe(desk, PROJECT, "short", Recipe(rules=(RuleChoice("too_long"),), token_model="no/such"), "cora")
    app = show()
    app.selectbox(key="snapshots_base").select("short").run()
    (model,) = [field for field in app.text_input if str(field.key).startswith("snapshots_model_")]
    assert model.value == "no/such"
    app.button(key="snapshots_preview_run").click().run()
    assert any("There is no model 'no/such'" in error.value.replace("\\", "") for error in app.error)
    app.multiselect[0].unselect("too_long").run()
    press(app, "snapshots_preview_run")
    assert app.session_state["snapshots_preview"]["preview"].recipe == Recipe()


@pytest.mark.usefixtures("desk")
def test_what_was_taken_in_another_project_is_not_offered_here_and_can_be_forgotten() -> None:
    chain = (RuleChoice("empty_answer"),)
    assert show(recipe_rules=chain, recipe_project="another").multiselect[0].value == []
    app = show(recipe_rules=chain, recipe_project=PROJECT)
    assert app.multiselect[0].value == ["empty_answer"]
    assert press(app, "snapshots_forget").multiselect[0].value == []


def test_a_saved_recipe_is_where_one_can_start(desk: Store) -> None:
    save_recipe(desk, PROJECT, "strict", Recipe(tie_policy="drop", near_duplicate_threshold=0.9), "cora")
    app = show(recipe_consensus={"tie_policy": "keep"})
    app.selectbox(key="snapshots_base").select("strict").run()
    press(app, "snapshots_preview_run")
    recipe = app.session_state["snapshots_preview"]["preview"].recipe
    assert recipe == Recipe(tie_policy="drop", near_duplicate_threshold=0.9)


def test_snapshots_are_verified_where_they_lie(desk: Store) -> None:
    made = create_snapshot(desk, PROJECT, "first")
    app = press(show(snapshots_part="Made"), "snapshots_verify")
    assert "Whole" in app.success[0].value
    assert made.id in app.code[0].value and "size_categories" not in app.code[0].value
    (made.folder / "README.md").write_text("gone")
    assert "README.md was changed" in press(app, "snapshots_verify").error[0].value.replace("\\", "")


def test_two_snapshots_are_compared(desk: Store) -> None:
    create_snapshot(desk, PROJECT, "first")
    add_judgement(desk, "t0", "cai", prefer("b", 1))
    decide(desk, "e3", "keep", "", "cora")
    create_snapshot(desk, PROJECT, "second")
    app = show(snapshots_part="Compare")
    found = read_metrics(app)
    assert (found["Rows added"], found["Rows removed"], found["Verdicts turned"]) == ("3", "0", "1")
    (effect, rows) = (frame.value for frame in app.dataframe)
    assert effect.set_index("figure").loc["raters"].to_list() == ["2", "3", "+1"]
    assert rows["verdict"].to_list() == ["tie → b"]


def test_nothing_to_show_is_said(desk: Store) -> None:
    assert "Nothing is frozen" in show(snapshots_part="Made").info[0].value
    assert "two snapshots" in show(snapshots_part="Compare").info[0].value
    assert desk
