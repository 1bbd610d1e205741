"""The Coverage view of the Data page: map, gaps, what to label next, subsets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store import projects
from pitchpipe.store.coverage.gaps import read_wanted
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.team import people
from pitchpipe.studio import session

NAME = "Help desk"
MARKUP = "<img src=x onerror=alert(1)> **loud**"
SORTS = {"baking": "How long do I bake {} rye bread in my oven", "lists": "Sort a python list of {} words by length"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    """Sixteen requests of two kinds to compare, nothing judged, one with markup; petra is lead."""
    store = open_store(tmp_path / "workspace")
    projects.create_project(store, NAME, holdout_share=0.0, overlap=1)
    rows = [
        {"q": words.format(f"{number} ") + (MARKUP if number == 0 else ""), "c": kind, "x": "Yes.", "y": "No."}
        for kind, words in SORTS.items()
        for number in range(8)
    ]
    file, mapping = tmp_path / "rows.jsonl", tmp_path / "map.toml"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    mapping.write_text('kind = "compare"\nprompt = "{q}"\ncategory = "{c}"\nanswer_a = "{x}"\nanswer_b = "{y}"\n')
    import_file(store, file, NAME, mapping=mapping)
    people.sign_in(store, "petra")
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


def show_view(part: str | None = None) -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import coverage

        store = session.current_store()
        coverage.show_view(store, projects.list_projects(store)[0], "petra")

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    return app if part is None else go_to(app, part)


def go_to(app: AppTest, part: str) -> AppTest:
    app.segmented_control(key="coverage_part").set_value(part).run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def read_texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.text, *app.caption])


def test_the_map_tells_what_there_is_and_lists_a_cluster(desk: Store) -> None:
    app = show_view()
    assert "16 requests in" in read_texts(app) and "of 2 kinds" in read_texts(app) and "0 judged" in read_texts(app)
    listed = app.dataframe[-1].value
    assert set(listed["kind"]) <= set(SORTS) and len(listed) > 1
    assert "Most typical" in read_texts(app)


def test_stored_text_is_never_markup(desk: Store) -> None:
    app = show_view()
    markup = "\n".join(
        [element.value for element in app.markdown] + [element.proto.body for element in app.get("html")]
    )
    assert "onerror" not in markup and "**loud**" not in markup


def test_the_number_of_clusters_can_be_chosen(desk: Store) -> None:
    app = show_view()
    app.selectbox(key="coverage_count").select(2).run()
    assert "16 requests in 2 clusters" in read_texts(app)


def test_gaps_are_shown_against_the_saved_list(desk: Store) -> None:
    app = show_view("Gaps")
    app.text_area[0].input("bakings: 20\npoems: 5")
    press(app, "coverage_save")
    project = projects.list_projects(desk)[0]
    assert read_wanted(desk.workspace, project.id) == {"bakings": 20, "poems": 5}
    assert "17 requests are missing." in read_texts(app)
    table = app.dataframe[0].value
    assert table[["kind", "found", "missing"]].to_numpy().tolist() == [["bakings", 8, 12], ["poems", 0, 5]]


def test_a_line_that_cannot_be_read_is_told_and_nothing_is_saved(desk: Store) -> None:
    app = show_view("Gaps")
    app.text_area[0].input("baking: many")
    press(app, "coverage_save")
    assert "Line 1 is" in app.error[0].value
    assert read_wanted(desk.workspace, projects.list_projects(desk)[0].id) == {}


def test_proposals_are_sent_to_the_head_of_the_queue_and_taken_back(desk: Store) -> None:
    app = show_view("Label next")
    app.selectbox(key="coverage_next_limit").select(10).run()
    table = app.dataframe[0].value
    assert len(table) == 10 and table["why"][0].startswith("nobody has judged anything among the")
    press(app, "coverage_ask")
    assert desk.read("SELECT count(*) FROM tasks WHERE priority = 1") == [(10,)]
    assert "10 tasks are at the head of the queue." in read_texts(app)
    press(app, "coverage_put_back")
    assert desk.read("SELECT count(*) FROM tasks WHERE priority <> 0") == [(0,)]


def test_a_subset_is_measured_and_tagged_and_untagged(desk: Store) -> None:
    app = show_view("Subsets")
    assert "press Choose" in read_texts(app)
    app.number_input(key="coverage_budget").set_value(4).run()
    press(app, "coverage_choose")
    report = app.dataframe[0].value
    assert report["this choice"][0] == "4" and report["all"][0] == "16" and report["random, as many"][0] == "4"
    press(app, "coverage_tag_them")
    assert desk.read("SELECT count(*) FROM tags WHERE tag = 'subset'") == [(4,)]
    assert "4 examples bear the tag 'subset' now." in read_texts(app)
    press(app, "coverage_untag")
    assert desk.read("SELECT count(*) FROM actions WHERE kind = 'tag' AND undone_at IS NOT NULL") == [(1,)]


def test_nothing_to_balance_by_is_told_in_place(desk: Store) -> None:
    app = show_view("Subsets")
    app.radio(key="coverage_way").set_value("balanced").run()
    app.multiselect(key="coverage_balance").set_value([]).run()
    press(app, "coverage_choose")
    assert "Nothing can be balanced" in app.error[0].value


def test_a_change_elsewhere_does_not_cluster_anew(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pitchpipe.store.coverage import covering

    runs = []
    find_clusters = covering.find_clusters
    monkeypatch.setattr(covering, "find_clusters", lambda *words: runs.append(1) or find_clusters(*words))
    app = show_view()
    go_to(app, "Gaps")
    people.sign_in(desk, "ben")
    desk.write(lambda t: t.run("UPDATE tasks SET priority = 3"))
    go_to(app, "Map")
    assert len(runs) == 1
    app.selectbox(key="coverage_count").select(3).run()
    assert len(runs) == 2


def test_too_few_requests_are_told(tmp_path: Path) -> None:
    store = open_store(tmp_path / "workspace")
    projects.create_project(store, NAME)
    session.set_store(store)
    try:
        app = show_view()
        assert "A map needs 5 requests or more; this project has 0 in use." in app.info[0].value
    finally:
        session.set_store(None)
        store.close()
