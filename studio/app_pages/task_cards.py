"""The conversation and the answers of a task as native cards: plain text, or Markdown without images on request.

Nothing here knows who wrote an answer; cards are keyed by their place on the screen alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pitchpipe.store.records import ClaimedTask, Message, ShownAnswer, TaskKind
from pitchpipe.studio.answer_form import name_answer
from pitchpipe.studio.app_pages.rendering import make_safe_markdown, reveal_hidden
from pitchpipe.studio.app_pages.showing import show_constant

_WIDEST_ROW = 3
# Of these the answer stands in the form, where it is corrected or marked.
_ANSWER_IN_FORM = (TaskKind.EDIT, TaskKind.WRITE, TaskKind.SPAN)


def show_task(task: ClaimedTask, *, is_rendered: bool) -> None:
    """Shows the conversation and the answers of a task."""
    turns = list(task.messages)
    if task.kind is TaskKind.TURNS:
        turns += [Message("assistant", answer.text) for answer in task.answers]
    with st.container(key="card_ask", gap="xsmall"):
        for place, message in enumerate(turns):
            with st.container(key=f"turn_{place}", gap="xxsmall"):
                show_constant('<div class="pp-who">{role}</div>', role=message.role.capitalize())
                _show_text(message.content, is_rendered=is_rendered)
    if task.kind in _ANSWER_IN_FORM or task.kind is TaskKind.TURNS or not task.answers:
        return
    with st.container(key="sides"):
        for first in range(0, len(task.answers), width := _choose_width(len(task.answers))):
            _show_row(task.answers, first, width, is_rendered=is_rendered)


def _choose_width(answers: int) -> int:
    """How many cards stand side by side: four answers as two rows of two, others at most three in a row."""
    return 2 if answers == _WIDEST_ROW + 1 else min(answers, _WIDEST_ROW)


def _show_row(answers: Sequence[ShownAnswer], first: int, width: int, *, is_rendered: bool) -> None:
    columns = st.columns(width) if width > 1 else [st.container()]
    for place, column in enumerate(columns, first):
        if place >= len(answers):
            return
        title = name_answer(place) if len(answers) > 1 else "Answer"
        with column, st.container(key=f"card_answer_{place}", gap="xsmall"):
            show_constant('<div class="pp-side">{title}</div>', title=title)
            _show_text(answers[place].text or "(an empty answer)", is_rendered=is_rendered)


def _show_text(text: str, *, is_rendered: bool) -> None:
    if is_rendered:
        st.markdown(make_safe_markdown(text))
    else:
        st.text(reveal_hidden(text))
