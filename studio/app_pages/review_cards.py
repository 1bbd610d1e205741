"""One case as cards: why it is here, the request, the answers, what every rater said and why."""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.dispute_reading import Case, RaterAnswer
from pitchpipe.store.disputes import Dispute
from pitchpipe.studio.app_pages.review_words import place_marks, say_value
from pitchpipe.studio.app_pages.showing import show_constant

_MOST_KEYS = 9
_RATER_COLUMNS = (1.5, 2.4, 4.2, 1.1)


def show_reasons(dispute: Dispute | None, case: Case) -> None:
    """Why a curator should read this, in words, with what annotators wrote to them."""
    sentences = [reason.sentence for reason in dispute.reasons] if dispute else []
    if not sentences:
        return
    with st.container(key="card_why"):
        show_constant('<div class="rv-why">Why it is here</div>')
        for sentence in sentences:
            st.text(sentence)
        if not case.can_settle:
            st.text("This task measures (a blind review or a repeat), so it cannot be settled here.")


def show_matter(case: Case) -> None:
    """The request and the answers, without a word on who wrote them."""
    with st.container(key="card_ask", gap="xsmall"):
        for message in case.messages:
            show_constant('<div class="pp-who">{role}</div>', role=message.role.capitalize())
            st.text(message.content)
    if not case.answers:
        return
    with st.container(key="sides"):
        columns = st.columns(min(len(case.answers), 3)) if len(case.answers) > 1 else [st.container()]
        for place, text in enumerate(case.answers):
            title = f"Answer {chr(65 + place)}" if len(case.answers) > 1 else "Answer"
            with columns[place % len(columns)], st.container(key=f"card_answer_{place}", gap="xsmall"):
                show_constant('<div class="pp-side">{title}</div>', title=title)
                st.text(text or "(an empty answer)")


def show_raters(case: Case) -> str | None:
    """A picture of all answers, then each rater's own with its reason; the judgement whose key was pressed, if any."""
    taken = None
    with st.container(key="card_raters", gap="small"):
        count = len(case.judgements)
        title = f"What {count} {'rater' if count == 1 else 'raters'} said" if count else "Nobody has judged this yet"
        show_constant('<div class="pp-side">{title}</div>', title=title)
        _show_picture(case)
        for number, judgement in enumerate(case.judgements, 1):
            if _show_rater(case, number, judgement):
                taken = judgement.judgement_id
    return taken


def _show_picture(case: Case) -> None:
    rows = place_marks(case.kind.value, [judgement.value for judgement in case.judgements])
    for title, low, high, places in rows:
        marks = "".join(
            "<span>" + "".join(f'<i class="rv-mark">{int(rater)}</i>' for rater in raters) + "</span>"
            for raters in places
        )
        name = '<span class="name">{title}</span>' if title else ""
        show_constant(
            f'<div class="rv-scale {"" if title else "bare"}">{name}<span class="end">{{low}}</span>'
            f'<span class="rv-track">{marks}</span><span class="end">{{high}}</span></div>',
            title=title, low=low, high=high,
        )  # fmt: skip


def _show_rater(case: Case, number: int, judgement: RaterAnswer) -> bool:
    """One line: who, what, why, and the key that takes it."""
    with st.container(key=f"rater_{number}"):
        who, said, why, take = st.columns(_RATER_COLUMNS, vertical_alignment="top")
        with who:
            show_constant(
                '<div class="rv-rater"><i class="rv-mark">{number}</i><b>{name}</b></div>',
                number=number, name=judgement.annotator,
            )  # fmt: skip
        with said, st.container(key=f"said_{number}", gap=None):
            for line in say_value(case.kind.value, judgement.value, case.answers):
                st.text(line)
        with why, st.container(key=f"why_{number}"):
            st.text(judgement.reason or "no reason given")
        with take:
            is_taken: bool = st.button(
                "Take",
                key=f"take_{judgement.judgement_id}",
                shortcut=str(number) if number <= _MOST_KEYS else None,
                disabled=not case.can_settle,
                help=f"Settles the task with this answer{' (press its number)' if number <= _MOST_KEYS else ''}.",
            )
    return is_taken


def show_settlement(case: Case) -> None:
    """What stands now, and, since nobody can be swayed any more, who wrote the answers."""
    settlement = case.settlement
    if settlement is None:
        return
    taken = next((j.annotator for j in case.judgements if j.judgement_id == settlement.accepts), None)
    said = "; ".join(say_value(case.kind.value, settlement.value, case.answers))
    show_constant(
        '<div class="rv-settled">Settled: {said}{whose}</div>',
        said=said if len(said) < 160 else f"{said[:160]}…",
        whose=f", as {taken} said" if taken else "",
    )
    if settlement.reason:
        st.text(settlement.reason)
    named = [(chr(65 + place), model) for place, model in enumerate(case.models) if model]
    if named:
        words = ", ".join(f"{letter} by {model}" for letter, model in named)
        show_constant('<div class="rv-sub">Written: {words}</div>', words=words)
