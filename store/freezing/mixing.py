"""Thins the training side of a dataset until its sources stand in the proportion that a recipe asks for.

Rows are left out, never doubled: a row seen twice would weigh twice without being said. Like TRL's dataset mixtures,
shares are normalised, so 3 and 1 mean the same as 0.75 and 0.25.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import floor
from typing import Any

from pitchpipe.store.errors import UsageError

Row = dict[str, Any]
MIX_VERSION = "1"
_SALT = "mix"
_SLACK = 1e-9
"""So that 3 rows of a share of 0.3 in 10 are not 2 for want of a binary digit."""


def thin_sources(rows: Sequence[Row], weights: Sequence[tuple[str, float]]) -> dict[int, str]:
    """The places of the rows to leave out, each with the reason; none where the recipe has no weights.

    Each kind of row is thinned by itself, since each is trained on by itself: answers teach SFT, pairs DPO. Which rows
    stay follows from a salted hash of their group, so rows of one request mostly stay or go together, the same rows
    every time, and more data moves few of them. The sealed side is left as it is. A source that is not named has the
    share 0.
    """
    if not weights:
        return {}
    shares = dict(weights)
    places: dict[str, dict[str, list[int]]] = {}
    for place, row in enumerate(rows):
        if row["split"] == "train":
            places.setdefault(row["row_kind"], {}).setdefault(str(row["source"]), []).append(place)
    left_out: dict[int, str] = {}
    for sources in places.values():
        kept = share_out({source: len(found) for source, found in sources.items()}, shares)
        for source, found in sources.items():
            ordered = sorted(found, key=lambda place: _order(rows[place], place))
            for place in ordered[kept[source] :]:
                left_out[place] = _explain(source, kept[source], len(found), shares)
    return left_out


def share_out(counts: dict[str, int], shares: dict[str, float]) -> dict[str, int]:
    """How many of each source stay, as many as can be without repeating any.

    Args:
        counts: rows at hand by source.
        shares: wanted proportion by source, 0 or more; a source without one has the share 0.

    >>> share_out({"a": 100, "b": 10, "c": 5}, {"a": 0.75, "b": 0.25})
    {'a': 30, 'b': 10, 'c': 0}
    """
    wanted = {source: shares.get(source, 0.0) for source in counts}
    whole = min((count / wanted[source] for source, count in counts.items() if wanted[source] > 0), default=0.0)
    return {source: min(count, floor(whole * wanted[source] + _SLACK)) for source, count in counts.items()}


def check_sources(known: set[str], weights: Sequence[tuple[str, float]]) -> None:
    """Refuses shares of sources that the project does not have, which would silently change those of the others.

    Raises:
        UsageError: a source is not there.
    """
    for source, _ in weights:
        if source not in known:
            raise UsageError(
                f"The recipe gives a share to the source '{source}', from which nothing came.",
                f"The sources are: {', '.join(sorted(known)) or 'none'}.",
            )


def _order(row: Row, place: int) -> tuple[str, int]:
    return hashlib.sha256(f"{_SALT}|{row['group_id']}".encode()).hexdigest(), place


def _explain(source: str, kept: int, count: int, shares: dict[str, float]) -> str:
    if not shares.get(source):
        return f"the recipe's mix gives the source {source} no share"
    share = shares[source] / sum(shares.values())
    return f"{kept} of {count} rows of the source {source} stay, to make up a share of {share:.0%} of the mix"
