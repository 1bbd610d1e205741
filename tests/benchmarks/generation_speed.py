"""Generation against `generate()` of transformers, one prompt at a time: same model in fp32, same prompts, greedy.

    python -m tests.benchmarks generation

Each side is a process of its own; sides alternate. Prompts are those of `tuning_speed.py`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

from tests.benchmarks.tuning_speed import read_texts

ROUNDS = 2
PROMPTS, NEW_TOKENS = 48, 48


def measure(prompts: int = PROMPTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Generated tokens a second of both sides, and in how many answers they differ."""
    sides: dict[str, list[dict[str, Any]]] = {"one_at_a_time": [], "ours": []}
    for _ in range(rounds):
        for side, found in sides.items():
            found.append(_run_side(side, prompts))
    pairs = list(zip(sides["one_at_a_time"], sides["ours"], strict=True))
    texts = [found.pop("texts") for found in (sides["one_at_a_time"] + sides["ours"])]
    return {
        "prompts": prompts,
        "times_as_fast": {
            clock: [round(ours[clock] / theirs[clock], 2) for theirs, ours in pairs]
            for clock in ("tokens_per_processor_second", "tokens_per_second")
        },
        "answers_that_differ": sum(one != other for one, other in zip(texts[0], texts[-1], strict=True)),
        **sides,
    }


def _run_side(side: str, prompts: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.generation_speed", side, str(prompts)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "TRANSFORMERS_VERBOSITY": "error"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def work(side: str, count: int) -> dict[str, Any]:
    """Answers the prompts as one side does."""
    import torch
    from transformers import AutoModelForCausalLM

    from pitchpipe.training.measuring.generation import generate_answers, stop_tokens
    from pitchpipe.training.models.loading import load_model, load_tokenizer, resolve_model
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

    resolved = resolve_model("embedded")
    encoder = ChatEncoder(load_tokenizer(resolved.folder))
    prompts = [encoder.prompt([{"role": "user", "content": prompt}]) for prompt, _ in read_texts(count)]
    if side == "ours":
        model: Any = load_model(resolved, "fp32", "auto")
    else:
        model = AutoModelForCausalLM.from_pretrained(resolved.folder, dtype=torch.float32)
    stops = sorted(stop_tokens(model, encoder))
    processor, clock = time.process_time(), time.perf_counter()
    if side == "ours":
        answers = generate_answers(model, encoder, prompts, NEW_TOKENS, batch_size=48)
        tokens, texts = sum(answer.tokens for answer in answers), [answer.text for answer in answers]
    else:
        tokens, texts = 0, []
        for prompt in prompts:
            ids = torch.tensor([prompt])
            mask = torch.ones_like(ids)
            said = model.generate(
                ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=stops
            )[0, len(prompt) :]
            tokens += len(said)
            texts.append(encoder.tokenizer.decode(said, skip_special_tokens=True).strip())
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    return {
        "tokens": tokens,
        "processor_seconds": round(processor, 1),
        "clock_seconds": round(clock, 1),
        "tokens_per_processor_second": round(tokens / processor, 1),
        "tokens_per_second": round(tokens / clock, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "texts": texts,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(work(sys.argv[1], int(sys.argv[2]))) + "\n")
