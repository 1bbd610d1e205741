"""What was answered to each question of a project, unit by unit, as consensus joins it: pure, on what is known.

A unit is what a question is asked of: an answer, a turn inside a conversation, and for verdicts and labels the task.
What several tasks ask of one answer is joined. Repeats of one's own are left out; known answers are units of their own,
which show how good raters are and enter no dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from pitchpipe.store.freezing.knowledge import Knowledge, read_parts
from pitchpipe.store.judging.answer_reading import is_words

VERDICT, LABELS = "verdict", "labels"
"""How the comparison and the tags are named among the questions."""

Ratings = list[tuple[dict[str, Any], dict[str, Any]]]
"""Judgements, each with its answers to the questions of a rubric."""


class Part(NamedTuple):
    """One answer of a judgement."""

    unit: str
    question: str
    value: Any
    """A number, an option, a verdict, or a set of labels as JSON."""
    strength: int | None = None
    """Of a verdict."""


class Given(NamedTuple):
    """One answer of one rater to one question about one unit."""

    unit: str
    example_id: str
    rater: str
    value: Any
    strength: int | None
    entry: str
    is_adjudicated: bool
    """A curator decided; it stands alone."""
    is_known: bool = False
    """The task has a known answer; the unit is no row of a dataset."""


def give(
    unit: str, example_id: str, judgement: dict[str, Any], value: Any, strength: int | None = None,
    is_known: bool = False,
) -> Given:  # fmt: skip
    """The answer of a judgement to one question about a unit."""
    return Given(
        unit, example_id, judgement["annotator"], value, strength, str(judgement.get("entry") or judgement["id"]),
        judgement.get("source") == "adjudication", is_known,
    )  # fmt: skip


def name_turn(example_id: str, place: int | str) -> str:
    """The unit of a turn inside a conversation.

    >>> name_turn("ex_1", 3)
    'ex_1 turn 3'
    """
    return f"{example_id} turn {place}"


def collect_answers(known: Knowledge) -> dict[str, list[Given]]:
    """By question every answer that counts, in the order of the tasks."""
    found: dict[str, list[Given]] = {}
    # A million judgements repeat a few thousand different values.
    loads = cache(json.loads)
    for task in known.tasks.values():
        if task["purpose"] not in (None, "gold"):
            continue
        is_known = task["purpose"] == "gold"
        for judgement in known.judgements.get(task["id"], ()):
            detail = judgement.get("detail")
            told = json.loads(detail).get("text_questions", ()) if detail else ()
            for part in split_value(known, task, loads(judgement["value"]), told):
                given = give(part.unit, task["example_id"], judgement, part.value, part.strength, is_known)
                found.setdefault(part.question, []).append(given)
    return found


def group_units(answers: list[Given]) -> dict[str, list[Given]]:
    """The answers to one question by unit."""
    units: dict[str, list[Given]] = {}
    for given in answers:
        units.setdefault(given.unit, []).append(given)
    return units


def split_value(known: Knowledge, task: dict[str, Any], value: dict[str, Any], told: Any = ()) -> Iterator[Part]:
    """The parts of a judgement's value, or of a known answer, that consensus can be formed on.

    Args:
        told: the questions answered in words of one's own, which are left out.
    """
    kind, example_id = task["kind"], task["example_id"]
    before = f"known {task['id']} " if task["purpose"] == "gold" else ""
    parts = value if kind == "screen" else {kind: value}
    if compared := parts.get("compare"):
        yield Part(before + task["id"], VERDICT, compared["verdict"], compared.get("strength"))
    if tagged := parts.get("tag"):
        yield Part(before + task["id"], LABELS, json.dumps(sorted(tagged["labels"])))
    rated: list[tuple[str, dict[str, Any]]] = []
    if parts.get("rate"):
        given = value["rate"] if kind == "screen" else [value]
        rated = list(zip(json.loads(task["candidate_ids"]), given, strict=True))
    elif kind == "turns":
        end, answers = len(json.loads(known.examples[example_id]["messages"])), json.loads(task["candidate_ids"])
        rated = [
            (answers[0] if int(place) == end and answers else name_turn(example_id, place), rating)
            for place, rating in value["turns"].items()
        ]
    for unit, rating in rated:
        for question, answer in rating.items():
            if not is_words(question, answer, told):
                yield Part(before + unit, question, answer)


def collect_ratings(known: Knowledge) -> tuple[dict[str, Ratings], dict[tuple[str, int], Ratings]]:
    """Ratings by answer, and by (example, place) of the turns inside conversations. Repeats measure people only."""
    answers: dict[str, Ratings] = {}
    turns: dict[tuple[str, int], Ratings] = {}
    for task in known.tasks.values():
        if task["purpose"] is not None or task["kind"] not in ("rate", "screen", "turns"):
            continue
        candidate_ids = json.loads(task["candidate_ids"])
        if task["kind"] == "turns":
            end = len(json.loads(known.examples[task["example_id"]]["messages"]))
            for judgement, value in read_parts(known, task, "turns"):
                for place, rating in value["turns"].items():
                    if int(place) == end and candidate_ids:
                        answers.setdefault(candidate_ids[0], []).append((judgement, rating))
                    else:
                        turns.setdefault((task["example_id"], int(place)), []).append((judgement, rating))
            continue
        for judgement, part in read_parts(known, task, "rate"):
            rated = part if task["kind"] == "screen" else [part]
            for candidate_id, rating in zip(candidate_ids, rated, strict=True):
                if rating:
                    answers.setdefault(candidate_id, []).append((judgement, rating))
    return answers, turns
