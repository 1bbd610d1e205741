"""What a recipe would make: counts, every reason for leaving something out with the units behind it, and the freeze."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import streamlit as st

from pitchpipe.store.consensus.project_answers import read_requests
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing.leak_gate import list_breaches
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshot_figures import count_drops, measure_rows
from pitchpipe.store.freezing.snapshots import Preview, create_snapshot, preview_snapshot
from pitchpipe.store.rules.rule import Background
from pitchpipe.store.team.quality_reading import read_mark
from pitchpipe.studio.app_pages.data import snapshots_charts
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem
from pitchpipe.studio.rule_background import load_recipe_background

_KEPT, _REASON = "snapshots_preview", "snapshots_reason"
_MOST_SHOWN = 200
_DONE = {"mark": "listed", "mask": "masked", "kept": "kept by a curator"}


def show_preview(store: Store, project: str, recipe: Recipe, curator: str) -> None:
    """The button, and what it found; kept until another preview is asked for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        is_asked = st.button("Preview", type="primary", icon=":material/visibility:", key="snapshots_preview_run")
    if is_asked:
        _run(store, project, recipe)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept["project"] != project:
        show_constant(
            '<div class="pp-lead">A snapshot is a dataset that never changes: rows with their evidence, and every unit '
            "that was left out with its reason. Choose on the left, look here, then freeze. A preview writes nothing."
            "</div>"
        )
        return
    preview: Preview = kept["preview"]
    is_stale = preview.recipe != recipe or kept["mark"] != read_mark(store, project)
    if is_stale:
        st.caption("The recipe or the project has changed since this preview: preview again before you freeze.")
    _show_numbers(preview, kept["figures"])
    _show_seal(preview.proof)
    _offer_freeze(store, project, preview, curator, is_stale)
    with st.container(key="card_snapshots_drops"):
        _show_drops(store, preview)
    with st.container(key="card_snapshots_rows"):
        _show_rows(kept["figures"])


def _run(store: Store, project: str, recipe: Recipe) -> None:
    bar = st.progress(0.0, "Reading the project")
    try:
        background = _load_background(store, project, recipe, bar)
        preview = preview_snapshot(
            store, project, recipe, background, lambda step, share: bar.progress(share, plain(step))
        )
    except PitchpipeError as error:
        bar.empty()
        show_problem(error.happened, error.advice)
        return
    bar.empty()
    st.session_state[_KEPT] = {
        "project": project, "preview": preview, "figures": measure_rows(preview.rows),
        "mark": read_mark(store, project),
    }  # fmt: skip
    st.session_state.pop(_REASON, None)


def _load_background(store: Store, project: str, recipe: Recipe, bar: Any) -> Background:
    return load_recipe_background(
        store, project, recipe, lambda done, total: bar.progress(done / total, f"Encoding text {done:,} of {total:,}")
    )


def _show_numbers(preview: Preview, figures: dict[str, Any]) -> None:
    columns = st.columns(5)
    words = figures["words"]
    support = "none" if figures["support"] is None else f"{figures['support']:.0%}"
    for column, (label, value, about) in zip(
        columns,
        (
            ("Training rows", f"{figures['rows']:,}", "Rows on the training side."),
            ("Sealed rows", f"{figures['sealed']:,}", "Rows for evaluation; no export takes them."),
            ("Left out", f"{preview.counts['dropped']:,}", "Units that are no row, each with its reason."),
            ("Words", f"{words['requests'] + words['answers']:,}", "In requests and answers of the training side."),
            ("Support", support, f"Mean share of raters behind a row; {figures['raters']} raters, "
                                 f"{figures['judgements']:,} judgements."),
        ),
        strict=True,
    ):  # fmt: skip
        column.metric(label, value, help=about)


def _show_seal(proof: dict[str, Any]) -> None:
    breaches = list_breaches(proof)
    if breaches:
        show_problem(
            f"This would break the seal: {'; '.join(breaches)}.", "Drop one of the two, or lower the threshold."
        )
        return
    taught, sealed = proof["compared"]
    told = f"The seal holds: {taught:,} training requests compared with {sealed:,} sealed ones, none alike"
    left = f"; {proof['left_out']:,} units left out for it" if proof["left_out"] else ""
    copied = proof["answers_copied_from_sealed"]
    also = f" {copied:,} training rows have an answer that a sealed row has word for word." if copied else ""
    st.markdown(f":material/lock: {plain(told + left + '.' + also)}")


