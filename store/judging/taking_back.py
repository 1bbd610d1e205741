"""Taking a judgement back: a row that supersedes it, its task leased to its annotator again, the entry as the draft."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pitchpipe.store.database import Transaction
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.judging.judgement_rows import UPSERT_DRAFT, append_judgement, read_slot
from pitchpipe.store.judging.judgement_values import to_screen_value
from pitchpipe.store.queue.leases import REOPENED, Lease, shuffle, take_slot
from pitchpipe.store.records import JudgementStatus, Project, TaskKind

ASKED_AGAIN = "asked_again"
"""Source of a row that takes a judgement back because a curator asked for it anew."""
OWN_SOURCES = ("studio", ASKED_AGAIN)
"""Sources of the rows that are an annotator's own work in the studio, and what became of it."""

_READ_JUDGEMENT = "SELECT kind, status, value, reason, shown, seconds FROM judgements WHERE id = ?"
_READ_TASK = """
SELECT example_id, candidate_ids, CASE WHEN purpose = 'gold' THEN 1000000 ELSE overlap END FROM tasks WHERE id = ?
"""
# Never shorter than it was: the slot of a task that is asked again waits for its annotator.
_EXTEND_LEASE = """
UPDATE assignments SET leased_until = greatest(leased_until, ?), claimed_at = ?, token = ?
WHERE task_id = ? AND annotator = ?
"""
_WAITS = timedelta(days=3650)
"""How long the slot of a task waits that is asked again: until its annotator comes back, or a lead revokes them."""


@dataclass(frozen=True, slots=True)
class Change:
    """Whose work is changed, and when."""

    project: Project
    annotator: str
    now: datetime


def take_back(
    transaction: Transaction, change: Change, task_id: str, judgement_id: str, reason: str, source: str = "studio"
) -> bool:
    """Takes a judgement back and leases its task to its annotator again; False when no slot is left for that.

    Args:
        source: `studio` where its annotator does it, `asked_again` where a curator asks for it anew; then the slot
            waits for them.
    """
    kind, status, value, entered, shown, seconds = transaction.run(_READ_JUDGEMENT, [judgement_id])[0]
    example_id, candidate_ids, _ = read_task(transaction, task_id)
    detail = canonical_json({ASKED_AGAIN: judgement_id}) if source == ASKED_AGAIN else None
    row = {
        "id": new_id("jdg"), "entry": new_id(), "project_id": change.project.id, "task_id": task_id,
        "example_id": example_id, "annotator": change.annotator, "kind": kind,
        "status": JudgementStatus.RETRACTED.value, "value": "{}", "reason": reason, "shown": shown, "seconds": None,
        "rubric_hash": None, "guideline_hash": None, "supersedes": judgement_id, "source": source,
        "created_at": change.now, "detail": detail,
    }  # fmt: skip
    append_judgement(transaction, row)
    is_back = lease_again(transaction, change, task_id, shown, waits=source == ASKED_AGAIN)
    if is_back and status == JudgementStatus.SUBMITTED:  # a skip has left the draft as it was
        draft = {
            "value": to_screen_value(TaskKind(kind), json.loads(value), json.loads(candidate_ids), json.loads(shown)),
            "reason": entered,
            # An older draft that a browser kept must not win over it, and the clock goes on where it stood.
            "at": int(change.now.replace(tzinfo=UTC).timestamp() * 1000),
            "seconds": seconds or 0,
        }
        transaction.run(UPSERT_DRAFT, [task_id, change.annotator, canonical_json(draft), shown, change.now])
    transaction.journal({"judgement": row, "slot": read_slot(transaction, row)})
    return is_back


def lease_again(
    transaction: Transaction, change: Change, task_id: str, shown: str | None, *, waits: bool = False
) -> bool:
    """Leases a task to an annotator who has judged it: in their own slot, else in a free one, if there is one."""
    memory = transaction.queue_memory
    memory.forget_leases(change.project.id, change.annotator)
    transaction.afterwards.append(lambda: memory.forget_person(change.project.id, change.annotator))
    until = change.now + (_WAITS if waits else timedelta(seconds=change.project.lease_seconds))
    own = [until, change.now, REOPENED + secrets.token_hex(8), task_id, change.annotator]
    if transaction.run(_EXTEND_LEASE, own)[0][0]:
        return True
    _, candidate_ids, slots = read_task(transaction, task_id)
    order = json.loads(shown) if shown else shuffle(json.loads(candidate_ids))
    lease = Lease(task_id, change.project, change.annotator, change.now, is_again=True)
    return take_slot(transaction, lease, slots, order)


def read_task(transaction: Transaction, task_id: str) -> tuple[str, str, int]:
    """The example of a task, its candidates as JSON, and how many slots it has."""
    example_id, candidate_ids, slots = transaction.run(_READ_TASK, [task_id])[0]
    return str(example_id), str(candidate_ids), int(slots)
