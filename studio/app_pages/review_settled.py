"""Cases that are settled: with names now, with the offer to make one a known answer, and with a way back."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.queue import gold
from pitchpipe.store.records import Project
from pitchpipe.store.review import adjudicating
from pitchpipe.store.review.dispute_reading import Case, list_settled, read_case
from pitchpipe.studio.app_pages.review_cards import show_settlement
from pitchpipe.studio.app_pages.review_words import KIND_WORDS
from pitchpipe.studio.app_pages.showing import plain, show_constant

_TOLD = "review_told"


def show_last_settled(
    store: Store, project: Project, curator: str, task_id: str | None, open_examples: Collection[str]
) -> None:
    """What was settled a moment ago: with names now, and the offer to make it a known answer."""
    if task_id is None:
        return
    case = read_case(store, project.name, task_id)
    if case.settlement is None:
        return
    with st.container(key="card_settled"), st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            show_settlement(case, open_examples)
        if st.button("Make it a gold item", shortcut="g", key=f"gold_{task_id}"):
            _make_gold(store, project, curator, case)


def _make_gold(store: Store, project: Project, curator: str, case: Case) -> None:
    if case.settlement is None:
        return
    try:
        gold.set_gold(
            store,
            project.name,
            case.task_id,
            case.settlement.value,
            case.settlement.reason or "settled in review",
            curator,
        )
    except UsageError as error:
        tell("warning", f"{error.happened} {error.advice}")
    else:
        tell("success", "It is a gold item now: a task with a known answer.")
    st.rerun()


def show_settled(store: Store, project: Project, curator: str, open_examples: Collection[str]) -> bool:
    """The last words that stand, the latest first; True when one of them was withdrawn just now."""
    found = list_settled(store, project.name)
    told = "What curators settled, the latest first." if found else "Nothing is settled yet."
    show_constant('<div class="rv-title">Settled</div><div class="rv-sub">{told}</div>', told=told)
    for row in found:
        with st.container(key=f"card_last_{row['task_id']}", gap="xsmall"):
            who = f"{KIND_WORDS[row['kind']]} · {row['actor']} · {row['created_at']:%d %b %H:%M} UTC"
            show_constant('<div class="pp-who">{who}</div>', who=who)
            st.text(row["request"])
            show_settlement(read_case(store, project.name, row["task_id"]), open_examples)
            if st.button("Withdraw", key=f"back_{row['task_id']}"):
                adjudicating.withdraw_adjudication(store, project.name, row["task_id"], curator)
                return True
    return False


def tell(kind: str, message: str) -> None:
    """A word for the next drawing of the page; `kind` is warning or success."""
    st.session_state[_TOLD] = [*st.session_state.get(_TOLD, []), (kind, message)]


def show_told() -> None:
    """Shows the words that wait, once."""
    for kind, message in st.session_state.pop(_TOLD, []):
        show = st.warning if kind == "warning" else st.success
        show(plain(message))
