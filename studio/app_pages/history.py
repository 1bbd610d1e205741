"""My history: what an annotator has judged, skipped and taken back; each entry can be opened again.

Reopening takes the judgement back and gives the task with what was entered; submitting it anew supersedes, and a redo
(y) on the Annotate page brings the earlier one back as it was.
"""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.judging import history, undoing
from pitchpipe.store.records import HistoryEntry, JudgementStatus, Project, TaskKind
from pitchpipe.studio.app_pages.rendering import reveal_hidden
from pitchpipe.studio.app_pages.review_words import say_value
from pitchpipe.studio.app_pages.showing import show_constant, show_problem

_PAGE_SIZE = 12
_LONGEST_SAID = 200
_STATUS_WORDS = {
    JudgementStatus.SUBMITTED: "judged",
    JudgementStatus.SKIPPED: "skipped",
    JudgementStatus.RETRACTED: "taken back",
}


def show_history(store: Store, project: Project | None, annotator: str, annotate_page: st.Page) -> None:
    """Shows the annotator's own history in the project, newest first."""
    st.header("My history", anchor=False)
    if project is None:
        st.text("There is no project yet.")
        return
    if st.button("Back to the work", shortcut="b"):
        st.switch_page(annotate_page)
    status, kind, words, page = _ask_filters()
    entries = history.list_history(
        store, project.name, annotator, status=status, kind=kind, words=words, limit=_PAGE_SIZE + 1,
        offset=page * _PAGE_SIZE,
    )  # fmt: skip
    if not entries:
        st.text(
            "Nothing here fits." if words or status or kind else "You have not judged anything in this project yet."
        )
    for place, entry in enumerate(entries[:_PAGE_SIZE]):
        _show_entry(store, project, annotator, entry, place, annotate_page)
    _show_paging(page, has_more=len(entries) > _PAGE_SIZE)


def _ask_filters() -> tuple[JudgementStatus | None, TaskKind | None, str, int]:
    left, middle, right = st.columns([1, 1, 2])
    statuses: dict[str, JudgementStatus | None] = {"all": None}
    statuses |= {words: status for status, words in _STATUS_WORDS.items()}
    status = left.selectbox("Show", list(statuses), key="history_status")
    kind = middle.selectbox("Kind", ["all", *(kind.value for kind in TaskKind)], key="history_kind")
    words = right.text_input("Words in the request or your reason", key="history_words")
    page = int(st.session_state.get("history_page", 0))
    asked = (status, kind, words)
    if st.session_state.get("history_asked", asked) != asked:
        page = st.session_state["history_page"] = 0
    st.session_state["history_asked"] = asked
    return statuses[status or "all"], None if kind in (None, "all") else TaskKind(kind), words.strip(), page


def _show_entry(
    store: Store, project: Project, annotator: str, entry: HistoryEntry, place: int, annotate_page: st.Page
) -> None:
    with st.container(key=f"card_entry_{place}"):
        left, right = st.columns([6, 1], vertical_alignment="center")
        with left:
            show_constant(
                '<div class="pp-who">{kind} · {when} · {status}{flag}</div>',
                kind=entry.kind.value,
                when=f"{entry.created_at:%d %b %Y, %H:%M} UTC",
                status=_STATUS_WORDS[entry.status],
                flag=" · flagged" if entry.has_open_flag else "",
            )
            st.text(reveal_hidden(" ".join(entry.request.split())))
            said = " — ".join(part for part in (_say(entry), entry.reason) if part)
            if said:
                st.text(reveal_hidden(said))
        shortcut = str(place + 1) if place < 9 else None
        if right.button("Open again", key=f"reopen_{place}", shortcut=shortcut, width="stretch"):
            try:
                undoing.reopen_task(store, project.name, annotator, entry.task_id)
            except PitchpipeError as error:
                show_problem(error.happened, error.advice)
                return
            st.switch_page(annotate_page)


def _say(entry: HistoryEntry) -> str:
    """What was answered, in at most a line; the first answer on the screen was A."""
    if not entry.value:
        return ""
    if entry.kind is TaskKind.SPAN and entry.value["spans"]:
        labels = ", ".join(sorted({span["label"] for span in entry.value["spans"]}))
        return f"{len(entry.value['spans'])} marked: {labels}"
    sides = {"first": "a", "second": "b"}
    value = {
        part: sides.get(given, given) if part == "verdict"
        else given | {"verdict": sides.get(given["verdict"], given["verdict"])} if part == "compare"
        else given
        for part, given in entry.value.items()
    }  # fmt: skip
    said = " · ".join(" ".join(line.split()) for line in say_value(entry.kind.value, value))
    return said if len(said) <= _LONGEST_SAID else f"{said[: _LONGEST_SAID - 1]}…"


def _show_paging(page: int, *, has_more: bool) -> None:
    if page == 0 and not has_more:
        return
    left, middle, right = st.columns([1, 1, 1], vertical_alignment="center")
    if left.button("Newer", disabled=page == 0, width="stretch"):
        st.session_state["history_page"] = page - 1
        st.rerun()
    middle.text(f"Page {page + 1}")
    if right.button("Older", disabled=not has_more, width="stretch"):
        st.session_state["history_page"] = page + 1
        st.rerun()
