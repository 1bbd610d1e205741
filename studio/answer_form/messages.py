"""What goes to the answer form and what comes back, as plain values. No Streamlit, no store."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from pitchpipe.prompts.library import Guideline, Rubric
from pitchpipe.store.records import ClaimedTask, TaskKind

_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_ACTIONS = ("submit", "skip", "undo")
_TEXT_LABELS = {
    TaskKind.EDIT: "The corrected answer",
    TaskKind.WRITE: "Your answer",
    TaskKind.TAG: "Labels, separated by commas",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """What the form sent: a submit, a skip or an undo."""

    action: str
    judgement_id: str
    task_id: str
    token: str
    value: dict[str, Any]
    """The judgement's value in screen terms; empty for a skip and an undo."""
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
    rubric: Rubric | None,
    guideline: Guideline,
    *,
    annotator: str,
    dwell_ms: int,
    ack: Acknowledgement | None,
) -> dict[str, Any]:
    """The data of the form for a task, or for an empty queue where only undo is left."""
    data: dict[str, Any] = {
        "annotator": annotator,
        "draft_url": "/api/v1/drafts",
        "dwell_ms": dwell_ms,
        "ack": asdict(ack) if ack else None,
        "kind": "empty",
    }
    if task is None:
        return data
    return data | {
        "kind": task.kind.value,
        "task_id": task.task_id,
        "token": task.token,
        "questions": [asdict(question) for question in (rubric.questions if rubric else ())],
        "text_label": _TEXT_LABELS.get(task.kind),
        "prefill": task.answers[0].text if task.kind is TaskKind.EDIT and task.answers else "",
        "draft": task.draft,
        "is_reopened": task.is_reopened,
        "rubric_hash": rubric.hash if rubric else None,
        "guideline_hash": guideline.hash,
    }
