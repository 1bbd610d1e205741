"""The recipe editor of the Snapshots view. What Checks and Consensus chose lies in the session, to be edited here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.measures.consensus import CHOICE_STRATEGIES, STRATEGIES
from pitchpipe.store.project_answers import read_answers
from pitchpipe.store.quality_reading import read_mark
from pitchpipe.store.recipe_files import list_recipes, save_recipe
from pitchpipe.store.recipes import TIE_POLICIES, Recipe
from pitchpipe.store.records import Project
from pitchpipe.store.slices import Slice, list_slices
from pitchpipe.store.snapshot_reading import count_sources
from pitchpipe.studio.app_pages.data import recipe_handover, snapshots_rules
from pitchpipe.studio.app_pages.showing import show_problem

_USUAL, _ALL, _DEFAULT = "The usual recipe", "All examples", "as above"
_CONSENSUS = ("strategy", "strategies", "tie_policy", "widest_spread", "lowest_support")


def edit_recipe(store: Store, project: Project, curator: str) -> Recipe:
    """Shows the fields of a recipe and returns what they say."""
    saved = {_USUAL: Recipe(), **list_recipes(store, project.name)}
    base_name = st.selectbox("Start from", list(saved), key="snapshots_base", on_change=recipe_handover.forget_handed)
    base = saved.get(base_name or _USUAL, Recipe())
    handed, base = _take_handed(project.name, base)
    key = f"{project.id}_{base_name}_{handed}"
    recipe = replace(
        base,
        slice=_choose_slice(store, project.name, base, key),
        **snapshots_rules.choose_rules(base, key),
        **_choose_consensus(store, project.name, base, key),
        weights=_choose_shares(store, project.id, base, key),
        near_duplicate_threshold=_choose_threshold(base, key),
    )
    _offer_saving(store, project.name, recipe, curator)
    return recipe


def _take_handed(project: str, base: Recipe) -> tuple[int, Recipe]:
    """The recipe with what other views handed over in the place of its own, said above it; and a mark of that."""
    consensus = recipe_handover.read_handed(project, recipe_handover.CONSENSUS)
    rules = recipe_handover.read_handed(project, recipe_handover.RULES)
    model = recipe_handover.read_handed(project, recipe_handover.TOKEN_MODEL)
    if consensus:
        base = replace(base, **{name: consensus[name] for name in _CONSENSUS if name in consensus})
    if rules is not None:
        base = replace(base, rules=rules, token_model=model or base.token_model)
    sources = [name for name, value in (("Checks", rules), ("Consensus", consensus)) if value is not None]
    if sources:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"With what you took from {' and '.join(sources)}.")
            st.button("Forget it", key="snapshots_forget", type="tertiary", on_click=recipe_handover.forget_handed)
    return hash((str(consensus), rules, model)), base


def _choose_slice(store: Store, project: str, base: Recipe, key: str) -> Slice | None:
    slices = {one.name: one.slice for one in list_slices(store, project)}
    own = next((name for name, found in slices.items() if found == base.slice), None)
    if base.slice is not None and own is None:
        slices, own = {"As the recipe says": base.slice, **slices}, "As the recipe says"
    names = [_ALL, *slices]
    chosen = st.selectbox("Examples", names, index=names.index(own or _ALL), key=f"snapshots_slice_{key}",
                          help="Slices are saved in Rows.")  # fmt: skip
    return slices.get(chosen or _ALL)


def _choose_consensus(store: Store, project: str, base: Recipe, key: str) -> dict[str, Any]:
    with st.expander("Consensus", expanded=bool(base.strategies), icon=":material/balance:"):
        strategy = st.selectbox(
            "Ratings are joined by", STRATEGIES, index=STRATEGIES.index(base.strategy), format_func=_name,
            key=f"snapshots_strategy_{key}",
        )  # fmt: skip
        by_question = dict(base.strategies)
        for question, is_number, _ in _read_questions(store, project):
            options = [_DEFAULT if is_number else "majority", *(STRATEGIES if is_number else CHOICE_STRATEGIES)]
            options = list(dict.fromkeys(options))
            own = by_question.get(question, options[0])
            found = st.selectbox(
                question, options, index=options.index(own) if own in options else 0, format_func=_name,
                key=f"snapshots_question_{question}_{key}",
            )  # fmt: skip
            by_question.pop(question, None)
            if found not in (None, options[0]):
                by_question[question] = str(found)
        policy = st.radio(
            "Tied comparisons", TIE_POLICIES, index=TIE_POLICIES.index(base.tie_policy), horizontal=True,
            format_func=lambda name: {"keep": "stay, as ties", "drop": "are left out"}[name],
            key=f"snapshots_ties_{key}",
        )  # fmt: skip
        support = st.slider("Raters who must agree", 0, 100, round(100 * (base.lowest_support or 0)), 5, format="%d%%",
                            key=f"snapshots_support_{key}")  # fmt: skip
        spread = st.number_input("Widest spread of ratings", 0, 1000, base.widest_spread, placeholder="any",
                                 key=f"snapshots_spread_{key}")  # fmt: skip
    return {"strategy": strategy or "mean", "strategies": tuple(sorted(by_question.items())), "tie_policy": policy,
            "lowest_support": support / 100 or None, "widest_spread": spread}  # fmt: skip


def _read_questions(store: Store, project: str) -> list[tuple[str, bool, int]]:
    """The questions that were answered, kept until something in the project changes."""
    mark, kept = read_mark(store, project), st.session_state.get("snapshots_questions")
    if kept is None or kept[0] != mark:
        kept = (mark, read_answers(store, project).describe_questions())
        st.session_state["snapshots_questions"] = kept
    found: list[tuple[str, bool, int]] = kept[1]
    return found


def _name(strategy: str) -> str:
    return strategy.replace("_", " ").replace("dawid skene", "Dawid-Skene")


def _choose_shares(store: Store, project_id: str, base: Recipe, key: str) -> tuple[tuple[str, float], ...]:
    sources, shares = count_sources(store, project_id), dict(base.weights)
    with st.expander("Mix of sources", expanded=bool(shares), icon=":material/tune:"):
        is_mixed = st.toggle("Thin sources to shares", bool(shares), key=f"snapshots_mix_{key}",
                             help="Rows are left out, never doubled. Each kind of row is mixed by itself.")  # fmt: skip
        if not is_mixed:
            return ()
        given = [
            (source, st.number_input(f"{source} · {count:,} examples", 0.0, 1000.0, float(shares.get(source, 1.0)),
                                     step=0.5, key=f"snapshots_share_{source}_{key}"))
            for source, count in sources.items()
        ]  # fmt: skip
        whole = sum(share for _, share in given)
        if whole:
            st.caption(" · ".join(f"{share / whole:.0%}" for _, share in given))
        return tuple(given)


def _choose_threshold(base: Recipe, key: str) -> float:
    threshold: float = st.slider(
        "A request leaks from", 0.5, 1.0, base.near_duplicate_threshold, 0.05, key=f"snapshots_threshold_{key}",
        help="Share of words that a training request may have in common with a sealed one (Jaccard similarity of runs "
             "of five words); from here on it is left out.",
    )  # fmt: skip
    return threshold


def _offer_saving(store: Store, project: str, recipe: Recipe, curator: str) -> None:
    with st.popover("Save recipe", icon=":material/bookmark:"):
        name = st.text_input("Name of the recipe", key="snapshots_recipe_name")
        if st.button("Save", key="snapshots_recipe_save", disabled=not name.strip()):
            try:
                save_recipe(store, project, name.strip(), recipe, curator)
            except PitchpipeError as error:
                show_problem(error.happened, error.advice)
            else:
                st.toast(f"Saved the recipe {name.strip()}.")
