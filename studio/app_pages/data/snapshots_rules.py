"""The rules of a recipe in the Snapshots view: which, in which order, with which action and dials."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.rules.catalogue import RULES, order_chain
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.studio.app_pages.data.checks_chain import ACTIONS, ask_dials
from pitchpipe.studio.rule_background import name_token_model, needs_model


def choose_rules(base: Recipe, key: str) -> dict[str, Any]:
    """Shows the chain of a recipe to be edited; returns its rules, and whose tokens they count."""
    steps = name_steps(order_chain(base.rules))
    chosen = st.multiselect(
        "Rules of quality", [*dict.fromkeys([*steps, *RULES])], default=list(steps), format_func=_name_step,
        key=f"snapshots_rules_{key}", placeholder="None: nothing is left out for its quality",
        help="Applied in this order, but duplicates last, so that the row of each group that stays is not taken by "
        "a later rule. Checks shows what each of them finds.",
    )  # fmt: skip
    rules = order_chain(
        [_edit_choice(steps.get(step) or RuleChoice(step, RULES[step].actions[0]), f"{step}_{key}") for step in chosen]
    )
    if not needs_model(rules):
        return {"rules": rules, "token_model": ""}
    model = st.text_input(
        "Model whose tokens count", base.token_model or "embedded", key=f"snapshots_model_{key}",
        help="embedded, a folder with a tokenizer, the folder of a training run, or the id of a cached model.",
    )  # fmt: skip
    return {"rules": rules, "token_model": name_token_model(Recipe(rules=rules), model.strip()).token_model}


def name_steps(rules: tuple[RuleChoice, ...]) -> dict[str, RuleChoice]:
    """The choices of a chain by a name of each: the rule's id, with a number where it stands there again.

    >>> list(name_steps((RuleChoice("refusal"), RuleChoice("secrets"), RuleChoice("refusal", "mark"))))
    ['refusal', 'secrets', 'refusal 2']
    """
    steps: dict[str, RuleChoice] = {}
    for place, choice in enumerate(rules):
        before = sum(earlier.rule == choice.rule for earlier in rules[:place])
        steps[f"{choice.rule} {before + 1}" if before else choice.rule] = choice
    return steps


def _name_step(step: str) -> str:
    id, _, number = step.partition(" ")
    return f"{RULES[id].title} {number}".strip()


def _edit_choice(choice: RuleChoice, key: str) -> RuleChoice:
    """A rule's action and dials on one line, and below it the dials that are not as usual."""
    rule = RULES[choice.rule]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        action = st.segmented_control(
            rule.title, rule.actions, default=choice.action, required=True, key=f"snapshots_action_{key}",
            format_func=lambda name: ACTIONS[name],
        )  # fmt: skip
        changed = choice.parameters
        if rule.parameters:
            with st.popover("", icon=":material/tune:", type="tertiary", key=f"snapshots_dials_{key}"):
                st.markdown(f"**{rule.title}**")
                changed = ask_dials(rule, f"snapshots_dial_{key}", dict(choice.parameters))
    if changed:
        st.caption(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changed))
    return RuleChoice(rule.id, action, changed)
