"""Applies a recipe's rules of quality to the rows of a snapshot: what is dropped, masked or only marked, and for whom
a curator's word stands above a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pitchpipe.store.freezing.knowledge import DroppedUnit, Knowledge
from pitchpipe.store.freezing.snapshot_masking import ReasonMasker, mask_words
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.rules.applying import Hit, Outcome, apply_rules
from pitchpipe.store.rules.catalogue import find_rule
from pitchpipe.store.rules.rule import Background, RuleChoice

Row = dict[str, Any]
Tell = Callable[[str, float], None]
"""Is told what is being done and how much of the whole is done, 0 to 1."""
CERTAIN = frozenset({"empty_answer", "same_answers", "contamination"})
"""Rules that drop also what a curator decided to keep: nothing can be learned from those rows, or they hold a test."""


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """A row that stays although a rule found it, and why it stays."""

    row: Row
    action: str
    """mark, mask, or kept: the rule would have dropped it, a curator's decision keeps it."""
    rule: str
    version: str
    reason: str
    evidence: str | None


def name_unit(row: Row) -> str:
    """What a drop calls the unit of a row: the ids of its answers, of a text without any the id of its example."""
    answers = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    return " ".join(answers) or str(row["example_id"])


def is_kept(row: Row, known: Knowledge) -> bool:
    """Whether a curator decided to keep this row: its example, or every answer in it."""

    def kept(target: str) -> bool:
        return target in known.decisions and known.decisions[target]["verdict"] == "keep"

    answers = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    return kept(row["example_id"]) or (bool(answers) and all(kept(answer) for answer in answers))


def apply_quality(
    rows: list[Row], choices: Sequence[RuleChoice], background: Background, known: Knowledge, tell: Tell
) -> Outcome:
    """What a recipe's rules make of rows: the preview of rules and the snapshot both ask this, so they agree.

    Rules are applied one after the other (`order_chain`), each to what the one before left. A row that a curator
    decided to keep stays whatever a rule finds, unless the rule is one of `CERTAIN`.
    """
    kept = {target for target, decision in known.decisions.items() if decision["verdict"] == "keep"}
    background = replace(background, kept_ids=background.kept_ids | kept)

    def protects(row: Row, rule: str) -> bool:
        return rule not in CERTAIN and is_kept(row, known)

    def tell_rule(done: int, title: str) -> None:
        tell(f"{title} (rule {done + 1} of {len(choices)})", 0.4 + 0.4 * done / len(choices))

    return apply_rules(rows, choices, background, tell_rule, protects)


def list_found(
    outcome: Outcome, choices: Sequence[RuleChoice], background: Background
) -> tuple[list[DroppedUnit], list[MarkedRow]]:
    """The drops, and what was found of rows that a rule let stay. Where the recipe masks, so are the reasons, and in
    place what raters wrote of the rows that stay."""
    masks = [choice for choice in choices if choice.action == "mask"]
    masker = ReasonMasker(choices, background)
    dropped, marked = [], []
    for hit in outcome.hits:
        row = hit.row if hit.action == "drop" else outcome.rows[hit.place]
        told = replace(hit, reason=masker.mask_reason(hit.reason, hit.row))  # which the rule saw, not yet masked
        if hit.action == "drop":
            dropped.append(_drop(told))
        else:
            marked.append(_mark(row, told))
    changed = mask_words([outcome.rows[place] for place in outcome.kept], masks, background)
    for row in changed:
        rule = find_rule(masks[0].rule)
        marked.append(MarkedRow(row, "mask", rule.id, rule.version, "what a rater wrote of it", None))
    return dropped, marked


def _drop(hit: Hit) -> DroppedUnit:
    row = hit.row
    return DroppedUnit(
        row["row_kind"], row["example_id"], name_unit(row), hit.rule, hit.version, hit.reason, _write(hit)
    )


def _mark(row: Row, hit: Hit) -> MarkedRow:
    action = "kept" if hit.is_protected else hit.action
    return MarkedRow(row, action, hit.rule, hit.version, hit.reason, _write(hit))


def _write(hit: Hit) -> str | None:
    """The evidence without the hashes of whole texts: with the masked text beside it, a number could be tried out."""
    told = {name: value for name, value in hit.evidence.items() if name != "texts"}
    return canonical_json(told) if told else None
