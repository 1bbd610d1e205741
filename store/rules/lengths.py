"""Length in the tokens of the model that is to be tuned: conversations beyond its window, answers that say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.reading import list_answers, list_taught, read_turns
from pitchpipe.store.rules.rule import Background, Conversation, Finding, Parameter, Row, Rule

_ASKED = ("user", "a")


def _find_long(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    limit = parameters["most_tokens"]
    chats = [(place, field, chat) for place, row in enumerate(rows) for field, chat in _list_chats(row)]
    lengths = _count(background, "too_long", [chat for _, _, chat in chats])
    worst: dict[int, tuple[int, str]] = {}
    for (place, field, _), length in zip(chats, lengths, strict=True):
        worst[place] = max(worst.get(place, (0, "")), (length, field))
    for place, (length, field) in worst.items():
        if length > limit:
            reason = f"{length:,} tokens with the model's template; the limit is {limit:,}"
            yield Finding(place, reason, {"field": field, "score": length})


def _find_short(rows: Sequence[Row], parameters: Mapping[str, Any], background: Background) -> Iterator[Finding]:
    limit = parameters["fewest_tokens"]
    answers = [(place, field, text) for place, row in enumerate(rows) for field, text in list_taught(row)]
    # What the template and a request take is no part of the answer: the same with an empty answer is taken off.
    lengths = _count(background, "too_short", [(_ASKED, ("assistant", text)) for _, _, text in answers])
    blank = _count(background, "too_short", [(_ASKED, ("assistant", ""))])[0]
    told: set[int] = set()
    for (place, field, _), length in zip(answers, lengths, strict=True):
        if length - blank < limit and place not in told:
            told.add(place)
            reason = f"{length - blank} tokens in the answer; at least {limit} are wanted"
            yield Finding(place, reason, {"field": field, "score": length - blank})


def _list_chats(row: Row) -> Iterator[tuple[str, Conversation]]:
    """Each conversation that training would see, whole; of a row without an answer its request."""
    asked = tuple((turn["role"], turn["content"]) for turn in read_turns(row))
    answers = [(field, (*asked, ("assistant", text))) for field, text in list_answers(row)]
    yield from answers or [("messages", asked)]


def _count(background: Background, rule: str, chats: Sequence[Conversation]) -> list[int]:
    if background.count_tokens is None:
        raise UsageError(
            f"The rule '{rule}' counts tokens, and no model was named whose tokens count.",
            "Name one: with --model embedded (or a folder), as the recipe's token_model, or under 'Model whose tokens "
            "count' on the Data page.",
        )
    return background.count_tokens(chats)


TOO_LONG = Rule(
    id="too_long",
    version="1",
    title="Too long",
    about="A conversation that has more tokens, chat template included, than training will take, so that it would be "
    "cut off or left out. Needs a model.",
    find=_find_long,
    parameters=(Parameter("most_tokens", 2048, "Tokens of request, answer and template together.", 8, 1_000_000),),
)
TOO_SHORT = Rule(
    id="too_short",
    version="1",
    title="Too short",
    about="An answer with fewer tokens than wanted. A short answer may be the right one: look before you drop. Needs a "
    "model. Of a pair the winner counts.",
    find=_find_short,
    parameters=(Parameter("fewest_tokens", 3, "Tokens of the answer alone.", 1, 1_000_000),),
    actions=("mark", "drop"),
)
