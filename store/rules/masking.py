"""Masking: puts `[EMAIL]`, `[PHONE]`, `[SECRET]` and the like where a rule found what must not leave the house."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pitchpipe.store.identity import canonical_json
from pitchpipe.store.rules.private_data import join_spans
from pitchpipe.store.rules.reading import Span, hash_field, list_spans, read_field
from pitchpipe.store.rules.rule import Hit, Row

_PLACEHOLDERS = {
    "email": "[EMAIL]", "phone": "[PHONE]", "iban": "[BANK_ACCOUNT]", "card": "[CARD]", "ip": "[IP_ADDRESS]",
    "national_id": "[NATIONAL_ID]", "private_key": "[SECRET]", "token": "[SECRET]", "password": "[SECRET]",
}  # fmt: skip


def mask_row(row: Row, hits: Iterable[Hit]) -> tuple[Row, dict[str, int]]:
    """A row with every stretch replaced that its hits with the action mask point at, and how many of each kind.

    The row that is given stays as it is. Hits are counted in the original texts: where a text is no longer the one that
    a hit was found in, it stays, so masking twice is masking once. The stretches of a marked answer move along.

    Args:
        row: as `snapshot_units.list_units` makes it.
        hits: of this row, of any rules and actions; those that mask count.
    """
    wanted: dict[str, list[Span]] = {}
    for hit in hits:
        if hit.action == "mask":
            for field, spans in list_spans(hit.evidence):
                text = read_field(row, field)
                if text is not None and hash_field(text) == hit.evidence.get("texts", {}).get(field):
                    wanted.setdefault(field, []).extend(spans)
    masked, counts = dict(row), Counter[str]()
    turns = json.loads(row["messages"])
    for field, spans in wanted.items():
        joined = join_spans((start, end, kind) for start, end, kind in spans)
        counts.update(kind for _, _, kind in joined)
        text = mask_text(read_field(row, field) or "", joined)
        if field.startswith("messages."):
            turns[int(field.partition(".")[2])]["content"] = text
        else:
            masked[field] = text
        if field == "answer" and row.get("spans"):
            masked["spans"] = _move_marks(row["spans"], joined)
    if any(field.startswith("messages.") for field in wanted):
        masked["messages"] = canonical_json(turns)
    return masked, dict(sorted(counts.items()))


def mask_text(text: str, spans: list[Span]) -> str:
    """A text with placeholders in the place of stretches that are in order and do not overlap.

    >>> mask_text("ask a@b.org", [[4, 11, "email"]])
    'ask [EMAIL]'
    """
    pieces, last = [], 0
    for start, end, kind in spans:
        pieces += [text[last:start], _PLACEHOLDERS[kind]]
        last = end
    return "".join(pieces) + text[last:]


def _move_marks(marks: str, spans: list[Span]) -> str:
    """What raters marked, in the offsets of the masked answer; a mark that ends inside a placeholder takes it whole."""
    starts: list[int] = [start for start, _, _ in spans]
    shifts = [0]
    for start, end, kind in spans:
        shifts.append(shifts[-1] + len(_PLACEHOLDERS[kind]) - (end - start))

    def move(offset: int, is_end: bool) -> int:
        before = bisect_right(starts, offset - 1 if is_end else offset)
        if before and offset < spans[before - 1][1]:
            moved = starts[before - 1] + shifts[before - 1]
            return moved + len(_PLACEHOLDERS[spans[before - 1][2]]) if is_end else moved
        return offset + shifts[before]

    found: list[dict[str, Any]] = json.loads(marks)
    moved = [{**mark, "start": move(mark["start"], False), "end": move(mark["end"], True)} for mark in found]
    return json.dumps(moved, ensure_ascii=False)
