"""Samples: answers to a few fixed prompts as a run goes on, in samples.jsonl. Free of torch until it answers.

A line is {step, row_id, prompt, answer, finished, tokens}; step 0 is the model before training. A continued run
repeats steps, so of two lines for one step and row the later one counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

SAMPLES = "samples.jsonl"
_AT_ONCE = 32


def answer_samples(
    model: Any, encoder: ChatEncoder, rows: list[dict[str, Any]], step: int, max_new_tokens: int
) -> list[dict[str, Any]]:
    """The greedy answer to the prompt of each row, as lines of samples.jsonl; `rows` have row_id and prompt."""
    from pitchpipe.training.measuring.generation import generate_answers

    if not rows:
        return []
    prompts = [encoder.prompt(row["prompt"]) for row in rows]
    answers = generate_answers(model, encoder, prompts, max_new_tokens, _AT_ONCE)
    return [
        {
            "step": step,
            "row_id": row["row_id"],
            "prompt": row["prompt"],
            "answer": answer.text,
            "finished": answer.finished,
            "tokens": answer.tokens,
        }
        for row, answer in zip(rows, answers, strict=True)
    ]


def append_samples(folder: Path, lines: list[dict[str, Any]]) -> None:
    """Adds lines to samples.jsonl, after the last whole line that is there."""
    path = folder / SAMPLES
    known = path.read_bytes() if path.is_file() else b""
    with path.open("r+b" if known else "wb") as file:
        file.truncate(known.rfind(b"\n") + 1)
        file.seek(0, 2)
        file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8", "replace"))


def read_samples(folder: Path) -> list[dict[str, Any]]:
    """Every sample of a run in order of step and row; a line still being written is left for next time."""
    path = folder / SAMPLES
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for line in path.read_bytes().split(b"\n")[:-1] if path.is_file() else []:
        try:
            sample = json.loads(line)
            found[sample.get("step", 0), sample["row_id"]] = {"step": 0, "finished": True, **sample}
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
    return [found[key] for key in sorted(found)]


def describe_samples(lines: list[dict[str, Any]]) -> dict[str, float]:
    """What the answers of one step add up to, as metrics.

    >>> describe_samples([{"finished": True, "tokens": 4}, {"finished": False, "tokens": 8}])
    {'stop_rate': 0.5, 'answer_tokens': 6.0}
    """
    if not lines:
        return {}
    count = len(lines)
    finished, tokens = sum(line["finished"] for line in lines), sum(line["tokens"] for line in lines)
    return {"stop_rate": finished / count, "answer_tokens": tokens / count}
