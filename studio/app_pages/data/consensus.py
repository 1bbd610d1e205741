"""The Consensus view: what several judgements add up to, strategy by strategy, before a recipe takes one."""

from __future__ import annotations

import time
from typing import Any

import streamlit as st

from pitchpipe.store.consensus.consensus_preview import Preview, StrategyPreview, compare_strategies, count_drops
from pitchpipe.store.consensus.project_answers import ProjectAnswers, read_answers, read_requests
from pitchpipe.store.database import Store
from pitchpipe.store.measures.model_ranking import ModelRanking, rank_models
from pitchpipe.store.records import Project
from pitchpipe.store.team.quality_reading import read_mark
from pitchpipe.studio.app_pages.data import consensus_charts, consensus_tables, recipe_handover
from pitchpipe.studio.app_pages.data.consensus_tables import NAMES
from pitchpipe.studio.app_pages.showing import show_constant

_KEPT = "consensus_kept"
_VERDICT_WORDS = {"a": "A better", "b": "B better", "both_bad": "both bad", "cannot_judge": "can't judge"}
_WIDEST = 4
_LONG = 3.0
"""Seconds of reading from which a page waits to be asked before it reads again."""


def show_view(store: Store, project: Project | None, curator: str) -> None:  # noqa: ARG001
    """Shows the view. Everything is computed once and kept until somebody judges or decides."""
    if project is None:
        return
    with st.spinner("Reading what people said", show_time=True):
        kept = _keep(store, project.name)
    read: ProjectAnswers = kept["read"]
    questions = {name: (is_scale, units) for name, is_scale, units in read.describe_questions() if units}
    if not questions:
        st.info("Nobody has judged in this project yet, so there is nothing to add up.")
        return
    show_constant(
        '<div class="pp-lead">What several judgements of the same thing add up to. Choose how, look at what it '
        "changes, and take it into the recipe of a snapshot.</div>"
    )
    question = st.selectbox(
        "Question", list(questions), key="consensus_question", width=420,
        format_func=lambda name: f"{name} · {questions[name][1]:,} judged, {_describe(name, questions[name][0])}",
    )  # fmt: skip
    if question is None:
        return
    preview = _preview(kept, read, question)
    with st.container(key="card_consensus_strategies"):
        _show_strategies(preview)
    with st.container(key="card_consensus_choice"):
        _show_choice(store, project.name, preview)
    _show_models(kept, read)


def _describe(question: str, is_scale: bool) -> str:
    return "verdicts" if question == "verdict" else "labels" if question == "labels" else (
        "a scale" if is_scale else "options")  # fmt: skip


def _keep(store: Store, project: str) -> dict[str, Any]:
    """What was read and computed, kept until something in the project changes, or where that took long until asked."""
    mark = read_mark(store, project)
    kept: dict[str, Any] = st.session_state.get(_KEPT) or {}
    is_other = kept.get("project") != project
    if kept and not is_other and kept["mark"] != mark and kept["seconds"] > _LONG:
        st.caption("People have judged since these figures were made.")
        is_other = st.button("Read again", key="consensus_again")
    elif kept and kept["mark"] != mark:
        is_other = True
    if not kept or is_other:
        began = time.monotonic()
        read = read_answers(store, project)
        kept = {"project": project, "mark": mark, "read": read, "previews": {}, "seconds": time.monotonic() - began}
        st.session_state[_KEPT] = kept
    return kept


def _preview(kept: dict[str, Any], read: ProjectAnswers, question: str) -> Preview:
    current = dict(read_recipe(kept["project"])["strategies"]).get(question)
    previews: dict[tuple[str, str | None], Preview] = kept["previews"]
    if (question, current) not in previews:
        with st.spinner("Adding up", show_time=True):
            previews[question, current] = compare_strategies(
                question, read.answers[question], (), current, read.known.get(question, {})
            )
    return previews[question, current]


def read_recipe(project: str) -> dict[str, Any]:
    """What was taken into the recipe so far; of a fresh one its defaults."""
    fresh = {"strategy": "mean", "strategies": (), "tie_policy": "keep", "widest_spread": None, "lowest_support": None}
    return {**fresh, **(recipe_handover.read_handed(project, recipe_handover.CONSENSUS) or {})}


def _show_strategies(preview: Preview) -> None:
    st.subheader("Strategies side by side", anchor=False)
    consensus_tables.show_strategies(preview)
    if preview.advice:
        st.text(preview.advice)
    for one in preview.strategies:
        if words := consensus_tables.describe_model(one):
            st.caption(words)
    names = _VERDICT_WORDS if preview.question == "verdict" else {}
    consensus_charts.draw_distributions(preview.strategies, NAMES, names)
    show_constant(
        '<div class="pp-quiet">Numbers are rounded to whole ones here; rows keep them as they are. Support: the share '
        "of raters who agree with the consensus. Confidence: how probable the model holds its value.</div>"
    )


