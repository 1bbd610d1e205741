"""The rows of the Data page: find, look, decide on one or many, take back, ask in SQL, draw, save."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.curation import catalogue, curating
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.curation.slices import find_examples, list_slices, save_slice
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging import annotating
from pitchpipe.store.queue import queueing
from pitchpipe.store.team import people
from pitchpipe.studio import session
from pitchpipe.studio.app_pages.data.rows_actions import write_csv

PROJECT = "Help desk"


@pytest.fixture
def desk(fill_workspace: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    """Five comparisons, one of them judged; cora is a curator."""
    store = fill_workspace(tmp_path / "workspace", count=5, dwell_ms=0)
    session.set_store(store)
    people.sign_in(store, "petra")
    people.sign_in(store, "cora")
    people.change_person(store, "cora", role="curator", actor="petra")
    task = queueing.claim_next_task(store, PROJECT, "petra")
    assert task is not None
    annotating.submit_judgement(
        store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="petra", token=task.token, seconds=9.0,
        value={"verdict": "first", "strength": -2}, reason="kinder",
    )  # fmt: skip
    yield store
    session.set_store(None)
    store.close()


def show_page(**state: Any) -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import page

        store = session.current_store()
        page.show_data(store, projects.list_projects(store)[0], "cora")

    app = AppTest.from_function(script, default_timeout=60)
    for key, value in state.items():
        app.session_state[key] = value
    return check(app.run())


def check(app: AppTest) -> AppTest:
    assert not app.exception, app.exception[0].value
    return app


def read_html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def read_texts(app: AppTest) -> str:
    return "\n".join(text.value for text in app.text)


def list_requests(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["request"])


def find_dropped(store: Store) -> list[str]:
    return find_examples(store, PROJECT, Slice(filters=(("decision", "is", ("drop",)),)))


def test_words_narrow_the_table_and_its_count(desk: Store) -> None:
    page = show_page()
    assert len(list_requests(page)) == 5 and ">5</b><span>of 5 examples" in read_html(page)
    check(page.text_input(key="rows_words").input('"question 3" parcel').run())
    assert [request[:11] for request in list_requests(page)] == ["Question 3:"]
    check(page.text_input(key="rows_words").input("nowhere").run())
    assert "No example fits." in read_texts(page)


def test_a_drop_of_all_that_fit_needs_a_reason_and_is_undone_as_a_whole(desk: Store) -> None:
    page = show_page()
    check(page.text_input(key="rows_words").input("question").run())
    page.get("button_group")
    check(page.selectbox(key="rows_do").select("drop").run())
    check(set_scope(page, "all"))
    check(page.button(key="rows_go").click().run())
    assert "A drop needs a reason" in page.error[0].value and find_dropped(desk) == []
    check(page.text_input(key="rows_note").input("test run").run())
    check(page.button(key="rows_go").click().run())
    assert len(find_dropped(desk)) == 5
    assert any("cora dropped 5 rows" in caption.value for caption in page.caption)
    assert page.text_input(key="rows_note").value == ""
    action = curating.list_actions(desk, PROJECT)[0]
    check(page.button(key=f"rows_undo_{action.id}").click().run())
    assert find_dropped(desk) == []
    check(page.button(key=f"rows_undo_{action.id}").click().run())
    assert len(find_dropped(desk)) == 5


def set_scope(page: AppTest, scope: str) -> AppTest:
    group = next(group for group in page.get("button_group") if group.key == "rows_scope")
    return group.set_value(scope).run()


def test_more_than_a_hundred_rows_are_asked_about_first(fill_workspace: Callable[..., Store], tmp_path: Path) -> None:
    store = fill_workspace(tmp_path / "many", count=101, dwell_ms=0)
    session.set_store(store)
    people.sign_in(store, "cora")
    try:
        page = show_page()
        check(set_scope(page, "all"))
        assert page.button(key="rows_go").disabled
        check(page.checkbox[0].check().run())
        assert not page.button(key="rows_go").disabled
    finally:
        session.set_store(None)
        store.close()


def test_a_row_is_a_card_with_everything_known_and_is_decided_there(desk: Store) -> None:
    judged = desk.read("SELECT example_id FROM judgements")[0][0]
    page = show_page(rows_open=judged)
    html, texts = read_html(page), read_texts(page)
    assert "<b>petra</b>" in html and "“kinder”" in texts
    # The verdict speaks of the answers in the order in which the card shows them.
    better = "A" if texts.index("Look next door") < texts.index("Parcels can be late") else "B"
    won = desk.read("SELECT (value ->> '$.verdict') = 'a', candidate_ids, shown FROM judgements AS j "
                    "JOIN tasks AS t ON t.id = j.task_id")[0]  # fmt: skip
    assert f"{'A' if won[0] else 'B'} better" in texts and "above)" not in texts and better == "A"
    assert "Open for training" in html and "hidden-model-north" in html
    assert "Parcels can be late" in texts and "<img" not in html.replace("&lt;img", "")
    check(page.button(key="rows_one_Drop").click().run())
    assert "A drop needs a reason" in page.error[0].value
    check(page.text_input(key=f"rows_reason_{judged}").input("spam").run())
    check(page.button(key="rows_one_Drop").click().run())
    assert "Out of new snapshots: cora dropped it (spam)." in read_html(page)
    check(page.button(key="rows_Next").click().run())
    assert page.session_state["rows_open"] != judged
    check(page.button(key="rows_close").click().run())
    assert not any(button.key == "rows_close" for button in page.button)


def test_values_with_counts_narrow_and_conditions_are_added_and_taken_away(desk: Store) -> None:
    ids = find_examples(desk, PROJECT, Slice())
    curating.act_on(desk, PROJECT, "tag", ids[:2], note="", actor="cora", tag="tone")
    page = show_page()
    tags = page.multiselect(key="rows_facet_tags")
    assert tags.options == ["none (3)", "tone (2)"]
    check(tags.select("tone").run())
    assert len(list_requests(page)) == 2
    check(page.multiselect(key="rows_facet_tags").unselect("tone").run())
    check(page.selectbox(key="rows_field").select("judgements").run())
    check(page.selectbox(key="rows_operator_number").select(">=").run())
    check(page.text_input(key="rows_value").input("many").run())
    check(page.button(key="rows_add").click().run())
    assert "is no number" in page.error[0].value
    check(page.text_input(key="rows_value").input("1").run())
    check(page.button(key="rows_add").click().run())
    assert len(list_requests(page)) == 1
    check(page.button(key="rows_away_0").click().run())
    assert len(list_requests(page)) == 5


def test_a_slice_is_saved_and_taken_up_again(desk: Store) -> None:
    page = show_page()
    check(page.text_input(key="rows_words").input("late").run())
    check(page.text_input(key="rows_save_name").input("the late ones").run())
    check(page.button(key="rows_save").click().run())
    assert [(saved.name, saved.slice.words) for saved in list_slices(desk, PROJECT)] == [("the late ones", "late")]
    save_slice(desk, PROJECT, "third", Slice('"question 3"', sql="SELECT example_id FROM tasks"), "cora")
    page = show_page()
    check(page.selectbox(key="rows_saved").select("third").run())
    assert page.text_input(key="rows_words").value == '"question 3"'
    assert len(list_requests(page)) == 1


def test_sql_shows_rows_and_becomes_a_slice_and_a_fault_is_told(desk: Store) -> None:
    page = show_page(rows_view="SQL")
    check(page.text_area(key="rows_sql").input("SELECT example_id FROM judgements").run())
    check(page.button(key="rows_sql_run").click().run())
    assert page.dataframe[0].value.shape == (1, 1)
    check(page.button(key="rows_sql_use").click().run())
    assert len(list_requests(page)) == 1
    page = show_page(rows_view="SQL")
    check(page.text_area(key="rows_sql").input("DROP TABLE examples").run())
    check(page.button(key="rows_sql_run").click().run())
    assert "not one SELECT" in page.error[0].value


def test_what_is_typed_right_before_a_press_counts(desk: Store) -> None:
    """A press right after typing reaches the server together with the text: no run has seen the new text yet."""
    page = show_page()
    page.text_input(key="rows_save_name").input("quick")
    check(page.button(key="rows_save").click().run())
    assert [saved.name for saved in list_slices(desk, PROJECT)] == ["quick"]
    check(page.selectbox(key="rows_field").select("judgements").run())
    page.selectbox(key="rows_operator_number").select(">=")
    page.text_input(key="rows_value").input("1")
    check(page.button(key="rows_add").click().run())
    assert len(list_requests(page)) == 1
    row = find_examples(desk, PROJECT, Slice())[0]
    page = show_page(rows_open=row)
    page.text_input(key=f"rows_reason_{row}").input("spam")
    check(page.button(key="rows_one_Drop").click().run())
    assert find_dropped(desk) == [row]
    page = show_page(rows_view="SQL")
    check(page.button(key="rows_sql_run").click().run())
    page.text_area(key="rows_sql").input("SELECT example_id FROM judgements")
    check(page.button(key="rows_sql_use").click().run())
    assert len(list_requests(page)) == 1


def test_nothing_found_offers_the_way_back_to_all_rows(desk: Store) -> None:
    page = show_page()
    check(page.text_input(key="rows_words").input("nowhere").run())
    check(page.button(key="rows_clear").click().run())
    assert page.text_input(key="rows_words").value == "" and len(list_requests(page)) == 5


def test_similar_requests_are_opened_by_a_press(desk: Store) -> None:
    first = find_examples(desk, PROJECT, Slice())[0]
    page = show_page(rows_open=first, **{f"rows_similar_{first}": True})
    alike = [button for button in page.button if (button.key or "").startswith("rows_like_")]
    assert len(alike) == 4
    check(alike[0].click().run())
    assert page.session_state["rows_open"] == (alike[0].key or "").removeprefix("rows_like_") != first


def test_the_slice_is_drawn(desk: Store) -> None:
    page = show_page(rows_view="Charts")
    assert "Words in the request" in read_html(page) and "5 examples" in read_html(page)
    check(page.text_input(key="rows_words").input("nowhere").run())
    assert "nothing to draw" in read_texts(page)


def test_the_table_as_csv_holds_no_formula(desk: Store) -> None:
    desk.write(lambda t: t.run("UPDATE examples SET category = '=cmd()' WHERE contains(messages, 'Question 1')"))
    made = catalogue.open_catalogue(desk, PROJECT, is_fresh=True)
    frame = pl.read_csv(write_csv(made, Slice()))
    assert frame.height == 5 and frame["category"][0] == "'=cmd()"


def test_the_table_as_csv_holds_all_rows_however_many(desk: Store) -> None:
    made = catalogue.open_catalogue(desk, PROJECT, is_fresh=True)
    # A hundred thousand rows and one more, as copies: an import of so many would take too long here.
    made.connection.execute("CREATE TABLE one AS FROM example_facts LIMIT 1").fetchall()
    made.connection.execute(
        "INSERT INTO example_facts SELECT one.* REPLACE (1000 + range AS number) FROM one, range(99_996)"
    ).fetchall()
    assert write_csv(made, Slice()).count(b"\n") == 1 + 100_001
    assert write_csv(made, Slice("nowhere")).startswith(b"request,category,")


def test_without_a_project_the_page_leads_to_the_import(tmp_path: Path) -> None:
    def script() -> None:
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import page

        page.show_data(session.current_store(), None, "petra")

    store = open_store(tmp_path / "workspace")
    people.sign_in(store, "petra")
    session.set_store(store)
    try:
        app = check(AppTest.from_function(script, default_timeout=60).run())
        check(app.button(key="data_import").click().run())
        assert app.query_params["view"] in ("imports", ["imports"])
        app = AppTest.from_function(script, default_timeout=60)
        app.query_params["view"] = "Import"
        assert "1 · The file" in [header.value for header in check(app.run()).subheader]
    finally:
        session.set_store(None)
        store.close()
