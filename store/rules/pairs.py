"""Rules on pairs: what makes a preference worthless or false, and what it may have been about instead of quality."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.freezing.splitting import normalise_text
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

_LEAST_SHARED_WORDS = 5
_WORD = re.compile(r"\w+")


def _list_pairs(rows: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    return ((place, row) for place, row in enumerate(rows) if row["row_kind"] == "pair")


def _find_same(rows: Sequence[Row], _: Mapping[str, Any], __: Background) -> Iterator[Finding]:
    for place, row in _list_pairs(rows):
        first, second = row["answer_a"] or "", row["answer_b"] or ""
        if first == second:
            yield Finding(place, "both answers are the same", {"field": "answer_a"})
        elif _may_be_same(first, second) and normalise_text(first) == normalise_text(second) != "":
            yield Finding(place, "both answers are the same but for case and punctuation", {"field": "answer_a"})


def _may_be_same(first: str, second: str) -> bool:
    """A cheap look before the normal form: answers of other lengths are not the same."""
    return abs(len(first) - len(second)) <= 0.5 * max(len(first), len(second))


def _find_length_only(rows: Sequence[Row], parameters: Mapping[str, Any], __: Background) -> Iterator[Finding]:
    for place, row in _list_pairs(rows):
        words = {side: _WORD.findall((row[f"answer_{side}"] or "").lower()) for side in "ab"}
        short, long = sorted("ab", key=lambda side: len(words[side]))
        shared = len(words[short])
        if shared < parameters["fewest_words"] or shared == len(words[long]):
            continue
        where = (
            "begins"
            if words[long][:shared] == words[short]
            else "ends"
            if words[long][-shared:] == words[short]
            else ""
        )
        if where:
            extra = len(words[long]) - shared
            reason = f"the longer answer {where} with the whole of the shorter one and has {extra} words more"
            yield Finding(place, reason, {"field": f"answer_{long}", "score": extra})


def _find_same_model(rows: Sequence[Row], _: Mapping[str, Any], __: Background) -> Iterator[Finding]:
    for place, row in _list_pairs(rows):
        if row["model_a"] and row["model_a"] == row["model_b"]:
            yield Finding(place, f"both answers are by '{row['model_a']}'", {"model": row["model_a"]})


def _find_contradiction(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    question = parameters["question"]
    ratings: dict[str, float] = {}
    for row in rows:
        if row["row_kind"] == "answer" and row["candidate_id"] and row["turn"] is None and row["scores"]:
            rating = json.loads(row["scores"]).get(question)
            if isinstance(rating, int | float) and not isinstance(rating, bool):
                ratings[row["candidate_id"]] = float(rating)
    for place, row in _list_pairs(rows):
        if row["verdict"] not in ("a", "b"):
            continue
        winner, loser = (row[f"candidate_{side}"] for side in ("ab" if row["verdict"] == "a" else "ba"))
        if winner in ratings and loser in ratings and ratings[loser] - ratings[winner] > parameters["gap"]:
            reason = f"the loser is rated {ratings[loser]:g} on '{question}' and the winner {ratings[winner]:g}"
            evidence = {"field": f"answer_{row['verdict']}", "score": ratings[loser] - ratings[winner]}
            yield Finding(place, reason, evidence)


SAME_ANSWERS = Rule(
    id="same_answers",
    version="1",
    title="Same answers",
    about="A pair whose two answers have the same normal form (case, punctuation and white space aside): it can teach "
    "no preference, and trainers take it without a word.",
    find=_find_same,
)
LENGTH_ONLY = Rule(
    id="length_only",
    version="1",
    title="Length alone",
    about="A pair in which one answer is the other, word for word, with something before or after it. What it teaches "
    "is to go on or to stop.",
    find=_find_length_only,
    parameters=(Parameter("fewest_words", _LEAST_SHARED_WORDS, "Words of the shorter answer.", 1, 10_000),),
    actions=("mark", "drop"),
)
SAME_MODEL = Rule(
    id="same_model",
    version="1",
    title="Same model",
    about="A pair of two answers by one model. That is what a model's own tuning wants, and what a comparison of "
    "models does not.",
    find=_find_same_model,
    actions=("mark", "drop"),
)
RATING_AGAINST_CHOICE = Rule(
    id="rating_against_choice",
    version="1",
    title="Rating against choice",
    about="A pair whose loser has the higher consensus rating, as in the scores that a parser broke in UltraFeedback "
    "(argilla-io/notus#7). It needs the rated answers among the rows, so it stands before rules that drop them.",
    find=_find_contradiction,
    parameters=(
        Parameter("question", "helpfulness", "The question of the rubric whose ratings are compared."),
        Parameter("gap", 0.0, "Ratings may contradict by so much.", 0.0, 100.0),
    ),
)
