"""What several judgements add up to: majority, mean, median, closest three, verdicts and rankings.

Pure functions on plain values; the order in which judgements came changes nothing. Every consensus carries its support:
the share of all judgements that agree with it, so that a weak one can be told from a firm one and dropped by rule.
No judgement at all gives None, never a default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from statistics import median as middle
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.records import Verdict

_HALF_STEP = 0.5
_WIDEST_SPREAD = 2


@dataclass(frozen=True, slots=True)
class Consensus:
    """What ratings of one question, or labels, add up to."""

    value: Any
    """None where there is no judgement, or where a majority is tied."""
    support: float | None
    """The share of judgements that agree: the same value, or for numbers within half a step of the consensus."""
    n: int
    strategy: str
    is_tied: bool = False
    """Several values share the first place of a majority."""
    is_disputed: bool = False
    """The judgements that count lie more than 2 apart (HelpSteer2's rule for leaving a sample out)."""
    spread: float | None = None
    """How far apart the numbers that count lie: of the three closest under closest_three, else of all."""


@dataclass(frozen=True, slots=True)
class CompareConsensus:
    """What verdicts on one pair add up to."""

    verdict: str | None
    strength: float | None
    """Mean strength, negative for a; None where nobody was asked."""
    support: float | None
    """The share of all raters, abstentions included, who gave exactly this verdict."""
    n: int
    is_tied: bool = False
    """The verdict is "tie" because several verdicts share the first place, not because raters said so."""


def majority(values: Sequence[Hashable]) -> Consensus:
    """The value given most often; None, and tied, where several are.

    >>> majority(["refund", "refund", "delay"]).value, majority(["refund", "delay"]).value
    ('refund', None)
    """
    if not values:
        return Consensus(None, None, 0, "majority")
    ranked = Counter(values).most_common()
    value, count = ranked[0]
    if len(ranked) > 1 and ranked[1][1] == count:
        return Consensus(None, count / len(values), len(values), "majority", is_tied=True)
    return Consensus(value, count / len(values), len(values), "majority")


def mean(values: Sequence[float]) -> Consensus:
    """The arithmetic mean, not rounded.

    >>> mean([3, 4, 3]).support
    0.6666666666666666
    """
    return _summarise(values, "mean", fmean)


def median(values: Sequence[float]) -> Consensus:
    """The middle value; of an even number the mean of the two in the middle.

    >>> median([0, 3, 4]).value
    3.0
    """
    return _summarise(values, "median", middle)


def _summarise(values: Sequence[float], strategy: str, compute: Callable[[Sequence[float]], float]) -> Consensus:
    if not values:
        return Consensus(None, None, 0, strategy)
    # Sorted, because floating-point sums depend on the order.
    value = float(compute(sorted(values)))
    return Consensus(value, measure_support(values, value), len(values), strategy, spread=max(values) - min(values))


def measure_support(values: Sequence[float], consensus: float) -> float:
    """The share of numbers within half a step of the consensus.

    >>> measure_support([3, 4, 0], 3.5)
    0.6666666666666666
    """
    return sum(abs(value - consensus) <= _HALF_STEP for value in values) / len(values)


def closest_three(values: Sequence[float]) -> Consensus:
    """The mean of the three ratings that lie closest together, disputed where even those are more than 2 apart.

    Of several such triples the one nearest to the mean of all counts, then the lower. With fewer than three ratings all
    of them count. Unlike HelpSteer2 the mean is not rounded and a disputed value is kept and flagged: leaving it out is
    a curator's rule, not a property of the number.

    Source: Wang et al., "HelpSteer2: Open-source dataset for training top-performing reward models" (2024), sec. 2.

    >>> closest_three([0, 3, 3, 4]).value, closest_three([0, 2, 4]).is_disputed
    (3.3333333333333335, True)
    """
    if not values:
        return Consensus(None, None, 0, "closest_three")
    ordered = sorted(values)
    centre = fmean(ordered)
    triples = [ordered[start : start + 3] for start in range(max(1, len(ordered) - 2))]
    chosen = min(triples, key=lambda triple: (triple[-1] - triple[0], abs(fmean(triple) - centre), triple[0]))
    value = fmean(chosen)
    spread = chosen[-1] - chosen[0]
    return Consensus(
        value, measure_support(values, value), len(values), "closest_three", is_disputed=spread > _WIDEST_SPREAD,
        spread=spread,
    )  # fmt: skip


_BY_STRATEGY: Mapping[str, Callable[[Sequence[Any]], Consensus]] = {
    "majority": majority,
    "mean": mean,
    "median": median,
    "closest_three": closest_three,
}

OWN_STRATEGIES: tuple[str, ...] = tuple(_BY_STRATEGY)
"""Those that look at one unit alone."""
DAWID_SKENE = "dawid_skene"
STRATEGIES: tuple[str, ...] = (*OWN_STRATEGIES, DAWID_SKENE)
"""What a curator may choose for numbers. Dawid-Skene looks at all units of a question together: `posteriors`."""
CHOICE_STRATEGIES: tuple[str, ...] = ("majority", DAWID_SKENE)
"""What a curator may choose for options, verdicts and labels, which have no mean."""


def aggregate_ratings(values: Sequence[Any], strategy: str) -> Consensus:
    """The consensus by the name of a strategy that looks at one unit alone.

    Raises:
        UsageError: there is no such strategy; those there are are listed.

    >>> aggregate_ratings([1, 2], "mean").value
    1.5
    """
    compute = _BY_STRATEGY.get(strategy)
    if compute is None:
        raise UsageError(f"The strategy {strategy!r} is unknown.", f"Use one of {', '.join(OWN_STRATEGIES)}.")
    return compute(values)


def aggregate_compare(verdicts: Sequence[str], strengths: Sequence[int | None] | None = None) -> CompareConsensus:
    """The verdict that most raters gave, and the mean of their strengths.

    Tie policy: "cannot_judge" abstains and wins only if everyone said so. Where several other verdicts share the first
    place the outcome is "tie" (flagged), because no preference was shown; nobody's vote is broken by chance or order.
    The mean strength is over raters who gave one; once anyone did, a "tie" without a strength counts as 0.

    >>> aggregate_compare(["a", "a", "b"], [-2, -1, 1])
    CompareConsensus(verdict='a', strength=-0.6666666666666666, support=0.6666666666666666, n=3, is_tied=False)
    >>> aggregate_compare(["a", "b"]).verdict
    'tie'
    """
    if not verdicts:
        return CompareConsensus(None, None, None, 0)
    for verdict in verdicts:
        if verdict not in list(Verdict):
            raise UsageError(f"The verdict {verdict!r} is unknown.", f"Use one of {', '.join(Verdict)}.")
    counts = Counter(str(verdict) for verdict in verdicts)
    votes = {verdict: count for verdict, count in counts.items() if verdict != Verdict.CANNOT_JUDGE}
    if not votes:
        return CompareConsensus(Verdict.CANNOT_JUDGE.value, None, 1.0, len(verdicts))
    most = max(votes.values())
    first = [verdict for verdict, count in votes.items() if count == most]
    verdict = first[0] if len(first) == 1 else Verdict.TIE.value
    strength = average_strength(verdicts, strengths)
    return CompareConsensus(verdict, strength, counts[verdict] / len(verdicts), len(verdicts), len(first) > 1)


def average_strength(verdicts: Sequence[str], strengths: Sequence[int | None] | None) -> float | None:
    """The mean strength over raters who gave one, a tie without one as 0; None where nobody was asked.

    >>> average_strength(["a", "tie"], [-2, None])
    -1.0
    """
    if strengths is None or all(strength is None for strength in strengths):
        return None
    counted = []
    for verdict, strength in zip(verdicts, strengths, strict=True):
        if strength is not None:
            counted.append(strength)
        elif verdict == Verdict.TIE:
            counted.append(0)
    return fmean(sorted(counted))
