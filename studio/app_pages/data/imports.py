"""The Import view: a file, how it is read, ten rows as people will see them, a dry run, then the import.

What was typed into the mapping lives apart from its widgets, so neither a wrong file nor another view loses it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.importing.formats import FORMATS, SIGNS
from pitchpipe.store.importing.looking import FileLook, look_at_file
from pitchpipe.store.projects import list_projects
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data import import_mapping, import_running, import_showing, import_sources
from pitchpipe.studio.app_pages.showing import show_problem
from pitchpipe.studio.import_folders import keep_mapping

_OWN = "my own mapping"
_NEW = "A new project …"


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Shows the view; `project` is None where there is none yet."""
    st.html((files("pitchpipe.studio.app_pages.data") / "imports.css").read_text(encoding="utf-8"))
    left, right = st.columns([1, 1.25], gap="medium")
    with left:
        with st.container(key="card_import_source", gap="small"):
            st.subheader("1 · The file", anchor=False)
            source = import_sources.choose_source(store.workspace, curator)
        look = _look(source)
        with st.container(key="card_import_how", gap="small"):
            st.subheader("2 · How it is read", anchor=False)
            format_name, mapping = _choose_reading(store, look, curator)
        with st.container(key="card_import_project", gap="small"):
            st.subheader("3 · Where it goes", anchor=False)
            target = _choose_project(store, project)
    with right, st.container(key="imports_right"):
        is_read = False
        if source is None or look is None:
            with st.container(key="card_import_nothing"):
                st.text("Choose a file on the left; its rows appear here before anything is stored.")
        else:
            import_showing.show_columns(look)
            is_read = import_showing.show_rows(source, format_name, mapping)
        order = None
        if source is not None and is_read and target is not None:
            text = mapping.read_text(encoding="utf-8") if mapping else ""
            order = import_running.Order(source, format_name, mapping, text, target)
        import_running.show_running(store, order, curator)


def _look(source: Path | None) -> FileLook | None:
    if source is None:
        return None
    mapping = st.session_state.get(import_mapping.KEY, {})
    try:
        return look_at_file(source, names=mapping.get("columns") or None)
    except PitchpipeError as problem:
        show_problem(problem.happened, problem.advice)
        return None


def _choose_reading(store: Store, look: FileLook | None, curator: str) -> tuple[str | None, Path | None]:
    """The format, or the mapping's own file; both None where there is no file yet."""
    if look is None:
        st.text("The format is guessed from the first rows.")
        if st.session_state.get(import_mapping.KEY):
            st.text("The mapping typed so far is kept.")
        return None, None
    options = [*FORMATS, _OWN]
    chosen = st.selectbox(
        "Format", options, index=options.index(look.format or _OWN), key=f"imports_format_{_hash_look(look)}",
        help="\n\n".join(f"{name}: {signs}" for name, signs in SIGNS.items()),
    )  # fmt: skip
    if look.format is None:
        st.text("No known format: say below what the columns mean.")
    elif chosen == look.format:
        st.text(f"Guessed: {look.reason}.")
    else:
        st.text(f"The guess is {look.format}: {look.reason}.")
    if chosen != _OWN:
        return chosen, None
    text = import_mapping.edit_mapping(look)
    return None, keep_mapping(store.workspace, text, curator)


def _hash_look(look: FileLook) -> str:
    """Tells files of other columns apart: their guess is made anew, that of the same columns stays as it was set."""
    return str(hash((look.format, *(column.name for column in look.columns))))


def _choose_project(store: Store, project: Project | None) -> str | None:
    """The name of the project, None while a new one has no usable name."""
    names = [known.name for known in list_projects(store)]
    options = [*names, _NEW]
    index = names.index(project.name) if project is not None and project.name in names else len(names)
    chosen: str = st.selectbox("Project", options, index=index, key="imports_project")
    if chosen != _NEW:
        return chosen
    typed: Any = st.text_input("Its name", key="imports_new_project", placeholder="Help desk", max_chars=100)
    name = str(typed or "").strip()
    if not name:
        st.text("A new project needs a name.")
        return None
    if name in names:
        st.text("There is a project of that name; the rows go into it.")
    return name if name.isprintable() else None
