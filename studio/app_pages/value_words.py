"""A judgement's value in a few words, for lists. Values are in screen terms."""

from __future__ import annotations

from typing import Any

from pitchpipe.store.records import TaskKind

_OTHER_VERDICTS = {"tie": "about the same", "both_bad": "both bad", "cannot_judge": "can't judge"}
_STRENGTHS = {1: "slightly better", 2: "better", 3: "much better"}
_LONGEST = 160


def describe_value(kind: TaskKind | str, value: dict[str, Any]) -> str:
    """What somebody answered, in at most a line.

    >>> describe_value("compare", {"verdict": "first", "strength": -2})
    'A better'
    >>> describe_value("rate", {"helpfulness": 3, "tone": "warm"})
    'helpfulness 3, tone warm'
    """
    words = _describe(TaskKind(kind), value) if value else ""
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _describe(kind: TaskKind, value: dict[str, Any]) -> str:
    if kind is TaskKind.COMPARE:
        return _describe_comparison(value)
    if kind is TaskKind.RANK:
        return _describe_ranks(value["ranks"])
    if kind is TaskKind.TAG:
        return ", ".join(value["labels"])
    if kind is TaskKind.SPAN:
        labels = sorted({span["label"] for span in value["spans"]})
        return f"{len(value['spans'])} marked: {', '.join(labels)}" if labels else "nothing is wrong"
    if kind is TaskKind.TURNS:
        return " · ".join(f"turn {place}: {_list_scores(scores)}" for place, scores in value["turns"].items())
    if kind is TaskKind.SCREEN:
        return " · ".join(_describe_part(part, found) for part, found in value.items())
    if kind is TaskKind.RATE:
        return _list_scores(value)
    return " ".join(str(value.get("text", "")).split())


def _describe_part(part: str, found: Any) -> str:
    if part == "rate":
        scores = found if isinstance(found, list) else [found]
        return "; ".join(f"{chr(65 + place)} {_list_scores(one)}" for place, one in enumerate(scores) if one)
    if part == "edit":
        return f"{chr(65 + found['answer'])} corrected"
    return _describe(TaskKind(part), found)


def _describe_comparison(value: dict[str, Any]) -> str:
    verdict, strength = value["verdict"], value.get("strength")
    if verdict in _OTHER_VERDICTS:
        return _OTHER_VERDICTS[verdict]
    side = "A" if verdict in ("first", "a") else "B"
    return f"{side} {_STRENGTHS.get(abs(strength or 2), 'better')}"


def _describe_ranks(ranks: list[int]) -> str:
    """The answers from best to worst.

    >>> _describe_ranks([1, 0, 1])
    'B > A = C'
    """
    tiers = [[chr(65 + place) for place, rank in enumerate(ranks) if rank == tier] for tier in sorted(set(ranks))]
    return " > ".join(" = ".join(tier) for tier in tiers)


def _list_scores(scores: dict[str, Any]) -> str:
    return ", ".join(f"{question} {score}" for question, score in scores.items())
