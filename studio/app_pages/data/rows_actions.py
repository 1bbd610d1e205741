"""What is done to many rows at once: those ticked, or all that fit; with a reason, and each to be undone as a whole."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

import polars as pl
import streamlit as st

from pitchpipe.prompts.library import PromptError, load_screen
from pitchpipe.store.curation import curating
from pitchpipe.store.curation.catalogue import Catalogue, list_ids, stream_rows
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.curation.curating import Action
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.queue.tasking import CREATABLE_KINDS, TaskOrder
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.review_words import KIND_WORDS
from pitchpipe.studio.app_pages.showing import plain, show_problem
from pitchpipe.training.exports.exporting import neutralise_cell

_CONFIRM_ABOVE = 100
_LISTED = 12
_TOLD, _IS_DONE = "rows_told", "rows_is_done"
_DONE_WORDS = {"keep": "kept", "drop": "dropped", "tag": "tagged", "untag": "untagged", "queue": "queued tasks for"}
_RUBRICS = {"tag": "topics", "span": "errors", "turns": "turns", "screen": "compare_rate_correct"}
_CSV_COLUMNS = ("request", "category", "source", "side", "answers", "judgements", "rating", "agreement", "decision",
                "tags")  # fmt: skip


def show_actions(
    store: Store, project: Project, made: Catalogue, slice: Slice, found: int, chosen: list[str], curator: str
) -> None:
    """The bar under the table, what was done last with its undo, and the list of what was done before."""
    with st.container(key="card_rows_act", gap="small"):
        _show_told()
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            is_all = _show_scope(found, chosen)
            kind = st.selectbox("Do", curating.ACTIONS, key="rows_do", width=110, label_visibility="collapsed")
            note, tag, order = _show_details(kind)
            count = found if is_all else len(chosen)
            is_sure = count <= _CONFIRM_ABOVE or st.checkbox(f"yes, all {count:,}", key=f"rows_sure_{kind}_{count}")
            if st.button(f"{kind.capitalize()} {count:,}", key="rows_go", type="primary",
                         disabled=not count or not is_sure):  # fmt: skip
                ids = list_ids(made, slice) if is_all else chosen
                _act(store, project.name, kind, ids, note, tag, order, curator)
                st.rerun()
            st.space("stretch")
            st.download_button(
                "CSV", data=lambda: write_csv(made, slice), file_name=f"{project.name}.csv", mime="text/csv",
                key="rows_csv", on_click="ignore", help="All rows that fit, as a table.",
            )  # fmt: skip
        _show_done(store, project, curator)


def write_csv(made: Catalogue, slice: Slice) -> bytes:
    """All rows of a slice as CSV in UTF-8; cells that a spreadsheet would run as formulas begin with an apostrophe."""
    written = BytesIO()
    for frame in stream_rows(made, slice, _CSV_COLUMNS):
        flat = frame.with_columns(pl.col(pl.List(pl.String)).list.join(", "))
        texts = [name for name, kind in flat.schema.items() if kind == pl.String]
        safe = [pl.col(name).map_elements(neutralise_cell, return_dtype=pl.String) for name in texts]
        flat.with_columns(safe).write_csv(written, include_header=written.tell() == 0)
    return written.getvalue()


def _show_scope(found: int, chosen: list[str]) -> bool:
    scope = st.segmented_control(
        "To what", ["ticked", "all"], default="ticked", required=True, key="rows_scope", label_visibility="collapsed",
        format_func=lambda which: f"{len(chosen)} ticked" if which == "ticked" else f"all {found:,}",
    )  # fmt: skip
    return str(scope) == "all"


def _show_details(kind: str) -> tuple[str, str | None, TaskOrder | None]:
    tag, order = None, None
    if kind in ("tag", "untag"):
        tag = st.text_input("Tag", key="rows_tag", placeholder="tag", label_visibility="collapsed", width=180)
    if kind == "queue":
        task = st.selectbox("Kind of task", CREATABLE_KINDS, key="rows_kind", label_visibility="collapsed", width=150,
                            format_func=lambda name: KIND_WORDS[name])  # fmt: skip
        order = TaskOrder(task, rubric=_RUBRICS.get(task))
    hint = "why (a drop needs it)" if kind == "drop" else "a note"
    if st.session_state.pop(_IS_DONE, False):
        # The reason of one action is not that of the next.
        st.session_state["rows_note"] = ""
    note = st.text_input("Reason", key="rows_note", placeholder=hint, label_visibility="collapsed", width=260)
    return note, tag, order


def _act(
    store: Store, project: str, kind: str, ids: list[str], note: str, tag: str | None, order: TaskOrder | None,
    curator: str,
) -> None:  # fmt: skip
    try:
        if order is not None and order.kind == "screen":
            parts = tuple(part.kind for part in load_screen(order.rubric or "", store.workspace / "prompts").parts)
            order = TaskOrder(order.kind, rubric=order.rubric, parts=parts)
        with st.spinner(f"{len(ids):,} rows…"):
            curating.act_on(store, project, kind, ids, note=note, actor=curator, tag=tag, order=order)
    except (PitchpipeError, PromptError) as error:
        st.session_state[_TOLD] = (error.happened, error.advice)
    else:
        st.session_state[_IS_DONE] = True
        st.session_state["rows_acts"] = st.session_state.get("rows_acts", 0) + 1


def _show_told() -> None:
    told = st.session_state.pop(_TOLD, None)
    if told is not None:
        show_problem(*told) if len(told) == 2 else st.info(plain(told[0]))


def _show_done(store: Store, project: Project, curator: str) -> None:
    done = curating.list_actions(store, project.name, _LISTED)
    if not done:
        return
    _show_action(store, done[0], curator, is_last=True)
    if len(done) > 1:
        with st.expander("What was done before"):
            for action in done[1:]:
                _show_action(store, action, curator)


def _show_action(store: Store, action: Action, curator: str, *, is_last: bool = False) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(say_action(action)))
        st.button(
            "Redo" if action.undone_at else "Undo", key=f"rows_undo_{action.id}", type="tertiary",
            shortcut="u" if is_last else None, on_click=_undo,
            args=(store, action.id, curator, action.undone_at is None),
        )  # fmt: skip


def say_action(action: Action) -> str:
    """What was done, by whom and when, in one line."""
    things = f"{action.things:,} {'task' if action.kind == 'queue' else 'row'}{'' if action.things == 1 else 's'}"
    did = "queued" if action.kind == "queue" else _DONE_WORDS[action.kind]
    words = f"{action.actor} {did} {things}"
    if action.tag:
        words += f" '{action.tag}'"
    if action.note:
        words += f": {action.note}"
    words += f" · {_say_time(action.created_at)}"
    if action.undone_at is not None:
        words += f" · undone by {action.undone_by} {_say_time(action.undone_at)}"
    return words


def _undo(store: Store, action_id: str, curator: str, is_undo: bool) -> None:
    try:
        changed = curating.undo_action(store, action_id, curator, is_undo)
    except PitchpipeError as error:
        st.session_state[_TOLD] = (error.happened, error.advice)
        return
    if changed.kept_tasks and changed.action.undone_at is not None:
        st.session_state[_TOLD] = (f"{changed.kept_tasks} of its tasks stay: somebody has begun or judged them.",)


def _say_time(when: datetime) -> str:
    return when.strftime("%-d %b %H:%M")
