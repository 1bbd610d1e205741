"""The queue of a curator: tasks whose judgements do not fit together, with the reasons in words.

What each reason means:

    disagreement           verdicts on different sides, strengths or ratings further apart than the project's
                           `widest_spread`, a third of the pairs of a ranking in opposite orders, labels that differ
    low confidence         the most frequent verdict or label has at most half of the raters behind it, several are
                           tied, or nobody could judge
    flag                   an annotator flagged the task or left a comment, and nobody has closed it
    cycle                  A is preferred to B, B to C and C to A, by the majority or by one rater
    rating against choice  a rater picked the answer that they themselves rated two or more points lower
    self-contradiction     a rater answered the same thing twice, in two tasks, and differently

The order is by how much there is to win: each reason weighs 0 to 1 (how far apart the raters are as a share of the
scale, how much support is lacking, 1 for a flag and a cycle), the weights of a task are added, and the highest sum
comes first. A settled task leaves the queue until somebody flags it anew. Blind reviews of a run and known answers
measure models and raters, so they are never settled by a curator: they come here only when they are flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pitchpipe.store.curation.standing_marks import SELECT_DROPPED
from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
from pitchpipe.store.review.dispute_reading import read_request
from pitchpipe.store.review.dispute_reasons import (
    Found,
    find_cycle_reasons,
    find_label_reasons,
    find_rating_reasons,
    find_self_reasons,
    find_verdict_reasons,
)
from pitchpipe.store.review.opinion_reading import Opinions, read_opinions

REASONS = ("disagreement", "low_confidence", "flag", "cycle", "rating_against_choice", "self_contradiction")

_OPEN_FLAGS = """
SELECT task_id, annotator, kind, words, created_at FROM flags
WHERE project_id = ? AND closed_at IS NULL ORDER BY created_at, id
"""
_SETTLED_AT = """
SELECT task_id, max(created_at) FROM judgements WHERE project_id = ? AND source = 'adjudication' GROUP BY task_id
"""
_REQUESTS = "SELECT id, messages FROM examples WHERE id IN (SELECT unnest(?))"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a task is in the queue."""

    kind: str
    """One of `REASONS`."""
    sentence: str
    """In words for a curator; may quote what annotators wrote, so it is shown as text."""
    gain: float
    """How much there is to win, 0 to 1."""
    tasks: tuple[str, ...] = ()
    """Other tasks that it is about, as with a cycle."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """A task that a curator should read."""

    task_id: str
    example_id: str
    kind: str
    request: str
    """The last turn of the user, at most 300 characters."""
    reasons: tuple[Reason, ...]
    gain: float
    judgements: int
    """How many annotators have judged it."""


def find_disputes(store: Store, project: str, *, weakest_support: float = 0.5) -> list[Dispute]:
    """Every open dispute of a project, the one with most to win first.

    Args:
        weakest_support: a consensus with this share of the raters behind it, or less, is of low confidence, 0 to 1.

    Raises:
        NotFoundError: there is no such project.
    """
    target = get_project(store, project)
    opinions = read_opinions(store, target.id)
    settled = opinions.settled
    reasons: dict[str, list[Reason]] = {}
    found = _find_reasons(opinions, settled, target.rules.widest_spread, weakest_support)
    for task_id, kind, sentence, gain, others in found:
        reasons.setdefault(task_id, []).append(Reason(kind, sentence, gain, others))
    _leave_out_dropped(store, target.id, opinions, reasons)
    settled_at = dict(store.read(_SETTLED_AT, [target.id])) if settled else {}
    for task_id, annotator, kind, words, created_at in store.read(_OPEN_FLAGS, [target.id]):
        if task_id not in settled or created_at > settled_at[task_id]:
            says = "flagged it" if kind == "flag" else "left a comment"
            reasons.setdefault(task_id, []).append(Reason("flag", f"{annotator} {says}: {words}", 1.0))
    return _order_disputes(store, opinions, reasons)


def narrow_disputes(
    disputes: Sequence[Dispute], *, reasons: Sequence[str] | None = None, kind: str | None = None, words: str = ""
) -> list[Dispute]:
    """Those with one of the reasons, of that kind of task, and with all the words in their request or reasons.

    >>> from dataclasses import replace
    >>> one = Dispute("t1", "e1", "compare", "Where is my refund?", (Reason("cycle", "A circle.", 1.0),), 1.0, 3)
    >>> other = replace(one, task_id="t2", kind="rate")
    >>> [dispute.task_id for dispute in narrow_disputes([one, other], kind="rate", words="REFUND")]
    ['t2']
    """
    wanted = words.casefold().split()
    return [
        dispute
        for dispute in disputes
        if (not reasons or any(reason.kind in reasons for reason in dispute.reasons))
        and (kind is None or dispute.kind == kind)
        and (not wanted or _has_words(dispute, wanted))
    ]


def count_reasons(disputes: Sequence[Dispute]) -> dict[str, int]:
    """How many of the disputes have each reason; a dispute with two reasons counts for both.

    >>> one = Dispute("t1", "e1", "compare", "?", (Reason("cycle", "A circle.", 1.0),), 1.0, 3)
    >>> {reason: count for reason, count in count_reasons([one]).items() if count}
    {'cycle': 1}
    """
    counts = dict.fromkeys(REASONS, 0)
    for dispute in disputes:
        for reason in {reason.kind for reason in dispute.reasons}:
            counts[reason] += 1
    return counts


def _find_reasons(opinions: Opinions, settled: set[str], widest_spread: int, weakest_support: float) -> list[Found]:
    """All reasons but flags, of ordinary tasks and repeats. What a curator has settled is no longer the raters' say."""
    ordinary = opinions.tasks.filter(
        ~pl.col("task").is_in(list(settled))
        & (pl.col("batch") == "")
        & (pl.col("purpose").is_null() | (pl.col("purpose") == "repeat"))
    )
    counting = ordinary["task"].to_list()
    repeats = set(ordinary.filter(pl.col("purpose") == "repeat")["task"])
    found = find_verdict_reasons(opinions, counting, widest_spread, weakest_support)
    found += find_label_reasons(opinions, counting, weakest_support)
    found += find_rating_reasons(opinions, counting, widest_spread)
    found += find_cycle_reasons(opinions, [task_id for task_id in counting if task_id not in repeats])
    found += find_self_reasons(opinions, counting, widest_spread)
    # What a repeat brought to light is said of the first answer as well, and that is the one that counts.
    return [reason for reason in dict.fromkeys(found) if reason[0] not in repeats]


