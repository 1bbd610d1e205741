"""The guideline beside the task: what it says, what changed since the annotator's last visit, and the keys at hand."""

from __future__ import annotations

import streamlit as st

from pitchpipe.prompts.library import Guideline, Screen
from pitchpipe.store.database import Store
from pitchpipe.store.queue import standing
from pitchpipe.store.records import Project
from pitchpipe.store.review import prompt_versions
from pitchpipe.studio.app_pages.showing import plain, shorten_hash, show_constant

_MARKS = "-*+#0123456789.) "
_KEYS = (
    '<div class="pp-keys"><kbd>?</kbd>all keys<br><kbd>d</kbd>show differences<br><kbd>m</kbd>plain or rendered<br>'
    "<kbd>h</kbd>my history</div>"
)


def show_guideline(
    store: Store, project: Project, annotator: str, guideline: Guideline, screen: Screen | None, seen: str | None
) -> None:
    """Shows the guideline with the clauses marked that differ from `seen`, the text of the annotator's last visit."""
    before = _begin_visit(store, project, annotator, guideline, seen)
    show_constant(
        '<div class="pp-version">Guideline {name} · <code>{hash}</code></div>',
        name=guideline.name,
        hash=shorten_hash(guideline.hash),
    )
    if before is not None and before != guideline.text:
        _show_changes(before, guideline.text)
    st.markdown(guideline.text)
    show_constant(_KEYS)
    if screen is None:
        return
    for part in screen.parts:
        if part.rubric is None:
            continue
        show_constant(
            '<div class="pp-version">Questions {name} · <code>{hash}</code></div>',
            name=part.rubric.name,
            hash=shorten_hash(part.rubric.hash),
        )
        asked = [question for question in part.rubric.questions if question.help]
        st.markdown("\n".join(f"- **{plain(question.label)}.** {plain(question.help)}" for question in asked))


def _begin_visit(store: Store, project: Project, annotator: str, guideline: Guideline, seen: str | None) -> str | None:
    """The guideline as of the visit before this one; a visit is one session of the browser with the studio.

    The text on the screen now counts as seen from here on, and is kept under its hash.
    """
    key = f"guideline_before:{project.id}:{annotator}"
    if st.session_state.get(f"{key}:shown") != guideline.hash:
        st.session_state.setdefault(key, seen)
        st.session_state[f"{key}:shown"] = guideline.hash
        prompt_versions.note_version(store, "guidelines", guideline.name, guideline.text, guideline.hash)
        standing.note_guideline(store, project.name, annotator, guideline.text)
    before: str | None = st.session_state[key]
    return before


def _show_changes(before: str, now: str) -> None:
    with st.container(key="changed"):
        show_constant('<div class="pp-changed">Changed since your last visit</div>')
        for change in prompt_versions.compare_clauses(before, now):
            if change.after:
                st.markdown(plain(change.after.lstrip(_MARKS).replace("**", "")))
            else:
                st.markdown(f"~~{plain(change.before.lstrip(_MARKS).replace('**', ''))}~~")
