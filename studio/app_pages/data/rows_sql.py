"""Ask in SQL: one SELECT over the tables of the catalogue, its rows, and the way from them to a slice."""

from __future__ import annotations

import polars as pl
import streamlit as st

from pitchpipe.store.curation.catalogue import Catalogue
from pitchpipe.store.curation.catalogue_sql import EXAMPLE_SQL, MEGABYTES, MOST_ROWS, SECONDS
from pitchpipe.store.errors import UsageError
from pitchpipe.studio.app_pages.data.rows_filters import use_sql
from pitchpipe.studio.app_pages.showing import show_problem

_RESULT = "rows_sql_result"


def show_sql(made: Catalogue) -> None:
    """The editor, what it found, and the tables to ask."""
    left, right = st.columns([2.2, 1], gap="medium")
    with right:
        st.caption("Tables and their columns")
        for table, columns in made.describe_tables().items():
            with st.expander(table):
                st.text("\n".join(columns))
    with left:
        sql = st.text_area("SQL", EXAMPLE_SQL, key="rows_sql", height=170, label_visibility="collapsed")
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            is_asked = st.button("Run", key="rows_sql_run", type="primary")
            result = _run(made, sql) if is_asked else st.session_state.get(_RESULT)
            is_slice = isinstance(result, pl.DataFrame) and "example_id" in result.columns
            st.button("Use as slice", key="rows_sql_use", disabled=not is_slice, on_click=_use,
                      help="The table, the charts and the actions are then of these examples.")  # fmt: skip
            st.caption(f"One SELECT; {SECONDS:g} s, {MEGABYTES} MB, {MOST_ROWS:,} rows shown.")
        if isinstance(result, pl.DataFrame):
            shown = f"The first {MOST_ROWS:,} rows" if result.height == MOST_ROWS else f"{result.height:,} rows"
            st.caption(shown)
            st.dataframe(result, hide_index=True, width="stretch", key="rows_sql_table")
        elif result is not None:
            show_problem(*result)


def _run(made: Catalogue, sql: str) -> pl.DataFrame | tuple[str, str]:
    try:
        with st.spinner("Asking…"):
            found: pl.DataFrame | tuple[str, str] = made.cell.run_select(sql)
    except UsageError as error:
        found = (error.happened, error.advice)
    st.session_state[_RESULT] = found
    return found


def _use() -> None:
    use_sql(st.session_state["rows_sql"])
    st.session_state["rows_view"] = "Table"
