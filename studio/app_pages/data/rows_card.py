"""One example as a card: why it is in or out, what was asked and answered, who said what, where it went."""

from __future__ import annotations

import importlib.util
from datetime import datetime

import streamlit as st

from pitchpipe.store.curation import curating
from pitchpipe.store.curation.row_card import CardOpinion, RowCard, explain_standing, read_row_card
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.rendering import reveal_hidden
from pitchpipe.studio.app_pages.review_words import KIND_WORDS, say_value
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem

_LONGEST = 2500
_TOLD = "rows_card_told"
_ROLES = {"user": "asked", "assistant": "answered", "system": "told beforehand"}
_ORIGINS = {"import": "imported", "demonstration": "to imitate", "person": "written by a person", "model": "by a model"}
_MOST_SIMILAR = 5


def show_card(store: Store, project: Project, example_id: str, ids: list[str], curator: str) -> None:
    """Shows the card of an example, with keys for the one before and after it on the page."""
    with st.container(key="card_rows_row", gap="xsmall"):
        _show_bar(example_id, ids)
        try:
            card = read_row_card(store, project.name, example_id)
        except PitchpipeError as error:
            show_problem(error.happened, error.advice)
            return
        _show_standing(card)
        _show_decide(store, project, card, curator)
        _show_talk(card)
        _show_opinions(card)
        _show_marks(card)
        _show_way(card)
        _show_similar(store, project, example_id)


def _show_bar(example_id: str, ids: list[str]) -> None:
    place = ids.index(example_id) if example_id in ids else -1
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, key, other in (("Previous", "p", place - 1), ("Next", "n", place + 1)):
            is_there = place >= 0 and 0 <= other < len(ids)
            st.button(label, key=f"rows_{label}", shortcut=key, disabled=not is_there, on_click=_open,
                      args=(ids[other] if is_there else None,))  # fmt: skip
        st.space("stretch")
        st.button("Close", key="rows_close", shortcut="Escape", type="tertiary", on_click=_open, args=(None,))


def _show_standing(card: RowCard) -> None:
    chips = [(tag, "") for tag, _, _ in card.tags]
    decision = card.decision
    if decision is not None:
        chips.insert(0, ("dropped" if decision.verdict == "drop" else "kept", decision.verdict))
    if card.side == "holdout":
        chips.append(("sealed", "plain"))
    if chips:
        names = {f"t{place}": words for place, (words, _) in enumerate(chips)}
        show_constant(
            "".join(f'<span class="rw-tag {shape}">{{t{place}}}</span>' for place, (_, shape) in enumerate(chips)),
            **names,
        )
    is_out = decision is not None and decision.verdict == "drop"
    words = explain_standing(card)
    show_constant(
        f'<div class="rw-why {"out" if is_out else ""}">'
        + "<br>".join(f"{{w{place}}}" for place in range(len(words))) + "</div>",
        **{f"w{place}": sentence for place, sentence in enumerate(words)},
    )  # fmt: skip


def _show_decide(store: Store, project: Project, card: RowCard, curator: str) -> None:
    told = st.session_state.pop(_TOLD, None)
    if told is not None:
        show_problem(*told)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Reason", key=f"rows_reason_{card.example_id}", placeholder="why (a drop needs it)",
                      label_visibility="collapsed")  # fmt: skip
        for label, key in (("Keep", "k"), ("Drop", "d")):
            st.button(label, key=f"rows_one_{label}", shortcut=key, on_click=_decide,
                      args=(store, project.name, label.lower(), card.example_id, curator))  # fmt: skip


def _show_talk(card: RowCard) -> None:
    for role, words in card.messages:
        show_constant('<div class="rw-part">{who}</div>', who=_ROLES.get(role, role))
        _show_text(words)
    for place, answer in enumerate(card.answers):
        by = answer.model or _ORIGINS.get(answer.origin, answer.origin)
        whence = " · ".join(
            part for part in (by, answer.run_id, "dropped" if answer.is_dropped else "")
            if part
        )  # fmt: skip
        show_constant('<div class="rw-part">Answer {letter} · {whence}</div>', letter=_name(place), whence=whence)
        _show_text(answer.text)


