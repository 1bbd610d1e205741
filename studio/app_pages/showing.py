"""What every page shares: the look, the chosen project, and showing stored text as text.

Stored text is never handed to `st.html`, and reaches Markdown only through `plain`.
"""

from __future__ import annotations

import re
from html import escape
from importlib.resources import files

import streamlit as st

from pitchpipe.store import projects
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project

PAGE_ROLES: dict[str, tuple[str, ...]] = {
    "review": ("curator", "lead"),
    "data": ("curator", "engineer", "lead"),
    "people": ("lead",),
}
"""Who may see a page, by its address; pages that are not named here are for everybody who works here."""

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~^&=])")
_PROJECT_KEY = "project"


def plain(text: str) -> str:
    """The text with everything that Markdown would read as markup escaped, on one line.

    >>> plain("a *b*")
    'a \\\\*b\\\\*'
    """
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def show_look() -> None:
    """Puts the style sheet on the page."""
    st.html((files("pitchpipe.studio.app_pages") / "look.css").read_text(encoding="utf-8"))


def show_constant(markup: str, **values: object) -> None:
    """Shows markup of ours, with the values put into its braces escaped."""
    st.html(markup.format(**{name: escape(str(value)) for name, value in values.items()}))


def show_problem(happened: str, advice: str) -> None:
    """An error that a person can act on, in its two parts."""
    st.error(f"**{plain(happened)}**\n\n{plain(advice)}")


def choose_project(store: Store) -> Project | None:
    """The project that the pages are about; with several, a selector in the place of the call."""
    available = {project.name: project for project in projects.list_projects(store)}
    if not available:
        return None
    if len(available) == 1:
        project = next(iter(available.values()))
        st.text(project.name)
        return project
    name = st.selectbox("Project", list(available), key=_PROJECT_KEY)
    return available.get(name or "")


def shorten_hash(tagged: str) -> str:
    """The first eight digits of a tagged hash, enough for people to tell versions apart.

    >>> shorten_hash("sha256:ca978112ca1bbdca")
    'ca978112'
    """
    return tagged.rpartition(":")[2][:8]
