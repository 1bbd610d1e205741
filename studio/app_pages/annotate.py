"""The Annotate page: one task at a time, driven by keys, nothing lost.

The conversation and the answers are native cards of plain text; the answer form is one component below them. The page
knows the answers' texts and nothing of who wrote them. No fragment is put round it and the form's return value is read,
because after a restart of the server neither fragments nor callbacks exist and the first submit would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import streamlit as st

from pitchpipe.prompts.library import Guideline, Rubric, load_guideline, load_rubric
from pitchpipe.store import annotating, queueing
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.records import ClaimedTask, Message, Project, SubmitOutcome, TaskKind
from pitchpipe.studio.answer_form import Acknowledgement, Sent, answer_form, describe_form, peek_sent
from pitchpipe.studio.app_pages.showing import plain, shorten_hash, show_constant

_ACK_KEY = "acknowledgement"
_KIND_WORDS = {
    TaskKind.COMPARE: "Compare",
    TaskKind.RATE: "Rate",
    TaskKind.EDIT: "Correct",
    TaskKind.WRITE: "Write",
    TaskKind.TAG: "Label",
    TaskKind.RANK: "Rank",
}
_OUTCOME_WORDS = {
    SubmitOutcome.RECORDED: "Recorded.",
    SubmitOutcome.REPEATED: "Recorded already by your first press. To change it, undo (u).",
    SubmitOutcome.STALE: "Not recorded: that task was no longer yours (finished in another tab, or held too long).",
    SubmitOutcome.TOO_FAST: "Not recorded: that was faster than the answers can be read. Look again, then submit.",
}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What lies before the annotator: the task and the questions and guideline that go with it."""

    task: ClaimedTask | None
    rubric: Rubric | None
    guideline: Guideline


def show_annotate(store: Store, project: Project | None, annotator: str) -> None:
    """Shows the annotator's task, and records what the form sent."""
    if project is None:
        st.info("There is no project yet. Import a file first: `pitchpipe import FILE --project NAME`.")
        return
    early = peek_sent()
    if early is not None:
        st.session_state[_ACK_KEY] = _answer(store, project, annotator, early)
    desk = _lay_desk(store, project, annotator)
    with st.container(key="desk"):
        work, side = st.columns([3.1, 1], gap="medium")
        with side, st.container(key="guideline"):
            _show_guideline(desk)
        with work:
            _show_bar(store, project, annotator, desk.task)
            _show_task(desk.task)
            data = describe_form(
                desk.task,
                desk.rubric,
                desk.guideline,
                annotator=annotator,
                dwell_ms=project.minimum_dwell_ms,
                ack=st.session_state.get(_ACK_KEY),
            )
            sent = answer_form(data)
    if sent is not None and (early is None or early.nonce != sent.nonce):
        st.session_state[_ACK_KEY] = _answer(store, project, annotator, sent)
        st.rerun()


def _lay_desk(store: Store, project: Project, annotator: str) -> _Desk:
    folder = store.workspace / "prompts"
    task = queueing.claim_next_task(store, project.name, annotator)
    names = {TaskKind.RATE: project.rate_rubric, TaskKind.COMPARE: project.compare_rubric}
    name = names.get(task.kind) if task else None
    return _Desk(task, load_rubric(name, folder) if name else None, load_guideline(project.guideline, folder))


def _answer(store: Store, project: Project, annotator: str, sent: Sent) -> Acknowledgement:
    """Does what the form asks for and says how it went, in words for the annotator."""
    try:
        outcome, message = _carry_out(store, project, annotator, sent)
    except PitchpipeError as error:
        outcome, message = "refused", f"{error.happened} {error.advice}"
    return Acknowledgement(sent.judgement_id, outcome, message, uuid4().hex)


def _carry_out(store: Store, project: Project, annotator: str, sent: Sent) -> tuple[str, str]:
    if sent.action == "undo":
        if annotating.undo_last(store, project.name, annotator) is None:
            return "refused", "There is nothing to undo."
        return SubmitOutcome.RECORDED.value, ""
    lease = {"judgement_id": sent.judgement_id, "task_id": sent.task_id, "annotator": annotator, "token": sent.token}
    if sent.action == "skip":
        outcome = annotating.skip_task(store, **lease, reason=sent.reason)
        return outcome.value, "Skipped." if outcome is SubmitOutcome.RECORDED else _OUTCOME_WORDS[outcome]
    outcome = annotating.submit_judgement(
        store,
        **lease,
        value=sent.value,
        reason=sent.reason,
        seconds=sent.seconds,
        rubric_hash=sent.rubric_hash,
        guideline_hash=sent.guideline_hash,
    )
    return outcome.value, _OUTCOME_WORDS[outcome]


def _show_bar(store: Store, project: Project, annotator: str, task: ClaimedTask | None) -> None:
    progress = queueing.count_progress(store, project.name, annotator)
    total = progress.done + progress.available
    show_constant(
        '<div class="pp-bar"><span><b>{kind}</b> · {place}</span>'
        '<span class="pp-track"><i style="width:{share}%"></i></span>'
        '<span class="pp-seconds"></span><span>names hidden</span></div>',
        kind=_KIND_WORDS[task.kind] if task else "Done",
        place=f"task {min(progress.done + 1, total)} of {total}" if task else f"{progress.done} judged",
        share=round(100 * progress.done / total, 1) if total else 0,
    )


def _show_task(task: ClaimedTask | None) -> None:
    if task is None:
        with st.container(key="card_empty"):
            show_constant('<div class="pp-side">Nothing waits for you here</div>')
            st.text("Every task is judged or taken. New ones appear when somebody imports or generates answers.")
        return
    with st.container(key="card_ask", gap="xsmall"):
        for message in task.messages:
            _show_message(message)
    # An answer to be corrected is in the text field already.
    if task.kind in (TaskKind.EDIT, TaskKind.WRITE):
        return
    with st.container(key="sides"):
        columns = st.columns(len(task.answers)) if len(task.answers) > 1 else [st.container()]
        for position, (column, answer) in enumerate(zip(columns, task.answers, strict=False)):
            title = f"Answer {chr(65 + position)}" if len(task.answers) > 1 else "Answer"
            with column, st.container(key=f"card_answer_{position}", gap="xsmall"):
                show_constant('<div class="pp-side">{title}</div>', title=title)
                st.text(answer.text or "(an empty answer)")


def _show_message(message: Message) -> None:
    show_constant('<div class="pp-who">{role}</div>', role=message.role.capitalize())
    st.text(message.content)


def _show_guideline(desk: _Desk) -> None:
    show_constant(
        '<div class="pp-version">Guideline {name} · <code>{hash}</code></div>',
        name=desk.guideline.name,
        hash=shorten_hash(desk.guideline.hash),
    )
    st.markdown(desk.guideline.text)
    if desk.rubric is None:
        return
    show_constant(
        '<div class="pp-version">Questions {name} · <code>{hash}</code></div>',
        name=desk.rubric.name,
        hash=shorten_hash(desk.rubric.hash),
    )
    st.markdown(
        "\n".join(f"- **{plain(question.label)}.** {plain(question.help)}" for question in desk.rubric.questions)
    )
