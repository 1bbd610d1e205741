"""What a submitted value must look like, and how it turns between the screen and the store.

On the screen an annotator sees a first and a second answer; the store speaks of the candidates a and b. The order
that was shown is part of the judgement, so the share of "first" picks can be measured later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pitchpipe.store.judging.value_checks import (
    LONGEST_TEXT,
    check_labels,
    check_rating,
    check_spans,
    check_text,
    check_turns,
    expect,
    is_unchanged,
    place_ranks,
)
from pitchpipe.store.records import TaskKind, Verdict

__all__ = ["LONGEST_TEXT", "Subject", "to_screen_value", "to_stored_value"]

_SIDES = ("first", "second")
_OTHER_VERDICTS = (Verdict.TIE.value, Verdict.BOTH_BAD.value, Verdict.CANNOT_JUDGE.value)
_PARTS = ("compare", "rank", "rate", "edit", "tag")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a judgement speaks of, as far as its value must fit it."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """The task's answers by candidate id."""
    turns: tuple[int, ...] | None = None
    """Places of the assistant's turns in the conversation, the answer being the last."""


def to_stored_value(
    kind: TaskKind,
    value: dict[str, Any],
    candidate_ids: Sequence[str],
    shown: Sequence[str],
    subject: Subject | None = None,
) -> dict[str, Any]:
    """The value in the order of the task's candidates, checked.

    Args:
        value: in screen terms; see `records` for its form by kind.
        subject: the texts that spans and corrections are checked against; without it they are taken as they are.

    Raises:
        UsageError: the value does not fit the kind; the message names the offending part.

    >>> to_stored_value(TaskKind.COMPARE, {"verdict": "first", "strength": -2}, ["c1", "c2"], ["c2", "c1"])
    {'verdict': 'b', 'strength': 2}
    """
    subject = subject or Subject()
    own = candidate_ids[0] if candidate_ids else None
    original = subject.texts.get(own) if own else None
    if kind is TaskKind.COMPARE:
        return _store_comparison(value, is_swapped=list(shown) != list(candidate_ids))
    if kind is TaskKind.RATE:
        return check_rating(value)
    if kind is TaskKind.RANK:
        return _store_ranks(value, candidate_ids, shown)
    if kind is TaskKind.EDIT:
        return {"text": check_text(value.get("text"), original=original)}
    if kind is TaskKind.WRITE:
        return _store_writing(value)
    if kind is TaskKind.TAG:
        return {"labels": check_labels(value.get("labels"))}
    if kind is TaskKind.SPAN:
        return {"spans": check_spans(value.get("spans"), None if original is None else len(original))}
    if kind is TaskKind.TURNS:
        return {"turns": check_turns(value.get("turns"), subject.turns)}
    return _store_screen(value, candidate_ids, shown, subject)


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
        return {"ranks": _reorder(value["ranks"], candidate_ids, shown)}
    if kind is TaskKind.SCREEN:
        return _show_screen(value, candidate_ids, shown)
    return dict(value)


def _store_comparison(value: dict[str, Any], *, is_swapped: bool) -> dict[str, Any]:
    verdict, strength = value.get("verdict"), value.get("strength")
    allowed = (*_SIDES, *_OTHER_VERDICTS)
    expect(verdict in allowed, f"The verdict {verdict!r} is not known", f"one of {', '.join(allowed)}")
    is_whole = type(strength) is int and -3 <= strength <= 3
    expect(
        strength is None or is_whole, f"The strength {strength!r} is not on the scale", "a whole number from -3 to 3"
    )
    if verdict in _SIDES:
        sign = -1 if verdict == "first" else 1
        expect(
            strength is None or strength * sign > 0, f"The strength {strength} contradicts '{verdict}'", "of its side"
        )
        stored = Verdict.B if (verdict == "second") != is_swapped else Verdict.A
        return {"verdict": stored.value, "strength": -strength if strength and is_swapped else strength}
    expect(not strength, f"The strength {strength} contradicts '{verdict}'", "0 or none")
    return {"verdict": verdict, "strength": 0 if verdict == Verdict.TIE else None}


