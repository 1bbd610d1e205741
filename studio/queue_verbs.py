"""What one can do with the rules of a queue, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.projects import change_rules, get_project
from pitchpipe.store.queue.gold import list_gold, set_gold
from pitchpipe.store.queue.queue_rules import estimate_cost_left
from pitchpipe.store.queue.suggesting import add_suggestions

RULE_MEANINGS = {
    "most_raters": "a task whose raters disagree gets one more, up to so many; 0 is off",
    "widest_spread": "the largest difference between two ratings or strengths that counts as agreement",
    "gold_every": "one task with a known answer after so many ordinary ones; 0 is off",
    "gold_least_accuracy": "who is right on fewer known answers (0 to 1, of at least five) is paused; 0 is off",
    "gold_feedback": "annotators are told afterwards whether they found the known answer, and why",
    "calibration_tasks": "so many tasks with a known answer come before any real work; 0 is off",
    "repeat_every": "one repeat of an annotator's own earlier task after so many ordinary ones; 0 is off",
    "suggestions": "a model's suggestion is shown",
    "break_after_minutes": "a break is proposed after so many minutes of work; 0 is off",
}


def rules(store: Store, project: str, set: dict[str, Any] | None = None) -> dict[str, Any]:
    """The rules of a queue with their meanings, and the judgements still asked for; `set` changes some first."""
    found = change_rules(store, project, **set) if set else get_project(store, project)
    return {
        "project": project,
        "overlap": found.overlap,
        "rules": [
            {"rule": name, "value": value, "meaning": RULE_MEANINGS[name]}
            for name, value in asdict(found.rules).items()
        ],
        "cost_left": asdict(estimate_cost_left(store, project)),
    }


def gold(
    store: Store, project: str, task: str | None = None, value: dict[str, Any] | None = None, explanation: str = ""
) -> dict[str, Any]:
    """The tasks with known answers; with `task` and `value` (as judgements are stored), makes a task one first."""
    if (task is None) != (value is None):
        raise UsageError("A task and its known answer go together.", "Give both --task and --value, or neither.")
    if task is not None and value is not None:
        set_gold(store, project, task, value, explanation)
    known = list_gold(store, project)
    return {
        "project": project,
        "gold": [{**row, "created_at": row["created_at"].isoformat(timespec="seconds")} for row in known],
    }


def suggest(store: Store, project: str, file: str, source: str) -> dict[str, Any]:
    """Keeps the suggestions of a JSONL file, one `{"task_id", "value", "score"}` a line; all of them or none."""
    return {"project": project, "source": source, **add_suggestions(store, project, _read_lines(Path(file)), source)}


def _read_lines(file: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(
                f"Line {number} of '{file.name}' is not JSON: {error.msg}.", "Correct the line."
            ) from error
        if not isinstance(row, dict) or not isinstance(row.get("value"), dict):
            raise UsageError(
                f"Line {number} of '{file.name}' is no suggestion.",
                'Write {"task_id": "...", "value": {...}, "score": 0.9}.',
            )
        rows.append(row)
    return rows
