"""The Review page run as Streamlit runs it: who sees it, what it tells, what a key records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.prompts.library import load_guideline
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.identity import hash_text
from pitchpipe.store.review import prompt_versions
from pitchpipe.store.review.adjudicating import adjudicate
from pitchpipe.store.review.asking_again import ask_again
from pitchpipe.store.team import people
from pitchpipe.studio import session
from tests.store.judged import add_example, add_flag, add_judgement, add_task, prefer

MODEL = "hidden-model-north"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    """Two disputed comparisons (t1 more than t2), a rating, and a task on which all agree."""
    store = open_store(tmp_path / "workspace")
    for number, strengths in enumerate([(-3, 3, 2), (-1, 1, 1), (1, 1, 1)], 1):
        add_example(store, f"e{number}", "AB", model=MODEL)
        add_task(store, f"t{number}", f"e{number}", "compare", "AB")
        for rater, strength in zip(("ana", "ben", "eva"), strengths, strict=True):
            reason = f"{rater} on e{number} <b>bold</b>"
            add_judgement(store, f"t{number}", rater, prefer("a" if strength < 0 else "b", strength), reason)
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


@pytest.fixture
def curator(desk: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    people.sign_in(desk, "lena")  # the first who ever signs in is lead
    session_id = people.sign_in(desk, "cora")
    set_role(desk, "curator")
    monkeypatch.setattr(session, "read_session_id", lambda: session_id)
    return "cora"


def set_role(store: Store, role: str) -> None:
    store.write(lambda t: t.run("UPDATE annotators SET role = ? WHERE name = 'cora'", [role]))


def _run_page() -> AppTest:
    return AppTest.from_function(_show_review_alone).run(timeout=30)


def _show_review_alone() -> None:
    from pitchpipe.store import projects
    from pitchpipe.studio import session
    from pitchpipe.studio.app_pages import review

    store = session.current_store()
    review.show_review(store, projects.list_projects(store)[0], session.current_annotator(store) or "")


def press(app: AppTest, label: str, place: int = 0) -> AppTest:
    return [button for button in app.button if button.label.startswith(label)][place].click().run()


def read_everything(app: AppTest) -> str:
    return "\n".join(str(getattr(element, "proto", "")) for element in app.main)


def read_settled(store: Store) -> list[tuple[str, dict[str, object]]]:
    rows = store.read("SELECT task_id, value FROM judgements WHERE source = 'adjudication' ORDER BY entry")
    return [(task, json.loads(value)) for task, value in rows]


def test_only_curators_and_leads_see_the_link_and_the_page(desk: Store, curator: str) -> None:
    def run_app() -> str:
        app = AppTest.from_file(str(files("pitchpipe.studio") / "app.py"), default_timeout=30).run()
        assert not app.exception
        return "\n".join(str(getattr(element, "proto", "")) for element in app.sidebar)

    for role in ("curator", "lead"):
        set_role(desk, role)
        assert "review" in run_app()
    set_role(desk, "annotator")
    assert "review" not in run_app()
    refused = _run_page()
    assert "for curators" in read_everything(refused)
    assert "The request of" not in read_everything(refused)


def test_the_widest_dispute_comes_first_with_everything_that_was_said_and_no_model(desk: Store, curator: str) -> None:
    add_flag(desk, "t2", "ana", "which policy is this?", kind="comment")
    app = _run_page()
    assert not app.exception
    texts = [element.value for element in app.text]
    # t2: a comment weighs 1, and 2 of 6 points; t1: 6 of 6 points.
    assert texts[0] == "ana left a comment: which policy is this?"
    assert "The raters stand on different sides: 1 for A, 2 for B." in texts
    assert {"ana on e2 <b>bold</b>", "ben on e2 <b>bold</b>", "eva on e2 <b>bold</b>"} <= set(texts)
    assert MODEL not in read_everything(app)


def test_one_key_takes_a_raters_answer_shows_the_writers_and_goes_on(desk: Store, curator: str) -> None:
    app = press(_run_page(), "Take", 1)
    assert not app.exception
    assert read_settled(desk) == [("t1", prefer("b", 3))]
    shown = read_everything(app)
    assert "Settled by cora: B much better, as ben said" in shown
    assert MODEL in shown
    assert "The request of e2" in [element.value for element in app.text]
    assert "1 open" in shown


def test_writers_stay_hidden_while_another_case_about_the_same_answers_is_open(desk: Store, curator: str) -> None:
    add_task(desk, "again", "e1", "compare", "BA", position=1)
    add_judgement(desk, "again", "ana", prefer("a", -1))
    add_judgement(desk, "again", "ben", prefer("b", 1))
    app = _run_page()
    app = press(app, "Take", 0)
    assert "Settled by cora" in read_everything(app)
    assert MODEL not in read_everything(app)
    app.session_state["review_view"] = "Settled"
    assert MODEL not in read_everything(app.run())
    app.session_state["review_view"] = "Disputes"
    while "again" not in [task for task, _ in read_settled(desk)]:
        press(app.run(), "Take", 0)
    assert MODEL in read_everything(app)


def test_withdrawing_brings_the_case_back(desk: Store, curator: str) -> None:
    app = press(press(_run_page(), "Take", 0), "Withdraw last")
    assert not app.exception
    assert read_settled(desk)[-1] == ("t1", {})
    assert "The request of e1" in [element.value for element in app.text]
    assert "2 open" in read_everything(app)
    assert MODEL not in read_everything(app)


def test_next_and_previous_walk_through_the_queue(desk: Store, curator: str) -> None:
    app = press(_run_page(), "Next")
    assert "The request of e2" in [element.value for element in app.text]
    app = press(app, "Previous")
    assert "The request of e1" in [element.value for element in app.text]


def test_an_answer_of_ones_own_is_recorded_with_its_reason(desk: Store, curator: str) -> None:
    app = _run_page()
    press(app, "Settle with this")
    assert read_settled(desk) == []
    assert "Choose an answer first" in app.warning[0].value
    own = next(group for group in app.button_group if "Preference" in str(group.label))
    own.set_value(0)
    next(box for box in app.text_input if box.label == "Why").set_value("both name the policy")
    press(app, "Settle with this")
    assert not app.exception
    assert read_settled(desk) == [("t1", {"verdict": "tie", "strength": 0})]
    assert desk.read("SELECT reason FROM judgements WHERE source = 'adjudication'") == [("both name the policy",)]


def test_words_in_an_answer_of_ones_own_are_kept_as_words(desk: Store, curator: str) -> None:
    add_example(desk, "e9", "A", model=MODEL)
    add_task(desk, "t9", "e9", "rate", "A", rubric="checks")
    add_judgement(desk, "t9", "ana", {"helpfulness": 1})
    for rater in ("ben", "eva"):
        add_flag(desk, "t9", rater, "look")
    app = _run_page()
    next(box for box in app.text_input if box.label == "What is missing").set_value("the unit")
    press(app, "Settle with this")
    assert not app.exception
    assert read_settled(desk) == [("t9", {"note": "the unit"})]
    details = desk.read("SELECT detail FROM judgements WHERE source = 'adjudication'")
    assert json.loads(details[0][0])["text_questions"] == ["note"]


def test_a_press_sooner_than_the_case_can_be_read_settles_nothing(desk: Store, curator: str) -> None:
    desk.write(lambda t: t.run("UPDATE projects SET minimum_dwell_ms = 5000"))
    app = press(_run_page(), "Take", 0)
    assert read_settled(desk) == []
    assert "faster than the case can be read" in app.warning[0].value
    assert "The request of e1" in [element.value for element in app.text]


def test_closing_flags_takes_a_flagged_task_out_of_the_queue(desk: Store, curator: str) -> None:
    add_flag(desk, "t3", "ana", "odd")
    app = _run_page()
    app = press(app, "The request of e3")
    app = press(app, "Close its flags")
    assert desk.read("SELECT closed_by FROM flags") == [("cora",)]
    assert "2 open" in read_everything(app)


def test_the_queue_is_narrowed_by_words(desk: Store, curator: str) -> None:
    app = _run_page()
    next(box for box in app.text_input if box.label == "Words").set_value("REQUEST e2").run()
    assert "The request of e2" in [element.value for element in app.text]
    assert "1 of 1" in read_everything(app)


def test_a_case_that_another_curator_settled_meanwhile_says_so(desk: Store, curator: str) -> None:
    app = _run_page()
    adjudicate(desk, "p", "t1", prefer("a", -1), reason="the policy says so", actor="carl", adjudication_id="adj1")
    app.run()
    assert "Settled by carl: A slightly" in read_everything(app)
    assert "the policy says so" in [element.value for element in app.text]


def test_a_press_on_a_case_that_another_curator_has_just_settled_changes_nothing(desk: Store, curator: str) -> None:
    app = _run_page()
    adjudicate(desk, "p", "t1", prefer("a", -1), reason="the policy says so", actor="carl", adjudication_id="adj1")
    app = press(app, "Take", 1)
    assert "carl settled this case while you read it" in app.warning[0].value
    assert read_settled(desk) == [("t1", prefer("a", -1))]
    # Now that it is on the screen, a second press overrules it.
    press(app, "Take", 1)
    assert read_settled(desk)[-1] == ("t1", prefer("b", 3))


def test_the_settled_cases_are_listed_and_can_be_withdrawn(desk: Store, curator: str) -> None:
    app = press(_run_page(), "Take", 2)
    app.session_state["review_view"] = "Settled"
    app.run()
    assert "Settled by cora: B better, as eva said" in read_everything(app)
    press(app, "Withdraw")
    assert read_settled(desk)[-1] == ("t1", {})


def test_a_circle_is_shown_with_its_other_tasks(desk: Store, curator: str) -> None:
    add_example(desk, "e9", "ABC", model=MODEL)
    for task, answers in (("ab", "AB"), ("bc", "BC"), ("ca", "CA")):
        add_task(desk, task, "e9", "compare", answers)
        add_judgement(desk, task, "ana", prefer("a"), f"said on {task}")
        add_flag(desk, task, "eva", "a circle?")
    app = _run_page()
    assert not app.exception
    assert app.expander[0].label == "The other 2 tasks of this contradiction"
    texts = [element.value for element in app.text]
    assert "ana: A better – said on bc" in texts
    assert "Answer C to e9" in texts
    assert MODEL not in read_everything(app)


def test_an_empty_queue_says_so(desk: Store, curator: str) -> None:
    app = press(press(_run_page(), "Take", 0), "Take", 0)
    assert not app.exception
    assert "Nothing is in dispute here" in read_everything(app)


def test_a_changed_guideline_lists_its_clauses_and_asks_again(desk: Store, curator: str) -> None:
    text = load_guideline("helpfulness").text
    old = text.replace("Facts beat tone.", "Tone beats facts.")
    prompt_versions.note_version(desk, "guidelines", "helpfulness", old, hash_text(old))
    desk.write(lambda t: t.run("UPDATE judgements SET guideline_hash = ? WHERE task_id = 't1'", [hash_text(old)]))
    app = _run_page()
    app.session_state["review_view"] = "Changed guideline"
    app.run()
    assert not app.exception
    shown = read_everything(app)
    assert "Reworded" in shown
    assert any(element.value.startswith("Tone beats facts.") for element in app.text)
    assert "3 judgements of 3 annotators" in shown
    app = press(app, "Ask all 3 again")
    asked = desk.read("SELECT annotator, words FROM asked_again ORDER BY annotator")
    assert [row[0] for row in asked] == ["ana", "ben", "eva"]
    assert asked[0][1].startswith("The guideline now says: Facts beat tone.")
    assert ask_again(desk, "p", ["nonsense"], "cora")["asked"] == 0


@pytest.mark.parametrize(
    ("kind", "answers", "value"),
    [
        ("rate", "A", {"helpfulness": 4, "tone": "warm"}),
        ("rank", "ABC", {"ranks": [0, 1, 1]}),
        ("edit", "A", {"text": "better"}),
        ("write", "", {"text": "mine"}),
        ("tag", "A", {"labels": ["refund"]}),
        ("span", "A", {"spans": [{"start": 0, "end": 6, "label": "false"}]}),
        ("turns", "A", {"turns": {"1": {"helpfulness": 3}}}),
        (
            "screen",
            "AB",
            {"compare": prefer("a"), "rate": [{"helpfulness": 4}, {}], "edit": {"answer": 0, "text": "x"}},
        ),
    ],
)
def test_every_kind_of_task_can_be_shown_and_taken(
    desk: Store, curator: str, kind: str, answers: str, value: dict[str, object]
) -> None:
    add_example(desk, "e9", "ABC", model=MODEL)
    rubric = "compare_rate_correct" if kind == "screen" else None
    add_task(desk, "t9", "e9", kind, answers, rubric=rubric)
    add_judgement(desk, "t9", "ana", value)
    add_flag(desk, "t9", "ben", "look")
    add_flag(desk, "t9", "eva", "look again")
    app = _run_page()
    assert not app.exception
    assert "ben flagged it: look" in [element.value for element in app.text]
    app = press(app, "Take", 0)
    assert not app.exception
    assert read_settled(desk) == [("t9", value)]
