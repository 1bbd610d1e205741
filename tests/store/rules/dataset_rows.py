"""Rows of a dataset as rules see them, stating only what matters."""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.freezing.knowledge import ROW_COLUMNS
from pitchpipe.store.rules.rule import Row


def make_answer(example_id: str, request: str | list[str], answer: str, **columns: Any) -> Row:
    """An answer row; several requests are the user turns of a conversation, answered by "Yes, go on." in between."""
    turns = [request] if isinstance(request, str) else request
    messages = [{"role": "user", "content": turns[0]}]
    for turn in turns[1:]:
        messages += [{"role": "assistant", "content": "Yes, go on."}, {"role": "user", "content": turn}]
    row: Row = dict.fromkeys(ROW_COLUMNS)
    row.update(row_kind="answer", example_id=example_id, split="train", messages=json.dumps(messages))
    row.update(candidate_id=f"cand_{example_id}", answer=answer, origin="import", n_judgements=0, task_ids="[]")
    row.update(columns)
    return row


def make_pair(example_id: str, request: str, answer_a: str, answer_b: str, **columns: Any) -> Row:
    row = make_answer(example_id, request, "", row_kind="pair", candidate_id=None, origin=None)
    row.update(candidate_a=f"a_{example_id}", candidate_b=f"b_{example_id}", answer_a=answer_a, answer_b=answer_b)
    row.update(answer=None, task_ids=f'["task_{example_id}"]', **columns)
    return row