def _leave_out_dropped(store: Store, project_id: str, opinions: Opinions, reasons: dict[str, list[Reason]]) -> None:
    """Takes away the tasks whose example or answers a curator has dropped."""
    dropped = {row[0] for row in store.read(SELECT_DROPPED, {"project": project_id})}
    if not dropped:
        return
    for task_id, example in opinions.tasks.select("task", "example").iter_rows():
        if task_id in reasons and not dropped.isdisjoint([example, *opinions.answers[task_id]]):
            del reasons[task_id]


def _order_disputes(store: Store, opinions: Opinions, reasons: dict[str, list[Reason]]) -> list[Dispute]:
    tasks = opinions.tasks.join(pl.DataFrame({"task": list(reasons)}, {"task": pl.String}), on="task", how="semi")
    examples = tasks["example"].unique(maintain_order=True).to_list()
    requests = {row[0]: read_request(row[1]) for row in store.read(_REQUESTS, [examples])} if examples else {}
    placed = [
        (position, Dispute(
            task_id=task_id,
            example_id=example,
            kind=kind,
            request=requests.get(example, ""),
            reasons=tuple(sorted(reasons[task_id], key=lambda reason: (-reason.gain, REASONS.index(reason.kind)))),
            gain=sum(reason.gain for reason in reasons[task_id]),
            judgements=opinions.raters.get(task_id, 0),
        ))
        for task_id, example, kind, position in tasks.select("task", "example", "kind", "position").iter_rows()
    ]  # fmt: skip
    placed.sort(key=lambda pair: (-round(pair[1].gain, 6), pair[0], pair[1].task_id))
    return [dispute for _, dispute in placed]


def _has_words(dispute: Dispute, wanted: Sequence[str]) -> bool:
    text = " ".join([dispute.request, *(reason.sentence for reason in dispute.reasons)]).casefold()
    return all(word in text for word in wanted)
