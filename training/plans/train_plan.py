"""The plan of a training run: what it learns from, how, and what it keeps. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pitchpipe.training.plans.dials import about, dial

METHODS = ("sft", "dpo", "kto", "reward", "rloo", "grpo", "classify")


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """Tune a model on a snapshot."""

    method: str = dial(
        "sft",
        "How to tune: instruction tuning (sft), preference tuning on pairs (dpo) or on thumbs (kto), a reward model "
        "(reward), refinement against one or against checks (rloo, grpo), or classic task fine-tuning (classify).",
        choices=METHODS,
    )
    snapshot: str = dial("", "The snapshot folder to learn from.")
    model: str = dial(
        "embedded",
        "The model to start from: `embedded`, a Hugging Face model id, a local folder, or the folder of a finished "
        "training run (its adapter is then trained further, or all of its weights where it trained those).",
    )
    name: str = dial("", "What people call this run.")
    epochs: float = dial(2.0, "How often every row is seen.", unit="passes", low=0.01, high=100)
    max_steps: int = dial(0, "Stop after so many optimiser steps; 0 leaves it to `epochs`.", unit="steps", low=0)
    max_rows: int = dial(0, "Learn from the first so many rows in id order; 0 takes all.", unit="rows", low=0)
    batch_size: int = dial(8, "Rows in one forward pass on each device.", unit="rows", low=1, high=1024)
    accumulation: int = dial(1, "Forward passes that make one optimiser step.", unit="passes", low=1, high=1024)
    learning_rate: float = dial(
        2e-4, "Peak learning rate; all weights want about a tenth of an adapter's.", low=0.0, high=1.0
    )
    schedule: str = dial(
        "cosine", "How the rate falls after warming up.", choices=("constant_with_warmup", "linear", "cosine")
    )
    warmup: float = dial(0.05, "Share of the steps that warm up.", unit="share", low=0.0, high=0.99)
    weights: str = dial(
        "lora",
        "What is trained: a LoRA adapter beside the frozen model, or all of its weights.",
        choices=("lora", "full"),
    )
    lora_rank: int = dial(16, "Rank of the LoRA adapter.", low=1, high=512)
    lora_alpha: int = dial(32, "Scale of the LoRA adapter (alpha / rank multiplies its output).", low=1, high=4096)
    lora_dropout: float = dial(0.0, "Dropout before the adapter.", unit="share", low=0.0, high=0.9)
    max_length: int = dial(512, "Longest row, prompt and answer together.", unit="tokens", low=8, high=1_000_000)
    over_length: str = dial(
        "drop",
        "What happens to a longer row: leave it out, cut its end (it then never learns to stop), or refuse to start.",
        choices=("drop", "truncate", "fail"),
    )
    layout: str = dial(
        "grouped",
        "How rows fill a batch: at random, beside rows of about their length (little is padding), or packed end to end "
        "without seeing each other (sft only).",
        choices=("shuffled", "grouped", "packed"),
    )
    precision: str = dial(
        "auto",
        "Arithmetic; `auto` is bf16 where the processor has it.",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = dial(
        "auto", "Attention kernel; `auto` is eager on a CPU, sdpa on a GPU.", choices=("auto", "eager", "sdpa")
    )
    checkpointing: bool = dial(False, "Recompute activations to save memory, at a fifth of the speed.")
    checkpoint_every: int = dial(
        0, "Steps between checkpoints that a stopped run resumes from; 0 keeps none.", unit="steps", low=0
    )
    dev_share: float = dial(
        0.0,
        "Share of the training groups that is held back to choose by (the holdout stays sealed); 0 holds back none.",
        unit="share",
        low=0.0,
        high=0.5,
    )
    measure_every: int = dial(
        0, "Steps between measurements of the held back rows and sample answers; 0 measures none.", unit="steps", low=0
    )
    patience: int = dial(
        0, "Stop when so many measurements in a row were no better than the best; 0 never.", unit="measurements", low=0
    )
    keep_best: bool = dial(False, "Keep the weights of the best measurement instead of those of the last step.")
    sample_prompts: int = dial(0, "Training prompts answered at every measurement.", unit="prompts", low=0, high=64)
    report_to: list[str] = field(
        default_factory=list,
        metadata=about("Trackers that hear the metrics too: tensorboard, trackio, mlflow; each must be installed."),
    )
    beta: float = dial(0.1, "DPO, KTO: how strongly the reference holds the policy back.", low=0.001, high=10)
    sft_weight: float = dial(
        0.0, "DPO: weight of the plain likelihood of the chosen answer, which guards its style.", low=0.0, high=10
    )
    minimum_rating: float = dial(
        3.0, "SFT: answers rated lower are left out; KTO: they are bad ones.", unit="rating 0-4", low=0.0, high=4.0
    )
    minimum_support: float = dial(
        0.0,
        "DPO, reward: pairs on which a smaller share of raters agrees are left out.",
        unit="share",
        low=0.0,
        high=1.0,
    )
    soft_labels: bool = dial(
        False, "Let rows teach as much as people were sure of them: label smoothing of pairs, weight of answers."
    )
    reward_run: str = dial("", "RLOO, GRPO: the folder of the finished reward run that scores answers.")
    reward_checks: dict[str, Any] = field(
        default_factory=dict,
        metadata=about(
            "RLOO, GRPO: checks that score answers; name = regular expression, 1 where it is found, else 0."
        ),
    )
    generations: int = dial(4, "RLOO, GRPO: answers to each prompt.", unit="answers", low=2, high=64)
    max_new_tokens: int = dial(64, "RLOO, GRPO: longest answer.", unit="tokens", low=1, high=32_768)
    temperature: float = dial(1.0, "RLOO, GRPO: how freely answers are drawn.", low=0.01, high=10)
    samples: int = dial(4, "Training prompts answered after training, into samples.jsonl.", low=0, high=64)
    seed: int = dial(7, "Seed of the order of rows and of the adapter's start.", low=0)
    threads: int = dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    trl_overrides: dict[str, Any] = field(
        default_factory=dict, metadata=about("Further arguments of TRL's own configuration of the method.")
    )
    hardware: str = dial(
        "auto",
        "How processes share the work: one process (auto), several GPUs of one machine, FSDP2, or several machines.",
        choices=("auto", "one_gpu", "many_gpus", "fsdp2", "multi_node"),
    )
    kind: str = dial("train", "Always `train`.", choices=("train",))