def _show_opinions(card: RowCard) -> None:
    if not card.opinions:
        return
    show_constant('<div class="rw-part">{count} judgements</div>', count=len(card.opinions))
    for place, opinion in enumerate(card.opinions):
        with st.container(key=f"rows_said_{place}"):
            who = f"{opinion.annotator} settled it" if opinion.is_adjudication else opinion.annotator
            about = ", ".join(_name(answer) for answer in opinion.answers)
            show_constant(
                '<div class="rw-fact"><b>{who}</b> <i>· {kind}{about} · {when}</i></div>', who=who,
                kind=KIND_WORDS.get(opinion.kind, opinion.kind), about=f" {about}" if about else "",
                when=_say_time(opinion.created_at),
            )  # fmt: skip
            for line in _say(opinion, card):
                st.text(reveal_hidden(line[:_LONGEST]))
            if opinion.reason:
                st.text(f"“{reveal_hidden(opinion.reason[:_LONGEST])}”")


def _say(opinion: CardOpinion, card: RowCard) -> list[str]:
    """What was said, its A and B being those of the card where the task has them in another place."""
    texts = [card.answers[place].text for place in opinion.answers]
    lines = say_value(opinion.kind, opinion.value, texts)
    if opinion.answers == tuple(range(len(opinion.answers))) or opinion.kind in ("edit", "write", "span"):
        return lines
    names = ", ".join(f"{_name(here)} = {_name(there)} above" for here, there in enumerate(opinion.answers))
    return [*lines, f"({names})"] if len(opinion.answers) > 1 else lines


def _show_marks(card: RowCard) -> None:
    for decision in card.decisions:
        show_constant(
            '<div class="rw-fact">{verdict} by {actor}{what} <i>{when}{rule}{undone}</i> {reason}</div>',
            verdict="Dropped" if decision.verdict == "drop" else "Kept", actor=decision.actor,
            what="" if decision.target_id == card.example_id else " (an answer)", when=_say_time(decision.created_at),
            rule="" if decision.rule == "curator" else f" · rule {decision.rule}",
            undone=" · undone" if decision.is_undone else "", reason=decision.reason,
        )  # fmt: skip
    for tag, actor, when in card.tags:
        show_constant('<div class="rw-fact">Tagged {tag} by {actor} <i>{when}</i></div>', tag=tag, actor=actor,
                      when=_say_time(when))  # fmt: skip


def _show_way(card: RowCard) -> None:
    show_constant('<div class="rw-part">Where it comes from and where it went</div>')
    others = card.group_size - 1
    facts = [
        ("from", card.source), ("kind of request", card.category or ""), ("id there", card.external_id or ""),
        ("conversation tree", card.tree or ""),
        ("group", f"{others} more with the same request" if others else "nothing else asks the same"),
        ("models that learned from it", ", ".join(card.learned) or "none"), ("id", card.example_id),
    ]  # fmt: skip
    for name, value in facts:
        if value:
            show_constant('<div class="rw-fact"><i>{name}</i> {value}</div>', name=name, value=value)


def _show_similar(store: Store, project: Project, example_id: str) -> None:
    if importlib.util.find_spec("pitchpipe.store.curation.vectors") is None:
        return
    with st.expander("Similar requests", key=f"rows_similar_{example_id}", on_change="rerun") as part:
        if not part.open:
            return
        vectors = importlib.import_module("pitchpipe.store.curation.vectors")
        with st.spinner("Comparing requests; the first time takes some seconds…", show_time=True):
            similar = vectors.find_similar(store, project.name, example_id, limit=_MOST_SIMILAR)
        st.caption("By their words, from 0 to 1. Press one to open it." if similar else "No other request is like it.")
        for other, likeness in similar:
            request = read_row_card(store, project.name, other).messages[-1][1]
            label = f"{likeness:.2f}  {reveal_hidden(' '.join(request.split())[:160])}"
            st.button(plain(label), key=f"rows_like_{other}", type="tertiary", on_click=_open, args=(other,))


def _show_text(words: str) -> None:
    shown = reveal_hidden(words)
    st.text(shown[:_LONGEST] or "(empty)")
    if len(shown) > _LONGEST:
        with st.expander(f"The other {len(shown) - _LONGEST:,} characters"):
            st.text(shown[_LONGEST:])


def _decide(store: Store, project: str, kind: str, example_id: str, curator: str) -> None:
    reason = st.session_state.get(f"rows_reason_{example_id}") or ""
    try:
        curating.act_on(store, project, kind, [example_id], note=reason, actor=curator)
    except PitchpipeError as error:
        st.session_state[_TOLD] = (error.happened, error.advice)


def _open(example_id: str | None) -> None:
    st.session_state["rows_open"] = example_id


def _name(place: int) -> str:
    return chr(65 + place) if place < 26 else str(place + 1)


def _say_time(when: datetime) -> str:
    return when.strftime("%-d %b %Y %H:%M")
