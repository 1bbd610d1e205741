"""What a chain of rules would do to a project, before anything happens: every hit, by rule, kind and split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.freezing.knowledge import Recipe
from pitchpipe.store.freezing.snapshot_building import Dataset, build_rows, count_rows
from pitchpipe.store.freezing.snapshot_reading import find_chosen, read_knowledge
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.catalogue import find_rule, order_chain
from pitchpipe.store.rules.reading import list_answers, list_spans, read_field, read_requests
from pitchpipe.store.rules.rule import Action, Background, Hit, Row, RuleChoice

_AROUND = 60
"""Characters of an excerpt before the first stretch that was found."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule of the chain found."""

    rule: str
    version: str
    title: str
    action: Action
    seen: int
    """Rows that the rules before it left."""
    hits: int
    by_part: dict[str, int]
    """Hits by kind and split, such as {"answer_train": 3}."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a chain would do. It keeps no row that nothing was found in, so it is small beside a large project."""

    hits: list[Hit]
    """In the order of the chain, then of the rows; each with its row as the rule saw it."""
    others: dict[str, Row]
    """By example, a row of each that a hit compares with, such as the one that a duplicate repeats."""
    rules: list[RuleCount]
    before: dict[str, int]
    """Rows by kind and split before the chain, such as {"answer_train": 10}."""
    after: dict[str, int]
    """Rows that a snapshot by this recipe would have."""

    @property
    def considered(self) -> int:
        return sum(self.before.values())

    @property
    def kept(self) -> int:
        return sum(self.after.values())


def preview_rules(
    store: Store,
    project: str,
    choices: Sequence[RuleChoice],
    background: Background | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
    recipe: Recipe | None = None,
) -> Preview:
    """What a snapshot would make of a chain: it is applied just as a snapshot applies it, and nothing is written.

    What a curator decided to keep stays whatever a rule finds; its hits say so.

    Args:
        on_progress: told how many steps are done, of how many, and what comes next.
        recipe: the rest of the recipe, whose own rules do not count; the usual one when left out.

    Raises:
        NotFoundError: there is no such project.
        UsageError: a rule, an action or a parameter is not known, or a rule lacks what it needs.
    """

    def tell(step: str, share: float) -> None:
        if on_progress is not None:
            on_progress(round(100 * share), 100, step)

    tell("Reading the project", 0.0)
    recipe = replace(recipe or Recipe(), rules=tuple(choices))
    known = read_knowledge(store, get_project(store, project).id)
    made = build_rows(known, recipe, background, find_chosen(store, project, recipe), tell)
    tell("Done", 1.0)
    return describe_dataset(made, choices)


def describe_dataset(made: Dataset, choices: Sequence[RuleChoice]) -> Preview:
    """The counts of a chain, rule by rule as they are applied, from what its recipe made.

    >>> describe_dataset(Dataset([], [], [], [], []), []).kept
    0
    """
    counts, left = [], len(made.given)
    for step, choice in enumerate(order_chain(choices)):
        rule = find_rule(choice.rule)
        found = [hit for hit in made.hits if hit.step == step]
        parts = count_rows(hit.row for hit in found)
        counts.append(RuleCount(rule.id, rule.version, rule.title, choice.action, left, len(found), parts))
        left -= sum(hit.action == "drop" for hit in found)
    named = {hit.evidence["other"] for hit in made.hits if "other" in hit.evidence}
    others = {row["example_id"]: row for row in reversed(made.given) if row["example_id"] in named}
    return Preview(made.hits, others, counts, count_rows(made.given), count_rows(made.rows))


def describe_hit(hit: Hit) -> dict[str, Any]:
    """A hit as plain values, with the row it is about: example, kind, split, what was found and the words around it."""
    row = hit.row
    field, before, found, after = cut_excerpt(row, hit)
    return {
        "rule": hit.rule, "version": hit.version, "action": hit.action, "reason": hit.reason,
        "example_id": row["example_id"], "row_kind": row["row_kind"], "split": row["split"],
        "candidates": [row[name] for name in ("candidate_id", "candidate_a", "candidate_b") if row[name]],
        "field": field, "excerpt": before + found + after, "evidence": hit.evidence,
    }  # fmt: skip


def cut_excerpt(row: Row, hit: Hit, length: int = 240) -> tuple[str, str, str, str]:
    """The field that a hit is about, and of its text what stands before, in, and behind the first stretch found.

    >>> row = {"row_kind": "answer", "messages": "[]", "answer": "Mail a@b.org now"}
    >>> cut_excerpt(row, Hit(0, "personal_data", "1", "mark", "", {"fields": {"answer": [[5, 12, "email"]]}}))
    ('answer', 'Mail ', 'a@b.org', ' now')
    """
    spans = list_spans(hit.evidence)
    field = (
        spans[0][0] if spans else str(hit.evidence.get("field") or next((f for f, _ in list_answers(row)), "messages"))
    )
    text = read_field(row, field) or ""
    if not spans:
        return field, text[:length] + ("…" if len(text) > length else ""), "", ""
    start, end, _ = spans[0][1][0]
    first, last = max(0, start - _AROUND), min(len(text), max(end, start - _AROUND + length))
    before, after = ("…" if first else "") + text[first:start], text[end:last] + ("…" if last < len(text) else "")
    return field, before, text[start:end], after


def read_request(row: Row) -> str:
    """The last request of a row's conversation, the one that its answer answers; empty where nobody asks."""
    requests = read_requests(row)
    return requests[-1] if requests else ""
