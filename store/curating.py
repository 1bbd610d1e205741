"""Curators' decisions: keep or drop, with a reason; append-only, so the latest one on a thing counts."""

from __future__ import annotations

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import new_id

_INSERT_DECISION = (
    "INSERT INTO decisions (id, project_id, target_id, verdict, rule, version, reason, actor, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def decide(store: Store, target_id: str, verdict: str, reason: str, actor: str, rule: str = "curator") -> str:
    """Records a decision on an example or a candidate and returns its id.

    Raises:
        UsageError: the verdict is neither keep nor drop, or a drop has no reason.
        NotFoundError: there is no such example or candidate.
    """
    if verdict not in ("keep", "drop"):
        raise UsageError(f"The verdict '{verdict}' is not known.", "Use keep or drop.")
    if verdict == "drop" and not reason.strip():
        raise UsageError("A drop needs a reason.", "Say in a few words why; it is listed with the snapshot.")
    found = store.read(
        "SELECT project_id FROM examples WHERE id = $id UNION ALL SELECT project_id FROM candidates WHERE id = $id",
        {"id": target_id},
    )
    if not found:
        raise NotFoundError(f"There is no example or candidate '{target_id}'.", "Copy its id from `pitchpipe lineage`.")
    decision_id = new_id("dec")

    def insert_decision(transaction: Transaction) -> None:
        row = [decision_id, found[0][0], target_id, verdict, rule, "1", reason, actor, utc_now()]
        transaction.run(_INSERT_DECISION, row)
        record_event(transaction, actor, verdict, target_id, {"rule": rule, "reason": reason})

    store.write(insert_decision)
    store.checkpoint()  # the journal brings back judgements only, not what they are about
    return decision_id
