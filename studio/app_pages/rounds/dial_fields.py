"""The dials of a plan as fields: grouped, with unit, range and help; what is typed outlives a change of method."""

from __future__ import annotations

import tomllib
from typing import Any

import streamlit as st

from pitchpipe.store.errors import UsageError
from pitchpipe.studio.app_pages.showing import plain
from pitchpipe.training.plans.dials import Dial, describe_dials
from pitchpipe.training.plans.plan_files import plan_from_dict, plan_to_toml
from pitchpipe.training.plans.train_plan import TrainPlan

_ELSEWHERE = ("method", "snapshot", "model", "name", "kind")
"""Dials that have a place of their own on the page, or none."""
_FIRST = ("epochs", "learning_rate", "batch_size", "max_steps")
_SECOND = ("weights", "lora_rank", "max_length", "layout")
_ONLY = {
    "minimum_rating": ("sft", "kto"), "minimum_support": ("dpo", "reward", "classify"),
    "beta": ("dpo", "kto", "rloo", "grpo"), "sft_weight": ("dpo",), "reward_run": ("rloo", "grpo"),
    "reward_checks": ("rloo", "grpo"), "generations": ("rloo", "grpo"), "max_new_tokens": ("rloo", "grpo"),
    "temperature": ("rloo", "grpo"),
}  # fmt: skip
"""Dials that only some methods obey; they stand among the second ones there, and nowhere else."""
_GROUPS = {
    "How it learns": ("schedule", "warmup", "accumulation", "lora_alpha", "lora_dropout", "seed"),
    "Which rows": ("max_rows", "over_length", "soft_labels"),
    "Measuring on the way": (
        "dev_share", "measure_every", "patience", "keep_best", "sample_prompts", "samples", "report_to",
    ),
    "The machine": ("precision", "attention", "checkpointing", "checkpoint_every", "threads", "hardware"),
}  # fmt: skip
_TRACKERS = ("tensorboard", "trackio", "mlflow")
_TYPED = "rounds_typed"


def show_first_dials(plan: TrainPlan, scope: str) -> dict[str, Any]:
    """Shows the dials that one looks at first, and returns their values; the arguments are those of `show_dials`."""
    return _show_group(_FIRST, _list_dials(plan), plan, scope)


def show_dials(plan: TrainPlan, scope: str) -> dict[str, Any]:
    """Shows every other dial that the plan's method obeys, and returns their values.

    Args:
        plan: gives each field its value until somebody types another.
        scope: what is typed is kept for this scope (a method with a recipe) alone.

    Raises:
        UsageError: a table is not TOML.
    """
    dials = _list_dials(plan)
    special = tuple(name for name in dials if name in _ONLY)
    with st.expander("More dials"):
        values = _show_group((*_SECOND, *special), dials, plan, scope)
    with st.expander("All dials"):
        left = set(dials) - set(_FIRST) - set(_SECOND) - set(special)
        for title, names in _GROUPS.items():
            st.caption(title)
            values |= _show_group(tuple(name for name in names if name in dials), dials, plan, scope)
            left -= set(names)
        st.caption("Further")
        values |= _show_group(tuple(name for name in dials if name in left), dials, plan, scope)
    return values


def _list_dials(plan: TrainPlan) -> dict[str, Dial]:
    """The dials that the plan's method obeys and that have no other place on the page, by name."""
    dials = {dial.name: dial for dial in describe_dials(TrainPlan) if dial.name not in _ELSEWHERE}
    return {name: dial for name, dial in dials.items() if plan.method in _ONLY.get(name, (plan.method,))}


def _show_group(names: tuple[str, ...], dials: dict[str, Dial], plan: TrainPlan, scope: str) -> dict[str, Any]:
    values = {}
    for at in range(0, len(names), 2):
        # A row of its own for each two, so that a long label does not shift the fields below it.
        for column, name in zip(
            st.columns(2, gap="small", vertical_alignment="bottom"), names[at : at + 2], strict=False
        ):
            with column:
                values[name] = _show_dial(dials[name], getattr(plan, name), scope)
    return values


def _show_dial(dial: Dial, usual: Any, scope: str) -> Any:
    typed: dict[str, Any] = st.session_state.setdefault(_TYPED, {})
    key = f"rounds_{scope}_{dial.name}"
    if key not in st.session_state:
        # A field that was not on the page forgets; what was typed into it is kept beside it.
        st.session_state[key] = typed.get(key, _as_typed(usual))
    typed[key] = _draw_field(dial, usual, _name_dial(dial), key)
    return _read_table(dial.name, typed[key]) if isinstance(usual, dict) else typed[key]


def _name_dial(dial: Dial) -> str:
    """The label of a field.

    >>> _name_dial(Dial("lora_rank", 16, "")), _name_dial(Dial("max_rows", 0, "", unit="rows"))
    ('LoRA rank', 'Max rows')
    """
    words = dial.name.replace("_", " ").capitalize()
    for wrong, right in (("Lora", "LoRA"), ("Trl", "TRL"), ("Sft", "SFT")):
        words = words.replace(wrong, right)
    return words if not dial.unit or dial.unit in words.lower() else f"{words} ({dial.unit})"


def _draw_field(dial: Dial, usual: Any, label: str, key: str) -> Any:
    kind, hint = type(usual), plain(_describe(dial))
    if kind is bool:
        return st.toggle(label, key=key, help=hint)
    if dial.choices:
        return st.selectbox(label, dial.choices, key=key, help=hint)
    if kind is list:
        return st.multiselect(label, _TRACKERS, key=key, help=hint)
    if kind is dict:
        return st.text_area(label, key=key, help=hint, height=80, placeholder='name = "value"')
    if kind is str:
        return st.text_input(label, key=key, help=hint)
    low = kind(dial.low or 0)
    high = None if dial.high is None else kind(dial.high)
    form = "%.1e" if dial.name == "learning_rate" else None
    step = kind(1) if kind is int or dial.name == "epochs" else None
    return st.number_input(label, low, high, step=step, format=form, key=key, help=hint)


def _describe(dial: Dial) -> str:
    """The meaning of a dial with its range."""
    if dial.low is None or dial.choices:
        return dial.help
    top = "any height" if dial.high is None else f"{dial.high:g}"
    return f"{dial.help} From {dial.low:g} to {top}{f' {dial.unit}' if dial.unit else ''}."


def _as_typed(value: Any) -> Any:
    """A value as its field holds it: tables are text."""
    if not isinstance(value, dict):
        return value
    return plan_to_toml(TrainPlan(trl_overrides=value)).partition("[trl_overrides]")[2].strip() if value else ""


def _read_table(name: str, text: str) -> dict[str, Any]:
    """The table that somebody typed, a `name = value` a line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"What stands under `{name}` is not TOML: {error}.", 'Write one `name = value` a line; texts in "quotes".'
        ) from None


def read_plan_text(text: str) -> TrainPlan:
    """The training plan in an uploaded file.

    Raises:
        UsageError: it is not TOML, no training plan, or a dial is unknown or out of range.
    """
    try:
        plan = plan_from_dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The file is not TOML: {error}.", "Correct the line that it names.") from None
    if not isinstance(plan, TrainPlan):
        raise UsageError(f"The plan is of kind {plan.kind!r}.", "Open a plan of kind train here.")
    return plan
