"""The chain of the Checks view: each rule with its action and dials, in the order in which they are applied."""

from __future__ import annotations

from typing import Any, cast

import streamlit as st

from pitchpipe.store.rules.catalogue import RULES
from pitchpipe.store.rules.rule import Action, Parameter, Rule, RuleChoice
from pitchpipe.studio.app_pages.showing import show_constant

_USUAL = (
    "empty_answer", "same_answers", "rating_against_choice", "prompt_mismatch", "exact_duplicate", "refusal",
    "boilerplate", "repetition", "personal_data", "secrets",
)  # fmt: skip
"""Chosen at first: what is quick and seldom wrong."""
_TOPICS = {
    "Answers": ("empty_answer", "refusal", "boilerplate", "repetition", "language", "too_long", "too_short"),
    "Pairs": ("same_answers", "rating_against_choice", "length_only", "same_model"),
    "Duplicates and leaks": (
        "exact_duplicate",
        "near_duplicate",
        "semantic_duplicate",
        "semantic_neighbour",
        "contamination",
        "prompt_mismatch",
    ),
    "Private data": ("personal_data", "secrets"),
}
ACTIONS = {"drop": "leave out", "mask": "mask", "mark": "only list"}


def choose_chain(project: str) -> tuple[RuleChoice, ...]:
    """Shows all rules by topic and returns the chosen ones in the order of the catalogue, duplicates last."""
    chosen: dict[str, RuleChoice] = {}
    with st.container(key="card_checks_chain", gap="small"):
        st.subheader("Rules", anchor=False)
        for topic, rules in _list_topics().items():
            show_constant('<div class="pp-who">{topic}</div>', topic=topic)
            for rule in rules:
                choice = _choose_rule(project, rule)
                if choice is not None:
                    chosen[rule.id] = choice
    return tuple(chosen[id] for id in RULES if id in chosen)


def _list_topics() -> dict[str, list[Rule]]:
    """The rules by topic; one that no topic names comes last."""
    named = {id for ids in _TOPICS.values() for id in ids}
    topics = {topic: [RULES[id] for id in ids if id in RULES] for topic, ids in _TOPICS.items()}
    others = [rule for id, rule in RULES.items() if id not in named]
    return {**topics, "Others": others} if others else topics


def _choose_rule(project: str, rule: Rule) -> RuleChoice | None:
    key = f"checks_{project}_{rule.id}"
    name, action_place, dials_place = st.columns([5.55, 3.5, 1.15], vertical_alignment="center", gap="xxsmall")
    with name:
        is_chosen = st.checkbox(rule.title, rule.id in _USUAL, key=key, help=rule.about)
    if not is_chosen:
        return None
    with action_place:
        action = cast(
            Action,
            st.selectbox(
                f"What {rule.title} does", rule.actions, format_func=lambda name: ACTIONS[name], key=f"{key}_action",
                label_visibility="collapsed",
            ),
        )  # fmt: skip
    changed: tuple[tuple[str, Any], ...] = ()
    if rule.parameters:
        with dials_place, st.popover("", icon=":material/tune:", type="tertiary", key=f"{key}_dials"):
            st.markdown(f"**{rule.title}**")
            changed = ask_dials(rule, key, {})
    return RuleChoice(rule.id, action, changed)


def ask_dials(rule: Rule, key: str, given: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Shows the dials of a rule, set as given or as usual; returns those that are not as usual, by name."""
    values = {
        dial.name: _ask(dial, given.get(dial.name, dial.default), f"{key}_{dial.name}") for dial in rule.parameters
    }
    return tuple(
        sorted((dial.name, values[dial.name]) for dial in rule.parameters if values[dial.name] != dial.default)
    )


def _ask(dial: Parameter, value: Any, key: str) -> Any:
    """The widget that fits a dial; what is left empty counts as usual."""
    label = dial.name.replace("_", " ").capitalize()
    if dial.choices:
        options = list(dial.choices)
        return st.selectbox(label, options, options.index(str(value)), help=dial.about, key=key)
    if isinstance(dial.default, bool):
        return st.checkbox(label, bool(value), help=dial.about, key=key)
    if isinstance(dial.default, str):
        return st.text_input(label, str(value), help=dial.about, key=key)
    kind = type(dial.default)
    low, high = (None if bound is None else kind(bound) for bound in (dial.low, dial.high))
    step = 1 if kind is int else 0.05
    given = st.number_input(label, low, high, kind(value), step, help=dial.about, key=key)
    return dial.default if given is None else given
