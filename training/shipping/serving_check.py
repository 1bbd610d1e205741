"""Serving check: whether a server answers as the model that was shipped. Free of torch.

It is asked the golden prompts of the shipped folder, greedily. Another answer means other weights, another chat
template or other settings; a prompt that the server counts with more or fewer tokens means another template even where
the answers agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.training.measuring.endpoints import Endpoint, EndpointClient, Reply
from pitchpipe.training.shipping.golden import GoldenAnswer, read_golden
from pitchpipe.training.shipping.ship_request import read_bundle


def check_server(bundle: Path, endpoint: Endpoint) -> dict[str, Any]:
    """Asks the golden prompts and compares.

    Returns:
        `{"is_same", "asked", "equal", "template": "same" | "different" | "not told", "prompts": [{"prompt", "is_equal",
        "alike", "expected", "answered", "prompt_tokens", "expected_prompt_tokens"}]}`, where `alike` is the number of
        characters from the start that agree.

    Raises:
        RunError: the folder is no shipped model, or the server does not answer.
    """
    manifest = read_bundle(bundle)
    golden, facts = read_golden(bundle)
    with EndpointClient(endpoint) as client:
        replies = [client.ask(answer.messages, facts["max_new_tokens"]) for answer in golden]
    compared = [_compare(answer, reply) for answer, reply in zip(golden, replies, strict=True)]
    counts = [(entry["prompt_tokens"], entry["expected_prompt_tokens"]) for entry in compared if entry["prompt_tokens"]]
    template = "not told" if not counts else "same" if all(one == two for one, two in counts) else "different"
    equal = sum(entry["is_equal"] for entry in compared)
    return {
        "is_same": equal == len(compared) and template != "different",
        "run": manifest["run_id"],
        "model": endpoint.model,
        "asked": len(compared),
        "equal": equal,
        "template": template,
        "prompts": compared,
    }


def _compare(golden: GoldenAnswer, reply: Reply) -> dict[str, Any]:
    pairs = list(zip(golden.answer, reply.text, strict=False))
    alike = next((at for at, (one, two) in enumerate(pairs) if one != two), len(pairs))
    return {
        "prompt": golden.messages[-1]["content"],
        "is_equal": reply.text == golden.answer,
        "alike": alike,
        "expected": golden.answer,
        "answered": reply.text,
        "prompt_tokens": reply.prompt_tokens,
        "expected_prompt_tokens": len(golden.prompt_ids),
    }
