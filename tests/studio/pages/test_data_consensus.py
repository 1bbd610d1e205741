"""The Consensus view: strategies side by side, what a choice changes, live counts, and the way into the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.queue.gold import set_gold
from pitchpipe.store.team.people import sign_in
from pitchpipe.studio import session
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer

MARKUP = "**loud** <b>mallory</b>"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Store]:
    """Four comparisons: two agreed on, one tied, one of known answer; and a rating of 0, 0 and 4 by name of markup."""
    store = open_store(tmp_path / "workspace")
    session.set_store(store)
    for n in range(4):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab")
        add_judgement(store, f"t{n}", "ana", prefer("a", -2))
        add_judgement(store, f"t{n}", "ben", prefer("b" if n == 0 else "a", 1 if n == 0 else -1))
    store.write(lambda t: t.run("UPDATE candidates SET model = 'north' WHERE ends_with(id, 'a')"))
    store.write(lambda t: t.run("UPDATE candidates SET model = 'south' WHERE ends_with(id, 'b')"))
    set_gold(store, PROJECT, "t3", {"verdict": "a", "strength": -1})
    add_task(store, "r", "e1", "rate", "a")
    for rater, score in (("ana", 0), (MARKUP, 0), ("cai", 4)):
        add_judgement(store, "r", rater, {"helpfulness": score})
    sign_in(store, "lea")
    yield store
    session.set_store(None)
    store.close()


def show() -> AppTest:
    def script() -> None:
        from pitchpipe.store import projects
        from pitchpipe.studio import session
        from pitchpipe.studio.app_pages.data import consensus

        store = session.current_store()
        consensus.show_view(store, projects.list_projects(store)[0], "lea")

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.text, *app.caption])


@pytest.mark.usefixtures("desk")
def test_strategies_of_the_verdict_stand_side_by_side_with_their_figures() -> None:
    app = show()
    table = app.dataframe[0].value
    assert table["Strategy"].tolist() == ["majority (now)", "Dawid-Skene"]
    assert table["Tied"].tolist()[0] == "1"
    assert table["Right on known answers"].tolist()[0].startswith("100.0%")
    assert "On your 1 known answers majority and Dawid-Skene are right equally often." in texts(app)
    assert "Most raters have fewer than 10 labels" in texts(app)
    standings = app.dataframe[-1].value
    # the tied pair and the two agreed ones: north won 5 and lost 1 of 6; the known answer does not count
    assert (standings["Model"].tolist(), standings["Won"].tolist()) == (["north", "south"], ["5", "1"])


@pytest.mark.usefixtures("desk")
def test_the_rules_count_live_what_they_leave_out_and_go_into_the_recipe() -> None:
    app = show()
    assert "Leaves nothing out: all 3 stay." in texts(app)
    app.radio(key="consensus_ties").set_value("drop").run()
    assert "Leaves out 1 of 3: 1 tied. 2 stay." in texts(app)
    app.selectbox(key="consensus_spread").set_value("by 1").run()
    app.slider(key="consensus_support").set_value(60).run()
    app.segmented_control(key="consensus_strategy_verdict").set_value("dawid_skene").run()
    app.button(key="consensus_take").click().run()
    assert not app.exception
    assert app.session_state["recipe_consensus"] == {
        "strategy": "mean", "strategies": (("verdict", "dawid_skene"),), "tie_policy": "drop", "widest_spread": 1,
        "lowest_support": 0.6,
    }  # fmt: skip
    assert app.dataframe[0].value["Strategy"].tolist() == ["majority", "Dawid-Skene (now)"]


@pytest.mark.usefixtures("desk")
def test_another_strategy_lists_the_rows_it_changes_with_what_raters_said() -> None:
    app = show()
    app.selectbox(key="consensus_question").set_value("helpfulness").run()
    app.segmented_control(key="consensus_strategy_helpfulness").set_value("median").run()
    assert not app.exception
    # mean 4/3, so 1; median 0
    assert "Against mean: 1 from 1 to 0." in texts(app)
    (changes,) = [frame.value for frame in app.dataframe if "By median" in frame.value.columns]
    assert changes.to_dict("records") == [{
        "Request": "The request of e1", "By mean": "1", "By median": "0",
        "What raters said": f"{MARKUP}: 0 · ana: 0 · cai: 4",
    }]  # fmt: skip


def test_a_project_without_judgements_says_so(desk: Store) -> None:
    desk.write(lambda t: t.run("DELETE FROM judgements"))
    assert "nothing to add up" in show().info[0].value


def test_a_new_judgement_is_seen_at_the_next_look(desk: Store) -> None:
    app = show()
    add_judgement(desk, "t0", "cai", prefer("a", -1))
    app.run()
    assert app.dataframe[0].value["Tied"].tolist()[0] == "0"


def test_figures_that_took_long_wait_to_be_asked(desk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pitchpipe.studio.app_pages.data import consensus

    monkeypatch.setattr(consensus, "_LONG", 0.0)
    app = show()
    add_judgement(desk, "t0", "cai", prefer("a", -1))
    app.run()
    assert "People have judged since" in texts(app)
    assert app.dataframe[0].value["Tied"].tolist()[0] == "1"
    app.button(key="consensus_again").click().run()
    assert app.dataframe[0].value["Tied"].tolist()[0] == "0"
