"""What a submitted value must look like, and how it turns between the screen and the store.

On the screen an annotator sees a first and a second answer; the store speaks of the candidates a and b. The order
that was shown is part of the judgement, so the share of "first" picks can be measured later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import TaskKind, Verdict

_SIDES = ("first", "second")
_OTHER_VERDICTS = (Verdict.TIE.value, Verdict.BOTH_BAD.value, Verdict.CANNOT_JUDGE.value)
LONGEST_TEXT = 100_000


def to_stored_value(
    kind: TaskKind, value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str]
) -> dict[str, Any]:
    """The value in the order of the task's candidates, checked.

    Raises:
        UsageError: the value does not fit the kind; the message names the offending part.

    >>> to_stored_value(TaskKind.COMPARE, {"verdict": "first", "strength": -2}, ["c1", "c2"], ["c2", "c1"])
    {'verdict': 'b', 'strength': 2}
    """
    if kind is TaskKind.COMPARE:
        return _store_comparison(value, is_swapped=list(shown) != list(candidate_ids))
    if kind is TaskKind.RATE:
        wrong = {name: score for name, score in value.items() if type(score) is not int or not 0 <= score <= 10}
        _check(
            bool(value) and not wrong, f"The rating {wrong or value!r} is not complete", "one whole number a question"
        )
        return dict(value)
    if kind in (TaskKind.EDIT, TaskKind.WRITE):
        text = value.get("text")
        _check(
            isinstance(text, str) and bool(text.strip()), "The answer is empty", "some text; skip the task otherwise"
        )
        _check(len(str(text)) <= LONGEST_TEXT, "The answer is too long", f"at most {LONGEST_TEXT} characters")
        return {"text": text}
    if kind is TaskKind.TAG:
        labels = value.get("labels")
        _check(
            isinstance(labels, list) and bool(labels) and all(isinstance(label, str) and label for label in labels),
            f"The labels {labels!r} cannot be used", "a list of one or more names",
        )  # fmt: skip
        return {"labels": list(labels or [])}
    return _store_ranks(value, candidate_ids, shown)


def to_screen_value(
    kind: TaskKind, value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str]
) -> dict[str, Any]:
    """The inverse of `to_stored_value`: what to put back on the screen after an undo.

    >>> to_screen_value(TaskKind.COMPARE, {"verdict": "b", "strength": 2}, ["c1", "c2"], ["c2", "c1"])
    {'verdict': 'first', 'strength': -2}
    """
    if kind is TaskKind.COMPARE:
        is_swapped = list(shown) != list(candidate_ids)
        verdict, strength = value["verdict"], value.get("strength")
        if verdict in ("a", "b"):
            verdict = _SIDES[(verdict == "b") != is_swapped]
        return {"verdict": verdict, "strength": -strength if strength and is_swapped else strength}
    if kind is TaskKind.RANK:
        return {"ranks": [value["ranks"][list(candidate_ids).index(candidate)] for candidate in shown]}
    return dict(value)


def _store_comparison(value: dict[str, Any], *, is_swapped: bool) -> dict[str, Any]:
    verdict, strength = value.get("verdict"), value.get("strength")
    allowed = (*_SIDES, *_OTHER_VERDICTS)
    _check(verdict in allowed, f"The verdict {verdict!r} is not known", f"one of {', '.join(allowed)}")
    is_whole = type(strength) is int and -3 <= strength <= 3
    _check(
        strength is None or is_whole, f"The strength {strength!r} is not on the scale", "a whole number from -3 to 3"
    )
    if verdict in _SIDES:
        sign = -1 if verdict == "first" else 1
        _check(
            strength is None or strength * sign > 0, f"The strength {strength} contradicts '{verdict}'", "of its side"
        )
        stored = Verdict.B if (verdict == "second") != is_swapped else Verdict.A
        return {"verdict": stored.value, "strength": -strength if strength and is_swapped else strength}
    _check(not strength, f"The strength {strength} contradicts '{verdict}'", "0 or none")
    return {"verdict": verdict, "strength": 0 if verdict == Verdict.TIE else None}


def _store_ranks(value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    ranks = value.get("ranks")
    is_complete = isinstance(ranks, list) and len(ranks) == len(shown) and all(type(rank) is int for rank in ranks)
    _check(is_complete, f"The ranks {ranks!r} are not complete", f"one whole number for each of {len(shown)} answers")
    placed = dict(zip(shown, ranks or [], strict=True))
    return {"ranks": [placed[candidate] for candidate in candidate_ids]}


def _check(is_right: bool, found: str, expected: str) -> None:
    if not is_right:
        raise UsageError(f"{found}.", f"It must be {expected}. Nothing was recorded and nothing was lost.")
