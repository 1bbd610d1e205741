"""Tuning against plain TRL: the same model, rows and token ids, LoRA of the same rank, one pass over the rows.

    python -m tests.benchmarks sft-speed
    python -m tests.benchmarks dpo-speed

Plain is TRL with its defaults made to run on a CPU (`use_cpu=True`): batches of 8 in random order, bf16 autocast over
fp32 weights, SDPA, gradient checkpointing. Tuned is a run folder of ours with its defaults. Both get token ids made
beforehand, so tokenizing is in neither. Tokens are real ones (prompt and answer of every row; padding counts for
nothing; a pair counts its prompt twice, on either side). Each measurement is a process of its own; sides alternate, and
pairs of neighbours are compared. `exact` compares losses step by step, where both sides compute in fp32 on the same
rows in the same order.

Rows come from PITCHPIPE_TEST_DATA (default ../shared/data): dolly_hhrlhf_1000.jsonl, rows of up to 512 tokens, drawn by
a fixed seed. It has no pairs, so a pair's rejected answer is the answer of the row drawn next.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROUNDS = 2
ROWS = {"sft": 160, "dpo": 64}
LONGEST = 512
DATA = Path(os.environ.get("PITCHPIPE_TEST_DATA", "../shared/data")) / "dolly_hhrlhf_1000.jsonl"


def measure_sft() -> dict[str, Any]:
    """Instruction tuning, ours against plain."""
    return _compare("sft")


def measure_dpo() -> dict[str, Any]:
    """Preference tuning, ours against plain."""
    return _compare("dpo")


def _compare(method: str) -> dict[str, Any]:
    sides: dict[str, list[dict[str, Any]]] = {"plain": [], "tuned": []}
    for _ in range(ROUNDS):
        for side, found in sides.items():
            found.append(run_side(method, side))
    ratios = {
        clock: [
            round(ours[clock] / theirs[clock], 2) for theirs, ours in zip(sides["plain"], sides["tuned"], strict=True)
        ]
        for clock in ("tokens_per_processor_second", "tokens_per_second")
    }
    return {
        "rows": ROWS[method],
        "times_as_fast": ratios,
        "plain": [_without_losses(found) for found in sides["plain"]],
        "tuned": [_without_losses(found) for found in sides["tuned"]],
        "exact": _compare_losses(method),
    }


def _without_losses(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "losses"}


def _compare_losses(method: str) -> dict[str, Any]:
    """Largest difference of a step's loss, where both compute in fp32 on the same order of rows."""
    plain, ours = (run_side(method, side, exact=True, rows=32) for side in ("plain", "tuned"))
    gaps = [abs(one - other) for one, other in zip(plain["losses"], ours["losses"], strict=True)]
    return {
        "steps": len(gaps),
        "largest_loss": max(plain["losses"]),
        "largest_difference": max(gaps),
        "times_as_fast": round(ours["tokens_per_processor_second"] / plain["tokens_per_processor_second"], 2),
    }


def run_side(method: str, side: str, exact: bool = False, rows: int = 0, **dials: Any) -> dict[str, Any]:
    """Measures one side in a process of its own."""
    request = {"method": method, "side": side, "exact": exact, "rows": rows or ROWS[method], "dials": dials}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.tuning_speed", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "TRANSFORMERS_VERBOSITY": "error"},
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def read_texts(count: int) -> list[tuple[str, str]]:
    """Prompts and answers that fit, drawn by a fixed seed."""
    from pitchpipe.training.models.loading import load_tokenizer, resolve_model
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

    encoder = ChatEncoder(load_tokenizer(resolve_model("embedded").folder))
    lines = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    random.Random(1).shuffle(lines)
    kept: list[tuple[str, str]] = []
    for line in lines:
        prompt = [{"role": "user", "content": line["prompt"]}]
        if len(encoder.prompt(prompt)) + len(encoder.answer(line["response"])) <= LONGEST // 2 + LONGEST // 4:
            kept.append((line["prompt"], line["response"]))
        if len(kept) == count:
            break
    return kept


def write_rows(method: str, count: int, folder: Path) -> Path:
    """A snapshot of the drawn rows."""
    from tests.training.snapshots import answer_row, pair_row, write_snapshot

    texts = read_texts(count + 1)
    rows = []
    for number, ((prompt, answer), (_, other)) in enumerate(zip(texts, texts[1:], strict=False)):
        if method == "sft":
            rows.append(answer_row(number, prompt, answer))
        else:
            rows.append(pair_row(number, prompt, answer, other))
    return write_snapshot(folder, rows)


if __name__ == "__main__":
    from tests.benchmarks.tuning_sides import work

    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(work(json.loads(sys.argv[1]), Path(scratch))) + "\n")
