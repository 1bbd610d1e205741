"""Renders chat templates in a process apart, with limits: a template comes with a model, and a model comes from anyone.

jinja's sandbox keeps a template from Python's insides, not from looping for ever or from filling the memory. So a
template runs in a child that may use a few seconds of the processor and some memory, and can open no file, start no
program and write nothing but its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from pitchpipe.prompts.chat_templates import render_chat
from pitchpipe.prompts.library import PromptError

PROCESSOR_SECONDS = 2
"""Of the child, its start included, which takes a tenth of a second."""
_WALL_SECONDS = 120
_MEMORY = 1 << 30
_LONGEST = 1 << 20
"""Characters of one rendered conversation."""
_ADVICE = "Use a model whose chat template only writes the conversation; this one may be meant to do harm."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A conversation to render: turns with role and content; `is_open` ends it where the answer would begin."""

    messages: Sequence[Mapping[str, str]]
    is_open: bool


def render_apart(template: str, tokens: Mapping[str, str], wanted: Sequence[Wanted]) -> list[str]:
    """The conversations as a model reads them, in their order.

    Raises:
        PromptError: the template refuses a conversation, reaches for what it may not, or uses too much time or memory.
    """
    asked = {"template": template, "tokens": dict(tokens), "wanted": [asdict(one) for one in wanted]}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pitchpipe.prompts.rendering_apart"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=_WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PromptError(f"The chat template was not done after {_WALL_SECONDS} seconds.", _ADVICE) from None
    if done.returncode < 0:  # the kernel ends a process that used up its time
        raise PromptError(f"The chat template ran for more than {PROCESSOR_SECONDS} seconds of the processor.", _ADVICE)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
        raise PromptError(f"The chat template could not be rendered: {last}", _ADVICE)
    answer = json.loads(done.stdout)
    if "happened" in answer:
        raise PromptError(answer["happened"], answer["advice"])
    texts: list[str] = answer["texts"]
    return texts


def _limit() -> None:
    """Takes from this process what a template needs not; everything that rendering imports is loaded by now."""
    import resource

    for kind, most in (
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (most, most))


def _answer(asked: dict[str, object]) -> dict[str, object]:
    template, tokens, wanted = asked["template"], asked["tokens"], asked["wanted"]
    texts: list[str] = []
    try:
        for one in wanted:  # type: ignore[attr-defined]
            text = render_chat(template, one["messages"], tokens, one["is_open"])  # type: ignore[arg-type]
            if len(text) > _LONGEST:
                raise PromptError(f"The chat template writes {len(text)} characters around a short text.", _ADVICE)
            texts.append(text)
    except PromptError as error:
        return {"happened": error.happened, "advice": error.advice}
    except (MemoryError, RecursionError, OverflowError) as error:
        limit = {MemoryError: "memory", RecursionError: "depth"}.get(type(error), "numbers")
        return {"happened": f"The chat template uses more {limit} than it may.", "advice": _ADVICE}
    return {"texts": texts}


def main() -> None:
    """Reads what to render from the standard input and writes the texts, or why there are none."""
    asked = json.loads(sys.stdin.buffer.read())
    with suppress(PromptError):  # whatever an error loads is loaded now
        render_chat("{{ messages | tojson }}{{ 'a' | wordwrap }}{{ raise_exception('') }}", [], {})
    _limit()
    sys.stdout.write(json.dumps(_answer(asked)))


if __name__ == "__main__":
    main()
