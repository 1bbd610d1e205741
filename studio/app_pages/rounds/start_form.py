"""The form that starts a run: snapshot, method, recipe, what to start from, and the dials."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.studio.app_pages.rounds.run_cards import (
    title_run,
)
from pitchpipe.studio.app_pages.showing import plain
from pitchpipe.studio.running import start_training
from pitchpipe.training.plans.dials import Dial, describe_dials
from pitchpipe.training.plans.plan_files import RECIPES, list_recipes, load_recipe
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import RunState, RunStatus

_FIRST_DIALS = ("epochs", "learning_rate", "batch_size", "max_steps")
_MORE_DIALS = {"sft": ("lora_rank", "max_length", "minimum_rating"), "dpo": ("lora_rank", "beta", "minimum_support")}
_METHOD_WORDS = {"sft": "Instruction tuning (SFT)", "dpo": "Preference tuning (DPO)"}
CHOSEN_KEY = "chosen_run"
"""Where the session keeps the id of the run that is shown."""


def show_start_form(store: Store, frozen: list[Snapshot], found: list[RunState]) -> None:
    st.subheader("New run", anchor=False)
    by_name = {snapshot.name: snapshot for snapshot in reversed(frozen)}
    name = st.selectbox("Snapshot", list(by_name), help="The frozen dataset to learn from; its holdout stays sealed.")
    method = st.segmented_control(
        "Method", list(_METHOD_WORDS), default="sft", required=True, format_func=str.upper, width="stretch"
    )
    st.caption(_METHOD_WORDS[method])
    recipes = [recipe for recipe_method, recipe in list_recipes() if recipe_method == method]
    finished = {f"run {title_run(state)}": str(state.folder) for state in found if state.status is RunStatus.FINISHED}
    with st.form(f"start_{method}", border=False):
        recipe = st.selectbox("Recipe", recipes)
        plan = load_recipe(method, recipe or recipes[0])
        start = st.selectbox(
            "Start from", ["embedded", *finished], accept_new_options=True, help=_find_dial("model").help
        )
        changes: dict[str, Any] = {"name": st.text_input("Name", max_chars=60, placeholder=f"{name} {method}")}
        changes |= _show_dials(_FIRST_DIALS, plan)
        with st.expander("More dials"):
            changes |= _show_dials(_MORE_DIALS[method], plan)
        if st.form_submit_button("Start the run", type="primary", width="stretch"):
            called = changes.pop("name").strip() or f"{name} {method}"
            started = start_training(
                store,
                method,
                by_name[name].id,
                plan=str(RECIPES / method / f"{recipe}.toml"),
                model=finished.get(start, start),
                dials=changes,
                name=called,
            )
            st.session_state[CHOSEN_KEY] = started["run"]
            st.rerun()


def _find_dial(name: str) -> Dial:
    return next(dial for dial in describe_dials(TrainPlan) if dial.name == name)


def _show_dials(names: tuple[str, ...], plan: TrainPlan) -> dict[str, Any]:
    left, right = st.columns(2, gap="small")
    changes = {}
    for position, name in enumerate(names):
        with right if position % 2 else left:
            changes[name] = _show_dial(name, plan)
    return changes


def _show_dial(name: str, plan: TrainPlan) -> Any:
    dial, value = _find_dial(name), getattr(plan, name)
    kind = type(value)
    form = "%.1e" if name == "learning_rate" else None
    step = kind(1) if kind is int or name == "epochs" else None
    label = name.replace("_", " ").capitalize() + (f" ({dial.unit})" if dial.unit else "")
    low = None if dial.low is None else kind(dial.low)
    high = None if dial.high is None else kind(dial.high)
    return st.number_input(label, low, high, value, step=step, format=form, help=plain(dial.help))
