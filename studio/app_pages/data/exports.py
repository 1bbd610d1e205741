"""The Export view: a dry run that shows what a trainer will see of a snapshot, and the files for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.store.records import Project
from pitchpipe.studio.app_pages.data.export_files import show_files
from pitchpipe.studio.app_pages.data.export_results import show_results
from pitchpipe.studio.app_pages.rounds.run_cards import list_training_runs, title_run
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.export_verbs import checks_folder, start_export_check
from pitchpipe.training.exports.export_check import CHECKED_FORMS, CheckState, list_checks, read_check, stop_check
from pitchpipe.training.exports.exporting import FORMS
from pitchpipe.training.runs.launch import log_tail
from pitchpipe.training.runs.run_folders import RunStatus

_REFRESH_SECONDS = 1.0
_CHOSEN = "exports_check"
_WORDS = {
    "sft": "Instruction tuning: a prompt and the answer to imitate.",
    "dpo": "Preference tuning: a prompt, the chosen and the rejected answer.",
    "kto": "Thumbs: a prompt, an answer, and whether people approve of it.",
    "reward": "Reward model: pairs with the margin between them.",
    "classify": "Classifier: a text and its one label.",
    "raw": "Every row as the snapshot has it.",
}


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Shows the view; `curator` is who looks."""
    frozen = snapshots.list_snapshots(store, project.name) if project else []
    if not frozen:
        st.text(f"An export is made of a frozen dataset, {curator}. Freeze one first, in the view Snapshots.")
        return
    left, right = st.columns([5, 8], gap="medium")
    with left:
        with st.container(key="card_exports_ask"):
            chosen, form = _show_choice(frozen)
            if form in CHECKED_FORMS:
                _show_check_form(store, frozen, chosen, form)
            else:
                st.caption("This form has no chat template to check; write its files below.")
        with st.container(key="card_exports_files"):
            show_files(store, chosen, form)
    with right:
        _show_checks(store, frozen)


def _show_choice(frozen: list[Snapshot]) -> tuple[Snapshot, str]:
    by_name = {snapshot.name: snapshot for snapshot in reversed(frozen)}
    name = st.selectbox(
        "Snapshot", list(by_name), key="exports_snapshot", help="Its holdout stays sealed: no form ever holds it."
    )
    form = st.segmented_control(
        "Form", FORMS, default="sft", required=True, key="exports_form", format_func=_say_form, width="stretch"
    )
    st.caption(_WORDS[form])
    return by_name[name], form


def _say_form(form: str) -> str:
    return form.upper() if form in ("sft", "dpo", "kto") else form


def _show_check_form(store: Store, frozen: list[Snapshot], chosen: Snapshot, form: str) -> None:
    runs = list_training_runs(store.workspace, [snapshot.folder for snapshot in frozen])
    finished = {f"run {title_run(state)}": state.run_id for state in runs if state.status is RunStatus.FINISHED}
    with st.form("exports_check_form", border=False):
        model = st.selectbox(
            "Model",
            ["embedded", *finished],
            accept_new_options=True,
            help="Whose tokenizer and chat template: `embedded`, a model id, a folder, or a finished run.",
        )
        longest = st.number_input(
            "Longest row (tokens)", 8, 1_000_000, 512, step=64, help="`max_length` of the trainer."
        )
        if st.form_submit_button("Run the dry run", type="primary", width="stretch"):
            try:
                started = start_export_check(store, chosen.id, form, finished.get(model, model), int(longest))
            except PitchpipeError as error:
                show_problem(error.happened, error.advice)
                return
            st.session_state[_CHOSEN] = started["check"]
            st.rerun()


def _show_checks(store: Store, frozen: list[Snapshot]) -> None:
    names = {snapshot.folder.name: snapshot.name for snapshot in frozen}
    found = [state for state in list_checks(checks_folder(store)) if Path(state.request.snapshot).name in names]
    if not found:
        with st.container(key="card_exports_none"):
            st.text(
                "No dry run yet. It puts every row through the real tokenizer and chat template, lets the trainer of "
                "the form load the file, and shows what is cut, left out or spoiled. It goes on when you leave."
            )
        return
    by_id = {state.folder.name: state for state in found}
    if st.session_state.get(_CHOSEN) not in by_id:
        st.session_state[_CHOSEN] = found[0].folder.name
    chosen = st.selectbox("Dry run", list(by_id), key=_CHOSEN, format_func=lambda check: _title(by_id[check], names))
    state = by_id[chosen]
    if state.status is RunStatus.FINISHED:
        show_results(state)
        return
    with st.container(key="card_exports_progress"):
        every = _REFRESH_SECONDS if state.status is RunStatus.RUNNING else None
        st.fragment(_show_progress, run_every=every)(state.folder, state.status)


def _title(state: CheckState, names: dict[str, str]) -> str:
    asked = state.request
    snapshot = names[Path(asked.snapshot).name]
    model = Path(asked.model).name if Path(asked.model).is_absolute() else asked.model
    number = state.folder.name[-4:]
    return f"{snapshot} · {_say_form(asked.form)} · {model} · {asked.max_length} tokens · {number}"


def _show_progress(folder: Path, known: RunStatus) -> None:
    state = read_check(folder)
    if state.status is not known:
        st.rerun()
    values: dict[str, Any] = {
        "status": state.status.value,
        "words": f"{state.stage} {state.step} of {state.total_steps}" if state.total_steps else state.stage,
        "share": round(100 * state.step / max(state.total_steps, 1), 1),
    }
    show_constant(
        '<div class="pp-bar"><span class="pp-pill {status}">{status}</span><span>{words}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span></div>',
        **values,
    )
    if state.happened:
        show_problem(state.happened, state.advice)
    if state.status is RunStatus.RUNNING and st.button("Stop it", key="exports_stop"):
        stop_check(folder)
        st.rerun()
    if state.status in (RunStatus.FAILED, RunStatus.INTERRUPTED):
        st.caption(plain("Nothing of it is used. Run it again on the left."))
        with st.expander("Log"):
            st.code(log_tail(folder, 40) or "nothing", language=None)
