"""Two snapshots side by side: what came and went, which labels turned, and what that does to the whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.snapshot_diff import show_rows
from pitchpipe.store.freezing.snapshots import diff_snapshots, list_snapshots
from pitchpipe.studio.app_pages.data import snapshots_charts

_MOST_SHOWN = 200
_KEPT = "snapshots_diff"


def show_comparison(store: Store, project: str) -> None:
    """Choose two, see the difference; kept, as snapshots never change."""
    found = {one.name: one for one in list_snapshots(store, project)}
    if len(found) < 2:
        st.info("There is nothing to compare yet: it takes two snapshots.")
        return
    names = list(found)
    left, right = st.columns(2)
    before = left.selectbox("Before", names, index=len(names) - 2, key="snapshots_before") or names[-2]
    after = right.selectbox("After", names, index=len(names) - 1, key="snapshots_after") or names[-1]
    folders = found[before].folder, found[after].folder
    if not all(folder.exists() for folder in folders):
        st.error("The folder of one of them is gone.")
        return
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != folders:
        with st.spinner("Comparing", show_time=True):
            kept = st.session_state[_KEPT] = (folders, diff_snapshots(*folders))
    diff: dict[str, Any] = kept[1]
    _show_numbers(diff)
    with st.container(key="card_snapshots_effect"):
        _show_effect(diff, (before, after) if before != after else (before, f"{after} again"))
    with st.container(key="card_snapshots_changes"):
        _show_changes(diff, folders)


def _show_numbers(diff: dict[str, Any]) -> None:
    for column, (label, name) in zip(
        st.columns(5),
        (("Rows added", "added"), ("Rows removed", "removed"), ("Rows changed", "changed"),
         ("Verdicts turned", "flipped"), ("Scores moved", "rescored")),
        strict=True,
    ):  # fmt: skip
        column.metric(label, f"{len(diff[name]):,}")


def _show_effect(diff: dict[str, Any], names: tuple[str, str]) -> None:
    st.subheader("What it does to the whole", anchor=False)
    first, second = diff["figures"]["first"], diff["figures"]["second"]
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Rows by kind and side**")
        snapshots_charts.draw_pairs(_pair(_name_counts(first["counts"]), _name_counts(second["counts"])), names)
        st.markdown("**Left out, by rule**")
        snapshots_charts.draw_pairs(
            {snapshots_charts.name_rule(rule): (two[0], two[1]) for rule, two in diff["drops"].items()}, names
        )
    with right:
        st.markdown("**Training rows by source**")
        snapshots_charts.draw_pairs(_pair(first["sources"], second["sources"]), names)
        st.markdown("**Words an answer, by kind of row**")
        snapshots_charts.draw_pairs(_pair(first["mean_answer_words"], second["mean_answer_words"]), names, ".0f")
    st.dataframe(_tabulate(first, second, names), hide_index=True)


def _name_counts(counts: dict[str, int]) -> dict[str, int]:
    return {
        f"{name.rpartition('_')[0]}, {'sealed' if name.endswith('_holdout') else 'training'}": count
        for name, count in counts.items()
    }


def _pair(first: dict[str, Any], second: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (first.get(name) or 0, second.get(name) or 0) for name in dict.fromkeys([*first, *second])}


def _tabulate(first: dict[str, Any], second: dict[str, Any], names: tuple[str, str]) -> pl.DataFrame:
    """The figures that are one number each."""

    def read(figures: dict[str, Any]) -> dict[str, float | None]:
        bias, words = figures["length_bias"], figures["words"]
        return {
            "words in requests": words["requests"], "words in answers": words["answers"],
            "share of pairs that the longer answer won": bias["longer_won"],
            "words of a chosen answer": bias["mean_chosen_words"],
            "words of a rejected answer": bias["mean_rejected_words"],
            "support by raters": figures["support"], "raters": figures["raters"], "judgements": figures["judgements"],
            **{f"mean {question}": value for question, value in figures["scores"].items()},
        }  # fmt: skip

    before, after = read(first), read(second)
    return pl.DataFrame(
        [{"figure": name, names[0]: _tell(before.get(name)), names[1]: _tell(after.get(name)),
          "change": _tell((after.get(name) or 0) - (before.get(name) or 0), "+")}
         for name in dict.fromkeys([*before, *after])]
    )  # fmt: skip


def _tell(value: float | None, sign: str = "") -> str:
    if value is None:
        return "none"
    return f"{value:{sign},d}" if isinstance(value, int) else f"{value:{sign},.2f}"


def _show_changes(diff: dict[str, Any], folders: tuple[Path, Path]) -> None:
    st.subheader("Which rows", anchor=False)
    fates = {
        "turned": "flipped",
        "scores moved": "rescored",
        "changed": "changed",
        "added": "added",
        "removed": "removed",
    }
    counted = {label: name for label, name in fates.items() if diff[name]}
    if not counted:
        st.text("The two hold the same rows.")
        return
    label = st.segmented_control("Rows that", list(counted), default=next(iter(counted)), required=True,
                                 label_visibility="collapsed", key="snapshots_fate")  # fmt: skip
    name = counted[label or next(iter(counted))]
    listed = diff[name][:_MOST_SHOWN]
    if name in ("added", "removed"):
        rows = [_describe_row(row) for row in show_rows(folders[name == "added"], listed)]
    else:
        rows = _describe_changes(listed, folders[1])
    st.dataframe(pl.DataFrame(rows, infer_schema_length=None), hide_index=True, height=min(38 + 35 * len(rows), 420))
    if len(diff[name]) > _MOST_SHOWN:
        st.caption(f"The first {_MOST_SHOWN} of {len(diff[name]):,}.")


def _describe_changes(changes: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    after = {row["row_id"]: row for row in show_rows(folder, [change["to"] for change in changes])}
    return [
        {
            "kind": after[change["to"]]["row_kind"], "request": _read_request(after[change["to"]]),
            "verdict": _tell_turn(*change["verdict"]), "scores": _tell_turn(*change["scores"]),
            "columns": ", ".join(change["columns"]), "row": change["to"],
        }
        for change in changes
    ]  # fmt: skip


def _describe_row(row: dict[str, Any]) -> dict[str, Any]:
    answer = row["answer"] or " | ".join(text for text in (row["answer_a"], row["answer_b"]) if text)
    side = "sealed" if row["split"] == "holdout" else "training"
    return {
        "kind": row["row_kind"], "side": side, "source": row["source"], "request": _read_request(row),
        "answer": answer, "verdict": row["verdict"] or "", "scores": row["scores"] or "", "row": row["row_id"],
    }  # fmt: skip


def _read_request(row: dict[str, Any]) -> str:
    asked = [turn["content"] for turn in json.loads(row["messages"]) if turn["role"] == "user"]
    return str(asked[-1]) if asked else ""


def _tell_turn(before: str | None, after: str | None) -> str:
    if before == after:
        return before or ""
    return f"{before or 'none'} → {after or 'none'}"
