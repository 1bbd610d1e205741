"""What a lead can do about a person: role and skills, pause, access."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.queue import standing
from pitchpipe.store.records import Project
from pitchpipe.store.team import people
from pitchpipe.store.team.people import Person
from pitchpipe.store.team.rater_reading import RaterCard
from pitchpipe.studio.app_pages.showing import show_problem


def show_actions(
    store: Store, project: Project | None, name: str, person: Person | None, card: RaterCard | None, viewer: str
) -> None:
    """A button that opens the form; nothing for somebody who never signed in but came with a file."""
    if person is None:
        return
    with st.popover("Role, pause, access", width="stretch"):
        _show_role(store, person, viewer)
        if project is not None and not person.is_revoked:
            _show_pause(store, project, name, card, viewer)
        _show_access(store, person, viewer)


def _show_role(store: Store, person: Person, viewer: str) -> None:
    with st.form(f"person_{person.name}", border=False):
        role = st.selectbox("Role", people.ROLES, index=people.ROLES.index(person.role))
        skills = st.text_input("Languages and skills", ", ".join(person.skills), placeholder="de, code")
        if st.form_submit_button("Save", type="primary"):
            wanted = skills.replace(",", " ").split()
            _do(lambda: people.change_person(store, person.name, role=role, skills=wanted, actor=viewer))


def _show_pause(store: Store, project: Project, name: str, card: RaterCard | None, viewer: str) -> None:
    if card is not None and card.paused_reason:
        st.caption("Paused: no tasks are handed out.")
        if st.button("Resume", key="people_resume"):
            _do(lambda: standing.resume_annotator(store, project.name, name, viewer))
        return
    reason = st.text_input("Reason for a pause", key="people_reason", placeholder="Let us talk about tone first.")
    if st.button("Pause", key="people_pause", help="No more tasks are handed out until a lead resumes."):
        if not reason.strip():
            show_problem("A pause needs a reason.", "The person is shown it, so say what happens next.")
            return
        _do(lambda: standing.pause_annotator(store, project.name, name, reason.strip(), viewer))


def _show_access(store: Store, person: Person, viewer: str) -> None:
    if person.is_revoked:
        if st.button("Give access back", key="people_restore"):
            _do(lambda: people.restore(store, person.name, viewer))
        return
    st.caption("Taking access away signs the person out. Everything they judged stays.")
    if st.button("Take access away", key="people_revoke"):
        _do(lambda: people.revoke(store, person.name, viewer))


def _do(action: Callable[[], object]) -> None:
    """Runs the action and draws the page anew, or tells in place why it could not be done."""
    try:
        action()
    except PitchpipeError as error:
        show_problem(error.happened, error.advice)
        return
    st.rerun()
