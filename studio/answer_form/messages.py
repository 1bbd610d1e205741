"""What goes to the answer form and what comes back, as plain values. No Streamlit, no store."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from pitchpipe.prompts.library import Guideline, Screen
from pitchpipe.store.records import ClaimedTask, TaskKind
from pitchpipe.studio.answer_form.asking import list_questions

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_ACTIONS = ("submit", "skip", "flag", "comment", "undo", "redo")
_TEXT_LABELS = {"edit": "The corrected answer", "write": "Your answer", "tag": "Labels, separated by commas"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What the form sent: a submit, a skip, a flag, a comment, an undo or a redo."""

    action: str
    judgement_id: str
    task_id: str
    token: str
    value: dict[str, Any]
    """The judgement's value in screen terms; empty for everything but a submit."""
    reason: str
    seconds: float
    rubric_hash: str | None
    guideline_hash: str | None
    """Hashes of the questions and the guideline that were on the screen, as the form was given them."""
    nonce: str
    """Differs for each press, so that one press is carried out once."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The server's word on one thing sent. The form deletes a draft only on `recorded` or `repeated`."""

    judgement_id: str
    outcome: str
    message: str
    nonce: str
    """Differs each time, so that the form takes each word once."""
    note: str = ""
    """To be read above the next task."""


def parse_view(document: Any) -> bool | None:
    """Whether the annotator wants the answers rendered, or None where nothing was asked.

    >>> parse_view({"is_rendered": True})
    True
    """
    return document.get("is_rendered") is True if isinstance(document, dict) else None


def parse_sent(document: Any) -> Sent | None:
    """The record of what a browser sent, or None where nothing was sent or it is not in shape.

    >>> parse_sent({"action": "skip", "judgement_id": "j", "task_id": "t", "token": "k", "reason": "blurred"}).reason
    'blurred'
    >>> parse_sent({"action": "format"}) is None
    True
    """
    if not isinstance(document, dict) or document.get("action") not in _ACTIONS or not document.get("judgement_id"):
        return None
    value, seconds = document.get("value"), document.get("seconds")
    return Sent(
        action=str(document["action"]),
        judgement_id=str(document["judgement_id"]),
        task_id=str(document.get("task_id") or ""),
        token=str(document.get("token") or ""),
        value=value if isinstance(value, dict) else {},
        reason=str(document.get("reason") or ""),
        seconds=float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e7 else 0.0,
        rubric_hash=_read_hash(document.get("rubric_hash")),
        guideline_hash=_read_hash(document.get("guideline_hash")),
        nonce=str(document.get("nonce") or ""),
    )


def _read_hash(value: Any) -> str | None:
    return value if isinstance(value, str) and _HASH.fullmatch(value) else None


def describe_form(
    task: ClaimedTask | None,
    screen: Screen | None,
    guideline: Guideline,
    *,
    annotator: str,
    dwell_ms: int,
    ack: Acknowledgement | None,
    break_after_minutes: int = 0,
    is_rendered: bool = False,
    asked_again: str | None = None,
) -> dict[str, Any]:
    """The data of the form for a task, or for an empty queue where only undo is left."""
    data: dict[str, Any] = {
        "annotator": annotator,
        "draft_url": "/api/v1/drafts",
        "dwell_ms": dwell_ms,
        "break_after_minutes": break_after_minutes,
        "is_rendered": is_rendered,
        "ack": asdict(ack) if ack else None,
        "kind": "empty",
    }
    if task is None or screen is None:
        return data
    return data | {
        "kind": task.kind.value,
        "task_id": task.task_id,
        "token": task.token,
        "parts": [part.kind for part in screen.parts],
        "answers": len(task.answers),
        "questions": list_questions(screen, task),
        "text": _describe_text(screen, task),
        "span_text": task.answers[0].text if task.kind is TaskKind.SPAN and task.answers else None,
        "suggestion": task.suggestion,
        "draft": task.draft,
        "is_reopened": task.is_reopened,
        "asked_again": asked_again,
        "rubric_hash": screen.hash,
        "guideline_hash": guideline.hash,
    }


def _describe_text(screen: Screen, task: ClaimedTask) -> dict[str, Any] | None:
    """The field for words that are part of the value: a correction, an answer of one's own, or labels of no rubric.

    A correction that stands with other questions, or that may be left out, is opened by a key.
    """
    part = next((part for part in screen.parts if part.kind in _TEXT_LABELS and part.rubric is None), None)
    if part is None:
        return None
    request = next((message.content for message in reversed(task.messages) if message.role == "user"), "")
    return {
        "kind": part.kind,
        "label": _TEXT_LABELS[part.kind],
        "originals": [answer.text for answer in task.answers] if part.kind == "edit" else [],
        "instruction": request if part.kind == "write" else None,
        "is_optional": part.is_optional or len(screen.parts) > 1,
    }
