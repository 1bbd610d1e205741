"""What can be held against a known answer, rater by rater: gold, one's own earlier answer, and a suggestion."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.judging.answer_reading import READ_TOLD, is_words, list_answers, select_current
from pitchpipe.store.queue.gold import is_right
from pitchpipe.store.records import TaskKind

Tally = dict[str, tuple[float, int]]
"""Hits and how many, by rater."""

_GOLD_TASKS = "SELECT task_id FROM gold_answers WHERE project_id = $project"
_REPEATED_TASKS = """
SELECT id FROM tasks WHERE project_id = $project AND purpose = 'repeat'
UNION ALL SELECT repeat_of FROM tasks WHERE project_id = $project AND purpose = 'repeat'
"""
_SUGGESTED_TASKS = "SELECT task_id FROM suggestions"
_READ_GOLD = f"""
SELECT j.annotator, j.kind, j.value, g.value
FROM gold_answers AS g JOIN ({select_current(_GOLD_TASKS)}) AS j ON j.task_id = g.task_id
WHERE g.project_id = $project AND j.status = 'submitted'
"""
_READ_REPEATS = f"""
WITH current_rows AS ({select_current(_REPEATED_TASKS)})
SELECT r.annotator, r.kind, o.value, ot.candidate_ids, o.shown, r.value, rt.candidate_ids, r.shown,
       {READ_TOLD.format(detail="r.detail")} AS told
FROM tasks AS rt JOIN current_rows AS r ON r.task_id = rt.id
JOIN tasks AS ot ON ot.id = rt.repeat_of JOIN current_rows AS o ON o.task_id = ot.id AND o.annotator = r.annotator
WHERE rt.project_id = $project AND rt.purpose = 'repeat' AND r.status = 'submitted' AND o.status = 'submitted'
  AND o.kind = r.kind
"""
_READ_SUGGESTED = f"""
SELECT j.annotator, j.task_id, j.kind, j.value, j.detail, s.source, s.value
FROM suggestions AS s JOIN tasks AS t ON t.id = s.task_id JOIN ({select_current(_SUGGESTED_TASKS)}) AS j
    ON j.task_id = s.task_id
WHERE t.project_id = $project AND j.status = 'submitted'
"""


@dataclass(frozen=True, slots=True)
class KnownAnswers:
    """Hits and totals by rater."""

    gold: Tally
    repeats: Tally
    """Answers that came out the same when asked again; a repeat of several questions counts by their share."""
    swapped: Tally
    """The same where the sides were swapped the second time."""
    accepted: Tally
    unprompted: Tally
    """Of the tasks on which a rater saw a suggestion: how often others who saw none gave just that answer."""


def read_known_answers(store: Store, project_id: str) -> KnownAnswers:
    """What the current judgements of a project say beside known answers."""
    values = {"project": project_id}
    repeats, swapped = _tally_repeats(store.read(_READ_REPEATS, values))
    accepted, unprompted = _tally_suggestions(store.read(_READ_SUGGESTED, values))
    return KnownAnswers(_tally_gold(store.read(_READ_GOLD, values)), repeats, swapped, accepted, unprompted)


def _tally_gold(rows: list[tuple[Any, ...]]) -> Tally:
    if not rows:
        return {}
    tally: Tally = {}
    for rater, kind, given, known in rows:
        _add(tally, rater, bool(is_right(TaskKind(kind), json.loads(given), json.loads(known))))
    return tally


def _tally_repeats(rows: list[tuple[Any, ...]]) -> tuple[Tally, Tally]:
    same_sides: Tally = {}
    swapped: Tally = {}
    for rater, kind, value, candidates, shown, again, candidates_again, shown_again, told in rows:
        aligned = align_value(kind, json.loads(again), json.loads(candidates_again), json.loads(candidates))
        if aligned is not None:
            share = compare_answers(kind, json.loads(value), aligned, json.loads(told or "[]"))
            _add(same_sides if json.loads(shown) == json.loads(shown_again) else swapped, rater, share)
    return same_sides, swapped


def _tally_suggestions(rows: list[tuple[Any, ...]]) -> tuple[Tally, Tally]:
    accepted: Tally = {}
    prompted: list[tuple[str, str, str]] = []
    free: dict[tuple[str, str], list[bool]] = {}
    for rater, task, kind, value, detail, source, suggested in rows:
        seen = (json.loads(detail or "{}") or {}).get("suggestion")
        if seen is None:
            free.setdefault((task, source), []).append(_is_same(kind, json.loads(value), json.loads(suggested)))
        elif seen.get("source") == source:
            prompted.append((rater, task, source))
            _add(accepted, rater, bool(seen.get("is_accepted")))
    unprompted: Tally = {}
    for rater, task, source in prompted:
        others = free.get((task, source), [])
        if others:
            _add(unprompted, rater, sum(others) / len(others))
    return accepted, unprompted


def align_value(
    kind: str, value: dict[str, Any], candidates: Sequence[str], wanted: Sequence[str]
) -> dict[str, Any] | None:
    """A value in the order of other candidates; None where the answers differ or the kind cannot be turned.

    >>> align_value("compare", {"verdict": "a", "strength": -2}, ["c1", "c2"], ["c2", "c1"])
    {'verdict': 'b', 'strength': 2}
    """
    if list(candidates) == list(wanted):
        return value
    if sorted(candidates) != sorted(wanted):
        return None
    if kind == TaskKind.COMPARE:
        strength = value.get("strength")
        verdict = {"a": "b", "b": "a"}.get(value["verdict"], value["verdict"])
        return {"verdict": verdict, "strength": -strength if strength else strength}
    if kind == TaskKind.RANK:
        return {"ranks": [value["ranks"][list(candidates).index(candidate)] for candidate in wanted]}
    return None


def compare_answers(kind: str, one: dict[str, Any], other: dict[str, Any], told: Collection[str] = ()) -> float:
    """The share of answers that are the same; of a comparison the verdict counts, not its strength.

    Words of one's own (`told` names their questions) are not compared where there is anything else. Texts and marked
    stretches are the same where nothing differs.

    >>> compare_answers("rate", {"helpfulness": 3, "tone": "warm"}, {"helpfulness": 3, "tone": "cold"})
    0.5
    """
    first, second = _key_answers(kind, one, told), _key_answers(kind, other, told)
    keys = first.keys() | second.keys()
    if not keys:
        return float(canonical_json(one) == canonical_json(other))
    return sum(bool(key in first and first[key] == second.get(key)) for key in keys) / len(keys)


def _is_same(kind: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    return compare_answers(kind, one, other) == 1.0


def _key_answers(kind: str, value: dict[str, Any], told: Collection[str]) -> dict[tuple[str, str, str], Any]:
    return {
        (answer.part, answer.question, answer.place): answer.value
        for answer in list_answers(kind, value)
        if answer.question != "strength" and answer.part != "span" and not is_words(answer.question, answer.value, told)
    }


def _add(tally: Tally, rater: str, hit: float) -> None:
    hits, total = tally.get(rater, (0.0, 0))
    tally[rater] = (hits + float(hit), total + 1)
