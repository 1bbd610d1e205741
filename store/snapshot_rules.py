"""Applies a recipe's rules of quality to the rows of a snapshot: what is dropped, masked or only marked, and for whom
a curator's word stands above a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pitchpipe.store.identity import canonical_json
from pitchpipe.store.knowledge import DroppedUnit, Knowledge
from pitchpipe.store.rules.applying import Hit, apply_rules
from pitchpipe.store.rules.catalogue import find_rule
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.rule import Background, RuleChoice
from pitchpipe.store.snapshot_masking import ReasonMasker, mask_words

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
) -> tuple[list[Row], list[DroppedUnit], list[MarkedRow]]:
    """The rows that stay (masked where a rule says so), the drops, and what was found of rows that a rule let stay.

    Rules are applied one after the other, each to what the one before left. A row that a curator decided to keep stays
    whatever a rule finds, unless the rule is one of `CERTAIN`; it is listed as marked.
    """
    kept = {target for target, decision in known.decisions.items() if decision["verdict"] == "keep"}
    background = replace(background, kept_ids=background.kept_ids | kept)
    dropped: list[DroppedUnit] = []
    marked: list[MarkedRow] = []
    masks = [choice for choice in choices if choice.action == "mask"]
    masker = ReasonMasker(choices, background)
    for number, choice in enumerate(choices):
        tell(f"Rule {number + 1} of {len(choices)}: {choice.rule}", number / len(choices))
        gone: set[int] = set()
        for hit in apply_rules(rows, [choice], background).hits:
            row = rows[hit.place]
            is_protected = hit.rule not in CERTAIN and hit.action == "drop" and is_kept(row, known)
            if hit.action == "drop" and not is_protected:
                gone.add(hit.place)
                dropped.append(_drop(row, replace(hit, reason=masker.mask_reason(hit.reason, row))))
                continue
            if hit.action == "mask":
                _mask(row, hit)
            told = replace(hit, reason=masker.mask_reason(hit.reason, row))
            marked.append(_mark(row, told, "kept" if is_protected else hit.action))
        rows = [row for place, row in enumerate(rows) if place not in gone] if gone else rows
    marked += [
        MarkedRow(row, "mask", masks[0].rule, find_rule(masks[0].rule).version, "what a rater wrote of it", None)
        for row in mask_words(rows, masks, background)
    ]
    return rows, dropped, marked


def _drop(row: Row, hit: Hit) -> DroppedUnit:
    return DroppedUnit(
        row["row_kind"], row["example_id"], name_unit(row), hit.rule, hit.version, hit.reason, _write(hit)
    )


def _mark(row: Row, hit: Hit, action: str) -> MarkedRow:
    return MarkedRow(row, action, hit.rule, hit.version, hit.reason, _write(hit))


def _write(hit: Hit) -> str | None:
    """The evidence without the hashes of whole texts: with the masked text beside it, a number could be tried out."""
    told = {name: value for name, value in hit.evidence.items() if name != "texts"}
    return canonical_json(told) if told else None


def _mask(row: Row, hit: Hit) -> None:
    """Puts placeholders where the hit's spans are. The row stays the same object: marks and drops point to it."""
    row.update(mask_row(row, [hit])[0])
