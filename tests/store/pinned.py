"""A small project as plain records with fixed ids, so that ids made from it can be compared over versions."""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.freezing.knowledge import Knowledge


def make_pinned_knowledge() -> Knowledge:
    """Three requests (the last one sealed), two answers each, one comparison and one rating judged, one drop."""
    examples = {
        f"ex_{number}": {
            "id": f"ex_{number}", "messages": json.dumps([{"role": "user", "content": f"Question number {number}?"}]),
            "category": "shop", "group_id": f"grp_{number}", "split": "holdout" if number == 3 else "train",
            "source": "pinned.jsonl", "judgement_id": None,
        }
        for number in (1, 2, 3)
    }  # fmt: skip
    candidates = {
        f"cand_{number}{side}": {
            "id": f"cand_{number}{side}", "example_id": f"ex_{number}", "origin": "import", "text": f"{side} {number}",
            "model": f"model {side}", "run_id": None, "judgement_id": None, "parent_id": None,
        }
        for number in (1, 2, 3)
        for side in "ab"
    }  # fmt: skip
    tasks = {
        "task_1": _make_task("task_1", "ex_1", "compare", ["cand_1a", "cand_1b"]),
        "task_2": _make_task("task_2", "ex_2", "compare", ["cand_2a", "cand_2b"]),
        "task_3": _make_task("task_3", "ex_3", "rate", ["cand_3a"]),
    }
    judgements = {
        "task_1": [
            _make_judgement("j1", "task_1", "compare", "ana", {"verdict": "a", "strength": -2}),
            _make_judgement("j2", "task_1", "compare", "ben", {"verdict": "b", "strength": 1}),
            _make_judgement("j3", "task_1", "compare", "eva", {"verdict": "a", "strength": -1}),
        ],
        "task_3": [_make_judgement("j4", "task_3", "rate", "ana", {"helpfulness": 4, "tone": "warm"})],
    }
    decisions = {"cand_2b": {"target_id": "cand_2b", "verdict": "drop", "rule": "curator", "reason": "off topic",
                             "actor": "cora"}}  # fmt: skip
    return Knowledge(examples, candidates, tasks, judgements, decisions)


def _make_task(id: str, example_id: str, kind: str, candidate_ids: list[str]) -> dict[str, Any]:
    return {"id": id, "example_id": example_id, "kind": kind, "candidate_ids": json.dumps(candidate_ids),
            "purpose": None, "repeat_of": None}  # fmt: skip


def _make_judgement(id: str, task_id: str, kind: str, annotator: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "task_id": task_id, "kind": kind, "annotator": annotator, "value": json.dumps(value),
            "detail": None, "rubric_hash": None, "guideline_hash": None, "source": "annotator"}  # fmt: skip
