"""What the formats and mappings share: reading turns and texts out of a raw row, and saying what is wrong with one.

A raw row is a plain dict of JSON values. Anything that cannot be read raises `RowProblem`, which the reading loop turns
into a `RejectedRow`; no other exception may come from odd data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pitchpipe.store.records import Message, ParsedRow, RejectedRow

RawRow = dict[str, Any]
ReadResult = ParsedRow | RejectedRow
RowParser = Callable[[int, RawRow], Iterable[ReadResult]]

DATASET_RATER = "dataset"
"""The rater of judgements that a file states without naming anyone."""

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
}


class RowProblem(Exception):
    """A row cannot be read: which column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


def describe(value: Any, length: int = 60) -> str:
    """A value as short text for a message.

    >>> describe("a" * 100, 8)
    "'aaaaaaaa…'"
    """
    if isinstance(value, str):
        return repr(value if len(value) <= length else value[:length] + "…")
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if value is None:
        return "null"
    text = format_value(value)
    return text if len(text) <= length else text[:length] + "…"


def format_value(value: Any) -> str:
    """A raw value as text: null is empty, true and whole floats as JSON users write them, lists and objects as JSON.

    >>> [format_value(value) for value in (None, True, 2.0, 2.5, ["a"])]
    ['', 'true', '2', '2.5', '["a"]']
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _format_int(value)
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _format_int(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python turns into text
        return hex(value)


def list_columns(row: Mapping[str, Any], limit: int = 20) -> str:
    """The names of a row's columns for a message.

    >>> list_columns({"a": 1, "b": 2})
    'a, b'
    """
    names = [str(name) for name in list(row)[:limit]]
    if len(row) > limit:
        names.append(f"and {len(row) - limit} more")
    return ", ".join(names) if names else "no columns"


def require(row: RawRow, column: str) -> Any:
    """The value of a column that must be there.

    Raises:
        RowProblem: the row has no such column; the columns it has are named.
    """
    try:
        return row[column]
    except KeyError:
        raise RowProblem(column, f"is missing; the row has {list_columns(row)}") from None


def require_text(row: RawRow, column: str) -> str:
    """The text of a column that must be there; numbers become text, null and structures are refused."""
    value = require(row, column)
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format_value(value)
    raise RowProblem(column, f"should be text but is {describe(value)}")


def optional_text(row: RawRow, column: str) -> str:
    """The text of a column, empty where it is missing or null."""
    return "" if row.get(column) is None else require_text(row, column)


def optional_name(row: RawRow, column: str) -> str | None:
    """A name such as a model's, None where it is missing, null or blank."""
    return optional_text(row, column).strip() or None


def require_answer(text: str, column: str) -> str:
    """An answer to imitate, which must not be blank."""
    if not text.strip():
        raise RowProblem(column, "the answer is empty")
    return text


def start_conversation(prompt: str, system: str = "", column: str = "prompt") -> tuple[Message, ...]:
    """A conversation of one user turn, behind a system turn where there is one. Blank prompts are refused.

    >>> start_conversation(" hi ")
    (Message(role='user', content='hi'),)
    """
    prompt = prompt.strip()
    if not prompt:
        raise RowProblem(column, "the prompt is empty")
    system = system.strip()
    user = Message("user", prompt)
    return (Message("system", system), user) if system else (user,)


def read_turns(value: Any, column: str) -> tuple[Message, ...]:
    """Turns from a list of `{"role", "content"}` (OpenAI, TRL) or `{"from", "value"}` (ShareGPT).

    >>> read_turns([{"from": "human", "value": "hi"}], "conversations")
    (Message(role='user', content='hi'),)
    """
    if not isinstance(value, list) or not value:
        raise RowProblem(column, f"should be a list of turns but is {describe(value)}")
    return tuple(_read_turn(turn, f"{column}[{index}]") for index, turn in enumerate(value))


def _read_turn(turn: Any, column: str) -> Message:
    if not isinstance(turn, dict):
        raise RowProblem(column, f"should be an object with role and content but is {describe(turn)}")
    name = turn.get("role", turn.get("from"))
    role = _ROLES.get(name.strip().lower()) if isinstance(name, str) else None
    if role is None:
        raise RowProblem(column, f"role {describe(name)} is none of {', '.join(sorted(_ROLES))}")
    content = turn["content"] if "content" in turn else turn.get("value")
    return Message(role, content if isinstance(content, str) else _join_parts(content, column))


def _join_parts(content: Any, column: str) -> str:
    """The text of OpenAI content parts; an image or a tool call has no text and is refused."""
    if not isinstance(content, list) or not content:
        raise RowProblem(column, f"content should be text but is {describe(content)}")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else None
        if not isinstance(text, str):
            raise RowProblem(column, "content has a part that is not text")
        texts.append(text)
    return "".join(texts)


def check_conversation(messages: tuple[Message, ...], column: str) -> tuple[Message, ...]:
    """The same turns, once they are known to be a conversation awaiting an answer: system first only, user last.

    Raises:
        RowProblem: there is no turn, the last is not the user's or is blank, or a system turn stands later.
    """
    if not messages or messages[-1].role != "user":
        last = f"the last turn is the {messages[-1].role}'s" if messages else "there is no turn"
        raise RowProblem(column, f"a conversation before an answer must end with a user turn; {last}")
    if not messages[-1].content.strip():
        raise RowProblem(column, "the last user turn is empty")
    if any(message.role == "system" for message in messages[1:]):
        raise RowProblem(column, "a system turn may only come first")
    return messages


def split_last_answer(turns: tuple[Message, ...], column: str) -> tuple[tuple[Message, ...], str | None, int]:
    """The conversation before the last assistant turn, that answer, and how many turns come after it.

    Without an assistant turn the whole conversation awaits an answer and the answer is None.
    """
    for index in range(len(turns) - 1, -1, -1):
        if turns[index].role == "assistant":
            before = check_conversation(turns[:index], column)
            return before, require_answer(turns[index].content, f"{column}[{index}]"), len(turns) - 1 - index
    return check_conversation(turns, column), None, 0
