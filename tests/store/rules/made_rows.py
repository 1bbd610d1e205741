"""Rows as `list_units` makes them, of which a test states only what matters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pitchpipe.store.freezing.knowledge import ROW_COLUMNS
from pitchpipe.store.rules.applying import Hit, apply_rules
from pitchpipe.store.rules.rule import Background, RuleChoice


def make_row(kind: str, request: str = "What is it?", **columns: Any) -> dict[str, Any]:
    """A row of the kind; the example is named after its request."""
    row: dict[str, Any] = {
        **dict.fromkeys(ROW_COLUMNS),
        "row_kind": kind,
        "example_id": f"ex {request}",
        "split": "train",
        "messages": json.dumps([{"role": "user", "content": request}]),
    }
    return {**row, **columns}


def answer(text: str, request: str = "What is it?", **columns: Any) -> dict[str, Any]:
    return make_row("answer", request, answer=text, **columns)


def pair(a: str, b: str, verdict: str | None = "a", **columns: Any) -> dict[str, Any]:
    return make_row("pair", answer_a=a, answer_b=b, verdict=verdict, **columns)


def find(rule: str, rows: Sequence[dict[str, Any]], background: Background | None = None, **dials: Any) -> list[Hit]:
    """The hits of one rule that marks."""
    choice = RuleChoice(rule, "mark", tuple(dials.items()))
    return apply_rules(rows, [choice], background or Background()).hits


def find_places(rule: str, texts: Sequence[str], **dials: Any) -> list[str]:
    """Those of the answers that a rule hits."""
    return [texts[hit.place] for hit in find(rule, [answer(text) for text in texts], **dials)]
