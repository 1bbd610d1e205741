"""One case as cards: why it is here, the request, the answers, what every rater said and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from pitchpipe.store.review.dispute_reading import Case, RaterAnswer
from pitchpipe.store.review.disputes import Dispute
from pitchpipe.studio.app_pages.review_words import arrange_value, place_marks, say_value
from pitchpipe.studio.app_pages.showing import show_constant

_MOST_KEYS = 9
_SHORT_LINE = 40
_LONGEST_SAID = 110
_SHORT_COLUMNS = (1.5, 2.2, 4.5, 0.9)
_LONG_COLUMNS = (1.5, 4.6, 2.1, 0.9)
"""Shares of the width for who, what, why and the button."""


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


def show_raters(case: Case, questions: Sequence[str], widest_spread: int) -> str | None:
    """A picture of all answers, then each rater's own with its reason; the judgement whose key was pressed, if any.

    Args:
        questions: the rubric's, in the order asked.
        widest_spread: ratings further apart than this are marked.
    """
    taken = None
    with st.container(key="card_raters", gap="small"):
        count = len(case.judgements)
        title = f"What {count} {'rater' if count == 1 else 'raters'} said" if count else "Nobody has judged this yet"
        show_constant('<div class="pp-side">{title}</div>', title=title)
        values = [arrange_value(case.kind.value, judgement.value, questions) for judgement in case.judgements]
        with st.container(key="scales", gap=None):
            for row in place_marks(case.kind.value, values):
                _show_scale(*row, widest_spread)
        for number, (judgement, value) in enumerate(zip(case.judgements, values, strict=True), 1):
            if _show_rater(case, number, judgement, say_value(case.kind.value, value, case.answers)):
                taken = judgement.judgement_id
    return taken


def _show_scale(title: str, low: str, high: str, places: list[list[int]], widest_spread: int) -> None:
    marks = "".join(
        "<span>" + "".join(f'<i class="rv-mark">{int(rater)}</i>' for rater in raters) + "</span>" for raters in places
    )
    given = [place for place, raters in enumerate(places) if raters]
    is_wide = bool(title and given) and given[-1] - given[0] > widest_spread
    name = '<span class="name">{title}</span>' if title else ""
    shape = " ".join(word for word, is_so in (("bare", not title), ("wide", is_wide)) if is_so)
    show_constant(
        f'<div class="rv-scale {shape}">{name}<span class="end">{{low}}</span>'
        # The lines below say the same in words; to a screen reader the marks would be digits without a meaning.
        f'<span class="rv-track" aria-hidden="true">{marks}</span><span class="end">{{high}}</span></div>',
        title=title,
        low=low,
        high=high,
    )


def _show_rater(case: Case, number: int, judgement: RaterAnswer, lines: Sequence[str]) -> bool:
    """One line: who, what, why, and the key that takes it."""
    is_short = all(len(line) <= _SHORT_LINE for line in lines)
    with st.container(key=f"rater_{number}"):
        who, said, why, take = st.columns(_SHORT_COLUMNS if is_short else _LONG_COLUMNS, vertical_alignment="top")
        with who:
            show_constant(
                '<div class="rv-rater"><i class="rv-mark">{number}</i><b>{name}</b></div>',
                number=number, name=judgement.annotator,
            )  # fmt: skip
        with said, st.container(key=f"{'said' if is_short else 'long'}_{number}", gap=None):
            for line in lines:
                st.text(line)
        with why, st.container(key=f"{'why' if judgement.reason else 'none'}_{number}"):
            st.text(judgement.reason or "no reason given")
        with take:
            has_key = number <= _MOST_KEYS
            is_taken: bool = st.button(
                "Take",
                key=f"take_{judgement.judgement_id}",
                shortcut=str(number) if has_key else None,
                disabled=not case.can_settle,
                help=f"Settles the task with this answer{' (press its number)' if has_key else ''}.",
            )
    return is_taken


def show_related(cases: Sequence[Case]) -> None:
    """The other tasks that a contradiction is about, so that a circle can be read as a whole."""
    if not cases:
        return
    with st.expander(f"The other {'task' if len(cases) == 1 else f'{len(cases)} tasks'} of this contradiction"):
        for case in cases:
            for place, text in enumerate(case.answers):
                show_constant('<div class="pp-who">Answer {letter}</div>', letter=chr(65 + place))
                st.text(text or "(an empty answer)")
            for judgement in case.judgements:
                said = "; ".join(say_value(case.kind.value, judgement.value, case.answers))
                st.text(f"{judgement.annotator}: {said}{' – ' if judgement.reason else ''}{judgement.reason}")
            st.divider()


def show_settlement(case: Case, open_examples: Collection[str]) -> None:
    """What stands now, and who wrote the answers, unless another case about the same example is still open."""
    settlement = case.settlement
    if settlement is None:
        return
    taken = next((j.annotator for j in case.judgements if j.judgement_id == settlement.accepts), None)
    said = "; ".join(say_value(case.kind.value, settlement.value, case.answers))
    show_constant(
        '<div class="rv-settled">Settled by {actor}: {said}{whose}</div>',
        actor=settlement.actor,
        said=said if len(said) < _LONGEST_SAID else f"{said[:_LONGEST_SAID]}…",
        whose=f", as {taken} said" if taken else "",
    )
    if settlement.reason:
        st.text(settlement.reason)
    named = [(chr(65 + place), model) for place, model in enumerate(case.models) if model]
    if named and case.example_id in open_examples:
        show_constant('<div class="rv-sub">Who wrote them is told when nothing about this request is open.</div>')
    elif named:
        words = ", ".join(f"{letter} by {model}" for letter, model in named)
        show_constant('<div class="rv-sub">Written: {words}</div>', words=words)
