"""Rules against duplicates: the same text but for case and punctuation, and texts that are nearly the same.

Both keep the member of a group that people put most into (`survivors.rank_rows`), and drop a row only in favour of one
that stays. What is compared with what is told in `units_compared`; how nearly equal texts are found, in `leaders`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.rules.leaders import Following, follow_leaders
from pitchpipe.store.rules.overlap import find_exact_form
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule
from pitchpipe.store.rules.units_compared import FIELDS, ON, Unit, list_unit_groups


def find_followers(
    rows: Sequence[Row],
    on: str,
    background: Background,
    follow: Callable[[Sequence[tuple[str, ...]]], Sequence[Following | None]],
    likeness: str,
) -> Iterator[Finding]:
    """A finding for every row that follows a leader, in order of place.

    Args:
        on: `prompt`, `answer` or `both`.
        follow: texts in parts, best first -> whom each follows.
        likeness: how the reason calls it, such as "the same as"; `{score}` in it is filled in.
    """
    findings: list[Finding] = []
    for units in list_unit_groups(rows, on, background.kept_ids):
        for unit, following in zip(units, follow([unit.parts for unit in units]), strict=True):
            if following is not None:
                leader = units[following.leader]
                reason, evidence = _describe(unit, leader, following.score, on, likeness)
                findings += (Finding(place, reason, dict(evidence)) for place in unit.places)
    yield from sorted(findings, key=lambda finding: finding.place)


def _describe(unit: Unit, leader: Unit, score: float, on: str, likeness: str) -> tuple[str, dict[str, Any]]:
    what = {"prompt": "Its request is", "answer": "Its answer is", "both": "Its request and answer are"}[on]
    where = "the same example" if leader.example_id == unit.example_id else f"example {leader.example_id}"
    if on != "prompt" and leader.candidate_ids:
        where += f" (answer {', '.join(leader.candidate_ids)})"
    evidence = {
        "other": leader.example_id,
        "other_candidates": list(leader.candidate_ids),
        "score": round(score, 4),
        "compared": FIELDS[on],
    }
    return f"{what} {likeness.format(score=f'{score:.2f}')} in {where}, which stays.", evidence


def _follow_exactly(texts: Sequence[tuple[str, ...]]) -> list[Following | None]:
    first: dict[tuple[str, ...], int] = {}
    followings: list[Following | None] = []
    for place, parts in enumerate(texts):
        leader = first.setdefault(tuple(map(find_exact_form, parts)), place)
        followings.append(None if leader == place else Following(leader, 1.0))
    return followings


def _find_exact(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    yield from find_followers(rows, parameters["on"], background, _follow_exactly, "the same as")


def _find_near(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    def follow(texts: Sequence[tuple[str, ...]]) -> list[Following | None]:
        return follow_leaders(texts, parameters["threshold"], parameters["words"], parameters["boilerplate"])

    yield from find_followers(rows, parameters["on"], background, follow, "{score} similar to what stands")


EXACT = Rule(
    id="exact_duplicate",
    version="1",
    title="Exact duplicate",
    about="The same text but for case, punctuation and white space as in a row that stays: it would count twice.",
    find=_find_exact,
    parameters=(ON,),
)
NEAR = Rule(
    id="near_duplicate",
    version="1",
    title="Near duplicate",
    about=(
        "Nearly the same words as in a row that stays, by exact Jaccard similarity of runs of words; never by way of a "
        "third row, so a chain does not take all its members along."
    ),
    find=_find_near,
    parameters=(
        ON,
        Parameter("threshold", 0.8, "Jaccard similarity from which two texts count as nearly the same.", 0.5, 1.0),
        Parameter("words", 2, "Words of a run: 2 forgives one changed word in twenty, 5 hardly any.", 1, 8),
        Parameter(
            "boilerplate",
            0.2,
            "Runs of words that a greater share of the texts has, and 20 of them at least, are not compared.",
            0.01,
            1.0,
        ),
    ),
)
RULES = (EXACT, NEAR)
