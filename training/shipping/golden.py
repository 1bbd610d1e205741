"""Golden prompts: a few fixed conversations whose token ids and greedy answers travel with a shipped model.

Whoever serves the model can ask them again: other ids mean another chat template, another answer means other weights
or other settings. The prompts are written for this purpose; nothing that people typed travels along. Free of torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.runs.run_folders import read_json, write_json

GOLDEN = "golden.json"
PROMPTS: tuple[list[dict[str, str]], ...] = (
    [{"role": "user", "content": "Which day comes after Tuesday?"}],
    [{"role": "user", "content": "Name three colours.\nOne on each line, please."}],
    [{"role": "user", "content": "Was kostet ein Brief nach Zürich? – Antworte kurz."}],
    [{"role": "user", "content": "  Add 17 and 25, then 1,000.  "}],
    [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hello. What can I do for you?"},
        {"role": "user", "content": "Tell me where you are from 🙂"},
    ],
)


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """A golden prompt with what the model made of it."""

    messages: list[dict[str, str]]
    prompt_ids: list[int]
    answer: str
    answer_ids: list[int]
    """The ids of the greedy answer, its end of turn included when it came."""
    finished: bool


def write_golden(folder: Path, answers: list[GoldenAnswer], template_hash: str, max_new_tokens: int) -> None:
    """Writes golden.json into a shipped model."""
    prompts = [asdict(answer) for answer in answers]
    document = {"chat_template_hash": template_hash, "max_new_tokens": max_new_tokens, "prompts": prompts}
    write_json(folder / GOLDEN, document)


def read_golden(folder: Path) -> tuple[list[GoldenAnswer], dict[str, Any]]:
    """The golden answers of a shipped model, and what else stands in golden.json."""
    document = read_json(folder / GOLDEN)
    if not document:
        raise RunError(f"'{folder}' has no {GOLDEN}.", "Ship the run again with `pitchpipe ship RUN`.")
    return [GoldenAnswer(**entry) for entry in document.pop("prompts")], document
