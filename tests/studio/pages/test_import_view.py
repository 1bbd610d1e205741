"""The Import view: from a file to rows in a project; nothing is stored before it is asked for, nothing typed lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing import ingest
from pitchpipe.store.projects import create_project, list_projects
from pitchpipe.store.team import people
from pitchpipe.studio import import_jobs, session
from tests.studio.pages.test_people import read_everything, sign_in

PAIRS = [{"prompt": f"Question {n}?", "chosen": "yes", "rejected": "no"} for n in range(12)]
TABLE = [
    {"q": f"Question {n}?", "answer_1": "left", "answer_2": "right", "rater1": "1" if n else "2", "rater2": "0"}
    for n in range(12)
]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store whose curator is the lead, and files in the folder that may be imported from."""
    store = open_store(tmp_path / "workspace")
    session.set_store(store)
    sign_in(store, "petra", monkeypatch)
    incoming = store.workspace / "incoming"
    incoming.mkdir()
    (incoming / "pairs.jsonl").write_text("\n".join(map(json.dumps, PAIRS)) + '\n{"broken\n')
    (incoming / "table.jsonl").write_text("\n".join(map(json.dumps, TABLE)) + "\n")
    (incoming / "wrong.jsonl").write_text("nothing\nof\nuse\n")
    (incoming / "markup.jsonl").write_text(json.dumps({**PAIRS[0], "prompt": "<b>bold</b> **loud**"}) + "\n")
    yield store
    import_jobs.forget_job("petra")
    session.set_store(None)
    store.close()


def show_view(project: str | None = None) -> AppTest:
    def script(project: str | None) -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import imports

        store = session.current_store()
        imports.show_view(store, projects.get_project(store, project) if project else None, "petra")

    app = AppTest.from_function(script, kwargs={"project": project}, default_timeout=60).run()
    assert not app.exception
    return app


def choose(app: AppTest, name: str) -> AppTest:
    if app.button_group(key="imports_way").value != "On the server":
        app.button_group(key="imports_way").set_value("On the server").run()
    app.text_input(key="imports_typed").set_value(name).run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    job = import_jobs.find_job("petra")
    if job is not None and not job.is_asked_to_stop:
        assert job.done.wait(60)
        app.run()
    assert not app.exception
    return app


def find_input(app: AppTest, label: str) -> list[str]:
    return [field.value for field in app.text_input if field.label == label]


def test_a_file_becomes_a_new_project_after_a_dry_run(studio: Store) -> None:
    app = choose(show_view(), "pairs.jsonl")
    assert "Guessed: its rows have chosen, rejected." in read_everything(app)
    app.text_input(key="imports_new_project").set_value("Help desk").run()
    press(app, "imports_try")
    shown = read_everything(app)
    assert "Judgements: 12 compare by 1 rater; 12 of them new." in shown
    assert "broken JSON" in str(app.dataframe[-1].value)
    assert list_projects(studio) == []
    press(app, "imports_go")
    assert "12 rows of pairs.jsonl are in Help desk" in read_everything(app)
    assert studio.read("SELECT count(*) FROM examples") == [(12,)]
    assert not list(studio.workspace.glob(".import*"))


def test_a_dry_run_of_something_else_does_not_open_the_import(studio: Store) -> None:
    create_project(studio, "p")
    app = choose(show_view("p"), "pairs.jsonl")
    press(app, "imports_try")
    assert [button.key for button in app.button if button.key == "imports_go"] == ["imports_go"]
    choose(app, "markup.jsonl")
    assert [button.key for button in app.button if button.key == "imports_go"] == []


def test_the_mapping_is_suggested_from_the_columns_and_translates_the_words_of_the_file(studio: Store) -> None:
    create_project(studio, "p", holdout_share=0.0)
    app = choose(show_view("p"), "table.jsonl")
    assert find_input(app, "First answer") == ["{answer_1}"]
    assert find_input(app, "Rater") == ["rater1", "rater2"]
    request = next(area for area in app.text_area if area.label == "Request")
    request.set_value("{q}").run()
    for word, meaning in (("0", "tie"), ("1", "a"), ("2", "b")):
        next(box for box in app.selectbox if box.label == f"“{word}” means").set_value(meaning).run()
    press(app, "imports_try")
    press(app, "imports_go")
    found = studio.read("SELECT annotator, value, count(*) FROM judgements GROUP BY ALL ORDER BY ALL")
    assert [(rater, json.loads(value)["verdict"], count) for rater, value, count in found] == [
        ("rater1", "a", 11), ("rater1", "b", 1), ("rater2", "tie", 12),
    ]  # fmt: skip


