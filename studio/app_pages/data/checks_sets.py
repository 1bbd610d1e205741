"""What the rules of the Checks view compare with: evaluation sets, and the model whose tokens count."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pitchpipe.store.contamination_report import TOLERATED_SHARE, ContaminationReport, report_all_contamination
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.evaluation_sets import add_evaluation_set, list_evaluation_sets
from pitchpipe.store.quality_reading import read_mark
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.studio.app_pages.showing import plain, show_problem
from pitchpipe.studio.rule_background import needs_model

_REPORTS = "checks_reports"
_KINDS = ["jsonl", "json", "csv", "tsv", "parquet"]


def choose_background(store: Store, project: str, curator: str, choices: Sequence[RuleChoice]) -> str:
    """Shows evaluation sets and, where a rule counts tokens, asks for the model; returns its name, or nothing."""
    model = ""
    with st.container(key="card_checks_sets", gap="small"):
        if needs_model(choices):
            model = st.text_input(
                "Model whose tokens count", "embedded", key="checks_model",
                help="embedded, a folder with a tokenizer, the folder of a training run, or the id of a cached model.",
            ).strip()  # fmt: skip
        _show_sets(store, project, curator)
    return model


def _show_sets(store: Store, project: str, curator: str) -> None:
    st.subheader("Evaluation sets", anchor=False)
    sets = list_evaluation_sets(store, project)
    if not sets:
        st.caption("None yet. Add the tests that your model will be measured on, and no training row may contain them.")
    reports = _find_reports(store, project) if sets else {}
    for kept in sets:
        st.markdown(f"{plain(kept.name)} · {kept.items:,} items")
        if kept.name in reports:
            _show_report(reports[kept.name])
    with st.expander("Add a set"), st.form("checks_add_set", border=False, clear_on_submit=True):
        file = st.file_uploader("File of test items", _KINDS, key="checks_set_file")
        name = st.text_input("Name", key="checks_set_name", placeholder="gsm8k test")
        if st.form_submit_button("Add") and file is not None:
            _add_set(store, project, curator, file.name, file.getvalue(), name or Path(file.name).stem)


def _find_reports(store: Store, project: str) -> dict[str, ContaminationReport]:
    """How much of each set the training side holds: looked for when asked, kept until something changes."""
    mark, kept = read_mark(store, project), st.session_state.get(_REPORTS)
    if st.button("Look for them in the training side", key="checks_look", type="tertiary", icon=":material/search:"):
        with st.spinner("Comparing every request and answer with every item", show_time=True):
            kept = (mark, {one.set_name: one for one in report_all_contamination(store, project)})
        st.session_state[_REPORTS] = kept
    found: dict[str, ContaminationReport] = kept[1] if kept is not None and kept[0] == mark else {}
    return found


def _show_report(report: ContaminationReport) -> None:
    if not report.hit_items:
        st.caption("None of its items stands in the training side.")
        return
    found = f"{report.hit_items:,} of its items ({report.share:.1%}), {report.exact_items:,} word by word"
    told = f"In the training side: {found}."
    if not report.is_flagged:
        st.caption(told)
        return
    st.warning(
        f"{told} Above {TOLERATED_SHARE:.0%} a result on this set measures memory: choose the rule "
        "'Contains a test item'."
    )


def _add_set(store: Store, project: str, curator: str, file_name: str, content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # The name of an uploaded file is the browser's word: only its ending is used.
        path = Path(folder) / f"items{Path(file_name).suffix}"
        path.write_bytes(content)
        try:
            added = add_evaluation_set(store, project, path, name, curator)
        except PitchpipeError as error:
            show_problem(error.happened, error.advice)
            return
    if added.rejected:
        st.warning(f"{len(added.rejected)} rows gave no item, the first in line {added.rejected[0].line}.")
    else:
        st.rerun()
