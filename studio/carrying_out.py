"""Does what the answer form asks for: one action, one function of the store, and the words that the annotator hears."""

from __future__ import annotations

from dataclasses import dataclass

from pitchpipe.prompts.answers import find_fault, list_text_questions
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging import annotating, flagging, undoing
from pitchpipe.store.queue import gold, queueing
from pitchpipe.store.records import GoldFeedback, Project, SubmitOutcome
from pitchpipe.studio.answer_form import Sent, choose_screen

_OUTCOME_WORDS = {
    SubmitOutcome.RECORDED: "Recorded.",
    SubmitOutcome.REPEATED: "Recorded already by your first press. To change it, undo (u).",
    SubmitOutcome.STALE: "Not recorded: that task was no longer yours (finished in another tab, or held too long).",
    SubmitOutcome.TOO_FAST: "Not recorded: that was faster than the answers can be read. Look again, then submit.",
}
_DONE_WORDS = {"skip": "Skipped.", "flag": "Flagged. The task stays with you.", "comment": "Sent to the curator."}
_UNDONE_WORDS = {"flag": "Your flag is taken back.", "comment": "Your word to the curator is taken back."}
_REDONE_WORDS = {
    "submit": "Recorded again.",
    "skip": "Skipped again.",
    "flag": "Flagged again.",
    "comment": "Sent again.",
}


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """How it went."""

    outcome: str
    """`recorded`, `repeated`, `stale`, `too_fast` or `refused`."""
    message: str = ""
    """For the annotator, beside the buttons until the next step."""
    note: str = ""
    """For the annotator, above the next task until that is done."""


def carry_out(store: Store, project: Project, annotator: str, sent: Sent) -> CarriedOut:
    """Does what was sent and says how it went.

    Raises:
        PitchpipeError: what was sent cannot be taken; nothing was recorded.
    """
    if sent.action in ("undo", "redo"):
        return _step(store, project, annotator, sent.action)
    lease = {"task_id": sent.task_id, "annotator": annotator, "token": sent.token}
    if sent.action in ("flag", "comment"):
        outcome = flagging.flag_task(store, flag_id=sent.judgement_id, **lease, kind=sent.action, words=sent.reason)
    elif sent.action == "skip":
        outcome = annotating.skip_task(store, judgement_id=sent.judgement_id, **lease, reason=sent.reason)
    else:
        return _submit(store, project, annotator, sent)
    words = _DONE_WORDS[sent.action] if outcome is SubmitOutcome.RECORDED else _OUTCOME_WORDS[outcome]
    return CarriedOut(outcome.value, words)


def _submit(store: Store, project: Project, annotator: str, sent: Sent) -> CarriedOut:
    task = queueing.read_claimed_task(store, sent.task_id, annotator)
    words: list[str] = []
    # Without a lease there is nothing to hold the value against; the store says how that stands.
    if task is not None and task.token == sent.token:
        screen = choose_screen(task, project, store.workspace / "prompts")
        if sent.rubric_hash != screen.hash:
            raise UsageError(
                "Not recorded: the questions have changed since this task was opened.",
                "They are shown as they are now; look at them again, then submit. Your words are kept.",
            )
        fault = find_fault(screen, sent.value)
        if fault is not None:
            raise UsageError(*fault)
        words = list_text_questions(screen)
    outcome = annotating.submit_judgement(
        store,
        judgement_id=sent.judgement_id,
        task_id=sent.task_id,
        annotator=annotator,
        token=sent.token,
        value=sent.value,
        reason=sent.reason,
        seconds=sent.seconds,
        rubric_hash=sent.rubric_hash,
        guideline_hash=sent.guideline_hash,
        text_questions=words,
    )
    feedback = None
    if outcome is SubmitOutcome.RECORDED and project.rules.gold_feedback:
        feedback = gold.read_feedback(store, sent.task_id, annotator)
    return CarriedOut(outcome.value, _OUTCOME_WORDS[outcome], _tell_gold(feedback) if feedback else "")


def _tell_gold(feedback: GoldFeedback) -> str:
    found = "and you found it" if feedback.is_right else "and yours differs"
    return f"The answer to the last task was known, {found}. {feedback.explanation}".strip()


def _step(store: Store, project: Project, annotator: str, action: str) -> CarriedOut:
    """One step back or forth; a task that comes back is shown by the page, the rest is said."""
    recorded = SubmitOutcome.RECORDED.value
    if action == "undo":
        done = undoing.undo_last(store, project.name, annotator)
        if done is None:
            return CarriedOut("refused", "There is nothing to undo.")
        if done.action in ("submit", "skip") and done.task is None:
            return CarriedOut(recorded, note="Taken back; others have judged that task since, so it does not return.")
        return CarriedOut(recorded, _UNDONE_WORDS.get(done.action, ""))
    done = undoing.redo_last(store, project.name, annotator)
    if done is None:
        return CarriedOut("refused", "There is nothing to do again.")
    return CarriedOut(recorded, _REDONE_WORDS[done.action])
