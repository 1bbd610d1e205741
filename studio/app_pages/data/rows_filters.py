"""What narrows the rows: the search box, saved slices, a list of values with counts, and conditions on any field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pitchpipe.store.curation import slices
from pitchpipe.store.curation.catalogue import Catalogue, count_facets
from pitchpipe.store.curation.catalogue_filters import FIELDS, OPERATORS, Condition, Slice, check_condition
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError, UsageError
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.showing import plain, show_problem

FIELD_WORDS = {
    "request": "request", "source": "source", "category": "kind of request", "side": "side of the seal",
    "decision": "decision", "tags": "tag", "kinds": "kind of task", "models": "model", "origins": "origin of an answer",
    "snapshots": "snapshot", "rating": "mean rating", "spread": "spread of ratings", "agreement": "agreement",
    "judgements": "judgements", "raters": "raters", "tasks": "tasks", "answers": "answers",
    "words": "words in the request", "answer_words": "words in an answer", "turns": "turns", "votes_a": "votes for A",
    "votes_b": "votes for B", "ties": "ties", "is_adjudicated": "settled by a curator", "last_judged_at": "last judged",
    "created_at": "came in", "decided_by": "decided by", "decision_rule": "rule of the decision",
    "decision_reason": "reason of the decision", "group_id": "group", "tree": "conversation tree",
    "external_id": "id in its file", "example_id": "id",
}  # fmt: skip
_FACET_TITLES = {
    "source": "Source", "category": "Kind of request", "decision": "Decision", "tags": "Tag", "kinds": "Kind of task",
    "rating": "Mean rating", "side": "Side of the seal",
}  # fmt: skip
_ABSENT = {"": "none", "undecided": "undecided", "train": "training", "holdout": "sealed"}
_WITHOUT_VALUE = ("is missing", "is there")
_MORE = "rows_more"
_SQL = "rows_slice_sql"
_CHOSEN_FACETS = tuple(f"rows_facet_{facet}" for facet in _FACET_TITLES)
_TOLD = "rows_filters_told"


def show_search(store: Store, project: Project, curator: str) -> Slice:
    """The search box and the saved slices; returns words, conditions and SQL as far as they are known yet."""
    box, saved, keep = st.columns([5, 2, 1.05], vertical_alignment="bottom")
    words = box.text_input(
        "Search", key="rows_words", placeholder='words in requests and answers, "a phrase", -without',
        label_visibility="collapsed",
    )  # fmt: skip
    names = [found.name for found in slices.list_slices(store, project.name)]
    saved.selectbox(
        "Saved slice", names, index=None, placeholder=f"saved slices ({len(names)})", key="rows_saved",
        label_visibility="collapsed", disabled=not names, on_change=_take_saved, args=(store, project.name),
    )  # fmt: skip
    slice = Slice(words or "", tuple(st.session_state.get(_MORE, ())), st.session_state.get(_SQL, ""))
    with keep.popover("Save", width="stretch"):
        st.text_input("Name of this slice", key="rows_save_name")
        st.button("Save this slice", key="rows_save", on_click=_save, args=(store, project.name, curator))
    told = st.session_state.pop(_TOLD, None)
    if told is not None:
        show_problem(*told) if len(told) == 2 else st.success(plain(told[0]))
    return slice


def show_facets(made: Catalogue, slice: Slice) -> Slice:
    """Lists of values with their counts; returns the slice with what is chosen of them.

    Counted before they are chosen, so that a second value can be added to the first.
    """
    facets = count_facets(made, slice)
    conditions: list[Condition] = []
    for facet, title in _FACET_TITLES.items():
        counts = dict(facets[facet])
        key = f"rows_facet_{facet}"
        kept = st.session_state.get(key) or []
        values = [*counts, *(value for value in kept if value not in counts)]
        if len(values) < 2 and not kept:
            continue
        chosen = st.multiselect(
            title, values, key=key, placeholder="any",
            format_func=lambda value, counts=counts: f"{_ABSENT.get(value, value)} ({counts.get(value, 0):,})",
        )  # fmt: skip
        conditions += _to_conditions(facet, chosen)
    with st.popover("More conditions", width="stretch"):
        _show_editor()
    return Slice(slice.words, (*slice.filters, *conditions), slice.sql)


def _to_conditions(facet: str, chosen: Sequence[str]) -> list[Condition]:
    if not chosen:
        return []
    if facet in ("kinds", "tags"):
        return [check_condition(facet, "has", chosen)]
    if facet != "rating":
        return [check_condition(facet, "is", chosen)]
    numbers = sorted(int(value) for value in chosen if value)
    if not numbers:
        return [check_condition("rating", "is missing")]
    # Whole numbers side by side are one stretch; the ends are those of rounding.
    return [
        check_condition("rating", ">=", numbers[0] - 0.5), check_condition("rating", "<=", numbers[-1] + 0.4999),
    ]  # fmt: skip


def _show_editor() -> None:
    field = st.selectbox("Field", list(FIELDS), key="rows_field", format_func=lambda name: FIELD_WORDS[name])
    operator = st.selectbox("Condition", OPERATORS[FIELDS[field]], key=f"rows_operator_{FIELDS[field]}")
    if operator not in _WITHOUT_VALUE:
        hint = {"time": "2026-01-31", "many": "several with |", "choice": "several with |"}.get(FIELDS[field], "")
        st.text_input("Value", key="rows_value", placeholder=hint)
    st.button("Add", key="rows_add", on_click=_add_condition)


def show_conditions() -> None:
    """The conditions that were added by hand and the SQL, each with a key that takes it away."""
    more, sql = list(st.session_state.get(_MORE, ())), st.session_state.get(_SQL, "")
    if not more and not sql:
        return
    with st.container(horizontal=True, key="rows_filters", gap="small"):
        for place, condition in enumerate(more):
            label = f"{say_condition(condition)} ✕"
            st.button(plain(label), key=f"rows_away_{place}", on_click=_take_away, args=(place,))
        if sql:
            st.button(plain(f"SQL: {sql[:60]} ✕"), key="rows_away_sql", on_click=use_sql, args=("",))


def clear_slice() -> None:
    """Takes away words, conditions and SQL, so that all rows are shown."""
    for key in _CHOSEN_FACETS:
        st.session_state[key] = []
    st.session_state["rows_words"], st.session_state[_MORE], st.session_state[_SQL] = "", (), ""
    st.session_state["rows_saved"] = None
    st.session_state["rows_page"] = 1


def say_condition(condition: Condition) -> str:
    """A condition in words.

    >>> say_condition(("rating", "<=", 2.0)), say_condition(("tags", "has", ("spam", "late")))
    ('mean rating ≤ 2', 'tag has spam or late')
    """
    field, operator, value = condition
    sign = {">=": "≥", "<=": "≤"}.get(operator, operator)
    if value is None:
        return f"{FIELD_WORDS[field]} {sign}"
    said = " or ".join(_ABSENT.get(str(v)) or str(v) for v in value) if isinstance(value, tuple) else value
    return f"{FIELD_WORDS[field]} {sign} {f'{said:g}' if isinstance(said, float) else said}"


def use_sql(sql: str) -> None:
    """Makes a SELECT part of the slice, or takes it out."""
    st.session_state[_SQL] = sql
    st.session_state["rows_page"] = 1


def _add_condition() -> None:
    # What the widgets hold now: a press right after typing comes before the run that would have read the new text.
    field = st.session_state["rows_field"]
    operator = st.session_state[f"rows_operator_{FIELDS[field]}"]
    value = "" if operator in _WITHOUT_VALUE else st.session_state.get("rows_value") or ""
    given: Any = str(value).split("|") if FIELDS[field] in ("choice", "many") else value
    try:
        condition = check_condition(field, operator, given)
    except UsageError as error:
        st.session_state[_TOLD] = (error.happened, error.advice)
        return
    st.session_state[_MORE] = (*st.session_state.get(_MORE, ()), condition)
    st.session_state["rows_page"] = 1


def _take_away(place: int) -> None:
    more = list(st.session_state.get(_MORE, ()))
    st.session_state[_MORE] = tuple(more[:place] + more[place + 1 :])


def _take_saved(store: Store, project: str) -> None:
    name = st.session_state.get("rows_saved")
    slice = slices.read_slice(store, project, name) if name else Slice()
    for key in _CHOSEN_FACETS:
        st.session_state[key] = []
    st.session_state["rows_words"], st.session_state[_MORE], st.session_state[_SQL] = (
        slice.words, slice.filters, slice.sql,
    )  # fmt: skip
    st.session_state["rows_page"] = 1


def _save(store: Store, project: str, curator: str) -> None:
    """Saves what the page shows: the words, all conditions and the SQL."""
    conditions = list(st.session_state.get(_MORE, ()))
    for facet in _FACET_TITLES:
        conditions += _to_conditions(facet, st.session_state.get(f"rows_facet_{facet}") or [])
    slice = Slice(st.session_state.get("rows_words") or "", tuple(conditions), st.session_state.get(_SQL, ""))
    name = st.session_state.get("rows_save_name") or ""
    try:
        slices.save_slice(store, project, name, slice, curator)
    except PitchpipeError as error:
        st.session_state[_TOLD] = (error.happened, error.advice)
    else:
        st.session_state[_TOLD] = (f"Saved as '{name}'.",)
