"""What a preflight found, and the button that starts the run: the worst first, charts, and rows token by token."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.studio.app_pages.data.token_mask import show_tokens
from pitchpipe.studio.app_pages.rounds.preflight_charts import draw_fates, draw_lengths, draw_memory
from pitchpipe.studio.app_pages.rounds.start_form import CHOSEN_KEY, PREFLIGHT_KEY
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.round_verbs import start_round
from pitchpipe.studio.round_words import describe_facts, describe_verdict
from pitchpipe.training.preflight.preflight_folders import (
    PreflightState,
    read_masks,
    read_preflight,
    read_rows,
    stop_preflight,
)
from pitchpipe.training.runs.launch import log_tail
from pitchpipe.training.runs.run_folders import RunStatus

_REFRESH_SECONDS = 1.0
_BADGES = {
    "blocks": ":red-badge[blocks]",
    "warns": ":orange-badge[warns]",
    "fine": ":green-badge[fine]",
}
_FATES = {"kept": "learned whole", "truncated": "cut at the end", "too_long": "left out: too long"}


def show_preflight(store: Store, folder: Path) -> None:
    """Shows where the preflight stands, and when it is finished its report with the way to start the run."""
    state = read_preflight(folder)
    if state.status is not RunStatus.FINISHED:
        with st.container(key="card_preflight", gap="small"):
            st.subheader("Preflight", anchor=False)
            every = _REFRESH_SECONDS if state.status is RunStatus.RUNNING else None
            st.fragment(_show_progress, run_every=every)(folder, state.status)
        return
    with st.container(key="card_preflight", gap="small"):
        _show_verdict(store, state)
    with st.container(key="card_findings", gap="small"):
        _show_findings(state.report["findings"])
    if "rows" in state.report:
        _show_numbers(state)
        with st.container(key="card_masks"):
            _show_masks(state)


def _show_progress(folder: Path, known: RunStatus) -> None:
    state = read_preflight(folder)
    if state.status is not known:
        st.rerun()
    show_constant(
        '<div class="pp-bar"><span class="pp-pill {status}">{status}</span><span>{words}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span></div>',
        status=state.status.value,
        words=f"{state.stage} {state.step} of {state.total_steps}" if state.total_steps else state.stage or "starting",
        share=round(100 * state.step / max(state.total_steps, 1), 1),
    )
    if state.happened:
        show_problem(state.happened, state.advice)
    if state.status is RunStatus.RUNNING:
        if st.button("Stop looking"):
            stop_preflight(folder)
            st.rerun()
        return
    _show_close()
    with st.expander("Log"):
        st.code(log_tail(folder, 40) or "nothing", language=None)


def _show_close() -> None:
    if st.button("Back to the runs"):
        del st.session_state[PREFLIGHT_KEY]
        st.rerun()


def _show_verdict(store: Store, state: PreflightState) -> None:
    """The outcome, the facts, and the run's start: never where something blocks, by a tick where it warns."""
    report = state.report
    verdict = report["verdict"]
    st.subheader(f"Preflight of {plain(state.plan.name)}", anchor=False)
    told = {"blocks": st.error, "warns": st.warning, "fine": st.success}[verdict]
    told(describe_verdict(verdict))
    for name, words in describe_facts(report):
        show_constant('<div class="pp-fact"><b>{name}</b><span>{words}</span></div>', name=name, words=words)
    is_seen = verdict == "fine"
    with st.container(horizontal=True, vertical_alignment="center"):
        if verdict == "warns":
            is_seen = st.checkbox("I have read the warnings", key=f"rounds_seen_{state.folder.name}")
        if st.button("Start the run", type="primary", disabled=not is_seen):
            try:
                started = start_round(store, dataclasses.asdict(state.plan))
            except PitchpipeError as error:
                show_problem(error.happened, error.advice)
                return
            st.session_state[CHOSEN_KEY] = started["run"]
            del st.session_state[PREFLIGHT_KEY]
            st.rerun()
        _show_close()


def _show_findings(findings: list[dict[str, Any]]) -> None:
    st.subheader("Findings", anchor=False)
    pressing = [entry for entry in findings if entry["severity"] != "fine"]
    for entry in pressing:
        _show_finding(entry)
    fine = [entry for entry in findings if entry["severity"] == "fine"]
    if fine:
        with st.expander(f"{len(fine)} things are fine", expanded=not pressing):
            for entry in fine:
                _show_finding(entry)


def _show_finding(entry: dict[str, Any]) -> None:
    # Dials are named in backquotes, which a command line needs and a page does not.
    words, advice = (plain(entry[part].replace("`", "")) for part in ("happened", "advice"))
    said = f"**{words}**" if entry["severity"] != "fine" else words
    st.markdown(f"{_BADGES[entry['severity']]} {said}" + (f"  \n{advice}" if advice else ""))
    if entry["rows"]:
        st.caption(f"for example {plain(', '.join(entry['rows']))}")


def _show_numbers(state: PreflightState) -> None:
    report = state.report
    with st.container(key="card_numbers"):
        left, right = st.columns(2, gap="large")
        with left:
            st.caption("What becomes of the rows")
            draw_fates(report["rows"])
            if "memory" in report:
                st.caption("Memory at the peak of a step")
                draw_memory(report["memory"])
        with right:
            st.caption("How long the rows are")
            draw_lengths(read_rows(state.folder), state.plan.max_length)
            if report.get("labels"):
                st.caption("Rows by label")
                st.dataframe(
                    [{"label": name, "rows": count} for name, count in report["labels"].items()], hide_index=True
                )
        _show_reasons(report["rows"]["reasons"])


def _show_reasons(reasons: list[dict[str, Any]]) -> None:
    if not reasons:
        return
    with st.expander("Rows that are cut or left out, with examples"):
        lines = [
            {"why": entry["rule"].replace("_", " "), "rows": entry["rows"], "for example": ", ".join(entry["examples"])}
            for entry in reasons
        ]
        st.dataframe(lines, hide_index=True)


def _show_masks(state: PreflightState) -> None:
    st.subheader("What the model reads and learns", anchor=False)
    masks = {row["row_id"]: row for row in read_masks(state.folder)}
    if not masks:
        st.text("No row is left to show.")
        return
    titles = {row_id: f"{row_id} · {_FATES[row['fate']]}" for row_id, row in masks.items()}
    row_id = st.selectbox("Row", list(masks), format_func=titles.__getitem__, key=f"rounds_mask_{state.folder.name}")
    for side in masks[row_id]["sides"]:
        if len(masks[row_id]["sides"]) > 1:
            st.caption(side["side"])
        show_tokens(side["tokens"], key=f"rounds_mask_{side['side']}")
