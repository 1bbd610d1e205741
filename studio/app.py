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
from pitchpipe.studio.app_pages.showing import choose_project, show_constant, show_look, show_problem
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
    pages["home"] = st.Page(
        partial(home.show_home, store, project, annotator, pages), title="Home", url_path="home", default=True
    )
    pages["annotate"] = st.Page(
        partial(annotate.show_annotate, store, project, annotator), title="Annotate", url_path="annotate"
    )
    pages["history"] = st.Page(
        partial(history.show_history, store, project, annotator, pages["annotate"]),
        title="My history",
        url_path="history",
    )
    role = people.find_role(store, annotator)
    if role in ("curator", "lead"):
        pages["review"] = st.Page(partial(_show_review, store, project, annotator), title="Review", url_path="review")
    if role in ("curator", "engineer", "lead"):
        pages["data"] = st.Page(partial(_show_data, store, project, annotator), title="Data", url_path="data")
    pages["rounds"] = st.Page(partial(_show_rounds, store, project), title="Rounds", url_path="rounds")
    if role == "lead":
        pages["people"] = st.Page(partial(_show_people, store, project, annotator), title="People", url_path="people")
    chosen = st.navigation(list(pages.values()), position="hidden")
    with links:
        for page in pages.values():
            with st.container(key="here" if page == chosen else f"link_{page.url_path}"):
                st.page_link(page)
    chosen.run()


def _show_review(store: Store, project: Project | None, annotator: str) -> None:
    from pitchpipe.studio.app_pages import review  # its frames take a while to import, and annotators never need them

    review.show_review(store, project, annotator)


def _show_data(store: Store, project: Project | None, annotator: str) -> None:
    from pitchpipe.studio.app_pages.data import page  # charts and frames, and annotators never see it

    page.show_data(store, project, annotator)


def _show_rounds(store: Store, project: Project | None) -> None:
    from pitchpipe.studio.app_pages import rounds  # charts take a second to import, and annotators never need them

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
