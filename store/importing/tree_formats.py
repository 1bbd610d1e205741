"""Open Assistant conversation trees: one example for every prompter message that was answered.

The walk keeps its own stack, so a tree of any depth is read. A deleted, empty or malformed message is reported with the
number of messages that hang below it and go with it; nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pitchpipe.store.importing.rows import RawRow, RowProblem, describe, require
from pitchpipe.store.records import (
    Message,
    ParsedCandidate,
    ParsedJudgement,
    ParsedRow,
    RejectedRow,
    TaskKind,
    Verdict,
)

_RATER = "oasst"
_ANSWERED_BY = {"prompter": "assistant", "assistant": "prompter"}
_TURN_ROLES = {"prompter": "user", "assistant": "assistant"}

Reply = dict[str, Any]


def parse_oasst(line: int, row: RawRow) -> Iterator[ParsedRow | RejectedRow]:
    """Every answered prompter message of a tree: the path as the conversation, its replies as candidates.

    Two or more ranked replies give a judgement of the rater "oasst": a verdict for two, ranks for three and more (0 is
    best, as in the file). A single reply is a demonstration. `tree` keeps a tree's examples on one side of the seal.
    """
    tree_id = require(row, "message_tree_id")
    if not isinstance(tree_id, str) or not tree_id:
        raise RowProblem("message_tree_id", f"should be text but is {describe(tree_id)}")
    metadata = {name: row[name] for name in ("tree_state",) if isinstance(row.get(name), str)}
    root = require(row, "prompt")
    _check_message(root, "prompter", "prompt")
    no_path: tuple[Message, ...] = ()
    waiting = [(root, no_path, "prompt")]
    while waiting:
        message, before, column = waiting.pop()
        path = (*before, Message(_TURN_ROLES[message["role"]], message["text"]))
        kept: list[tuple[Reply, str]] = []
        for index, reply in enumerate(message.get("replies") or ()):
            where = f"{column}.replies[{index}]"
            try:
                _check_message(reply, _ANSWERED_BY[message["role"]], where)
                kept.append((reply, where))
            except RowProblem as problem:
                yield RejectedRow(line, problem.column, problem.reason)
        if kept and message["role"] == "prompter":
            external_id = message.get("message_id") if isinstance(message.get("message_id"), str) else None
            replies = [reply for reply, _ in kept]
            yield _build_example(line, path, replies, external_id, tree_id, metadata)
        waiting.extend((reply, path, where) for reply, where in reversed(kept))


def _check_message(message: Any, role: str, column: str) -> None:
    """Passes a message that can stand in a conversation.

    Raises:
        RowProblem: it is deleted, empty, of the wrong role, or not a message at all.
    """
    if not isinstance(message, dict):
        raise RowProblem(column, f"should be a message but is {describe(message)}")
    reason = _find_fault(message, role)
    if reason is not None:
        below = _count_below(message)
        tail = f", and {below} below it {'goes' if below == 1 else 'go'} with it" if below else ""
        raise RowProblem(column, f"the message {describe(message.get('message_id'))} {reason}{tail}")


def _find_fault(message: Reply, role: str) -> str | None:
    rank, text = message.get("rank"), message.get("text")
    if message.get("deleted") is True:
        return "is deleted"
    if message.get("role") != role:
        return f"should have the role {role} but has {describe(message.get('role'))}"
    if not isinstance(text, str) or not text.strip():
        return "is empty" if text is None or isinstance(text, str) else f"has a text that is {describe(text)}"
    if rank is not None and (not isinstance(rank, int) or isinstance(rank, bool)):
        return f"has a rank that is {describe(rank)}, not a whole number"
    if not isinstance(message.get("replies") or [], list):
        return f"has replies that are {describe(message['replies'])}, not a list"
    return None


def _count_below(message: Reply) -> int:
    count, waiting = 0, [message]
    while waiting:
        replies = waiting.pop().get("replies")
        below = [reply for reply in replies if isinstance(reply, dict)] if isinstance(replies, list) else []
        count += len(below)
        waiting.extend(below)
    return count


def _build_example(
    line: int,
    path: tuple[Message, ...],
    replies: list[Reply],
    external_id: str | None,
    tree_id: str,
    metadata: dict[str, Any],
) -> ParsedRow:
    is_single = len(replies) == 1
    candidates = tuple(
        ParsedCandidate(reply["text"], _read_model(reply), is_demonstration=is_single) for reply in replies
    )
    if is_single:
        kind, judgement = TaskKind.WRITE, None
    else:
        kind, judgement = TaskKind.COMPARE if len(replies) == 2 else TaskKind.RANK, _read_ranking(replies)
    judgements = () if judgement is None else (judgement,)
    return ParsedRow(line, kind, path, candidates, judgements, external_id, tree_id, metadata=dict(metadata))


def _read_model(reply: Reply) -> str | None:
    name = reply.get("model_name")
    return name if isinstance(name, str) and name else None


def _read_ranking(replies: list[Reply]) -> ParsedJudgement | None:
    """The judgement that the ranked replies amount to, None where fewer than two carry a rank.

    >>> _read_ranking([{"rank": 1}, {}, {"rank": 0}])
    ParsedJudgement(rater='oasst', kind=<TaskKind.COMPARE: 'compare'>, value={'verdict': 'b', 'strength': None}, \
candidates=(0, 2), reason='')
    """
    ranked = tuple(index for index, reply in enumerate(replies) if reply.get("rank") is not None)
    ranks = [replies[index]["rank"] for index in ranked]
    if len(ranked) < 2:
        return None
    if len(ranked) == 2:
        verdict = Verdict.TIE if ranks[0] == ranks[1] else Verdict.A if ranks[0] < ranks[1] else Verdict.B
        return ParsedJudgement(_RATER, TaskKind.COMPARE, {"verdict": verdict.value, "strength": None}, ranked)
    places = {rank: place for place, rank in enumerate(sorted(set(ranks)))}
    return ParsedJudgement(_RATER, TaskKind.RANK, {"ranks": [places[rank] for rank in ranks]}, ranked)
