"""Refinement: TRL's RLOO and GRPO trainers on the prompts of the training side.

The model draws several answers to each prompt, rewards score them (`rewards.py`), and what scored above its siblings
becomes likelier, while `beta` holds the model to where it began. RLOO: Ahmadian et al., "Back to basics" (2024); GRPO:
Shao et al., "DeepSeekMath" (2024).
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import GRPOTrainer, RLOOTrainer
from trl.trainer.utils import add_fused_lm_head

from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.reference import freeze_reference, reference_of
from pitchpipe.training.tuning.rewards import build_rewards

_STEPS = 5
"""Steps at either end whose mean reward the summary tells."""


class _SafePrompts:
    """Has our encoder tokenise prompts: TRL would make control tokens of what people typed."""

    encoder: ChatEncoder

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.encoder.prompt(prompt) for prompt in prompts], None, {}


class SafeRLOOTrainer(_SafePrompts, RLOOTrainer):  # type: ignore[misc]
    """RLOOTrainer in whose prompts nothing that people typed is a control token."""


class SafeGRPOTrainer(_SafePrompts, GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer in whose prompts nothing that people typed is a control token."""


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> Any:
    """The trainer over every prompt that the ledger keeps."""
    kind = SafeRLOOTrainer if job.plan.method == "rloo" else SafeGRPOTrainer
    _end_with_the_turn(model, job.encoder)
    reference = freeze_reference(model, adapter)
    # TRL would load the reference from the name in the model's config, which is another model when a run is the start.
    config.beta = 0.0 if reference is not None else job.plan.beta
    trainer = kind(
        model=model,
        reward_funcs=build_rewards(job.plan),
        args=config,
        train_dataset=Dataset.from_list(job.ledger.learned),
        processing_class=job.encoder.tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    trainer.encoder = job.encoder
    if reference is not None:
        add_fused_lm_head(reference, temperature=config.temperature)
        trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)
        trainer.beta = config.beta = job.plan.beta
    if len(trainer.train_dataset) != len(job.ledger.learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} prompts, not {len(job.ledger.learned)}")
    return trainer


def _end_with_the_turn(model: Any, encoder: ChatEncoder) -> None:
    """An answer ends with its turn, whatever the model's own settings say of its end."""
    settings = model.generation_config
    known = settings.eos_token_id
    ends = [] if known is None else known if isinstance(known, list) else [known]
    settings.eos_token_id = list(dict.fromkeys([*ends, encoder.end_of_turn[-1]]))


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean reward of the first and of the last steps, in all and by what gave it, and who the reference is."""
    return {
        "reference": reference_of(job.plan, job.resolved),
        "step0_kl": metrics[0].get("kl"),
        "first_reward": _mean(metrics[:_STEPS], "reward"),
        "final_reward": _mean(metrics[-_STEPS:], "reward"),
        "rewards": {
            name: {
                "first": _mean(metrics[:_STEPS], f"rewards/{name}/mean"),
                "final": _mean(metrics[-_STEPS:], f"rewards/{name}/mean"),
            }
            for name in trainer.reward_func_names
        },
    }


def _mean(metrics: list[dict[str, Any]], name: str) -> float | None:
    known = [metric[name] for metric in metrics if metric.get(name) is not None]
    return round(sum(known) / len(known), 6) if known else None
