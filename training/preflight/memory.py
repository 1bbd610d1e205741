"""Memory: an estimate of the peak of a run, from the shape of the model, the dials and the longest batch.

Weights, gradients and Adam's two moments are counted exactly (Rajbhandari et al. 2020, ZeRO, section 3.1,
https://arxiv.org/abs/1910.02054). Activations are counted layer by layer in the manner of Korthikanti et al. 2022
(https://arxiv.org/abs/2205.05198), for blocks with a gated MLP and an adapter beside each matrix; the counts of copies
were fitted to measured peaks (docs/tuning.md has the error). Free of torch.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from pitchpipe.store.errors import RunError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_json

GIGABYTE = 1e9
_LONGEST_HEADER = 100_000_000
_SCORED_AT_ONCE = 1024
"""Tokens whose logits are held at once (`models/fused_head.py`; TRL's own head works in pieces too)."""
_LIBRARIES = {"cpu": 0.78e9, "gpu": 0.8e9}
"""Bytes of Python with torch, transformers and TRL on a CPU, measured; of the CUDA context on a GPU."""
_COPIES_FP32 = 0.85
"""In fp32 no tensor is kept a second time in another type."""
_NOT_ADAPTED = ("embed", "lm_head", "wte", "wpe", "score", "classifier", "norm")
SOURCE = "ZeRO (arXiv 1910.02054) for weights and optimiser, Korthikanti et al. (arXiv 2205.05198) for activations"


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What decides how much room a model takes."""

    parameters: int
    adapter_units: int
    """Inputs plus outputs of all matrices that a LoRA adapter stands beside; times its rank, its parameters."""
    width: int
    layers: int
    heads: int
    key_value_width: int
    inner: int
    """Width of the MLP."""
    vocabulary: int


def read_shape(folder: Path) -> ModelShape:
    """The shape of a model folder, from its config and the headers of its safetensors; no weight is read."""
    config = read_json(folder / "config.json")
    config = config.get("text_config", config)
    sizes = [shape for file in sorted(folder.glob("*.safetensors")) for shape in _read_header(file).items()]
    matrices = [shape for name, shape in sizes if len(shape) == 2 and not any(word in name for word in _NOT_ADAPTED)]
    width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    per_head = int(config.get("head_dim") or width // heads)
    return ModelShape(
        parameters=sum(math.prod(shape) for _, shape in sizes),
        adapter_units=sum(sum(shape) for shape in matrices),
        width=width,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        key_value_width=per_head * int(config.get("num_key_value_heads") or heads),
        inner=int(config.get("intermediate_size") or 4 * width),
        vocabulary=int(config["vocab_size"]),
    )


def _read_header(file: Path) -> dict[str, list[int]]:
    """The shape of each tensor in a safetensors file, by name (its format: 8 bytes of length, then JSON)."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= _LONGEST_HEADER:
            raise RunError(f"{file.name} is no safetensors file.", "Fetch the model again; the file is damaged.")
        try:
            header = json.loads(stream.read(length))
        except ValueError as error:
            raise RunError(f"{file.name} has a broken header: {error}", "Fetch the model again.") from error
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


@dataclass(frozen=True, slots=True)
class Batch:
    """The largest batch of a run."""

    sequences: int
    """Sequences in one forward pass; a pair counts as two."""
    longest: int
    """Tokens that each is padded to."""
    learned: int
    """Tokens with a label, over all sequences."""

    @property
    def tokens(self) -> int:
        return self.sequences * self.longest


def estimate_memory(
    plan: TrainPlan, shape: ModelShape, batch: Batch, precision: str, is_eager: bool, on_gpu: bool
) -> dict[str, int]:
    """Bytes by part, on each device, at the peak of a step."""
    number = 2 if precision == "bf16" else 4
    is_full = plan.weights == "full"
    trained = shape.parameters if is_full else plan.lora_rank * shape.adapter_units
    is_fp32 = is_full or plan.method == "classify"
    weights = shape.parameters * (4 if is_fp32 else number) + (0 if is_full else 4 * trained)
    if is_full and plan.method in ("dpo", "kto"):
        weights += 4 * shape.parameters  # the reference is a copy that stands beside it
    if is_full and number == 2:
        weights += 2 * shape.parameters  # autocast keeps the matrices in bf16 as well
    parts = {
        "weights": weights,
        "gradients": 4 * trained,
        "optimiser": 8 * trained,
        "activations": count_activations(plan, shape, batch, number, is_eager),
        "logits": _count_logits(plan, shape, batch, number),
        "libraries": _LIBRARIES["gpu" if on_gpu else "cpu"],
    }
    return {name: int(size) for name, size in parts.items()}


def count_activations(plan: TrainPlan, shape: ModelShape, batch: Batch, number: int, is_eager: bool) -> float:
    """Bytes that the backward pass finds again; with recomputing, the inputs of all layers and the inside of one."""
    block = 14 * shape.width + 5 * shape.key_value_width + 6.5 * shape.inner
    inside = batch.tokens * block * number * (1.0 if number == 2 else _COPIES_FP32)
    if is_eager:  # the scores of every head and their softmax
        inside += batch.sequences * batch.longest**2 * shape.heads * 8
    between = batch.tokens * shape.width * number
    kept = between * shape.layers + 3 * inside if plan.checkpointing else inside * shape.layers
    return kept + between


def _count_logits(plan: TrainPlan, shape: ModelShape, batch: Batch, number: int) -> float:
    if plan.method in ("reward", "classify"):
        return 0
    at_once = min(batch.learned, _SCORED_AT_ONCE)
    return at_once * shape.vocabulary * (3 * 4 + number) + batch.learned * shape.width * 4
