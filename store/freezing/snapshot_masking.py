"""Masks what is told *about* rows as their texts are: reasons that quote an answer, and what raters wrote of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pitchpipe.store.freezing.knowledge import DroppedUnit
from pitchpipe.store.rules.applying import apply_rules
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.rule import Background, RuleChoice

Row = dict[str, Any]
_QUOTED = re.compile(r'".*"', re.DOTALL)
HIDDEN = '"[…]"'
"""Stands for a quotation, which may end in the middle of what would have to be masked."""


class ReasonMasker:
    """Masks reasons by the recipe's rules that mask; without any, nothing is changed."""

    def __init__(self, choices: Sequence[RuleChoice], background: Background) -> None:
        self._masks = [choice for choice in choices if choice.action == "mask"]
        self._background = background
        self._known: dict[str, str] = {}

    def mask_reason(self, reason: str, row: Row | None = None) -> str:
        """A reason without what is masked; where its row holds such things still, without any quotation.

        Args:
            row: whose texts the reason may quote.
        """
        if not self._masks:
            return reason
        # Looked for again, since a quotation may end in the middle of an address and no longer look like one.
        if row is not None and '"' in reason and apply_rules([row], self._masks, self._background).hits:
            reason = _QUOTED.sub(HIDDEN, reason)
        if reason not in self._known:
            self._known[reason] = mask_texts([reason], self._masks, self._background)[0]
        return self._known[reason]


def mask_reasons(
    dropped: Sequence[DroppedUnit], choices: Sequence[RuleChoice], background: Background
) -> list[DroppedUnit]:
    """Drops whose reasons, such as a curator's note, hold nothing that the recipe masks."""
    masker = ReasonMasker(choices, background)
    return [replace(drop, reason=masker.mask_reason(drop.reason)) for drop in dropped]


def mask_words(rows: Iterable[Row], masks: Sequence[RuleChoice], background: Background) -> list[Row]:
    """Masks in place what raters wrote of rows (their column `words`); returns the rows that were changed."""
    written = [row for row in rows if masks and row.get("words")]
    changed = []
    for row in written:
        words: dict[str, list[dict[str, str]]] = json.loads(row["words"])
        told = [entry for entries in words.values() for entry in entries]
        texts = [entry["words"] for entry in told]
        masked = mask_texts(texts, masks, background)
        if masked != texts:
            for entry, text in zip(told, masked, strict=True):
                entry["words"] = text
            row["words"] = json.dumps(words, ensure_ascii=False, sort_keys=True)
            changed.append(row)
    return changed


def mask_texts(texts: Sequence[str], masks: Sequence[RuleChoice], background: Background) -> list[str]:
    """Texts with placeholders in the place of what the rules find.

    >>> mask_texts(["ask a@b.org"], [RuleChoice("personal_data", "mask")], Background())
    ['ask [EMAIL]']
    """
    rows: list[Row] = [{"row_kind": "answer", "messages": "[]", "answer": text} for text in texts]
    for choice in masks:
        for hit in apply_rules(rows, [choice], background).hits:
            rows[hit.place] = mask_row(rows[hit.place], [hit])[0]
    return [row["answer"] for row in rows]