def _show_choice(store: Store, project: str, preview: Preview) -> None:
    st.subheader("What a choice changes", anchor=False)
    names = [one.strategy for one in preview.strategies]
    chosen = st.segmented_control(
        "Strategy", names, default=preview.current if preview.current in names else names[0], required=True,
        format_func=lambda name: NAMES[name], key=f"consensus_strategy_{preview.question}",
    )  # fmt: skip
    one = next(one for one in preview.strategies if one.strategy == chosen)
    st.caption(consensus_tables.MEANINGS[one.strategy])
    if one.changed:
        requests = read_requests(store, [change.example_id for change in one.changes])
        consensus_tables.show_changes(one, preview.current, requests)
    elif one.strategy != preview.current:
        st.text(f"Against {NAMES[preview.current]} nothing changes.")
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**How sure it is**")
        consensus_charts.draw_confidence(one.outcomes)
        st.caption("Units by confidence." if one.model else "Units by the share of raters who agree.")
    with right:
        _show_rules(project, preview, one)


def _show_rules(project: str, preview: Preview, one: StrategyPreview) -> None:
    """The rules that leave rows out, with live counts, and the way into the recipe."""
    st.markdown("**What is left out**")
    recipe = read_recipe(project)
    is_verdict = preview.question == "verdict"
    policy = recipe["tie_policy"]
    if is_verdict:
        policy = st.radio(
            "Ties", ["keep", "drop"], index=int(policy == "drop"), horizontal=True, key="consensus_ties",
            format_func=lambda name: {"keep": "stay, as ties", "drop": "are left out"}[name],
        )  # fmt: skip
    spread = recipe["widest_spread"]
    if preview.is_number or is_verdict:
        spread = _choose_spread(spread, "Strengths" if is_verdict else "Ratings")
    support = st.slider(
        "Raters who must agree", 0, 100, round(100 * (recipe["lowest_support"] or 0)), 5, format="%d%%",
        key="consensus_support",
    )  # fmt: skip
    lowest = support / 100 or None
    drops = count_drops(one.outcomes, policy, spread, lowest)
    st.text(consensus_tables.describe_drops(drops, one.outcomes.height))
    if st.button("Take into the recipe", type="primary", key="consensus_take"):
        strategies = {**dict(recipe["strategies"]), preview.question: one.strategy}
        if one.strategy == ("mean" if preview.is_number else "majority"):
            del strategies[preview.question]
        taken = {
            "strategy": recipe["strategy"], "strategies": tuple(sorted(strategies.items())), "tie_policy": policy,
            "widest_spread": spread, "lowest_support": lowest,
        }  # fmt: skip
        recipe_handover.hand_over(project, **{recipe_handover.CONSENSUS: taken})
        st.rerun()
    if recipe_handover.read_handed(project, recipe_handover.CONSENSUS) is not None:
        recipe_handover.show_next(describe_recipe(recipe), "consensus_next")


def _choose_spread(spread: int | None, what: str) -> int | None:
    named: dict[str, int | None] = {"as far as they do": None}
    named |= {f"by {steps}" + (" (HelpSteer2)" if steps == 2 else ""): steps for steps in range(_WIDEST + 1)}
    places = list(named.values())
    chosen = st.selectbox(
        f"{what} may lie apart", list(named), key="consensus_spread",
        index=places.index(spread) if spread in places else 0,
    )  # fmt: skip
    return named[chosen]


def describe_recipe(recipe: dict[str, Any]) -> str:
    """What the recipe says about consensus, in words.

    >>> describe_recipe({"strategies": (("tone", "majority"),), "tie_policy": "drop", "widest_spread": 2,
    ...     "lowest_support": None})
    'In the recipe: tone by majority; ties left out; nothing over 2 apart.'
    """
    told = [f"{question} by {NAMES[strategy]}" for question, strategy in recipe["strategies"]]
    parts = [", ".join(told) or "every question by its usual strategy"]
    parts.append("ties left out" if recipe["tie_policy"] == "drop" else "ties stay")
    if recipe["widest_spread"] is not None:
        parts.append(f"nothing over {recipe['widest_spread']} apart")
    if recipe["lowest_support"] is not None:
        parts.append(f"at least {recipe['lowest_support']:.0%} must agree")
    return f"In the recipe: {'; '.join(parts)}."


def _show_models(kept: dict[str, Any], read: ProjectAnswers) -> None:
    if read.comparisons.is_empty():
        return
    if "ranking" not in kept:
        with st.spinner("Ranking models", show_time=True):
            kept["ranking"] = rank_models(read.comparisons)
    ranking: ModelRanking = kept["ranking"]
    with st.container(key="card_consensus_models"):
        st.subheader("How the models stand", anchor=False)
        if ranking.undefined_because:
            st.text(f"No ranking: {ranking.undefined_because}.")
            st.caption("An import names the model of each answer under 'More: models, ids, splits'.")
            return
        st.text(consensus_tables.describe_ranking(ranking))
        for place in range(ranking.components):
            standings = [one for one in ranking.standings if one.component == place]
            consensus_charts.draw_models(standings)
            consensus_tables.show_standings(standings)
        show_constant(
            '<div class="pp-quiet">The share of comparisons that a model would win against an average one of these, '
            "ties as half, with its 95% interval over prompts (Bradley-Terry with ties). A ranking counts as one "
            "comparison in all its pairs together.</div>"
        )
