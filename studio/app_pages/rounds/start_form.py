"""The form that plans a run: snapshot, method, recipe or plan file, what to start from, and the dials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.studio.app_pages.rounds.dial_fields import read_plan_text, show_dials, show_first_dials
from pitchpipe.studio.app_pages.rounds.run_cards import title_run
from pitchpipe.studio.app_pages.showing import plain, show_problem
from pitchpipe.studio.round_verbs import ask_preflight, resolve_plan
from pitchpipe.training.plans.plan_files import list_recipes, load_recipe, plan_to_toml, with_dials
from pitchpipe.training.plans.train_plan import METHODS, TrainPlan
from pitchpipe.training.runs.run_folders import RunState, RunStatus

_METHOD_WORDS = {
    "sft": "Instruction tuning: the model learns to answer as the kept answers do.",
    "dpo": "Preference tuning: of two answers, towards the one that people chose.",
    "kto": "Preference tuning on thumbs: towards answers that people approve of, away from the others.",
    "reward": "A reward model: it learns to score answers as people prefer them.",
    "rloo": "Refinement: the model answers, a reward run or checks score it, and it moves towards what scores well.",
    "grpo": "Refinement as in RLOO, scored against the group of its own answers.",
    "classify": "Classic task fine-tuning: a pretrained encoder learns the labels of texts.",
}
_SAID = {"rloo": "RLOO", "grpo": "GRPO", "sft": "SFT", "dpo": "DPO", "kto": "KTO"}
_UPLOADED = "the opened file"
_METHOD, _FILE, _PROBLEM = "rounds_method", "rounds_file", "rounds_file_problem"
CHOSEN_KEY = "chosen_run"
"""Where the session keeps the id of the run that is shown."""
PREFLIGHT_KEY = "chosen_preflight"
"""Where the session keeps the id of the preflight that is shown instead of a run."""


def show_start_form(store: Store, frozen: list[Snapshot], found: list[RunState]) -> None:
    """Shows the form; its button starts a preflight, from whose report the run is started."""
    st.subheader("New run", anchor=False)
    by_name = {snapshot.name: snapshot for snapshot in reversed(frozen)}
    name = st.selectbox(
        "Snapshot",
        list(by_name),
        key="rounds_snapshot",
        help="The frozen dataset to learn from; its holdout stays sealed.",
    )
    method = st.segmented_control(
        "Method", METHODS, default=None if _METHOD in st.session_state else "sft", required=True, key=_METHOD,
        format_func=_say_method,
    )  # fmt: skip
    st.caption(_METHOD_WORDS[method])
    _show_upload()
    usual, recipe = _choose_recipe(method)
    first = _show_first_fields(usual, recipe, found)
    action = st.container()  # the button stands above the many dials, and speaks for them all
    try:
        values = {**first, **show_dials(usual, f"{usual.method}_{recipe}"), "method": usual.method}
        plan = resolve_plan(store, with_dials(usual, **values), by_name[name].id)
    except PitchpipeError as error:
        with action:
            show_problem(error.happened, error.advice)
        return
    with action:
        if st.button("Preflight", type="primary", width="stretch", help="Looks ahead at the run and trains nothing."):
            st.session_state[PREFLIGHT_KEY] = ask_preflight(store, plan)["preflight"]
            st.rerun()
    _show_toml(plan)


def _say_method(method: str) -> str:
    return _SAID.get(method, method.capitalize())


def _show_upload() -> None:
    with st.popover("Open a plan file", width="stretch"):
        st.file_uploader("A plan as TOML", type="toml", key="rounds_upload", on_change=_take_upload)
    problem = st.session_state.get(_PROBLEM)
    if problem:
        show_problem(*problem)


def _take_upload() -> None:
    """Puts the uploaded plan into the form: its method, and itself as one of the recipes of that method."""
    st.session_state[_PROBLEM] = None
    file = st.session_state["rounds_upload"]
    if file is None:
        return
    try:
        plan = read_plan_text(file.getvalue().decode("utf-8", "replace"))
    except PitchpipeError as error:
        st.session_state[_PROBLEM] = (error.happened, error.advice)
        return
    number = st.session_state.get(_FILE, (0, None))[0] + 1
    st.session_state[_FILE] = (number, plan)
    st.session_state[_METHOD] = plan.method
    st.session_state[f"rounds_recipe_{plan.method}"] = _UPLOADED
    st.session_state["rounds_name"] = plan.name


def _choose_recipe(method: str) -> tuple[TrainPlan, str]:
    """The plan that gives the fields their first values, and the name under which typed values are kept."""
    number, opened = st.session_state.get(_FILE, (0, None))
    recipes = [recipe for recipe_method, recipe in list_recipes() if recipe_method == method]
    if opened is not None and opened.method == method:
        recipes.append(_UPLOADED)
    if not recipes:
        return with_dials(TrainPlan(), method=method), "none"
    recipe = st.selectbox("Recipe", recipes, key=f"rounds_recipe_{method}", format_func=_say_recipe)
    if recipe == _UPLOADED and opened is not None:
        return opened, f"file{number}"
    return load_recipe(method, recipe), recipe


def _say_recipe(recipe: str) -> str:
    words = recipe.replace("_", " ")
    return words.replace("cpu", "CPU").replace("gpu", "GPU")


def _show_first_fields(usual: TrainPlan, recipe: str, found: list[RunState]) -> dict[str, Any]:
    """What the run starts from, its name and the first dials."""
    finished = {f"run {title_run(state)} {state.run_id[-4:]}": state.run_id for state in _list_finished(found)}
    known = {run_id: title for title, run_id in finished.items()}
    usual_model = known.get(Path(usual.model).name, usual.model)
    models = list(dict.fromkeys([usual_model, "embedded", *finished]))
    start = st.selectbox(
        "Start from",
        models,
        accept_new_options=True,
        key=f"rounds_model_{usual.method}_{recipe}",
        help="`embedded`, a Hugging Face model id, a local folder, or a finished run that is trained further.",
    )
    name = st.text_input("Name", max_chars=60, key="rounds_name", placeholder="what people call this run")
    model = finished.get(start or "", start or "embedded")
    return {"model": model, "name": name.strip(), **show_first_dials(usual, f"{usual.method}_{recipe}")}


def _list_finished(found: list[RunState]) -> list[RunState]:
    return [state for state in found if state.status is RunStatus.FINISHED]


def _show_toml(plan: TrainPlan) -> None:
    text = plan_to_toml(plan)
    with st.expander("The plan as a file"):
        st.download_button(
            "Download plan.toml", text, file_name="plan.toml", mime="application/toml", on_click="ignore",
            width="stretch",
        )  # fmt: skip
        st.code(text, language="toml")
        st.caption(
            plain("`pitchpipe train --plan plan.toml` runs it, `pitchpipe preflight --plan plan.toml` looks ahead.")
        )
