"""What several raters' marked stretches of one answer add up to. Pure; the order of raters changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Span = Mapping[str, Any]
"""`{"start", "end", "label"}`: characters from start to before end."""


@dataclass(frozen=True, slots=True)
class SpanConsensus:
    """Every stretch that anybody marked, once, with its own support."""

    spans: tuple[dict[str, Any], ...]
    """`{"start", "end", "label", "support"}` by place: support is the share of raters who marked an overlapping
    stretch with the same label."""
    support: float | None
    """The mean support of the stretches; 1 where all agree that there is none, None without raters."""
    n: int


def aggregate_spans(markings: Sequence[Sequence[Span]]) -> SpanConsensus:
    """The stretches of all raters with the share of raters behind each.

    Boundaries are kept as they were marked: people agree on where an error is far more than on where it ends, so an
    overlap counts as the same find, as in partial matching of named entities (Chinchor and Sundheim, "MUC-5 evaluation
    metrics", 1993).

    Args:
        markings: one list of stretches a rater, empty where they found no error.

    >>> aggregate_spans([[{"start": 0, "end": 4, "label": "false"}], [{"start": 2, "end": 6, "label": "false"}], []])
    ... # doctest: +ELLIPSIS
    SpanConsensus(spans=({'start': 0, 'end': 4, 'label': 'false', 'support': 0.666...}, ...), support=0.666..., n=3)
    """
    if not markings:
        return SpanConsensus((), None, 0)
    distinct = sorted({(span["start"], span["end"], span["label"]) for marking in markings for span in marking})
    found = tuple(
        {
            "start": start, "end": end, "label": label,
            "support": sum(_has_overlap(marking, start, end, label) for marking in markings) / len(markings),
        }
        for start, end, label in distinct
    )  # fmt: skip
    support = sum(span["support"] for span in found) / len(found) if found else 1.0
    return SpanConsensus(found, support, len(markings))


def _has_overlap(marking: Sequence[Span], start: int, end: int, label: str) -> bool:
    return any(span["label"] == label and span["start"] < end and start < span["end"] for span in marking)
