"""The pages run as Streamlit runs them, over a real store; test_annotate_in_chromium tests what a browser adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging import annotating
from pitchpipe.store.queue import queueing
from pitchpipe.store.team import people
from pitchpipe.studio import session


@pytest.fixture
def desk(fill_workspace: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    """A store with five comparisons, held by this process as the server holds it."""
    store = fill_workspace(tmp_path / "workspace", count=5, dwell_ms=0)
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


@pytest.fixture
def signed_in(desk: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session id that the pages read as the browser's cookie, which AppTest has none of."""
    session_id = people.sign_in(desk, "ana")
    monkeypatch.setattr(session, "read_session_id", lambda: session_id)
    return session_id


def run_app() -> AppTest:
    return AppTest.from_file(str(files("pitchpipe.studio") / "app.py"), default_timeout=30).run()


def read_everything(app: AppTest) -> str:
    """The text of every element with all its properties, as it goes to the browser."""
    return "\n".join(str(getattr(element, "proto", "")) for element in [*app.main, *app.sidebar])


def judge(store: Store, annotator: str, project: str) -> None:
    task = queueing.claim_next_task(store, project, annotator)
    assert task is not None
    annotating.submit_judgement(
        store,
        judgement_id=new_id("jdg"),
        task_id=task.task_id,
        annotator=annotator,
        token=task.token,
        value={"verdict": "first", "strength": -1},
    )


def open_annotate(app: AppTest) -> AppTest:
    button = next(button for button in app.button if "judging" in button.label)
    return button.click().run()


def test_without_a_session_nothing_is_shown_and_nothing_claimed(desk: Store) -> None:
    app = run_app()
    assert not app.exception
    assert "/login" in read_everything(app)
    assert "Question" not in read_everything(app)
    assert desk.read("SELECT count(*) FROM assignments") == [(0,)]


def test_home_tells_the_counts_and_the_next_step(desk: Store, signed_in: str, project_name: str) -> None:
    judge(desk, "ben", project_name)
    app = run_app()
    assert not app.exception
    shown = read_everything(app)
    assert "5 examples" in shown
    assert "1 person has judged" in shown
    assert "5 tasks wait for you" in shown


def test_annotate_shows_the_leased_task_and_never_a_model(
    desk: Store, signed_in: str, project_name: str, hidden_names: tuple[str, ...]
) -> None:
    app = open_annotate(run_app())
    assert not app.exception
    texts = [element.value for element in app.text]
    assert "Question 1: where is my parcel?" in texts
    assert "Parcels can be late (1). <img src=x onerror=alert(1)> **wait**" in texts
    assert not any(name in read_everything(app) for name in hidden_names)
    task = queueing.claim_next_task(desk, project_name, "ana")
    assert task is not None and task.messages[-1].content.startswith("Question 1")


def test_every_run_of_the_page_keeps_the_same_lease(desk: Store, signed_in: str) -> None:
    app = open_annotate(run_app())
    before = desk.read("SELECT task_id, token FROM assignments")
    app.run()
    assert desk.read("SELECT task_id, token FROM assignments") == before


def test_an_empty_queue_says_so(desk: Store, signed_in: str, project_name: str) -> None:
    app = open_annotate(run_app())
    for _ in range(5):
        judge(desk, "ana", project_name)
    app.run()
    assert not app.exception
    assert "Nothing waits for you here" in read_everything(app)


def test_a_session_that_was_ended_elsewhere_ends_here_at_the_next_run(desk: Store, signed_in: str) -> None:
    app = open_annotate(run_app())
    people.sign_out(desk, signed_in)
    app.run()
    assert "/login" in read_everything(app)
    assert "Question" not in read_everything(app)


def test_rounds_asks_for_a_snapshot_first_and_then_offers_a_run(desk: Store, signed_in: str, project_name: str) -> None:
    judge(desk, "ben", project_name)
    app = AppTest.from_function(_show_rounds_alone).run(timeout=30)
    assert "snapshot create" in str([code.value for code in app.code])
    snapshots.create_snapshot(desk, project_name, "first")
    app.run()
    assert not app.exception
    assert [select.label for select in app.selectbox][:1] == ["Snapshot"]
    assert app.button[0].label == "Preflight"


def _show_rounds_alone() -> None:
    from pitchpipe.store import projects
    from pitchpipe.studio import session
    from pitchpipe.studio.app_pages.rounds import page as rounds

    store = session.current_store()
    rounds.show_rounds(store, projects.list_projects(store)[0])
