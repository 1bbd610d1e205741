"""Names and projects: sessions are checked each time, settings are checked once."""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import list_events
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.projects import create_project, get_project, list_projects
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.team.people import (
    change_person,
    find_annotator,
    find_role,
    list_people,
    restore,
    revoke,
    sign_in,
    sign_out,
    was_revoked,
)


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """What is read must be the same in both homes of the tables."""
    return str(request.param)


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


def test_the_first_who_signs_in_becomes_lead_and_later_ones_annotators(store: Store) -> None:
    for name in ("Ana", "Ben", "Ana"):
        sign_in(store, name)
    assert [(person.name, person.role) for person in list_people(store)] == [("Ana", "lead"), ("Ben", "annotator")]
    assert [find_role(store, name) for name in ("Ana", "Ben", "nobody")] == ["lead", "annotator", "annotator"]


def test_where_people_signed_in_before_there_were_roles_the_earliest_is_lead(store: Store) -> None:
    for name in ("Zoe", "Ana"):
        sign_in(store, name)
    store.write(lambda t: t.run("UPDATE annotators SET role = 'annotator'"))
    assert [find_role(store, name) for name in ("Zoe", "Ana")] == ["lead", "annotator"]
    change_person(store, "Ana", role="lead", actor="local")
    # Naming another lead must not take the office from the one who had it without a name.
    assert [person.role for person in list_people(store)] == ["lead", "lead"]


def test_role_and_skills_change_apart_and_leave_an_event_each(store: Store) -> None:
    for name in ("Ana", "Ben"):
        sign_in(store, name)
    assert change_person(store, "Ben", skills=["de", "Code", "de"], actor="Ana").skills == ("code", "de")
    person = change_person(store, "Ben", role="curator", actor="Ana")
    assert (person.role, person.skills) == ("curator", ("code", "de"))
    assert change_person(store, "Ben", skills=[], actor="Ana").skills == ()
    events = [event for event in list_events(store) if event["action"] == "change_person"]
    assert [(event["actor"], event["subject"]) for event in events] == [("Ana", "Ben")] * 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"role": "boss"}, "The role 'boss' is unknown"),
        ({"skills": ["two words"]}, "The skill 'two words' cannot be used"),
        ({"skills": ["x" * 31]}, "cannot be used"),
        ({"skills": [f"s{n}" for n in range(21)]}, "21 skills are too many"),
        ({"role": "annotator"}, "Ana is the last lead"),
    ],
)
def test_a_change_that_cannot_be_is_told_and_changes_nothing(store: Store, change: dict[str, Any], words: str) -> None:
    sign_in(store, "Ana")
    before = list_people(store)
    with pytest.raises(UsageError, match=words):
        change_person(store, "Ana", actor="Ana", **change)
    assert list_people(store) == before


def test_a_revoked_person_is_signed_out_and_kept_out_until_restored(store: Store) -> None:
    sign_in(store, "Ana")
    session = sign_in(store, "Ben")
    assert revoke(store, "Ben", "Ana").is_revoked
    assert find_annotator(store, session) is None
    assert was_revoked(store, session) and not was_revoked(store, "made up") and not was_revoked(store, None)
    with pytest.raises(UsageError, match="'Ben' to this studio was taken away") as told:
        sign_in(store, "Ben")
    assert "Ask a lead" in told.value.advice
    restore(store, "Ben", "Ana")
    assert find_annotator(store, session) is None  # the old session stays ended
    assert find_annotator(store, sign_in(store, "Ben")) == "Ben"


def test_the_last_lead_cannot_be_revoked_and_a_revoked_lead_does_not_count(store: Store) -> None:
    for name in ("Ana", "Ben"):
        sign_in(store, name)
    with pytest.raises(UsageError, match="last lead"):
        revoke(store, "Ana", "Ana")
    assert find_role(store, "Ana") == "lead"
    change_person(store, "Ben", role="lead", actor="Ana")
    revoke(store, "Ana", "Ben")
    assert find_role(store, "Ana") == "annotator"  # a role without access is none
    with pytest.raises(UsageError, match="last lead"):
        change_person(store, "Ben", role="curator", actor="Ben")


def test_what_a_revoked_person_judged_stays_and_their_open_task_is_free(compare_store: Store) -> None:
    store = compare_store
    sign_in(store, "Ana")
    sign_in(store, "Ben")
    task = claim_next_task(store, "p", "Ben")
    assert task is not None
    submit_judgement(
        store, judgement_id="j1", task_id=task.task_id, annotator="Ben", token=task.token,
        value={"verdict": "tie", "strength": 0},
    )  # fmt: skip
    held = claim_next_task(store, "p", "Ben")
    assert held is not None
    revoke(store, "Ben", "Ana")
    assert store.read("SELECT id FROM judgements") == [("j1",)]
    free = store.read("SELECT leased_until <= ? FROM assignments WHERE task_id = ?", [utc_now(), held.task_id])
    assert free == [(True,)]


def test_nobody_of_that_name_is_told_with_the_known_ones(store: Store) -> None:
    sign_in(store, "Ana")
    for change in (lambda: revoke(store, "Bea", "Ana"), lambda: change_person(store, "Bea", role="lead", actor="Ana")):
        with pytest.raises(NotFoundError, match="Known: Ana"):
            change()
