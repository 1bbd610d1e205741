"""The rule against contamination: rows that contain items of an evaluation set, so that a test would measure memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.overlap import EvaluationIndex, Match
from pitchpipe.store.rules.reading import list_answers, quote, read_turns
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule

Best = tuple[str, str, Match]
"""The field, its text, and the surest match in it."""


def build_index(
    evaluation_sets: Mapping[str, Sequence[tuple[str, str]]], parameters: Mapping[str, Any] | None = None
) -> EvaluationIndex:
    """The items of all sets, indexed; parameters of the rule that are not given have their defaults."""
    filled = {parameter.name: parameter.default for parameter in _DIALS} | dict(parameters or {})
    items = [(name, item_id, text) for name, items in sorted(evaluation_sets.items()) for item_id, text in items]
    return EvaluationIndex(items, filled["coverage"], filled["strict_until"], filled["relaxed_from"])


def _choose_sets(background: Background, names: str) -> dict[str, Sequence[tuple[str, str]]]:
    if not background.evaluation_sets:
        raise UsageError(
            "The rule 'contamination' has nothing to compare with: the project has no evaluation set.",
            "Add one (Checks on the Data page, or pitchpipe evaluation-sets --file FILE), or leave out the rule "
            "'Contains a test item'.",
        )
    wanted = [name.strip() for name in names.split(",") if name.strip()] or list(background.evaluation_sets)
    for name in wanted:
        if name not in background.evaluation_sets:
            raise UsageError(
                f"There is no evaluation set '{name}'.", f"The sets are: {', '.join(background.evaluation_sets)}."
            )
    return {name: background.evaluation_sets[name] for name in wanted}


def _find_contamination(
    rows: Sequence[Row], parameters: Mapping[str, Any], background: Background
) -> Iterator[Finding]:
    index = build_index(_choose_sets(background, parameters["sets"]), parameters)
    requests: dict[str, Best | None] = {}  # many rows share a request, which is looked at once
    for place, row in enumerate(rows):
        if row["messages"] not in requests:
            turns = enumerate(read_turns(row))
            asked = [(f"messages.{turn}", said["content"]) for turn, said in turns if said["role"] == "user"]
            requests[row["messages"]] = _find_best(index, asked)
        answered = _find_best(index, list(list_answers(row)), is_answer=True) if parameters["answers"] else None
        found = [best for best in (requests[row["messages"]], answered) if best is not None]
        if found:
            yield _describe(place, index, max(found, key=_weigh))


def _find_best(index: EvaluationIndex, texts: Sequence[tuple[str, str]], *, is_answer: bool = False) -> Best | None:
    looked = ((field, text, index.find_matches(text, is_answer=is_answer)) for field, text in texts)
    found = [(field, text, matches[0]) for field, text, matches in looked if matches]
    return max(found, key=_weigh, default=None)


def _weigh(best: Best) -> tuple[bool, float]:
    return best[2].is_exact, best[2].score


def _describe(place: int, index: EvaluationIndex, best: Best) -> Finding:
    field, text, match = best
    spans = index.find_spans(match, text)
    what = "Its request" if field.startswith("messages") else "Its answer"
    item = f"item {match.item_id} of the evaluation set '{match.set_name}'"
    if match.is_exact:
        reason = f"{what} is {item}, word by word."
    else:
        longest = max(spans, key=lambda span: span[1] - span[0])
        reason = f"{what} holds {match.score:.0%} of {item}: {quote(text[longest[0] : longest[1]])}."
    evidence = {
        "set": match.set_name,
        "item": match.item_id,
        "score": round(match.score, 4),
        "exact": match.is_exact,
        "field": field,
        "spans": [[*span, "contamination"] for span in spans],
    }
    return Finding(place, reason, evidence)


_DIALS = (
    Parameter(
        "coverage", 0.5, "Share of an item's words above which it counts as contained; at 1 all of them.", 0.1, 1.0
    ),
    Parameter("strict_until", 8, "Items of at most so many words must be contained wholly.", 0, 1000),
    Parameter("relaxed_from", 32, "Items of so many words and more need the coverage only.", 1, 1000),
)
CONTAMINATION = Rule(
    id="contamination",
    version="1",
    title="Contains a test item",
    about=(
        "A request or answer shares runs of 8 words with most of an item of an evaluation set (Tulu 3, Lambert et al. "
        "2024), or a request is a short item word by word: a test on that set would measure memory."
    ),
    find=_find_contamination,
    parameters=(
        *_DIALS,
        Parameter("answers", True, "Look into the answers too; requests are always looked at."),
        Parameter("sets", "", "Names of evaluation sets, with commas between; empty for all."),
    ),
)
RULES = (CONTAMINATION,)
