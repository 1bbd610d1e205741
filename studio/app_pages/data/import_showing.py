"""What a file holds, as people will see it: its columns, ten rows as cards, and the table of what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.importing.looking import FileLook
from pitchpipe.store.importing.reading import read_examples
from pitchpipe.store.records import ParsedJudgement, ParsedRow, RejectedRow, TaskKind
from pitchpipe.studio.app_pages.rendering import reveal_hidden
from pitchpipe.studio.app_pages.showing import show_constant, show_problem

_SHOWN_ROWS = 10
_LONGEST = 1200
_VERDICTS = {
    "a": "answer A is better", "b": "answer B is better", "tie": "a tie", "both_bad": "both are bad",
    "cannot_judge": "cannot judge",
}  # fmt: skip
_ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}


def show_columns(look: FileLook) -> None:
    """The columns with what they hold and a sample."""
    count = len(look.columns)
    with st.expander(f"{count} {'column' if count == 1 else 'columns'} in the first rows"):
        frame = pl.DataFrame({
            "column": [column.name for column in look.columns],
            "holds": [column.kind for column in look.columns],
            "rows with a value": [column.filled for column in look.columns],
            "sample": [column.samples[0] if column.samples else "" for column in look.columns],
        })  # fmt: skip
        st.dataframe(frame, hide_index=True, height="auto")


def show_rows(source: Path, format_name: str | None, mapping: Path | None) -> bool:
    """The first rows as cards, one at a time; False where the file cannot be read this way."""
    try:
        results = list(islice(read_examples(source, format=format_name, mapping=mapping), _SHOWN_ROWS))
    except PitchpipeError as problem:
        show_problem(problem.happened, problem.advice)
        return False
    with st.container(key="card_import_rows", gap="small"):
        st.subheader("The first rows, as people will see them", anchor=False)
        titles = [str(result.line) for result in results]
        place = st.pills(
            "Row", range(len(results)), format_func=lambda number: titles[number], default=0, required=True,
            label_visibility="collapsed", key=f"imports_row_{len(results)}",
        )  # fmt: skip
        result = results[place or 0]
        if isinstance(result, RejectedRow):
            _show_refusal(result, results, is_mapped=mapping is not None)
        else:
            _show_example(result)
    return True


def _show_refusal(row: RejectedRow, results: Sequence[ParsedRow | RejectedRow], *, is_mapped: bool) -> None:
    refused = sum(isinstance(result, RejectedRow) for result in results)
    if refused == len(results):
        advice = "All rows shown here are refused: see whether the file is read the right way."
    else:
        advice = "The others are imported without it."
    if is_mapped and "values = {" in row.reason:
        advice += " Say what the file's words mean under 'What its words mean' on the left."
    show_problem(f"Row {row.line} is refused: {_name_place(row.column)}: {row.reason}.", advice)


def _show_example(row: ParsedRow) -> None:
    for message in row.messages:
        show_constant('<div class="pp-who">{role}</div>', role=_ROLES.get(message.role, message.role))
        st.text(_shorten(message.content))
    if row.candidates:
        sides = st.columns(min(len(row.candidates), 3))
        for place, candidate in enumerate(row.candidates):
            with sides[place % len(sides)], st.container(border=True):
                title = "To imitate" if candidate.is_demonstration else f"Answer {chr(65 + place % 26)}"
                show_constant('<div class="pp-side">{title}</div>', title=title)
                st.text(_shorten(candidate.text) or "(an empty answer)")
                if candidate.model:
                    st.caption("by a model whose name annotators never see")
    for judgement in row.judgements:
        reason = f" — {judgement.reason}" if judgement.reason else ""
        st.text(f"{judgement.rater}: {_shorten(_say(judgement) + reason)}")
    notes = [
        f"asked to {row.kind.value}" if row.kind is not TaskKind.WRITE else "an answer to imitate",
        *([f"side {row.split.value}, as the file declares"] if row.split else []),
        *([f"category {row.category}"] if row.category else []),
        *([f"id {row.external_id}"] if row.external_id else []),
    ]
    show_constant('<div class="pp-quiet">{notes}</div>', notes=" · ".join(notes))


def _say(judgement: ParsedJudgement) -> str:
    """What a rater said, in words."""
    value = judgement.value
    if judgement.kind is TaskKind.COMPARE:
        strength = f", strength {value['strength']}" if value.get("strength") is not None else ""
        return _VERDICTS[value["verdict"]] + strength
    if judgement.kind is TaskKind.RANK:
        order = sorted(zip(value["ranks"], judgement.candidates, strict=True))
        return "in order: " + ", ".join(chr(65 + place % 26) for _, place in order)
    if judgement.kind is TaskKind.TAG:
        return ", ".join(value["labels"])
    if judgement.kind is TaskKind.RATE:
        about = f" (answer {chr(65 + judgement.candidates[0] % 26)})" if judgement.candidates else ""
        return ", ".join(f"{name} {said}" for name, said in value.items()) + about
    if judgement.kind is TaskKind.SPAN:
        return f"marked {len(value['spans'])} stretches"
    return str(value.get("text", value))


def _name_place(column: str | int | None) -> str:
    """The column that is at fault; of a row that cannot be read there is only a place, which the reason tells."""
    return "whole row" if column is None or str(column).isdigit() or not column else str(column)


def _shorten(text: str) -> str:
    shown = reveal_hidden(text)
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + " …"


def show_rejects(rejects: Sequence[dict[str, Any]], count: int) -> None:
    """The rows that are refused, as a table that can be taken away as CSV."""
    if not count:
        return
    frame = pl.DataFrame(
        [(reject["line"], _name_place(reject["column"]), reject["reason"]) for reject in rejects],
        schema={"row": pl.Int64, "column": pl.String, "why it is refused": pl.String}, orient="row",
    )  # fmt: skip
    st.markdown(
        f"**{count:,} {'row is' if count == 1 else 'rows are'} refused**"
        + (f", the first {len(rejects):,} are listed" if count > len(rejects) else "")
    )
    st.dataframe(frame, hide_index=True, height=min(38 * (len(rejects) + 1), 320))
    # A reason quotes the file, so it might run as a formula where the table is opened.
    safe = frame.with_columns(pl.col(pl.String).str.replace(r"^([=+\-@\t\r])", "'${1}"))
    st.download_button("Take them as CSV", safe.write_csv(), "rejected.csv", key="imports_rejects", on_click="ignore")