def _offer_freeze(store: Store, project: str, preview: Preview, curator: str, is_stale: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name of the snapshot", key="snapshots_name", width=300, placeholder="A name to freeze it under"
        )
        is_unfit = is_stale or preview.rows.is_empty() or bool(list_breaches(preview.proof))
        if not st.button("Freeze", icon=":material/ac_unit:", disabled=is_unfit, key="snapshots_freeze"):
            return
    if not name.strip():
        show_problem("The snapshot has no name.", "Type one beside Freeze, such as v1.")
        return
    bar = st.progress(0.0, "Reading the project")
    try:
        made = create_snapshot(
            store, project, name.strip(), preview.recipe, curator,
            _load_background(store, project, preview.recipe, bar),
            tell=lambda step, share: bar.progress(share, plain(step)),
        )  # fmt: skip
    except PitchpipeError as error:
        bar.empty()
        show_problem(error.happened, error.advice)
        return
    st.toast(f"Frozen as {plain(made.name)}.", icon=":material/ac_unit:")
    st.session_state["snapshots_go"] = "Made"
    st.rerun()


def _show_drops(store: Store, preview: Preview) -> None:
    st.subheader("What stays out, and why", anchor=False)
    drops = count_drops(preview.drops)
    if not drops:
        st.text("Nothing: every unit is a row.")
    else:
        picked = snapshots_charts.draw_drops(drops)
        if picked and picked != st.session_state.get("snapshots_picked"):
            st.session_state[_REASON] = picked
        st.session_state["snapshots_picked"] = picked
        rules = [drop["rule"] for drop in drops]
        if st.session_state.get(_REASON) not in rules:
            st.session_state[_REASON] = rules[0]
        rule = st.selectbox("Units left out by", rules, key=_REASON, width=320, format_func=snapshots_charts.name_rule)
        _list_units(store, preview.drops.filter(pl.col("rule") == rule))
    if not preview.marks.is_empty():
        st.markdown("**Found, but staying**")
        _list_units(store, preview.marks)


def _list_units(store: Store, units: pl.DataFrame) -> None:
    shown = units.head(_MOST_SHOWN)
    requests = read_requests(store, shown["example_id"].unique().to_list())
    told = pl.col("evidence").map_elements(_shorten, pl.String, skip_nulls=True)
    evidence = [] if shown["evidence"].is_null().all() else [told]
    columns = []
    if "action" in shown.columns:
        titles = {rule: snapshots_charts.name_rule(rule) for rule in shown["rule"].unique()}
        columns = [pl.col("rule").replace_strict(titles), pl.col("action").replace_strict(_DONE).alias("what")]
    st.dataframe(
        shown.select(
            *columns, "row_kind",
            pl.col("example_id").replace_strict(requests, default="", return_dtype=pl.String).alias("request"),
            "reason", *evidence, "unit",
        ),
        hide_index=True, height=min(38 + 35 * shown.height, 320),
        column_config={"row_kind": st.column_config.TextColumn("kind", width="small"),
                       "request": st.column_config.TextColumn(width="medium"),
                       "reason": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    if units.height > _MOST_SHOWN:
        st.caption(f"The first {_MOST_SHOWN} of {units.height:,}.")


def _shorten(evidence: str) -> str:
    told = json.loads(evidence)
    return ", ".join(f"{name} {value}" for name, value in told.items() if name not in ("texts", "spans"))


def _show_rows(figures: dict[str, Any]) -> None:
    st.subheader("What goes in", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Rows by kind and side**")
        snapshots_charts.draw_counts(figures["counts"])
    with right:
        st.markdown("**Training rows by source**")
        snapshots_charts.draw_bars(figures["sources"])
    bias = figures["length_bias"]
    if bias["pairs"]:
        st.caption(
            f"The longer answer won {bias['longer_won']:.0%} of {bias['pairs']:,} decided pairs of uneven length; "
            f"chosen ones have {bias['mean_chosen_words']:.0f} words on average, rejected ones "
            f"{bias['mean_rejected_words']:.0f}."
        )
