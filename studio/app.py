"""The studio's entry script: who is here, which project, which page.

Streamlit runs this file anew for every step of every reader. It never opens the store; `session` holds the one that
the server opened.
"""

from __future__ import annotations

from functools import partial
from importlib.resources import files

import streamlit as st

from pitchpipe.prompts.library import PromptError
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.records import Project
from pitchpipe.store.team import people
from pitchpipe.studio.app_pages import annotate, history, home
from pitchpipe.studio.app_pages.showing import PAGE_ROLES, choose_project, show_constant, show_look, show_problem
from pitchpipe.studio.session import current_annotator, current_store, read_session_id


def show_studio() -> None:
    """Draws the side bar and runs the page that was asked for."""
    st.set_page_config(
        page_title="Pitchpipe", page_icon=str(files("pitchpipe.studio.app_pages") / "pitchpipe.svg"), layout="wide"
    )
    show_look()
    store = current_store()
    annotator = current_annotator(store)
    if annotator is None:
        signs = [
            st.Page(partial(_show_sign_in, name), title="Sign in", url_path=name, default=name == "home")
            for name in ("home", "annotate", "history", "review", "data", "people", "rounds")
        ]
        st.navigation(signs, position="hidden").run()
        return
    pages: dict[str, st.Page] = {}
    with st.sidebar:
        show_constant('<div class="pp-logo">pitch<i>pipe</i></div>')
        links, whoami = st.container(key="links"), st.container(key="whoami")
        with whoami:
            project = choose_project(store)
            st.text(annotator)
            show_constant('<div class="pp-quiet"><a href="/logout" target="_self">Sign out</a></div>')
    role = people.find_role(store, annotator)
    turned_away = _list_pages(store, project, annotator, role, pages)
    chosen = st.navigation([*pages.values(), *turned_away], position="hidden")
    with links:
        for page in pages.values():
            with st.container(key="here" if page == chosen else f"link_{page.url_path}"):
                st.page_link(page)
    chosen.run()


def _list_pages(
    store: Store, project: Project | None, annotator: str, role: str, pages: dict[str, st.Page]
) -> list[st.Page]:
    """Puts the pages of a role into `pages`, in the order of their links; returns the others, which turn one away in
    words for whoever was sent their address."""
    who = (store, project, annotator)
    listed = (
        ("home", "Home", partial(home.show_home, *who, pages)),
        ("annotate", "Annotate", partial(annotate.show_annotate, *who)),
        ("history", "My history", lambda: history.show_history(*who, pages["annotate"])),
        ("review", "Review", partial(_show_review, *who)),
        ("data", "Data", partial(_show_data, *who)),
        ("rounds", "Rounds", partial(_show_rounds, store, project)),
        ("people", "People", partial(_show_people, *who)),
    )
    turned_away = []
    for name, title, show in listed:
        page = st.Page(show, title=title, url_path=name, default=name == "home")
        if role in PAGE_ROLES.get(name, (role,)):
            pages[name] = page
        else:
            turned_away.append(page)
    return turned_away


def _show_review(store: Store, project: Project | None, annotator: str) -> None:
    from pitchpipe.studio.app_pages import review  # its frames take a while to import, and annotators never need them

    review.show_review(store, project, annotator)


def _show_data(store: Store, project: Project | None, annotator: str) -> None:
    from pitchpipe.studio.app_pages.data import page  # charts and frames, and annotators never see it

    page.show_data(store, project, annotator)


def _show_rounds(store: Store, project: Project | None) -> None:
    from pitchpipe.studio.app_pages.rounds import (
        page as rounds,  # charts take a second to import, and annotators never need them
    )

    rounds.show_rounds(store, project)


def _show_people(store: Store, project: Project | None, annotator: str) -> None:
    from pitchpipe.studio.app_pages import people as people_page  # charts again, and leads alone see it

    people_page.show_people(store, project, annotator)


def _show_sign_in(page_name: str) -> None:
    with st.container(key="card_sign_in", width=420):
        show_constant('<div class="pp-logo">pitch<i>pipe</i></div>')
        if people.was_revoked(current_store(), read_session_id()):
            show_problem(*people.explain_revocation())
        st.text("People give the note here: sign in to judge answers, or to watch a model learn from them.")
        show_constant(
            '<a class="pp-button" href="/login?next={page}" target="_self">Sign in</a>',
            page="" if page_name == "home" else page_name,
        )


try:
    show_studio()
except (PitchpipeError, PromptError) as error:
    show_problem(error.happened, error.advice)
