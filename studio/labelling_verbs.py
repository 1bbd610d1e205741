"""What one can do with a classifier's labels, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pitchpipe.prompts.library import load_rubric
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.labelling import list_open_texts
from pitchpipe.store.queue.suggesting import add_suggestions
from pitchpipe.store.runs import find_run
from pitchpipe.training.models.classifier_launch import run_classifier
from pitchpipe.training.rows.format_rules import text_of


def suggest_labels(
    store: Store,
    project: str,
    run: str,
    minimum: float = 0.0,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Has a classify run pre-fill the tag tasks that still ask for somebody; shown where the rule `suggestions` is on.

    The run's id is kept as the source and shown to nobody who judges.

    Args:
        minimum: labels of which the model is less sure are not suggested; 0 to 1.

    Returns:
        How many tasks were open, got a suggestion, and why others got none: `unsure` or `not_offered` by their rubric.
    """
    if not 0 <= minimum <= 1:
        raise UsageError(f"The minimum {minimum!r} is out of range.", "Use 0 (suggest always) to 1.")
    target, trained = get_project(store, project), find_run(store, run)
    if trained.method != "classify":
        raise UsageError(
            f"The run {trained.id} is of the method '{trained.method}' and gives no labels.", "Name a classify run."
        )
    waiting = list_open_texts(store, project)
    texts = [text_of({"messages": task["messages"], "answer": task["answer"]}) for task in waiting]
    tell = None if on_progress is None else lambda done, _: on_progress(done)
    said = run_classifier(trained.folder, texts, tell) if texts else []
    offered = {name: _list_options(store, name) for name in {task["rubric"] for task in waiting}}
    chosen, unsure, strange = [], 0, 0
    for task, (label, confidence) in zip(waiting, said, strict=True):
        if label not in offered[task["rubric"]]:
            strange += 1
        elif confidence < minimum:
            unsure += 1
        else:
            value = {"labels": [label]}
            chosen.append({"task_id": task["task_id"], "value": value, "score": round(min(confidence, 1.0), 4)})
    done = add_suggestions(store, project, chosen, trained.id) if chosen else {"added": 0, "replaced": 0}
    counts = {"open": len(waiting), **done, "unsure": unsure, "not_offered": strange}
    return {"project": project, "run": trained.id, **counts, "shown": target.rules.suggestions}


def _list_options(store: Store, rubric: str | None) -> set[Any]:
    """The labels that a tag rubric offers."""
    if rubric is None:
        return set()
    return {option.value for question in load_rubric(rubric, store.workspace / "prompts").questions
            for option in question.options}  # fmt: skip
