"""Label next: what to ask people about first, each with its reason, and a button that puts it first in the queue."""

from __future__ import annotations

from contextlib import suppress

import polars as pl
import streamlit as st

from pitchpipe.store.coverage.asking_next import undo_ask_next
from pitchpipe.store.coverage.covering import Coverage
from pitchpipe.store.coverage.naming import first_words
from pitchpipe.store.coverage.next_labels import NextLabel, find_next
from pitchpipe.store.coverage.sending import SentNext, send_next
from pitchpipe.store.curation.curating import undo_action
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import Project
from pitchpipe.store.team.quality_reading import read_mark

_KEPT, _SENT = "coverage_next_kept", "coverage_next_sent"
_CHOICES = (10, 20, 50, 100, 200)


def show_part(store: Store, project: Project, curator: str, coverage: Coverage) -> None:
    """Shows the proposals."""
    head, how_many = st.columns([4, 1], vertical_alignment="bottom")
    with how_many:
        limit = st.selectbox("How many", _CHOICES, index=1, key="coverage_next_limit") or _CHOICES[1]
    found = _keep_next(store, project.name, coverage, limit)
    with head:
        st.caption(
            "Clusters that nobody has touched come first; then what the judgements leave most unsure, "
            "no two alike one after the other. Sealed, dropped and settled examples are left out."
        )
    if not found:
        st.info("There is nothing to ask: every example of the training side is settled, dropped or written.")
    else:
        _show_table(coverage, found)
    _show_buttons(store, project.name, curator, found)


def _keep_next(store: Store, project: str, coverage: Coverage, limit: int) -> list[NextLabel]:
    mark = (read_mark(store, project), limit, coverage.count, coverage.encoder)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != mark:
        with st.spinner("Weighing what is unsure"):
            kept = (mark, find_next(store, project, coverage, limit))
        st.session_state[_KEPT] = kept
    found: list[NextLabel] = kept[1]
    return found


def _show_table(coverage: Coverage, found: list[NextLabel]) -> None:
    table = pl.DataFrame({
        "request": [first_words(label.request, 200) for label in found],
        "why": [label.reason for label in found],
        "unsure": [round(100 * label.uncertainty) for label in found],
        "task": [label.kind if label.task_id else f"{label.kind} (none yet)" for label in found],
        "cluster": [coverage.names[label.cluster] for label in found],
    })  # fmt: skip
    st.dataframe(
        table, hide_index=True, width="stretch", height=min(560, 36 * (len(table) + 1) + 3), key="coverage_next_table",
        column_config={
            "request": st.column_config.TextColumn(width="large"), "why": st.column_config.TextColumn(width="large"),
            "unsure": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%d%%"),
        },
    )  # fmt: skip


def _show_buttons(store: Store, project: str, curator: str, found: list[NextLabel]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if found and st.button(f"Ask these {len(found)} first", type="primary", key="coverage_ask"):
            st.session_state[_SENT] = send_next(store, project, found, curator)
            st.rerun()
        sent: SentNext | None = st.session_state.get(_SENT)
        if sent is not None:
            if st.button("Take that back", key="coverage_put_back"):
                _take_back(store, project, curator, sent)
                del st.session_state[_SENT]
                st.rerun()
            st.text(tell_sent(sent))


def tell_sent(sent: SentNext) -> str:
    """What was sent, in words."""
    told = f"{sent.raised:,} tasks are at the head of the queue" if sent.raised else "Sent"
    told += f", {sent.widened:,} of them for one more rater" if sent.widened else ""
    return f"{told}; {sent.made_for:,} examples got new tasks." if sent.made_for else f"{told}."


def _take_back(store: Store, project: str, curator: str, sent: SentNext) -> None:
    if sent.asked_id is not None:
        undo_ask_next(store, project, sent.asked_id, curator)
    for action_id in sent.action_ids:
        with suppress(UsageError):  # another curator undid it already
            undo_action(store, action_id, curator, is_undo=True)
