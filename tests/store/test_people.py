"""Names and projects: sessions are checked each time, settings are checked once."""

from __future__ import annotations

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import list_events
from pitchpipe.store.people import find_annotator, sign_in, sign_out
from pitchpipe.store.projects import create_project, get_project, list_projects


def test_a_session_stands_for_its_annotator_until_it_ends(store: Store) -> None:
    session = sign_in(store, "  Ana  ")
    assert find_annotator(store, session) == "Ana"
    sign_out(store, session)
    assert find_annotator(store, session) is None
    assert find_annotator(store, "made up") is None
    assert find_annotator(store, None) is None


def test_two_sessions_of_one_annotator_end_apart(store: Store) -> None:
    first, second = sign_in(store, "Ana"), sign_in(store, "Ana")
    sign_out(store, first)
    assert find_annotator(store, second) == "Ana"
    assert store.read("SELECT name FROM annotators") == [("Ana",)]


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\x00b", "tab\there"])
def test_a_name_that_cannot_be_shown_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        sign_in(store, name)


def test_a_project_stays_as_it_was_made(store: Store) -> None:
    made = create_project(store, "p", overlap=3, salt="s")
    again = create_project(store, "p", overlap=1)
    assert again == made
    assert [project.name for project in list_projects(store)] == ["p"]
    assert [event["action"] for event in list_events(store)] == ["create_project"]


@pytest.mark.parametrize(
    "settings", [{"overlap": 0}, {"holdout_share": 0.6}, {"holdout_share": -0.1}, {"lease_seconds": 0}, {"name": ""}]
)
def test_settings_out_of_range_are_refused_with_the_range(store: Store, settings: dict[str, object]) -> None:
    values = {"name": "p", **settings}
    with pytest.raises(UsageError, match="It must be"):
        create_project(store, **values)  # type: ignore[arg-type]


def test_an_unknown_project_is_told_with_the_known_ones(store: Store) -> None:
    create_project(store, "known")
    with pytest.raises(NotFoundError, match="known"):
        get_project(store, "nope")
