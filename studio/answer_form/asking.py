"""What a screen asks about a task, as rows for the form, and whether an answer fits it. No Streamlit, no store.

The form knows one list of questions for every kind of task; each row says which part of the value it fills:

    {"id": "rate.0.tone", "part": "rate", "about": 0, "name": "tone", "type": "choice", "label": ..., "options": [...]}

`about` is the place of the answer (rate, rank) or of the turn (turns) that the row asks about; None where there is one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pitchpipe.prompts.library import Part, Question, Rubric, Screen, load_rubric, load_screen, make_screen
from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import ClaimedTask, Project, TaskKind

_ROW_TYPES = {"compare": "scale", "span": "span"}
_KEPT = "Your words are kept."


def choose_screen(task: ClaimedTask, project: Project, folder: Path) -> Screen:
    """What is asked about a task: the rubric or screen that it names, else the project's for its kind.

    Raises:
        PromptError: the file that it names is missing or malformed.
    """
    if task.kind is TaskKind.SCREEN:
        return load_screen(task.rubric or "", folder)
    defaults = {
        TaskKind.RATE: project.rate_rubric,
        TaskKind.COMPARE: project.compare_rubric,
        TaskKind.TURNS: "turns",
        TaskKind.SPAN: "errors",
    }
    name = task.rubric or defaults.get(task.kind)
    return make_screen(task.kind.value, load_rubric(name, folder) if name else None)


def list_questions(screen: Screen, task: ClaimedTask) -> list[dict[str, Any]]:
    """The rows of the form for a task, in the order shown."""
    return [row for part in screen.parts for row in _list_part(part, task, is_alone=len(screen.parts) == 1)]


def list_word_questions(screen: Screen) -> list[str]:
    """The names of the questions that are answered in words of one's own; nobody need agree on those."""
    rubrics = [part.rubric for part in screen.parts if part.rubric is not None]
    return [question.name for rubric in rubrics for question in rubric.questions if question.type == "text"]


def name_answer(position: int) -> str:
    """What an answer is called on the screen.

    >>> name_answer(1)
    'Answer B'
    """
    return f"Answer {chr(65 + position)}"


def find_turns(task: ClaimedTask) -> list[int]:
    """The places of the assistant's turns in a conversation, the answer to be judged included.

    >>> from datetime import datetime
    >>> from pitchpipe.store.records import Message, ShownAnswer
    >>> talk = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye"))
    >>> find_turns(ClaimedTask("t", TaskKind.TURNS, "k", talk, (ShownAnswer("c", "Bye."),), None, datetime.min))
    [1, 3]
    """
    turns = [place for place, message in enumerate(task.messages) if message.role == "assistant"]
    return turns + ([len(task.messages)] if task.answers else [])


def check_value(screen: Screen, kind: TaskKind, value: dict[str, Any]) -> None:
    """Holds the value of a submit, in screen terms, against what the screen asks; the store checks its shape.

    Raises:
        UsageError: a required question has no answer, or an answer is none of its options.
    """
    for part in screen.parts:
        found = value.get(part.kind) if kind is TaskKind.SCREEN else value
        if not found:
            if part.is_optional:
                continue
            raise UsageError(f"Nothing was answered for '{part.kind}'.", f"Answer it, or skip the task. {_KEPT}")
        _check_part(part, found)


def _check_part(part: Part, found: Any) -> None:
    if part.kind == "compare" and not found.get("verdict"):
        raise UsageError("No answer was chosen.", f"Pick one on the scale first. {_KEPT}")
    if part.rubric is None:
        return
    if part.kind in ("rate", "turns"):
        # Of several answers or turns those that matter are rated; one at least.
        given = [scores for scores in _list_given(part, found) if scores]
        if not given and not part.is_optional:
            raise UsageError("Nothing was rated.", f"Rate one at least, or skip the task. {_KEPT}")
        for scores in given:
            _check_scores(part.rubric, scores)
    elif part.kind == "tag":
        _check_labels(part.rubric, found.get("labels") or [])
    elif part.kind == "span":
        known = _list_options(part.rubric)
        for span in found.get("spans") or []:
            if span.get("label") not in known:
                raise UsageError(f"The mark '{span.get('label')}' is not offered any more.", f"Mark it anew. {_KEPT}")


