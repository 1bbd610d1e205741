"""The Annotate page: one task at a time, driven by keys, nothing lost.

The conversation and the answers are native cards of plain text; the answer form is one component below them. The page
knows the answers' texts and nothing of who wrote them. No fragment is put round it and the form's return value is read,
because after a restart of the server neither fragments nor callbacks exist and the first submit would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import uuid4

import streamlit as st

from pitchpipe.prompts.library import Guideline, Screen, load_guideline
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.queue import queueing, standing
from pitchpipe.store.records import ClaimedTask, Project, Standing, TaskKind
from pitchpipe.store.review import asking_again
from pitchpipe.studio.answer_form import (
    Acknowledgement,
    Sent,
    answer_form,
    choose_screen,
    describe_form,
    peek_sent,
    peek_view,
)
from pitchpipe.studio.app_pages.guideline_panel import show_guideline
from pitchpipe.studio.app_pages.showing import show_constant
from pitchpipe.studio.app_pages.task_cards import show_task
from pitchpipe.studio.carrying_out import CarriedOut, carry_out

_ACK_KEY = "acknowledgement"
_VIEW_KEY = "is_rendered"
_STEP_KEY = "last_step"
_KIND_WORDS = {
    TaskKind.COMPARE: "Compare",
    TaskKind.RATE: "Rate",
    TaskKind.EDIT: "Correct",
    TaskKind.WRITE: "Write",
    TaskKind.TAG: "Label",
    TaskKind.RANK: "Rank",
    TaskKind.SPAN: "Mark",
    TaskKind.TURNS: "Rate the turns",
}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What lies before the annotator: the task, what is asked about it, the guideline, and how they stand."""

    task: ClaimedTask | None
    screen: Screen | None
    guideline: Guideline
    standing: Standing
    asked_again: str | None
    """Why a curator wants the task judged anew; None where it is not."""


def show_annotate(store: Store, project: Project | None, annotator: str) -> None:
    """Shows the annotator's task, and records what the form sent."""
    if project is None:
        st.info("There is no project yet. Import a file first: `pitchpipe import FILE --project NAME`.")
        return
    early = peek_sent()
    if early is not None:
        st.session_state[_ACK_KEY] = _answer(store, project, annotator, early)
    wanted = peek_view()
    if wanted is not None:
        st.session_state[_VIEW_KEY] = wanted
    desk = _lay_desk(store, project, annotator)
    with st.container(key="desk"):
        work, side = st.columns([3.1, 1], gap="medium")
        with side, st.container(key="guideline"):
            show_guideline(store, project, annotator, desk.guideline, desk.screen, desk.standing.seen_guideline)
        with work:
            _show_bar(store, project, annotator, desk)
            if desk.task is None:
                _show_empty(desk.standing)
            else:
                show_task(desk.task, is_rendered=bool(st.session_state.get(_VIEW_KEY)))
            sent = answer_form(_describe(project, annotator, desk))
    if sent is not None and (early is None or early.nonce != sent.nonce):
        st.session_state[_ACK_KEY] = _answer(store, project, annotator, sent)
        st.rerun()


def _describe(project: Project, annotator: str, desk: _Desk) -> dict[str, object]:
    return describe_form(
        desk.task,
        desk.screen,
        desk.guideline,
        annotator=annotator,
        dwell_ms=project.minimum_dwell_ms,
        ack=st.session_state.get(_ACK_KEY),
        break_after_minutes=project.rules.break_after_minutes,
        is_rendered=bool(st.session_state.get(_VIEW_KEY)),
        asked_again=desk.asked_again,
    )


def _lay_desk(store: Store, project: Project, annotator: str) -> _Desk:
    folder = store.workspace / "prompts"
    task = queueing.claim_next_task(store, project.name, annotator)
    screen = choose_screen(task, project, folder) if task else None
    guideline = load_guideline(project.guideline, folder)
    asked_again = asking_again.read_ask(store, task.task_id, annotator) if task and task.is_reopened else None
    return _Desk(task, screen, guideline, standing.read_standing(store, project.name, annotator), asked_again)


def _answer(store: Store, project: Project, annotator: str, sent: Sent) -> Acknowledgement:
    """Does what the form asks for and says how it went, in words for the annotator.

    A step back or forth has no row of its own that a repeat could be known by; the session remembers the last one.
    """
    known: tuple[str, Acknowledgement] | None = st.session_state.get(_STEP_KEY)
    if sent.action in ("undo", "redo") and known is not None and known[0] == sent.judgement_id:
        return replace(known[1], nonce=uuid4().hex)
    ack = _carry_out(store, project, annotator, sent)
    if sent.action in ("undo", "redo"):
        st.session_state[_STEP_KEY] = (sent.judgement_id, ack)
    return ack


def _carry_out(store: Store, project: Project, annotator: str, sent: Sent) -> Acknowledgement:
    try:
        done = carry_out(store, project, annotator, sent)
    except PitchpipeError as error:
        done = CarriedOut("refused", f"{error.happened} {error.advice}")
    return Acknowledgement(sent.judgement_id, done.outcome, done.message, uuid4().hex, done.note)


def _show_bar(store: Store, project: Project, annotator: str, desk: _Desk) -> None:
    progress = queueing.count_progress(store, project.name, annotator)
    total = progress.done + progress.available
    kind = (
        "Done" if desk.task is None else _KIND_WORDS.get(desk.task.kind) or (desk.screen.title if desk.screen else "")
    )
    show_constant(
        '<div class="pp-bar"><span><b>{kind}</b> · {place}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span>'
        '<span class="pp-seconds"></span><span>{hidden}</span></div>',
        kind=kind,
        place=f"task {min(progress.done + 1, total):,} of {total:,}" if desk.task else f"{progress.done:,} judged",
        share=round(100 * progress.done / total, 1) if total else 0,
        hidden="calibration round" if desk.standing.calibration_left else "others and names hidden",
    )


def _show_empty(how: Standing) -> None:
    with st.container(key="card_empty"):
        if how.paused_reason:
            show_constant('<div class="pp-side">You are paused</div>')
            st.text(f"{how.paused_reason} Talk to the lead of the project; what you judged is kept.")
            return
        show_constant('<div class="pp-side">Nothing waits for you here</div>')
        st.text("Every task is judged or taken. New ones appear when somebody imports or generates answers.")
