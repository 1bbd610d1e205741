"""Findings: what a preflight has to say, each with how bad it is and what to do. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pitchpipe.store.errors import PitchpipeError

EXAMPLES = 5
"""Ids of rows that a finding names; the ledger has them all."""


class Severity(StrEnum):
    """How bad a finding is: a run that is blocked cannot start, one that is warned of wants a word from a person."""

    BLOCKS = "blocks"
    WARNS = "warns"
    FINE = "fine"


_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    topic: str
    """`plan`, `model`, `template`, `rows`, `lengths`, `pairs`, `labels`, `amount`, `memory` or `time`."""
    happened: str
    advice: str = ""
    """What to do; empty where all is well."""
    rows: list[str] = field(default_factory=list)
    """Some ids of rows that it is about."""

    def describe(self) -> dict[str, Any]:
        return {**asdict(self), "severity": self.severity.value}


def fine(topic: str, happened: str) -> Finding:
    return Finding(Severity.FINE, topic, happened)


def warn(topic: str, happened: str, advice: str, rows: Iterable[str] = ()) -> Finding:
    return Finding(Severity.WARNS, topic, happened, advice, list(rows)[:EXAMPLES])


def block(topic: str, happened: str, advice: str, rows: Iterable[str] = ()) -> Finding:
    return Finding(Severity.BLOCKS, topic, happened, advice, list(rows)[:EXAMPLES])


def block_for(topic: str, error: PitchpipeError) -> Finding:
    """An error that the run itself would end with."""
    return block(topic, error.happened, error.advice)


def judge(findings: Sequence[Finding]) -> Severity:
    """The worst of the findings.

    >>> judge([fine("rows", "all is well"), warn("pairs", "longer", "add some")]).value
    'warns'
    """
    return min((finding.severity for finding in findings), key=_ORDER.index, default=Severity.FINE)


def sort_findings(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first, else in the order in which they were found; what two checks ran into is told once."""
    once = {finding.happened: finding for finding in reversed(findings)}
    told = [finding for finding in findings if once[finding.happened] is finding]
    return sorted(told, key=lambda finding: _ORDER.index(finding.severity))
