"""Preference data: TRL preference rows (explicit and implicit prompt) and hh-rlhf transcripts.

The chosen answer is always candidate 0 and the verdict "a"; which side a person sees is decided later, at random.
"""

from __future__ import annotations

import re

from pitchpipe.store.importing.instruction_formats import read_completion, read_prompt
from pitchpipe.store.importing.rows import (
    DATASET_RATER,
    RawRow,
    RowProblem,
    check_conversation,
    optional_name,
    read_turns,
    require,
    require_text,
    start_conversation,
)
from pitchpipe.store.records import Message, ParsedCandidate, ParsedJudgement, ParsedRow, TaskKind, Verdict

_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_SPEAKER_ROLES = {"Human": "user", "Assistant": "assistant"}


def parse_preference(line: int, row: RawRow) -> tuple[ParsedRow]:
    """TRL `{"prompt", "chosen", "rejected"}`, or `{"chosen", "rejected"}` whose common beginning is the prompt.

    >>> parsed = parse_preference(1, {"prompt": "hi", "chosen": "Hello.", "rejected": "What?"})[0]
    >>> [candidate.text for candidate in parsed.candidates], parsed.judgements[0].value
    (['Hello.', 'What?'], {'verdict': 'a', 'strength': None})
    """
    chosen, rejected = require(row, "chosen"), require(row, "rejected")
    if row.get("prompt") is None:
        return _parse_implicit(line, row)
    prompt = read_prompt(row)
    if isinstance(row["prompt"], str) and isinstance(chosen, list) and isinstance(rejected, list):
        return _parse_implicit(line, row) if _repeats_prompt(chosen) else _parse_explicit(line, row, prompt)
    return _parse_explicit(line, row, prompt)


def _repeats_prompt(chosen: list[object]) -> bool:
    """Whether the answers are whole conversations that hold the prompt already, as UltraFeedback's are."""
    return len(chosen) > 1


def _parse_explicit(line: int, row: RawRow, prompt: tuple[Message, ...]) -> tuple[ParsedRow]:
    before_chosen, chosen = read_completion(row["chosen"], "chosen", prompt)
    before_rejected, rejected = read_completion(row["rejected"], "rejected", prompt)
    if before_chosen != before_rejected:
        raise RowProblem("rejected", "chosen and rejected part before their last answer; only that may differ")
    return compare(line, row, before_chosen, chosen, rejected)


def _parse_implicit(line: int, row: RawRow) -> tuple[ParsedRow]:
    if isinstance(row["chosen"], str):
        chosen, rejected = row["chosen"], require_text(row, "rejected")
        cut = _find_cut(chosen, rejected)
        messages = start_conversation(chosen[:cut], column="chosen")
        return compare(line, row, messages, chosen[cut:].lstrip(), rejected[cut:].lstrip())
    chosen_turns = read_turns(row["chosen"], "chosen")
    return _parse_transcripts(line, row, chosen_turns, read_turns(row["rejected"], "rejected"))


def _find_cut(chosen: str, rejected: str) -> int:
    """Where two texts part, moved back to the start of a word so that no answer begins in the middle of one."""
    common = next(
        (index for index, (one, other) in enumerate(zip(chosen, rejected, strict=False)) if one != other),
        min(len(chosen), len(rejected)),
    )
    while common > 0 and not chosen[common - 1].isspace():
        common -= 1
    return common


def _parse_transcripts(
    line: int, row: RawRow, chosen: tuple[Message, ...], rejected: tuple[Message, ...]
) -> tuple[ParsedRow]:
    """Two conversations that differ in the last assistant turn alone."""
    for turns, column in ((chosen, "chosen"), (rejected, "rejected")):
        if turns[-1].role != "assistant":
            raise RowProblem(column, f"should end with an assistant turn but ends with the {turns[-1].role}'s")
    if chosen[:-1] != rejected[:-1]:
        raise RowProblem("rejected", "chosen and rejected part before their last answer; only that may differ")
    messages = check_conversation(chosen[:-1], "chosen")
    return compare(line, row, messages, chosen[-1].content, rejected[-1].content)


def parse_hh_rlhf(line: int, row: RawRow) -> tuple[ParsedRow]:
    r"""Anthropic's hh-rlhf: two transcripts "\n\nHuman: … \n\nAssistant: …" that share all but the last answer.

    >>> texts = {"chosen": "\n\nHuman: hi\n\nAssistant: Hello.", "rejected": "\n\nHuman: hi\n\nAssistant: What?"}
    >>> parse_hh_rlhf(1, texts)[0].messages
    (Message(role='user', content='hi'),)
    """
    chosen = _read_transcript(require_text(row, "chosen"), "chosen")
    return _parse_transcripts(line, row, chosen, _read_transcript(require_text(row, "rejected"), "rejected"))


def _read_transcript(text: str, column: str) -> tuple[Message, ...]:
    pieces = _SPEAKER.split("\n\n" + text.lstrip())
    if len(pieces) < 3 or pieces[0].strip():
        raise RowProblem(column, r'should be a transcript of "\n\nHuman:" and "\n\nAssistant:" turns')
    speakers, texts = pieces[1::2], pieces[2::2]
    return tuple(Message(_SPEAKER_ROLES[speaker], text.strip()) for speaker, text in zip(speakers, texts, strict=True))


def compare(line: int, row: RawRow, messages: tuple[Message, ...], chosen: str, rejected: str) -> tuple[ParsedRow]:
    """One pair with the verdict "a" of the row's rater; a model's empty answer is kept, for it is what was judged."""
    candidates = (
        ParsedCandidate(chosen, optional_name(row, "chosen_model")),
        ParsedCandidate(rejected, optional_name(row, "rejected_model")),
    )
    rater = optional_name(row, "rater") or DATASET_RATER
    value = {"verdict": Verdict.A.value, "strength": None}
    judgement = ParsedJudgement(rater, TaskKind.COMPARE, value, (0, 1))
    return (ParsedRow(line, TaskKind.COMPARE, messages, candidates, (judgement,)),)
