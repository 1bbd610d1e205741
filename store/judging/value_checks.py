"""The rules that each part of a submitted value must keep. A message names the offending part and what is expected.

Drafts are never checked: whatever was typed or picked so far is kept as it is. Only a submit must be complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pitchpipe.store.errors import UsageError

LONGEST_TEXT = 100_000
HIGHEST_RATING = 10
FEWEST_RANKED, MOST_RANKED = 2, 9


def expect(is_right: bool, found: str, expected: str) -> None:
    """Raises UsageError unless the part is right: what was found, and what it must be."""
    if not is_right:
        raise UsageError(f"{found}.", f"It must be {expected}. Nothing was recorded and nothing was lost.")


def check_rating(rating: Any, of: str = "the answer") -> dict[str, int | str]:
    """One answer a rubric question: a whole number of 0 to 10, an option's name, or words.

    >>> check_rating({"helpfulness": 3, "tone": "warm"})
    {'helpfulness': 3, 'tone': 'warm'}
    """
    expect(isinstance(rating, Mapping), f"The rating of {of} is {rating!r}", "one answer a question")
    expect(bool(rating), f"The rating of {of} is not complete: no question is answered", "one answer a question")
    for question, answer in rating.items():
        found = f"The answer {answer!r} to '{question}' for {of} cannot be used"
        if isinstance(answer, str):
            expect(bool(answer.strip()), found, "an option or some words; leave an optional question out")
            expect(len(answer) <= LONGEST_TEXT, f"The words for '{question}' are too long", _AT_MOST)
        else:
            is_whole = type(answer) is int and 0 <= answer <= HIGHEST_RATING
            expect(is_whole, found, f"a whole number from 0 to {HIGHEST_RATING}, an option's name, or words")
    return dict(rating)


def check_text(text: Any, name: str = "The answer", original: str | None = None) -> str:
    """Words of an annotator's own: not empty, not too long, and, of a correction, other than the original."""
    expect(isinstance(text, str) and bool(text.strip()), f"{name} is empty", "some text; skip the task otherwise")
    expect(len(text) <= LONGEST_TEXT, f"{name} is too long", _AT_MOST)
    expect(
        original is None or not is_unchanged(text, original), "Nothing was changed",
        "a corrected answer; if the answer is right as it is, skip the task, or leave the correction out where other "
        "things are asked too",
    )  # fmt: skip
    return str(text)


def is_unchanged(text: str, original: str) -> bool:
    """Whether two texts are the same but for how their lines end (a browser's text field turns CRLF into LF).

    >>> is_unchanged("one\\ntwo", "one\\r\\ntwo")
    True
    """
    return "\n".join(text.splitlines()) == "\n".join(original.splitlines())


def check_labels(labels: Any) -> list[str]:
    """One or more names, none twice."""
    is_list = isinstance(labels, list) and all(isinstance(label, str) and label.strip() for label in labels)
    expect(is_list and bool(labels), f"The labels {labels!r} cannot be used", "a list of one or more names")
    expect(len(set(labels)) == len(labels), f"One of the labels {labels!r} is given twice", "a list of different names")
    return list(labels)


def place_ranks(places: Any, count: int) -> list[int]:
    """Places as dense ranks: 0 is best, equal ranks are ties, no rank is left out.

    Places may begin at 0 or 1. After a tie they may go on without a gap (1, 1, 2) or with that of a competition
    (1, 1, 3, since two stand before the third); both mean the same. Any other gap is refused: somebody was forgotten.

    >>> place_ranks([1, 1, 3], 3), place_ranks([2, 0, 1], 3)
    ([0, 0, 1], [2, 0, 1])
    """
    expect(
        FEWEST_RANKED <= count <= MOST_RANKED, f"{count} answers are to be ranked",
        f"{FEWEST_RANKED} to {MOST_RANKED} of them; skip the task",
    )  # fmt: skip
    is_complete = isinstance(places, list) and len(places) == count and all(type(place) is int for place in places)
    expect(is_complete, f"The ranks {places!r} are not complete", f"one whole number for each of {count} answers")
    used = sorted(set(places))
    dense = [used[0] + step for step in range(len(used))]
    competition = [used[0] + sum(other < place for other in places) for place in used]
    expect(used[0] in (0, 1), f"No answer of the ranks {places!r} is first", "one that begins with the first place")
    gap = next((place for place in range(used[0], used[-1]) if place not in used), None)
    expect(
        used in (dense, competition), f"The ranks {places!r} leave the place {gap} empty",
        "a rank without gaps (1, 1, 2, or 1, 1, 3 where two share the first place)",
    )  # fmt: skip
    return [used.index(place) for place in places]


def check_spans(spans: Any, length: int | None = None) -> list[dict[str, Any]]:
    """Marked stretches of an answer of `length` characters (code points): `[]` says that no error was found.

    >>> check_spans([{"start": 4, "end": 9, "label": "false"}], 9)
    [{'start': 4, 'end': 9, 'label': 'false'}]
    """
    expect(isinstance(spans, list), f"The marked stretches {spans!r} cannot be used", "a list, empty for no error")
    found: list[dict[str, Any]] = []
    for number, span in enumerate(spans, start=1):
        expect(isinstance(span, Mapping), f"The stretch {number} is {span!r}", "a start, an end and a label")
        start, end, label = span.get("start"), span.get("end"), span.get("label")
        is_inside = type(start) is int and type(end) is int and 0 <= start < end and (length is None or end <= length)
        limit = "the answer's length" if length is None else f"the answer's {length} characters"
        expect(
            is_inside, f"The stretch {number} goes from {start!r} to {end!r}",
            f"a stretch of one or more characters within {limit}",
        )  # fmt: skip
        expect(isinstance(label, str) and bool(label.strip()), f"The stretch {number} has no label", "labelled")
        marked = {"start": start, "end": end, "label": label}
        expect(marked not in found, f"The stretch {number} is marked twice as '{label}'", "marked once with a label")
        found.append(marked)
    return found


def check_turns(turns: Any, places: Sequence[int] | None = None) -> dict[str, dict[str, int | str]]:
    """Ratings by place in the conversation; at least one turn of the assistant must be rated.

    Args:
        places: the places of the assistant's turns, the answer being the last; None accepts any.

    >>> check_turns({"1": {"helpfulness": 3}, "3": {}}, [1, 3])
    {'1': {'helpfulness': 3}}
    """
    expect(isinstance(turns, Mapping), f"The rated turns {turns!r} cannot be used", "ratings by place")
    known = None if places is None else [str(place) for place in places]
    for place in turns:
        is_known = str(place) in known if known is not None else isinstance(place, str) and place.isdecimal()
        allowed = ", ".join(known or []) or "a whole number"
        expect(is_known, f"The place {place!r} is no turn of the assistant", f"one of: {allowed}")
    rated = {str(place): check_rating(rating, f"turn {place}") for place, rating in turns.items() if rating}
    expect(bool(rated), "No turn is rated", "a rating of one turn or more")
    return rated


_AT_MOST = f"at most {LONGEST_TEXT} characters"