def _list_given(part: Part, found: Any) -> list[dict[str, Any]]:
    """The answers to one rubric's questions, once for each thing that they are asked about."""
    if part.kind == "turns":
        return list(found.get("turns", {}).values())
    return found if isinstance(found, list) else [found]


def _check_scores(rubric: Rubric, given: dict[str, Any]) -> None:
    for question in rubric.questions:
        answer = given.get(question.name)
        if answer is None or answer == "":
            if question.is_optional:
                continue
            raise UsageError(f"'{question.label}' has no answer.", f"Answer it, or skip the task. {_KEPT}")
        if question.type != "text" and answer not in [option.value for option in question.options]:
            raise UsageError(
                f"'{answer}' is no answer to '{question.label}' any more.",
                f"Pick one of those shown and submit again. {_KEPT}",
            )
    unknown = sorted(set(given) - {question.name for question in rubric.questions})
    if unknown:
        raise UsageError(f"'{unknown[0]}' is not asked any more.", f"Look at the questions again, then submit. {_KEPT}")


def _check_labels(rubric: Rubric, labels: list[str]) -> None:
    wrong = [label for label in labels if label not in _list_options(rubric)]
    if wrong or not labels or (len(labels) > 1 and not rubric.is_multiple):
        raise UsageError(
            f"The label '{wrong[0]}' is not offered." if wrong else f"{len(labels)} labels are picked.",
            f"Pick {'one or more' if rubric.is_multiple else 'one'} of those shown. {_KEPT}",
        )


def _list_options(rubric: Rubric) -> list[int | str]:
    return [option.value for question in rubric.questions for option in question.options]


def _list_part(part: Part, task: ClaimedTask, *, is_alone: bool) -> list[dict[str, Any]]:
    """The rows of one part; a text to be written is no row but a field of the form."""
    count = len(task.answers)
    if part.kind == "rank":
        return [_describe_place(position, count, part) for position in range(count)]
    if part.rubric is None:
        return []
    abouts: list[int | None] = [None]
    groups: dict[int | None, str] = {None: ""}
    if part.kind == "rate" and not is_alone:
        abouts = list(range(count))
        groups |= {position: name_answer(position) if count > 1 else "" for position in range(count)}
    elif part.kind == "turns":
        abouts = list(find_turns(task))
        groups |= {place: f"Turn {number}" for number, place in enumerate(find_turns(task), 1)}
    return [
        _describe_question(part, part.rubric, question, about, groups[about])
        for about in abouts
        for question in part.rubric.questions
    ]


def _describe_question(part: Part, rubric: Rubric, question: Question, about: int | None, group: str) -> dict[str, Any]:
    kind = _ROW_TYPES.get(part.kind, question.type)
    if part.kind == "tag":
        kind = "multi" if rubric.is_multiple else "choice"
    return asdict(question) | {
        "id": ".".join(str(piece) for piece in (part.kind, about, question.name) if piece is not None),
        "part": part.kind,
        "about": about,
        "group": group,
        "type": kind,
        # A group may be left out whole, but not answered by half.
        "is_group_optional": part.is_optional or part.kind == "turns",
    }


def _describe_place(position: int, count: int, part: Part) -> dict[str, Any]:
    options = [{"value": place, "key": str(place + 1), "label": f"place {place + 1}"} for place in range(count)]
    return {
        "id": f"rank.{position}", "part": "rank", "about": position, "group": "", "name": "rank", "type": "place",
        "label": name_answer(position), "help": "1 is best; the same place twice is a tie.", "options": options,
        "is_optional": False, "is_group_optional": part.is_optional,
    }  # fmt: skip
