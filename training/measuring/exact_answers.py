"""Exact answers: whether an answer ends in the same result as the reference, for requests with one right result.

A pattern finds the result in a text: its first group, or all of the match; the last place where it is found counts, for
people reason first and conclude last. Results that are numbers are compared as numbers (`1,000` is `1000.0`), others as
text without regard to case and outer space. Greedy answers, one each, so this is accuracy at one try; its interval is
Wilson's, and that of the difference between two arms resamples groups.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pitchpipe.training.measuring.intervals import clustered_difference, wilson

_MOST_DIGITS = 27
"""Numbers of more digits are compared as text, for arithmetic would round them."""
_AROUND = " \t\r\n$€£.,;:!"


def find_result(pattern: re.Pattern[str], text: str) -> str | None:
    """The result that a text ends in, in a form that can be compared; None where the pattern is not found.

    >>> find_result(re.compile(r"-?[0-9][0-9,.]*"), "48 + 24 = 72, so she sold 72.0 clips.")
    '72'
    """
    places = list(pattern.finditer(text))
    if not places:
        return None
    found = places[-1]
    words = str(found[1] if pattern.groups and found[1] is not None else found[0]).strip(_AROUND)
    try:
        number = Decimal(words.replace(",", ""))
        shown = format(number.normalize(), "f") if abs(number.adjusted()) < _MOST_DIGITS else words.casefold()
    except ArithmeticError:
        return words.casefold()
    return shown if number.is_finite() else words.casefold()


def report_exact_answers(
    pattern: re.Pattern[str],
    references: Sequence[str],
    answers: dict[str, Sequence[str]],
    groups: Sequence[str],
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Share of answers with the reference's result, for each arm, and the difference of the arms `tuned` and `base`.

    Args:
        references: the reference of each request; those without a result are counted and left out.
        answers: by arm, the answers to the same requests in the same order.
        groups: the group of each request.

    Returns:
        `pattern`, `without_result`, for each arm `share`, `low`, `high`, `n`, `hits` and `none` (answers in which no
        result was found, counted as wrong), and `difference` with `mean`, `low`, `high` (None without a request).
    """
    wanted = [find_result(pattern, text) for text in references]
    asked = [place for place, result in enumerate(wanted) if result is not None]
    report: dict[str, Any] = {"pattern": pattern.pattern, "without_result": len(wanted) - len(asked)}
    right: dict[str, list[bool]] = {}
    for arm, texts in answers.items():
        given = {place: find_result(pattern, texts[place]) for place in asked}
        right[arm] = [given[place] == wanted[place] for place in asked]
        hits = sum(right[arm])
        low, high = wilson(hits, len(asked))
        none = sum(result is None for result in given.values())
        report[arm] = {"share": hits / max(1, len(asked)), "low": low, "high": high, "n": len(asked)}
        report[arm] |= {"hits": hits, "none": none}
    gains = [float(tuned) - float(base) for base, tuned in zip(right["base"], right["tuned"], strict=True)]
    clusters = [groups[place] for place in asked]
    report["difference"] = clustered_difference(gains, [1] * len(gains), clusters, resamples, seed) if gains else None
    return report
