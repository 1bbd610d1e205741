"""The Checks view: choose rules of quality, see every row that they hit and why, then take them into the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import streamlit as st

from pitchpipe.store.curation.checking import Preview, preview_rules
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.records import Project
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.store.team.quality_reading import read_mark
from pitchpipe.studio.app_pages.data import checks_chain, checks_hits, checks_sets, recipe_handover
from pitchpipe.studio.app_pages.showing import show_problem
from pitchpipe.studio.rule_background import load_background, needs_model

_FOUND = "checks_found"


@dataclass(frozen=True, slots=True)
class _Found:
    """A preview with what it was made of, so that it is told when it no longer fits what is chosen."""

    project: str
    choices: tuple[RuleChoice, ...]
    model: str
    consensus: dict[str, Any]
    """As it was taken from Consensus: the rows are those of a snapshot by it."""
    mark: object
    preview: Preview


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Rules on the left, what they found on the right."""
    if project is None:
        return
    st.html((files("pitchpipe.studio.app_pages.data") / "checks.css").read_text(encoding="utf-8"))
    left, right = st.columns([1, 1.9], gap="medium")
    with left:
        choices = checks_chain.choose_chain(project.name)
        model = checks_sets.choose_background(store, project.name, curator, choices)
    with right:
        with st.container(horizontal=True, vertical_alignment="center"):
            label = f"Check with {len(choices)} rule{'' if len(choices) == 1 else 's'}"
            is_asked = st.button(label, type="primary", disabled=not choices, key="checks_run")
            place = st.container(horizontal=True, vertical_alignment="center")
        consensus = recipe_handover.read_handed(project.name, recipe_handover.CONSENSUS) or {}
        if is_asked:
            _run(store, project.name, choices, model, consensus)
        found: _Found | None = st.session_state.get(_FOUND)
        if found is None or found.project != project.name:
            _show_beginning()
            return
        with place:
            _show_take(project.name, found)
        if found.choices != choices or found.model != model:
            st.caption("Other rules or dials are chosen than those of the results below: check again.")
        elif found.consensus != consensus:
            st.caption("Another consensus was taken into the recipe since these results: check again.")
        elif found.mark != read_mark(store, project.name):
            st.caption("Something in the project has changed since these results: check again.")
        checks_hits.show_results(store, project.name, curator, found.preview)


def _show_beginning() -> None:
    with st.container(key="card_checks_beginning"):
        st.subheader("Nothing is dropped before you have seen it", anchor=False)
        st.text(
            "Choose rules on the left and check. You see every row that a rule hits, the reason, and the place in the "
            "text. Then you take the rules into a recipe, or decide on single rows."
        )


def _run(store: Store, project: str, choices: tuple[RuleChoice, ...], model: str, consensus: dict[str, Any]) -> None:
    """Applies the chain with a bar that says which rule is at work; a mistake is told and leaves the last results."""
    bar = st.progress(0.0, "Reading the rows")
    try:
        background = load_background(
            store, project, model,
            on_encoded=lambda done, total: bar.progress(done / total, f"Encoding text {done:,} of {total:,}"),
        )  # fmt: skip
        mark = read_mark(store, project)
        preview = preview_rules(
            store,
            project,
            choices,
            background,
            lambda done, total, title: bar.progress(done / total, title),
            Recipe(**consensus),
        )
        st.session_state[_FOUND] = _Found(project, choices, model, consensus, mark, preview)
    except PitchpipeError as error:
        show_problem(error.happened, error.advice)
    finally:
        bar.empty()


def _show_take(project: str, found: _Found) -> None:
    if st.button("Take into the recipe", icon=":material/playlist_add_check:", key="checks_take"):
        model = found.model if needs_model(found.choices) else None
        recipe_handover.hand_over(project, **{recipe_handover.RULES: found.choices, recipe_handover.TOKEN_MODEL: model})
    taken = recipe_handover.read_handed(project, recipe_handover.RULES)
    if taken == found.choices:
        recipe_handover.show_next("These rules are in the recipe.", "checks_next")
    elif taken is not None:
        st.caption("Other rules are in the recipe.")
