"""The People page, for leads alone: how far the judgements can be relied on, and how each person judges.

It is there to find the guideline that needs work and the person who needs help; people stand in the order of their
names, never of their figures, and nobody but leads sees it.
"""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.judging import answer_reading
from pitchpipe.store.measures.pace import describe_forecast
from pitchpipe.store.records import Project
from pitchpipe.store.team import people, quality_reading, rater_reading
from pitchpipe.store.team.quality_reading import ProjectQuality
from pitchpipe.store.team.rater_reading import RaterCard
from pitchpipe.studio.app_pages import people_actions, people_cards, people_charts
from pitchpipe.studio.app_pages.showing import PAGE_ROLES, plain, show_constant, show_problem

_KEPT = "people_figures"
_CHOSEN = "people_chosen"


def show_people(store: Store, project: Project | None, viewer: str) -> None:
    """Shows the project and its people; everyone who is not a lead is turned away."""
    if people.find_role(store, viewer) not in PAGE_ROLES["people"]:
        show_problem("This page is for leads.", "It tells how people judge, which others are not to see. Go to Home.")
        return
    st.html((files("pitchpipe.studio.app_pages") / "people.css").read_text(encoding="utf-8"))
    st.header("People", anchor=False)
    if project is None:
        st.text("There is no project yet, so nobody has judged.")
        _show_person(store, None, [], viewer)
        return
    quality, cards = _read_figures(store, project.name)
    show_constant('<div class="pp-lead">{words}</div>', words=_describe_group(cards))
    with st.container(key="twins_people"):
        left, right = st.columns([1.55, 1])
        with left, st.container(key="card_agreement"):
            _show_agreement(quality)
        with right, st.container(key="card_pace"):
            _show_pace(quality)
    if cards:
        with st.container(key="card_raters"):
            st.subheader("Each person", anchor=False)
            people_cards.show_table(cards)
    _show_person(store, project, cards, viewer)


def _read_figures(store: Store, project: str) -> tuple[ProjectQuality, list[RaterCard]]:
    """The figures, kept until something in the project changes: a click must not compute them anew."""
    mark = quality_reading.read_mark(store, project)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != mark:
        work = answer_reading.read_work(store, project)
        kept = (
            mark,
            quality_reading.describe_project_quality(store, project, work),
            rater_reading.describe_raters(store, project, work),
        )
        st.session_state[_KEPT] = kept
    return kept[1], kept[2]


def _describe_group(cards: list[RaterCard]) -> str:
    judged = sum(card.judged for card in cards)
    if not judged:
        return "Nobody has judged in this project yet."
    who = "1 person has" if len(cards) == 1 else f"{len(cards):,} people have"
    return f"{who} made {judged:,} judgements · seen by leads alone"


def _show_agreement(quality: ProjectQuality) -> None:
    st.subheader("How far the answers can be relied on", anchor=False)
    if not quality.questions:
        st.text(quality.advice)
        return
    measured = [question for question in quality.questions if question.agreement.alpha is not None]
    if measured:
        people_charts.draw_agreement(measured)
        show_constant(
            '<div class="pp-quiet pp-legend">Krippendorff\'s alpha with its 95% interval. Below 0.667: not yet. '
            "From 0.667: tentative. From 0.80: firm.</div>"
        )
    weakest = quality.questions[0]
    with st.container(gap="small"):
        people_cards.show_question(weakest)
        if len(quality.questions) > 1:
            with st.expander(f"The other {len(quality.questions) - 1} in words"):
                for question in quality.questions[1:]:
                    people_cards.show_question(question)


def _show_pace(quality: ProjectQuality) -> None:
    st.subheader("Pace", anchor=False)
    if quality.daily:
        people_charts.draw_daily(quality.daily)
    st.text(describe_forecast(quality.forecast))
    if quality.hours_left:
        st.text(f"That is about {people_cards.tell_hours(quality.hours_left)} of work at the usual pace.")
    if quality.expected_extra >= 1:
        st.text(f"Where raters disagree the queue will ask about {quality.expected_extra:,.0f} times more.")
    if quality.questions:
        with st.container(key="card_advice", gap="xsmall"):
            show_constant('<div class="pp-next">What to do first</div>')
            st.text(quality.advice)


def _show_person(store: Store, project: Project | None, cards: list[RaterCard], viewer: str) -> None:
    """One person on selection: the figures in words and pictures, and what a lead can do."""
    known = {person.name: person for person in people.list_people(store)}
    names = sorted({card.name for card in cards} | set(known), key=str.casefold)
    if not names:
        return
    name = st.selectbox("Look closer at", names, key=_CHOSEN, width=320)
    if name is None:
        return
    card = next((card for card in cards if card.name == name), None)
    with st.container(key="card_person"):
        head, actions = st.columns([3, 1], vertical_alignment="center")
        with head:
            st.subheader(plain(name), anchor=False)
            st.caption(plain(people_cards.describe_standing(card, known.get(name))))
        with actions:
            people_actions.show_actions(store, project, name, known.get(name), card, viewer)
        if card is None or not card.judged:
            st.text("Has not judged in this project yet.")
        else:
            people_cards.show_card(card)