def _store_ranks(value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    return {"ranks": _reorder(place_ranks(value.get("ranks"), len(shown)), shown, candidate_ids)}


def _store_writing(value: dict[str, Any]) -> dict[str, Any]:
    written = {"text": check_text(value.get("text"))}
    if value.get("instruction") is not None:
        written["instruction"] = check_text(value["instruction"], "The instruction")
    return written


def _store_screen(
    value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str], subject: Subject
) -> dict[str, Any]:
    """Each part by its own rule; a part left empty, or a correction that changes nothing, is no part."""
    unknown = [name for name in value if name not in _PARTS]
    expect(not unknown, f"The part {', '.join(map(repr, unknown))} is not known", f"one of {', '.join(_PARTS)}")
    stored: dict[str, Any] = {}
    if value.get("compare"):
        expect(len(shown) == 2, f"{len(shown)} answers are compared", "a pair of answers")
        is_swapped = list(shown) != list(candidate_ids)
        stored["compare"] = _store_comparison(_as_part(value, "compare"), is_swapped=is_swapped)
    if value.get("rank"):
        stored["rank"] = _store_ranks(_as_part(value, "rank"), candidate_ids, shown)
    if value.get("rate"):
        ratings = _store_ratings(value["rate"], shown)
        if any(ratings):
            stored["rate"] = _reorder(ratings, shown, candidate_ids)
    if value.get("edit"):
        edit = _store_edit(_as_part(value, "edit"), candidate_ids, shown, subject)
        if edit is not None:
            stored["edit"] = edit
    if value.get("tag"):
        stored["tag"] = {"labels": check_labels(_as_part(value, "tag").get("labels"))}
    expect(bool(stored), "Nothing was answered", "an answer to one part of the screen or more; skip the task otherwise")
    return stored


def _as_part(value: dict[str, Any], name: str) -> dict[str, Any]:
    part = value[name]
    expect(isinstance(part, Mapping), f"The part '{name}' is {part!r}", "a set of named answers")
    return dict(part)


def _store_ratings(ratings: Any, shown: Sequence[str]) -> list[dict[str, Any]]:
    is_whole = isinstance(ratings, list) and len(ratings) == len(shown)
    expect(is_whole, f"The ratings {ratings!r} do not fit", f"a list of {len(shown)}, one for each answer")
    return [check_rating(one, f"answer {place}") if one else {} for place, one in enumerate(ratings, start=1)]


def _store_edit(
    edit: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str], subject: Subject
) -> dict[str, Any] | None:
    place = edit.get("answer")
    is_place = type(place) is int and 0 <= place < len(shown)
    expect(is_place, f"The correction is of the answer {place!r}", f"one of 0 to {len(shown) - 1}")
    candidate = shown[place or 0]
    text = check_text(edit.get("text"), "The correction")
    original = subject.texts.get(candidate)
    if original is not None and is_unchanged(text, original):
        return None
    return {"answer": list(candidate_ids).index(candidate), "text": text}


def _show_screen(value: dict[str, Any], candidate_ids: Sequence[str], shown: Sequence[str]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for name, part in value.items():
        if name in ("compare", "rank"):
            parts[name] = to_screen_value(TaskKind(name), part, candidate_ids, shown)
        elif name == "rate":
            parts[name] = _reorder(part, candidate_ids, shown)
        elif name == "edit":
            parts[name] = {**part, "answer": list(shown).index(candidate_ids[part["answer"]])}
        else:
            parts[name] = dict(part)
    return parts


def _reorder(values: Sequence[Any], from_order: Sequence[str], to_order: Sequence[str]) -> list[Any]:
    """Values that stand in one order of the candidates, in another."""
    placed = dict(zip(from_order, values, strict=True))
    return [placed[candidate] for candidate in to_order]
