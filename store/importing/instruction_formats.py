"""Instruction data: Alpaca, ShareGPT, OpenAI messages, TRL prompt-completion and KTO rows.

Each parser takes a raw row and gives one `ParsedRow`; what it cannot read raises `RowProblem`. An answer to imitate is
a demonstration (kind `write`); a conversation without an answer is imported as one that awaits it.
"""

from __future__ import annotations

from typing import Any

from pitchpipe.store.importing.rows import (
    DATASET_RATER,
    RawRow,
    RowProblem,
    check_conversation,
    describe,
    optional_name,
    optional_text,
    read_turns,
    require,
    require_answer,
    require_text,
    split_last_answer,
    start_conversation,
)
from pitchpipe.store.records import Message, ParsedCandidate, ParsedJudgement, ParsedRow, TaskKind

_LIKED, _DISLIKED = 4, 0
_LABELS = {"true": True, "1": True, "false": False, "0": False}


def demonstrate(
    line: int, messages: tuple[Message, ...], answer: str | None, row: RawRow, turns_after: int = 0
) -> tuple[ParsedRow]:
    """One example whose answer, if there is one, is to be imitated. Turns cut off behind it are counted, not hidden."""
    candidates = (
        () if answer is None else (ParsedCandidate(answer, optional_name(row, "model"), is_demonstration=True),)
    )
    metadata = {"turns_after_answer": turns_after} if turns_after else {}
    parsed = ParsedRow(line, TaskKind.WRITE, messages, candidates, metadata=metadata)
    return (parsed,)


def parse_alpaca(line: int, row: RawRow) -> tuple[ParsedRow]:
    """`{"instruction", "input", "output"}`, with an optional `system`; a blank input leaves no tail on the prompt.

    >>> parse_alpaca(1, {"instruction": "Add.", "input": "1+1", "output": "2"})[0].messages[0].content
    'Add.\\n\\n1+1'
    """
    instruction, extra = require_text(row, "instruction"), optional_text(row, "input")
    prompt = f"{instruction}\n\n{extra}" if extra.strip() else instruction
    messages = start_conversation(prompt, optional_text(row, "system"), "instruction")
    return demonstrate(line, messages, require_answer(require_text(row, "output"), "output"), row)


def parse_sharegpt(line: int, row: RawRow) -> tuple[ParsedRow]:
    """`{"conversations": [{"from": "human", "value": …}, {"from": "gpt", …}]}`: the last answer is to be imitated."""
    column = "conversations" if "conversations" in row or "conversation" not in row else "conversation"
    return _parse_turns(line, row, column)


def parse_openai(line: int, row: RawRow) -> tuple[ParsedRow]:
    """`{"messages": [{"role", "content"}, …]}`: the last assistant turn is the demonstration.

    Earlier assistant turns stay in the conversation; turns behind the last one are cut and counted in the metadata.
    """
    return _parse_turns(line, row, "messages")


def _parse_turns(line: int, row: RawRow, column: str) -> tuple[ParsedRow]:
    turns = read_turns(require(row, column), column)
    system = optional_text(row, "system").strip()
    if system and turns[0].role != "system":
        turns = (Message("system", system), *turns)
    messages, answer, turns_after = split_last_answer(turns, column)
    return demonstrate(line, messages, answer, row, turns_after)


def read_prompt(row: RawRow, column: str = "prompt") -> tuple[Message, ...]:
    """A TRL prompt, a text or a list of turns, as a conversation that awaits an answer."""
    value = require(row, column)
    if isinstance(value, list):
        return check_conversation(read_turns(value, column), column)
    return start_conversation(require_text(row, column), optional_text(row, "system"), column)


def read_completion(value: Any, column: str, messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], str]:
    """A TRL completion, a text or turns of which the last is the answer, with the conversation that precedes it."""
    if isinstance(value, str):
        return messages, value
    turns = read_turns(value, column)
    if turns[-1].role != "assistant":
        raise RowProblem(column, f"should end with an assistant turn but ends with the {turns[-1].role}'s")
    before = (*messages, *turns[:-1])
    return (check_conversation(before, column) if len(turns) > 1 else messages), turns[-1].content


def parse_prompt_completion(line: int, row: RawRow) -> tuple[ParsedRow]:
    """TRL `{"prompt", "completion"}`, both texts or both lists of turns."""
    messages, answer = read_completion(require(row, "completion"), "completion", read_prompt(row))
    return demonstrate(line, messages, require_answer(answer, "completion"), row)


def parse_kto(line: int, row: RawRow) -> tuple[ParsedRow]:
    """TRL KTO `{"prompt", "completion", "label": true}`: an answer that someone liked or did not.

    It becomes a rate example whose rater ("dataset", or the row's `rater`) gave helpfulness 4 for true and 0 for false,
    the ends of the 0-4 scale, because a KTO label says nothing finer.

    >>> parse_kto(1, {"prompt": "hi", "completion": "no", "label": False})[0].judgements[0].value
    {'helpfulness': 0}
    """
    messages, answer = read_completion(require(row, "completion"), "completion", read_prompt(row))
    label = require(row, "label")
    liked = label if isinstance(label, bool) else _LABELS.get(str(label).strip().lower())
    if liked is None:
        raise RowProblem("label", f"should be true or false but is {describe(label)}")
    rater = optional_name(row, "rater") or DATASET_RATER
    value = {"helpfulness": _LIKED if liked else _DISLIKED}
    candidate = ParsedCandidate(answer, optional_name(row, "model"))
    judgement = ParsedJudgement(rater, TaskKind.RATE, value, (0,))
    return (ParsedRow(line, TaskKind.RATE, messages, (candidate,), (judgement,)),)
