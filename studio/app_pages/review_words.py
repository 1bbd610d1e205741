"""What raters said, in words and as pictures of numbers. Answers are named A, B, C in the task's own order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pitchpipe.store.review.dispute_reasons import say_preference

_VERDICTS = {"tie": "about the same", "both_bad": "both bad", "cannot_judge": "can't judge"}
KIND_WORDS = {
    "compare": "Compare", "rate": "Rate", "rank": "Rank", "edit": "Correct", "write": "Write", "tag": "Label",
    "span": "Mark errors", "turns": "Rate turns", "screen": "Several questions",
}  # fmt: skip
REASON_WORDS = {
    "disagreement": "disagreement", "low_confidence": "low confidence", "flag": "flagged", "cycle": "circle",
    "rating_against_choice": "rating against choice", "self_contradiction": "self-contradiction",
}  # fmt: skip


def say_value(kind: str, value: dict[str, Any], answers: Sequence[str] = ()) -> list[str]:
    """A judgement's value as lines of plain text.

    >>> say_value("compare", {"verdict": "b", "strength": 3}), say_value("rank", {"ranks": [1, 0, 0]})
    (['B much better'], ['B = C > A'])
    """
    if kind == "compare":
        return [_say_verdict(value)]
    if kind == "rate":
        return [" · ".join(_say_rating(question, given) for question, given in value.items())]
    if kind == "rank":
        return [_say_ranks(value["ranks"])]
    if kind == "tag":
        return [", ".join(value["labels"])]
    if kind == "span":
        return [_say_span(span, answers) for span in value["spans"]] or ["no error found"]
    if kind == "turns":
        return [f"Turn {turn}: {say_value('rate', ratings)[0]}" for turn, ratings in value["turns"].items()]
    if kind == "screen":
        return _say_screen(value, answers)
    return [line for line in (value.get("instruction", ""), value.get("text", "")) if line]


def _say_screen(value: dict[str, Any], answers: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for part, given in value.items():
        if part == "rate":
            lines += [
                f"{chr(65 + place)}: {say_value('rate', ratings)[0]}" for place, ratings in enumerate(given) if ratings
            ]
        elif part == "edit":
            lines.append(f"{chr(65 + given['answer'])} corrected: {given['text']}")
        else:
            lines += say_value(part, given, answers)
    return lines


def _say_verdict(value: dict[str, Any]) -> str:
    if value["verdict"] not in ("a", "b"):
        return _VERDICTS[value["verdict"]]
    if value.get("strength"):
        return say_preference(value["strength"])
    return f"{value['verdict'].upper()} better"


def _say_rating(question: str, given: Any) -> str:
    return f"{name_question(question)} {given}"


def _say_ranks(ranks: Sequence[int]) -> str:
    places = sorted(set(ranks))
    return " > ".join(
        " = ".join(chr(65 + answer) for answer, rank in enumerate(ranks) if rank == place) for place in places
    )


def _say_span(span: dict[str, Any], answers: Sequence[str]) -> str:
    text = answers[0][span["start"] : span["end"]] if answers else ""
    return f"{span['label']}: “{text}”"


def arrange_value(kind: str, value: dict[str, Any], questions: Sequence[str]) -> dict[str, Any]:
    """The value with its ratings in the order in which the questions were asked.

    >>> arrange_value("rate", {"coherence": 4, "helpfulness": 1}, ["helpfulness", "coherence"])
    {'helpfulness': 1, 'coherence': 4}
    """
    if kind == "screen" and "rate" in value:
        return {**value, "rate": [arrange_value("rate", ratings, questions) for ratings in value["rate"]]}
    if kind != "rate":
        return value
    asked = [question for question in questions if question in value]
    return {question: value[question] for question in [*asked, *(name for name in value if name not in asked)]}


def name_question(name: str) -> str:
    """A question's name as people read it."""
    return name.replace("_", " ").capitalize()


def place_marks(kind: str, values: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, list[list[int]]]]:
    """The rows of a picture: title, words at both ends, and for each place of the scale the raters (from 1) on it.

    >>> place_marks("compare", [{"verdict": "a", "strength": -3}, {"verdict": "b", "strength": 1}])
    [('', 'A', 'B', [[1], [], [], [], [2], [], []])]
    """
    if kind == "screen":
        return _place_screen(values)
    if kind == "compare":
        shown = [_find_place(value) for value in values]
        rows = [[rater + 1 for rater, place in enumerate(shown) if place == at] for at in range(-3, 4)]
        return [("", "A", "B", rows)] if any(place is not None for place in shown) else []
    if kind == "rate":
        return _place_ratings(values)
    return []


def _place_screen(values: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, list[list[int]]]]:
    compared = [value.get("compare") or {"verdict": "cannot_judge"} for value in values]
    rows = [("Preference", low, high, marks) for _, low, high, marks in place_marks("compare", compared)]
    for place in range(max((len(value.get("rate", ())) for value in values), default=0)):
        ratings = [value["rate"][place] if place < len(value.get("rate", ())) else {} for value in values]
        rows += [
            (f"{chr(65 + place)} · {title}", low, high, marks) for title, low, high, marks in _place_ratings(ratings)
        ]
    return rows


def _place_ratings(values: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, list[list[int]]]]:
    """One row a question with numbers, on a scale of 0 to 4 or as far as it was used."""
    questions = dict.fromkeys(name for value in values for name, given in value.items() if isinstance(given, int))
    rows = []
    for question in questions:
        given = [value.get(question) for value in values]
        top = max(4, *(score for score in given if isinstance(score, int)))
        marks = [[rater + 1 for rater, score in enumerate(given) if score == at] for at in range(top + 1)]
        rows.append((name_question(question), "0", str(top), marks))
    return rows


def _find_place(value: dict[str, Any]) -> int | None:
    """-3 to 3; without a strength a side counts as the middle of its half."""
    if value["verdict"] in ("a", "b"):
        return int(value.get("strength") or (-2 if value["verdict"] == "a" else 2))
    return 0 if value["verdict"] == "tie" else None
