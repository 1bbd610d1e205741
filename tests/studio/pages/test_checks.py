"""The Checks view: what rules find is seen before anything happens, stored text stays text, and one can act on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.curation.checking import preview_rules
from pitchpipe.store.curation.curating import list_actions
from pitchpipe.store.curation.evaluation_sets import add_evaluation_set, list_evaluation_sets
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.rules.rule import Hit, RuleChoice
from pitchpipe.store.team import people
from pitchpipe.studio import session
from pitchpipe.studio.app_pages.data.checks_actions import list_targets
from pitchpipe.studio.app_pages.data.checks_hits import mark_spans

ANSWERS = [
    "Paris.",
    "N/A",
    "I'm sorry, but I can't help with <b>that</b> **loud**.",
    "Mail a@mail.org or see https://evil.org ![x](http://evil.org/i.png)",
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    """A project with four answers, of which three are hit, and a curator."""
    store = open_store(tmp_path / "workspace")
    create_project(store, "p", holdout_share=0.0)
    rows = [{"instruction": f"Question {n}?", "output": text} for n, text in enumerate(ANSWERS)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    import_file(store, tmp_path / "rows.jsonl", "p")
    people.sign_in(store, "petra")
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


def open_view() -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import checks

        store = session.current_store()
        checks.show_view(store, projects.list_projects(store)[0], "petra")

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    return app


def check(app: AppTest) -> AppTest:
    app.button(key="checks_run").click().run()
    assert not app.exception
    return app


def read_metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def read_markdown(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_nothing_is_run_before_it_is_asked_for(desk: Store) -> None:
    app = open_view()
    assert not app.metric
    assert app.button(key="checks_run").label == "Check with 10 rules"


def test_a_check_counts_what_stays_and_shows_every_rule_that_found_something(desk: Store) -> None:
    app = check(open_view())
    assert read_metrics(app) == {"Rows": "4", "Would stay": "3", "Left out": "1", "Masked": "1"}
    assert list(app.button_group[0].options) == [
        "Empty answers · 1", "Refusals · 1", "Personal data · 1",
    ]  # fmt: skip
    assert "1 of 4 rows (25.0%) would be left out." in read_markdown(app)
    found = app.dataframe[0].value
    assert found["Reason"].tolist() == ['the answer is the placeholder "N/A"'] and found["Side"].tolist() == [
        "training"
    ]
    assert any("Nothing found by: Same answers," in caption.value.replace("\\", "") for caption in app.caption)


def test_what_was_found_is_marked_and_stored_markup_stays_text(desk: Store) -> None:
    app = check(open_view())
    steps = [count.rule for count in app.session_state["checks_found"].preview.rules]
    app.button_group[0].set_value(steps.index("refusal")).run()
    assert "1 of 3 rows (33.3%) would be listed." in read_markdown(app)
    (marked,) = [element.value for element in app.markdown if "orange-background" in element.value]
    assert marked == mark_spans(ANSWERS[2], [[0, 53, "refusal"]])
    markup = mark_spans(ANSWERS[2], [[0, 14, "refusal"]])
    assert markup.startswith(":orange-background[I'm sorry, but] I can't")
    assert r"\<b\>that\</b\> \*\*loud\*\*" in markup


def test_marked_text_makes_no_link_and_no_image() -> None:
    markup = mark_spans(ANSWERS[3], [[5, 15, "email"]])
    assert ":orange-background[a@\u200bmail\\.org]" in markup
    assert "https\u200b" in markup and r"\!\[x\]\(http" in markup


def test_line_ends_of_a_marked_text_are_kept() -> None:
    assert mark_spans("one\ntwo three\n\nfour", [[4, 16, "x"]]) == (
        "one  \n:orange-background[two three]  \n  \n:orange-background[f]our"
    )


def test_the_end_of_a_long_text_is_left_out_and_the_place_is_not() -> None:
    text = "a" * 20_000 + "HERE" + "b" * 20_000
    markup = mark_spans(text, [[20_000, 20_004, "x"]])
    assert ":orange-background[HERE]" in markup
    assert markup.startswith("…") and markup.endswith("…") and len(markup) < 7_000


def test_another_rule_or_action_asks_for_a_new_check(desk: Store) -> None:
    app = check(open_view())
    app.checkbox(key="checks_p_empty_answer").uncheck().run()
    assert any("check again" in caption.value for caption in app.caption)
    check(app)
    assert read_metrics(app)["Would stay"] == "4"
    assert not any("check again" in caption.value for caption in app.caption)


def test_dials_are_made_from_the_parameters_of_a_rule(desk: Store) -> None:
    app = open_view()
    app.number_input(key="checks_p_refusal_most_words").set_value(2).run()
    app.checkbox(key="checks_p_personal_data_email").uncheck().run()
    check(app)
    assert list(app.button_group[0].options) == ["Empty answers · 1"]


def test_the_rules_are_taken_into_the_recipe_as_they_were_checked(desk: Store) -> None:
    app = open_view()
    for id in (
        "same_answers",
        "rating_against_choice",
        "prompt_mismatch",
        "exact_duplicate",
        "boilerplate",
        "repetition",
    ):
        app.checkbox(key=f"checks_p_{id}").uncheck()
    app.number_input(key="checks_p_refusal_most_words").set_value(20)
    app.selectbox(key="checks_p_refusal_action").set_value("drop").run()
    check(app)
    app.button(key="checks_take").click().run()
    taken: Any = app.session_state["recipe_rules"]
    assert taken == (
        RuleChoice("empty_answer", "drop"),
        RuleChoice("refusal", "drop", (("most_words", 20),)),
        RuleChoice("personal_data", "mask"),
        RuleChoice("secrets", "mask"),
    )


def test_a_rule_that_counts_tokens_asks_for_the_model_and_tells_of_one_that_is_not_there(desk: Store) -> None:
    app = open_view()
    assert not [field for field in app.text_input if field.key == "checks_model"]
    app.checkbox(key="checks_p_too_long").check().run()
    app.text_input(key="checks_model").set_value("no/such-model").run()
    check(app)
    assert any("There is no model" in error.value for error in app.error)
    assert not app.metric


def show_actions_of(rule: str) -> AppTest:
    """The buttons under the table with the only hit of that rule chosen."""

    def script(rule: str) -> None:
        from pitchpipe.store.curation.checking import preview_rules
        from pitchpipe.store.rules.rule import RuleChoice
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import checks_actions

        store = session.current_store()
        preview = preview_rules(store, "p", [RuleChoice(rule, "drop")])
        hits = [hit for hit in preview.hits if not hit.is_protected]
        checks_actions.show_actions(store, "p", "petra", hits, preview.rules[0])

    app = AppTest.from_function(script, kwargs={"rule": rule}, default_timeout=60).run()
    assert not app.exception
    return app


def test_chosen_rows_can_be_kept_whatever_rules_say_and_that_can_be_undone(desk: Store) -> None:
    app = show_actions_of("refusal")
    app.button(key="checks_keep_refusal").click().run()
    assert not app.exception
    (action,) = list_actions(desk, "p")
    assert (action.kind, action.note, action.things, action.actor) == ("keep", "Checks: Refusals", 1, "petra")
    assert preview_rules(desk, "p", [RuleChoice("refusal", "drop")]).kept == 4
    app.button(key="checks_undo").click().run()
    assert not app.exception
    assert list_actions(desk, "p")[0].undone_at is not None


def test_chosen_rows_can_be_dropped_at_once(desk: Store) -> None:
    show_actions_of("refusal").button(key="checks_drop_refusal").click().run()
    assert preview_rules(desk, "p", []).considered == 3


def test_a_decision_is_about_the_answer_that_the_hit_is_about() -> None:
    rows = {
        0: {"candidate_id": None, "candidate_a": "left", "candidate_b": "right", "example_id": "e1"},
        1: {"candidate_id": "one", "candidate_a": None, "candidate_b": None, "example_id": "e2"},
        2: {"candidate_id": None, "candidate_a": None, "candidate_b": None, "example_id": "e3"},
    }
    hits = [
        Hit(place, "r", "1", "drop", "", evidence, row=rows[place])
        for place, evidence in enumerate([{"field": "answer_b"}, {"field": "answer"}, {}])
    ]
    assert list_targets(hits) == ["right", "one", "e3"]
    assert list_targets([Hit(0, "r", "1", "drop", "", {}, row=rows[0])]) == ["left", "right"]


def test_a_check_of_a_project_writes_nothing(desk: Store) -> None:
    check(open_view())
    assert list_actions(desk, "p") == []
    assert list_evaluation_sets(desk, "p") == []


def test_a_check_counts_the_rows_of_the_consensus_that_was_taken(desk: Store) -> None:
    app = open_view()
    app.session_state["recipe_consensus"] = {"strategy": "mean", "strategies": (), "tie_policy": "keep",
                                             "widest_spread": None, "lowest_support": 0.9}  # fmt: skip
    app.session_state["recipe_project"] = "p"
    check(app)
    assert app.session_state["checks_found"].consensus["lowest_support"] == 0.9
    rows = preview_rules(desk, "p", [], recipe=Recipe(lowest_support=0.9)).considered
    assert read_metrics(app)["Rows"] == str(rows)
    del app.session_state["recipe_consensus"]
    app.run()
    assert any("Another consensus was taken" in caption.value for caption in app.caption)


def test_one_sees_how_much_of_an_evaluation_set_is_in_the_training_side(desk: Store, tmp_path: Path) -> None:
    items = [{"question": "Question 1?"}, *({"question": f"Another question, number {n}?"} for n in range(9))]
    (tmp_path / "exam.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8")
    add_evaluation_set(desk, "p", tmp_path / "exam.jsonl", "exam")
    app = open_view()
    assert not app.warning
    app.button(key="checks_look").click().run()
    assert not app.exception
    assert "In the training side: 1 of its items (10.0%), 1 word by word." in app.warning[0].value
