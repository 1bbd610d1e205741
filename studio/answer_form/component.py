"""Mounts the answer form and returns what was sent in this very run of the page."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import streamlit as st

from pitchpipe.studio.answer_form.messages import Sent, parse_sent, parse_view

_KEY = "answer_form"
# The scripts are plain functions in one scope; the last one has the entry point.
_SCRIPTS = (
    "drafts.js", "differences.js", "questions.js", "options.js", "values.js", "ranking.js", "marking.js", "writing.js",
    "clock.js", "keys.js", "sending.js", "form.js",
)  # fmt: skip


def _read_text(name: str) -> str:
    return (files("pitchpipe.studio.answer_form") / name).read_text(encoding="utf-8")


_mount: Callable[..., Any] = st.components.v2.component(
    "pitchpipe.answer_form",
    html=_read_text("form.html"),
    css=_read_text("form.css"),
    js="\n".join(_read_text(name) for name in _SCRIPTS),
)


def answer_form(data: dict[str, Any]) -> Sent | None:
    """Shows the form; what the annotator sent in this run, or None.

    Read the return value, never a callback, and keep the form out of `st.fragment`: after a restart of the server a
    reconnected page has neither, and the first submit would be lost.
    """
    result = _mount(key=_KEY, data=data, on_sent_change=lambda: None, on_view_change=lambda: None)
    return parse_sent(result.sent)


def peek_sent() -> Sent | None:
    """What the annotator sent in this run, before the form is drawn, so that the next task can be drawn at once.

    Known only where an earlier run of the same session has drawn the form; otherwise `answer_form` returns it. In
    either case `answer_form` returns it too: compare the nonces.
    """
    state = st.session_state.get(_KEY)
    return parse_sent(state.get("sent")) if isinstance(state, dict) else None


def peek_view() -> bool | None:
    """Whether the annotator asked in this run for rendered answers, or None where they asked for nothing."""
    state = st.session_state.get(_KEY)
    return parse_view(state.get("view")) if isinstance(state, dict) else None
