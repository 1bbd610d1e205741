"""The table of rows, a page at a time, and beside it the row that was pressed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st

from pitchpipe.store.curation.catalogue import Catalogue, list_rows
from pitchpipe.store.curation.catalogue_filters import FIELDS, Slice
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import rows_card
from pitchpipe.studio.app_pages.data.rows_filters import FIELD_WORDS, clear_slice

_PAGE = 50
_LONGEST_CELL = 300
_DEFAULT = ("request", "category", "judgements", "rating", "agreement", "decision", "tags")
_ORDERS = ("position", "rating", "agreement", "spread", "judgements", "words", "answer_words", "last_judged_at",
           "created_at", "request", "source", "category")  # fmt: skip
_LAST_FIRST = {
    "position": "last first", "last_judged_at": "latest first", "created_at": "latest first", "request": "Z first",
    "source": "Z first", "category": "Z first",
}  # fmt: skip
"""What the switch of the order says where "highest first" would say nothing."""
_BESIDE_CARD = ("request", "rating", "decision", "tags")
"""What is left of the columns where a card takes half of the width."""
_TABLE_HEIGHT, _REQUEST_WIDTH, _NARROW_WIDTH = 470, 400, 270
_OPEN = "rows_open"


def show_table(
    store: Store,
    project: Project,
    made: Catalogue,
    slice: Slice,
    found: int,
    curator: str,
    show_below: Callable[[list[str]], None],
) -> None:
    """Shows a page with what `show_below` adds for the ids of the ticked rows, and the card of the open row."""
    if not found:
        with st.container(key="card_rows_none"):
            st.text("No example fits.")
            st.caption("Take a condition away, or search for fewer words.")
            st.button("Show all rows", key="rows_clear", on_click=clear_slice)
        return
    pages = -(-found // _PAGE)
    columns, order, is_down = _show_settings()
    page = min(int(st.session_state.get("rows_page", 1)), pages)
    frame = list_rows(made, slice, order, is_down, _PAGE, (page - 1) * _PAGE, columns)
    ids = list(frame["example_id"])
    is_open = st.session_state.get(_OPEN) is not None
    if is_open:
        columns = [name for name in columns if name in _BESIDE_CARD] or columns[:1]
    table, card = st.columns([1.25, 1]) if is_open else (st.container(), None)
    with table:
        chosen = _draw(frame.to_dicts(), ids, columns, (page, order, is_down, slice, made.as_of))
        if pages > 1:
            st.pagination(pages, key="rows_page", max_visible_pages=7)
        show_below(chosen)
    if card is not None:
        with card:
            rows_card.show_card(store, project, str(st.session_state[_OPEN]), ids, curator)


def open_row(example_id: str | None) -> None:
    """Opens the card of a row, or closes it."""
    st.session_state[_OPEN] = example_id


def _show_settings() -> tuple[list[str], str, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        order = st.selectbox(
            "Order", _ORDERS, key="rows_order", label_visibility="collapsed", width=230,
            format_func=lambda name: "in the order they came" if name == "position" else f"by {FIELD_WORDS[name]}",
        )  # fmt: skip
        is_down = st.toggle(_LAST_FIRST.get(order, "highest first"), key="rows_down")
        with st.popover("Columns"):
            columns = st.multiselect(
                "Columns", [name for name in FIELDS if name != "example_id"], default=list(_DEFAULT),
                key="rows_columns", format_func=lambda name: FIELD_WORDS[name],
            )  # fmt: skip
    return columns or ["request"], order, is_down


def _draw(rows: list[dict[str, Any]], ids: list[str], columns: list[str], mark: tuple[Any, ...]) -> list[str]:
    shown = [{FIELD_WORDS[name]: _to_cell(name, row[name]) for name in columns} for row in rows]
    # A new page is a new table: ticks are of rows that one sees. What was done to ticked rows unticks them.
    mark = (*mark, st.session_state.get("rows_acts", 0))
    event = st.dataframe(
        shown, hide_index=True, width="stretch", placeholder="",
        height=min(_TABLE_HEIGHT, 36 * len(rows) + 40), row_height=36,
        key=f"rows_table_{hash(mark)}", on_select="rerun", selection_mode=["multi-row", "single-cell"],
        column_config=_configure(columns, is_narrow=st.session_state.get(_OPEN) is not None),
    )  # fmt: skip
    cells = event.selection.get("cells", [])
    pressed = ids[cells[0][0]] if cells and cells[0][0] < len(ids) else None
    # A press opens; the same cell still being marked at the next run must not open again what was closed.
    if pressed is not None and st.session_state.get("rows_pressed") != (pressed, cells[0]):
        st.session_state["rows_pressed"] = (pressed, cells[0])
        open_row(pressed)
        st.rerun()
    return [ids[row] for row in event.selection.get("rows", []) if row < len(ids)]


def _configure(columns: list[str], *, is_narrow: bool) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in columns:
        title, kind = FIELD_WORDS[name], FIELDS[name]
        if name == "request":
            config[title] = st.column_config.TextColumn(width=_NARROW_WIDTH if is_narrow else _REQUEST_WIDTH)
        elif name == "agreement":
            config[title] = st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f%%", width="small")
        elif name in ("rating", "spread", "answer_words"):
            config[title] = st.column_config.NumberColumn(format="%.1f", width="small")
        elif kind == "many":
            config[title] = st.column_config.ListColumn()
        elif kind == "number":
            config[title] = st.column_config.NumberColumn(width="small")
    return config


def _to_cell(name: str, value: Any) -> Any:
    if name == "agreement" and value is not None:
        return value * 100
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return value[:_LONGEST_CELL] if isinstance(value, str) else value
