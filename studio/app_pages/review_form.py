"""A curator's own answer, where none of the raters' will do: a small form for the kind of task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pitchpipe.prompts.library import Question, Rubric, Screen, load_rubric, load_screen, make_screen
from pitchpipe.store.records import Project, TaskKind
from pitchpipe.store.review.dispute_reading import Case
from pitchpipe.studio.app_pages.showing import plain

_ASKABLE = (TaskKind.COMPARE, TaskKind.RATE, TaskKind.TAG, TaskKind.RANK, TaskKind.EDIT, TaskKind.WRITE)
_NOTHING_CHOSEN: dict[str, Any] = {}


def show_own_answer(case: Case, rubric: Rubric | None) -> tuple[dict[str, Any], str, Screen] | None:
    """The value (stored terms), the reason and what was asked when the form was sent, else None."""
    if case.kind not in _ASKABLE:
        st.text("Take one of the raters' answers: a task of this kind has no short form.")
        return None
    with st.form(f"own_{case.task_id}", border=False):
        given = _ask(case, rubric)
        reason = st.text_input(
            "Why", key=f"own_why_{case.task_id}", placeholder="in a few words, for whoever asks later"
        )
        is_sent = st.form_submit_button("Settle with this", type="primary")
    if not is_sent:
        return None
    if given == _NOTHING_CHOSEN:
        st.warning("Choose an answer first, then settle.")
        return None
    return given, reason, make_screen(case.kind, rubric)


def find_rubric(case: Case, project: Project, prompts: Path) -> Rubric | None:
    """The rubric that the task was judged by, of kinds that have one; of a screen, the one that rates."""
    if case.kind is TaskKind.SCREEN and case.rubric:
        return next((part.rubric for part in load_screen(case.rubric, prompts).parts if part.kind == "rate"), None)
    names = {TaskKind.RATE: project.rate_rubric, TaskKind.COMPARE: project.compare_rubric}
    name = case.rubric or names.get(case.kind)
    return load_rubric(name, prompts) if name else None


def _ask(case: Case, rubric: Rubric | None) -> dict[str, Any]:
    if case.kind is TaskKind.COMPARE and rubric is not None:
        return _ask_preference(case, rubric.questions[0])
    if case.kind is TaskKind.RATE and rubric is not None:
        answers = {question.name: _ask_question(case, question) for question in rubric.questions}
        return {name: given for name, given in answers.items() if given not in (None, "")}
    if case.kind is TaskKind.TAG:
        return {"labels": _ask_labels(case, rubric)}
    if case.kind is TaskKind.RANK:
        return {"ranks": _ask_ranks(case)}
    text = case.answers[0] if case.answers else ""
    return {"text": st.text_area("The answer", text, key=f"own_text_{case.task_id}", height=180)}


def _ask_preference(case: Case, question: Question) -> dict[str, Any]:
    labels = {option.value: option.label for option in question.options}
    chosen = _pick_one(plain(question.label), labels, f"own_pick_{case.task_id}")
    if isinstance(chosen, int) and chosen != 0:
        return {"verdict": "a" if chosen < 0 else "b", "strength": chosen}
    if chosen is None:
        return _NOTHING_CHOSEN
    return {"verdict": "tie" if chosen == 0 else chosen, "strength": 0 if chosen == 0 else None}


def _ask_question(case: Case, question: Question) -> Any:
    key = f"own_{question.name}_{case.task_id}"
    if question.type == "text":
        return st.text_input(plain(question.label), key=key)
    return _pick_one(plain(question.label), {option.value: option.label for option in question.options}, key)


def _pick_one(label: str, labels: dict[int | str, str], key: str) -> int | str | None:
    chosen: int | str | None = st.segmented_control(
        label, list(labels), format_func=lambda value: plain(labels[value]), key=key
    )
    return chosen


def _ask_labels(case: Case, rubric: Rubric | None) -> list[str]:
    used = [label for judgement in case.judgements for label in judgement.value.get("labels", [])]
    known = [str(option.value) for option in rubric.questions[0].options] if rubric else []
    return list(st.pills("Labels", list(dict.fromkeys([*known, *used])), selection_mode="multi", format_func=plain,
                         key=f"own_labels_{case.task_id}"))  # fmt: skip


def _ask_ranks(case: Case) -> list[int]:
    """Places from 1 as people count; equal places are ties. Stored from 0, without gaps."""
    columns = st.columns(len(case.answers))
    places = [
        int(column.number_input(f"Place of {chr(65 + place)}", 1, len(case.answers), place + 1,
                                key=f"own_rank_{place}_{case.task_id}"))
        for place, column in enumerate(columns)
    ]  # fmt: skip
    order = sorted(set(places))
    return [order.index(place) for place in places]
