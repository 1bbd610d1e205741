"""The plans of what comes after training: measuring a model, and having it answer. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pitchpipe.training.plans.dials import about, dial


@dataclass(frozen=True, slots=True)
class EvaluatePlan:
    """Measure a tuned model beside its base on the sealed holdout."""

    run: str = dial("", "The folder of the finished training run to measure.")
    snapshot: str = dial("", "The snapshot folder whose holdout rows are used.")
    name: str = dial("", "What people call this run.")
    against: str = dial("", "Classify: the folder of another classify run to compare with, row by row.")
    checks: dict[str, Any] = field(
        default_factory=dict,
        metadata=about("Format checks: name = regular expression, searched in every answer (multi-line mode)."),
    )
    exact_answers: dict[str, Any] = field(
        default_factory=dict,
        metadata=about(
            "Checks against the reference: name = regular expression of the result; the last one in the answer must be "
            "that of the reference (numbers compared as numbers)."
        ),
    )
    max_prompts: int = dial(0, "Holdout prompts to answer, in id order; 0 takes all.", unit="prompts", low=0)
    max_new_tokens: int = dial(64, "Longest answer.", unit="tokens", low=1, high=32_768)
    max_length: int = dial(1024, "Longest scored row; longer rows are listed, not scored.", unit="tokens", low=8)
    batch_size: int = dial(16, "Rows scored in one pass; the result does not depend on it.", low=1, high=4096)
    generation_batch_size: int = dial(48, "Prompts answered at once.", unit="prompts", low=1, high=4096)
    resamples: int = dial(2000, "Bootstrap resamples behind the intervals.", low=100, high=1_000_000)
    precision: str = dial(
        "auto",
        "Arithmetic; `auto` is fp32 on a CPU (the same text in any batch).",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = dial("auto", "Attention kernel.", choices=("auto", "eager", "sdpa"))
    cache: str = dial("", "Folder of answers already generated; empty generates every time.")
    seed: int = dial(7, "Seed of the bootstrap.", low=0)
    threads: int = dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    kind: str = dial("evaluate", "Always `evaluate`.", choices=("evaluate",))


@dataclass(frozen=True, slots=True)
class GeneratePlan:
    """Answer prompts with a tuned model and its base, for people to review."""

    run: str = dial("", "The folder of the finished training run that answers; not needed where endpoints alone do.")
    snapshot: str = dial("", "The snapshot folder that the prompts come from; not needed with a prompts file.")
    prompts: str = dial(
        "holdout",
        "Which prompts: `holdout` or `train` of the snapshot, or a JSONL file of {example_id, messages}.",
    )
    name: str = dial("", "What people call this run.")
    arms: list[str] = field(
        default_factory=lambda: ["base", "tuned"],
        metadata=about("Who answers, two at most: `base`, `tuned`, or a name under `endpoints`."),
    )
    endpoints: dict[str, Any] = field(
        default_factory=dict,
        metadata=about(
            "Models served elsewhere: name = { url, model, key_variable }; the key itself is stored nowhere."
        ),
    )
    endpoint_parallel: int = dial(4, "Prompts that an endpoint is asked at the same time.", low=1, high=256)
    endpoint_timeout: float = dial(120.0, "Longest wait for one answer of an endpoint.", unit="s", low=0.1, high=3600)
    endpoint_tries: int = dial(
        6, "How often an endpoint is asked before a prompt counts as unanswered.", low=1, high=20
    )
    max_prompts: int = dial(40, "Prompts to answer, in id order; 0 takes all.", unit="prompts", low=0)
    max_new_tokens: int = dial(64, "Longest answer.", unit="tokens", low=1, high=32_768)
    generation_batch_size: int = dial(48, "Prompts answered at once.", unit="prompts", low=1, high=4096)
    precision: str = dial(
        "auto",
        "Arithmetic; `auto` is fp32 on a CPU (the same text in any batch).",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = dial("auto", "Attention kernel.", choices=("auto", "eager", "sdpa"))
    cache: str = dial("", "Folder of answers already generated; empty generates every time.")
    threads: int = dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    kind: str = dial("generate", "Always `generate`.", choices=("generate",))