def test_judgements_that_repeat_what_their_rater_said_are_counted_before_the_import(studio: Store) -> None:
    create_project(studio, "p")
    twice = [json.dumps(PAIRS[0]), json.dumps(PAIRS[0]), json.dumps(PAIRS[1])]
    (studio.workspace / "incoming" / "twice.jsonl").write_text("\n".join(twice) + "\n")
    shown = read_everything(press(choose(show_view("p"), "twice.jsonl"), "imports_try"))
    assert "Judgements: 3 compare by 1 rater; 2 of them new." in shown
    assert "1 say of the same answers what their rater has said already" in shown


def test_the_report_of_an_import_stands_alone_and_is_one_line_beside_another_file(studio: Store) -> None:
    create_project(studio, "p")
    app = choose(show_view("p"), "pairs.jsonl")
    press(app, "imports_try")
    press(app, "imports_go")
    keys = [button.key for button in app.button]
    assert "imports_rows" in keys and "imports_try" not in keys
    choose(app, "markup.jsonl")
    keys = [button.key for button in app.button]
    assert "imports_rows" not in keys and "imports_try" in keys
    assert any("Before: 12 rows of pairs" in caption.value.replace("\\", "") for caption in app.caption)


def test_a_refused_row_is_told_with_what_helps(studio: Store) -> None:
    create_project(studio, "p")
    app = choose(show_view("p"), "table.jsonl")
    next(area for area in app.text_area if area.label == "Request").set_value("{q}").run()
    (told,) = [error.value.replace("\\", "") for error in app.error]
    assert "All rows shown here are refused" in told and "under 'What its words mean'" in told


def test_a_wrong_file_loses_nothing_of_the_mapping(studio: Store) -> None:
    create_project(studio, "p")
    app = choose(show_view("p"), "table.jsonl")
    next(area for area in app.text_area if area.label == "Request").set_value("Please: {q}").run()
    choose(app, "wrong.jsonl")
    shown = read_everything(app)
    assert "wrong.jsonl can be read; line 1: broken JSON" in app.error[0].value.replace("\\", "")
    assert "The mapping typed so far is kept." in shown
    choose(app, "table.jsonl")
    assert [area.value for area in app.text_area if area.label == "Request"] == ["Please: {q}"]


@pytest.mark.parametrize("typed", ["../store.duckdb", "/etc/passwd", "link/passwd", "a\x00b"])
def test_a_path_outside_of_the_folders_is_refused(studio: Store, typed: str) -> None:
    (studio.workspace / "incoming" / "link").symlink_to("/etc")
    app = choose(show_view(), typed)
    assert any(word in read_everything(app) for word in ("lies outside of the folders", "There is no"))
    assert "card_import_rows" not in read_everything(app)


def test_stored_text_stays_text(studio: Store) -> None:
    app = choose(show_view(), "markup.jsonl")
    assert "<b>bold</b> **loud**" in [text.value for text in app.text]
    assert not any("<b>bold" in element.value for element in app.markdown)


def test_an_import_that_is_stopped_stores_nothing(studio: Store, wait: Callable[[str], None]) -> None:
    create_project(studio, "p")

    def work(tell: Callable[[int], None], _meter: object) -> None:
        for rows in range(10_000):
            tell(rows)
            wait("a moment")

    job = import_jobs.start_job("petra", "Importing x", "import", None, work, patience=0.05)
    assert job.state == "running"
    app = show_view("p")
    press(app, "imports_stop")
    assert job.done.wait(10)
    assert job.state == "stopped"
    app.run()
    assert "nothing was stored" in read_everything(app)


def test_an_import_that_fails_leaves_no_empty_project(studio: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = choose(show_view(), "pairs.jsonl")
    app.text_input(key="imports_new_project").set_value("Help desk").run()
    press(app, "imports_try")

    def fail(*_: object) -> None:
        raise ImportFileError("pairs.jsonl cannot be read: no more disk.", "Check the disk.")

    monkeypatch.setattr(ingest, "stage_rows", fail)
    press(app, "imports_go")
    assert "no more disk" in read_everything(app)
    assert list_projects(studio) == []


@pytest.fixture
def wait() -> Callable[[str], None]:
    """Lets a moment pass."""
    import time

    return lambda _why: time.sleep(0.01)


def test_somebody_else_signs_in_to_their_own_jobs(studio: Store) -> None:
    people.sign_in(studio, "ben")
    import_jobs.start_job("ben", "Importing y", "import", None, lambda _tell, _meter: None)
    assert import_jobs.find_job("petra") is None
    import_jobs.forget_job("ben")
