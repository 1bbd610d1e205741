"""Whether what was answered is what was asked: a value on the screen against the screen's rubrics, before it is sent.

The store checks the form of a value; only here are the questions known. A rubric that changed under an open task shows
as a question or option that is no longer asked. Drafts are never checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pitchpipe.prompts.library import Part, Question, Rubric, Screen

_CHANGED = "If it was asked a moment ago, the rubric was changed: reload the page; your words are kept."
_COMPLETE = "Answer it, or skip the task."


def find_fault(screen: Screen, value: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a value in screen terms, and what to do; None when it answers what the screen asks.

    Args:
        screen: of one part for a plain task (see `make_screen`), of several for a task of the kind screen.
        value: as sent by the form.
    """
    is_plain = len(screen.parts) == 1 and screen.hash == _hash_of(screen.parts[0].rubric)
    asked = {part.kind for part in screen.parts}
    if not is_plain:
        for name, given in value.items():
            if given and name not in asked:
                return f"The part '{name}' is not asked here.", _CHANGED
    for part in screen.parts:
        answer = value if is_plain else value.get(part.kind)
        if not answer and not part.is_optional:
            return f"The part '{part.kind}' is not answered.", _COMPLETE
        fault = next(_find_part_faults(part, answer, is_plain), None) if answer else None
        if fault is not None:
            return fault
    return None


def list_text_questions(screen: Screen) -> list[str]:
    """The names of the questions that are answered in words of one's own; a submit hands them to the store."""
    questions = [question for part in screen.parts if part.rubric for question in part.rubric.questions]
    return [question.name for question in questions if question.type == "text"]


def _hash_of(rubric: Rubric | None) -> str | None:
    return rubric.hash if rubric else None


def _find_part_faults(part: Part, answer: Any, is_plain: bool) -> Iterator[tuple[str, str]]:
    """Every fault of one part, as far as its rubric tells; its form is the store's to check."""
    if part.rubric is None:
        return
    if part.kind == "rate":
        ratings = [answer] if is_plain else answer
        for place, rating in enumerate(ratings, start=1):
            of = "" if is_plain else f" for answer {place}"
            if not rating and part.is_optional:
                continue
            yield from _find_rating_faults(part.rubric, rating or {}, of)
    elif part.kind == "turns":
        for place, rating in answer.get("turns", {}).items():
            if rating:
                yield from _find_rating_faults(part.rubric, rating, f" for turn {place}")
    elif part.kind == "tag":
        labels = answer.get("labels") or []
        yield from _find_unknown_options(part.rubric.questions[0], labels)
        if len(labels) > 1 and not part.rubric.is_multiple:
            yield f"{len(labels)} labels are given where one is asked.", "Choose the one that fits best."
    elif part.kind == "span":
        yield from _find_unknown_options(
            part.rubric.questions[0], [span["label"] for span in answer.get("spans") or []]
        )


def _find_rating_faults(rubric: Rubric, rating: Mapping[str, Any], of: str) -> Iterator[tuple[str, str]]:
    asked = {question.name: question for question in rubric.questions}
    for name, answer in rating.items():
        if name not in asked:
            yield f"The question '{name}'{of} is not asked any more.", _CHANGED
        elif asked[name].type == "text":
            if not isinstance(answer, str):
                yield f"The answer {answer!r} to '{asked[name].label}'{of} is no text.", "Answer it in words."
        else:
            yield from _find_unknown_options(asked[name], [answer], of)
    for question in rubric.questions:
        if not question.is_optional and rating.get(question.name) in (None, ""):
            yield f"'{question.label}'{of} is not answered.", _COMPLETE


def _find_unknown_options(question: Question, answers: list[Any], of: str = "") -> Iterator[tuple[str, str]]:
    # By type too: True is no 1, and "1" is no 1.
    options = [(type(option.value), option.value) for option in question.options]
    for answer in answers:
        if (type(answer), answer) not in options:
            yield f"{answer!r} is no answer to '{question.label}'{of}.", _CHANGED
