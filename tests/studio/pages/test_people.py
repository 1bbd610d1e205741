"""The People page: leads see how people judge and can act; nobody else sees the link or the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging import annotating
from pitchpipe.store.queue import queueing, standing
from pitchpipe.store.team import people
from pitchpipe.studio import session
from pitchpipe.studio.app_pages.showing import plain

MARKUP = "<b>mallory</b> **loud**"


@pytest.fixture
def desk(fill_workspace: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    """Five comparisons judged by two people who differ on one; the lead has judged nothing."""
    store = fill_workspace(tmp_path / "workspace", count=5, dwell_ms=0)
    session.set_store(store)
    people.sign_in(store, "petra")
    for name in ("ben", MARKUP):
        people.sign_in(store, name)
        for number in range(5):
            task = queueing.claim_next_task(store, "Help desk", name)
            assert task is not None
            # In the order of the task's candidates all say the same but for one.
            is_left = (task.answers[0].text.startswith("Look")) != (name == "ben" and number == 0)
            annotating.submit_judgement(
                store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator=name, token=task.token, seconds=20.0,
                value={"verdict": "first" if is_left else "second", "strength": -1 if is_left else 1},
            )  # fmt: skip
    yield store
    session.set_store(None)
    store.close()


def sign_in(store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = people.sign_in(store, name)
    monkeypatch.setattr(session, "read_session_id", lambda: session_id)


def read_everything(app: AppTest) -> str:
    return "\n".join(str(getattr(element, "proto", "")) for element in [*app.main, *app.sidebar])


def run_app() -> AppTest:
    app = AppTest.from_file(str(files("pitchpipe.studio") / "app.py"), default_timeout=30).run()
    assert not app.exception
    return app


def show_page(viewer: str) -> AppTest:
    def script(viewer: str) -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages import people

        store = session.current_store()
        people.show_people(store, projects.list_projects(store)[0], viewer)

    app = AppTest.from_function(script, kwargs={"viewer": viewer}, default_timeout=30).run()
    assert not app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("role", "is_seen"), [("annotator", False), ("curator", False), ("engineer", False), ("lead", True)]
)
def test_leads_alone_see_the_link_and_the_page(
    desk: Store, monkeypatch: pytest.MonkeyPatch, role: str, is_seen: bool
) -> None:
    people.change_person(desk, "ben", role=role, actor="petra")
    sign_in(desk, "ben", monkeypatch)
    assert ('page: "people"' in read_everything(run_app())) is is_seen
    page = show_page("ben")
    assert ("Likely right" in read_everything(page)) is is_seen
    assert ([error.value for error in page.error] == []) is is_seen


def test_who_is_turned_away_is_told_why_and_sees_no_figure(desk: Store) -> None:
    page = show_page("ben")
    assert "This page is for leads" in page.error[0].value
    assert MARKUP not in read_everything(page) and "petra" not in read_everything(page)


def test_the_project_stands_in_words_and_every_rater_has_a_row(desk: Store) -> None:
    page = show_page("petra")
    assert "2 people have made 10 judgements" in read_everything(page)
    texts = "\n".join(text.value for text in page.text)
    assert "Sharpen 'verdict' first." in texts
    assert "Nothing is left to judge." in texts
    rows = page.table[0].value
    assert rows["With the others"].str.startswith("80% ").all()  # of five verdicts and of five strengths four are alike
    assert rows["Judged"].to_list() == ["5", "5"]


def test_a_name_with_markup_is_shown_as_text(desk: Store) -> None:
    page = show_page("petra")
    markdown = "\n".join(element.value for element in page.markdown)
    assert "**loud**" not in markdown
    html = "\n".join(element.proto.body for element in page.get("html"))
    assert "mallory" not in html


def test_role_and_skills_are_changed_in_place(desk: Store) -> None:
    page = show_page("petra")
    page.selectbox(key="people_chosen").select("ben").run()
    next(box for box in page.selectbox if box.label == "Role").select("curator")
    next(box for box in page.text_input if box.label == "Languages and skills").input("de, Code")
    press(page, "Save")
    ben = next(person for person in people.list_people(desk) if person.name == "ben")
    assert (ben.role, ben.skills) == ("curator", ("code", "de"))
    assert any(plain("curator · skills: code, de") in caption.value for caption in page.caption)


def test_the_last_lead_is_told_in_place_and_stays(desk: Store) -> None:
    page = show_page("petra")
    page.selectbox(key="people_chosen").select("petra").run()
    press(page, "Take access away")
    assert "petra is the last lead" in page.error[0].value
    assert people.find_role(desk, "petra") == "lead"


def test_access_is_taken_and_given_back(desk: Store) -> None:
    page = show_page("petra")
    page.selectbox(key="people_chosen").select("ben").run()
    press(page, "Take access away")
    assert [person.name for person in people.list_people(desk) if person.is_revoked] == ["ben"]
    assert "5 judged" in "\n".join(caption.value for caption in page.caption)  # the work stays
    press(page, "Give access back")
    assert not any(person.is_revoked for person in people.list_people(desk))


def test_a_pause_needs_a_reason_and_a_paused_person_is_resumed(desk: Store) -> None:
    page = show_page("petra")
    page.selectbox(key="people_chosen").select("ben").run()
    press(page, "Pause")
    assert "A pause needs a reason" in page.error[0].value
    assert standing.read_standing(desk, "Help desk", "ben").paused_reason is None
    page.text_input(key="people_reason").input("tone")
    press(page, "Pause")
    assert standing.read_standing(desk, "Help desk", "ben").paused_reason == "tone"
    press(page, "Resume")
    assert standing.read_standing(desk, "Help desk", "ben").paused_reason is None


def test_a_revoked_person_is_told_on_the_page_that_was_open(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(desk, "ben", monkeypatch)
    app = run_app()
    people.revoke(desk, "ben", "petra")
    app.run()
    assert not app.exception
    assert "was taken away by a lead" in app.error[0].value
    assert "Question" not in read_everything(app)


def test_the_figures_are_computed_once_until_something_changes(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pitchpipe.store.judging import answer_reading

    reads = []
    read_work = answer_reading.read_work
    monkeypatch.setattr(answer_reading, "read_work", lambda *words: reads.append(1) or read_work(*words))
    page = show_page("petra")
    page.selectbox(key="people_chosen").select("ben").run()
    page.selectbox(key="people_chosen").select(MARKUP).run()
    assert len(reads) == 1
    people.change_person(desk, "ben", skills=["de"], actor="petra")
    page.run()
    assert len(reads) == 2
