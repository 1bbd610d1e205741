"""What a screen asks about a task, as rows for the form. No Streamlit, no store.

The form knows one list of questions for every kind of task; each row says which part of the value it fills:

    {"id": "rate.0.tone", "part": "rate", "about": 0, "name": "tone", "type": "choice", "label": ..., "options": [...]}

`about` is the place of the answer (rate, rank) or of the turn (turns) that the row asks about; None where there is one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pitchpipe.prompts.library import Part, Question, Rubric, Screen, load_rubric, load_screen, make_screen
from pitchpipe.store.records import ClaimedTask, Project, TaskKind

_ROW_TYPES = {"compare": "scale", "span": "span"}


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
