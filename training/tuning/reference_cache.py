"""The reference cache: what the frozen reference thinks of a pair is computed once, in the first pass over the rows.

Later passes take it from memory; and a run with the same rows, reference, batches and arithmetic, as the trials of a
sweep are, takes it from a file. The name of the file is the hash of everything that decides the numbers down to the
last bit, the order of rows included, because a batch rounds by its shape: so a run ends the same whether the file was
there or not, and its first margin stays exactly 0.

The first batch of a run is always computed anew, and a file that says otherwise is thrown away.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_value
from pitchpipe.training.models.embedded_model import cache_folder
from pitchpipe.training.models.loading import choose_precision
from pitchpipe.training.runs.records import environment
from pitchpipe.training.tuning.job import Job

_VERSION = "1"
"""Part of the hash: a change of how the reference is computed makes new files."""
Reference = tuple[torch.Tensor, torch.Tensor]
"""Log-probabilities of the chosen and of the rejected answers, (pairs,) each, in nats."""


def name_references(job: Job) -> Path:
    """The file for the references of a run."""
    plan = job.plan
    facts = {
        "version": _VERSION,
        "rows": hash_value(job.ledger.learned),
        "models": [job.resolved.base_hash, job.resolved.adapter_hash],
        "arithmetic": [choose_precision(plan.precision), plan.attention, plan.checkpointing, torch.get_num_threads()],
        "order": [plan.seed, plan.batch_size, plan.accumulation, plan.layout, plan.hardware],
        "trained": [plan.weights, plan.lora_dropout],
        "overrides": plan.trl_overrides,
        "surroundings": environment(),
    }
    return cache_folder() / "references" / f"{hash_value(facts)}.jsonl"


@dataclass
class ReferenceCache:
    """The references known so far, in memory and in a file."""

    path: Path
    _known: dict[str, tuple[float, float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.path.is_file():
            return
        for line in self.path.read_bytes().split(b"\n")[:-1]:
            try:
                pair, chosen, rejected = json.loads(line)
            except (ValueError, TypeError):  # torn by a crash: computed again
                continue
            self._known.setdefault(pair, (chosen, rejected))

    def find(self, pairs: Sequence[str]) -> Reference | None:
        """The references of a batch, when all of them are known."""
        if not all(pair in self._known for pair in pairs):
            return None
        chosen, rejected = zip(*(self._known[pair] for pair in pairs), strict=True)
        return torch.tensor(chosen), torch.tensor(rejected)

    def check(self, pairs: Sequence[str], reference: Reference) -> None:
        """Forgets everything when it does not agree with a reference just computed."""
        known = self.find(pairs)
        if known and not all(map(torch.equal, known, (part.cpu() for part in reference))):
            self._known.clear()
            self.path.unlink(missing_ok=True)

    def keep(self, pairs: Sequence[str], reference: Reference) -> None:
        """Remembers what was computed; what is known already stays as it is."""
        lines = []
        for pair, chosen, rejected in zip(pairs, *(part.tolist() for part in reference), strict=True):
            if pair not in self._known:
                self._known[pair] = (chosen, rejected)
                lines.append(json.dumps([pair, chosen, rejected]) + "\n")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
        except PermissionError as error:
            raise RunError(
                f"The cache {self.path.parent} cannot be written: {error.strerror}.",
                "Set PITCHPIPE_CACHE to a folder that can be written.",
            ) from error


def name_pairs(inputs: dict[str, Any]) -> list[str]:
    """A name of each pair of a batch, by its token ids and by which of them are answers."""
    sides: list[bytes] = []
    for ids, attended, answered in zip(
        *(inputs[name].cpu() for name in ("input_ids", "attention_mask", "completion_mask")), strict=True
    ):
        real = attended.bool()
        sides.append(ids[real].numpy().tobytes() + b"|" + answered[real].numpy().tobytes())
    half = len(sides) // 2
    pairs = zip(sides[:half], sides[half:], strict=True)
    return [blake2b(b"/".join(pair), digest_size=12).hexdigest() for pair in pairs]
