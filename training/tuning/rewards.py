"""Rewards: what tells good answers from bad ones while a model is refined, and what a plan must say of it.

A check gives 1 where its regular expression is found in the answer, else 0; `\\A[\\s\\S]{0,200}\\Z` asks for no more
than 200 characters. A reward run gives the score of its model for the whole conversation. All that a plan names are
added up. Free of torch until a reward is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_manifest

Conversation = list[dict[str, str]]
Reward = Callable[..., list[float]]
"""Called as TRL calls it: (prompts=..., completions=..., **more) to one number an answer."""


def rl_arguments(plan: TrainPlan) -> dict[str, Any]:
    """TRL's arguments of refinement.

    Raises:
        UsageError: the plan names no reward, or its batches cannot be split into groups of answers.
    """
    check_rewards(plan)
    drawn = plan.batch_size * plan.accumulation
    if drawn % plan.generations:
        fitting = -(-plan.batch_size // plan.generations) * plan.generations
        raise UsageError(
            f"A step sees {drawn} answers (batch_size {plan.batch_size} x accumulation {plan.accumulation}), and that "
            f"is no multiple of the {plan.generations} answers to each prompt.",
            f"Set `batch_size` to {fitting}, or `generations` to a number that divides {drawn}.",
        )
    if plan.max_new_tokens >= plan.max_length:
        raise UsageError(
            f"Answers of {plan.max_new_tokens} tokens leave no room for a prompt in {plan.max_length}.",
            "Raise `max_length`, or lower `max_new_tokens`.",
        )
    if plan.soft_labels:
        raise UsageError("Refinement learns from no labels, so none can be soft.", "Set `soft_labels` to false.")
    return {
        "beta": plan.beta,
        "num_generations": plan.generations,
        "max_completion_length": plan.max_new_tokens,
        "temperature": plan.temperature,
    }


def check_rewards(plan: TrainPlan) -> None:
    """Refuses a plan without a reward, with a broken check, or with a reward run that made no reward model."""
    if not plan.reward_run and not plan.reward_checks:
        raise UsageError(
            f"The method {plan.method} needs to know which answers are good, and the plan names no reward.",
            "Set `reward_run` to the folder of a finished reward run, or write checks under [reward_checks].",
        )
    _compile(plan)
    if plan.reward_run:
        manifest = read_manifest(Path(plan.reward_run).expanduser())
        if manifest.get("method") != "reward":
            raise RunError(
                f"The run {manifest.get('run_id')} is of the method {manifest.get('method')!r} and scores no answers.",
                "Set `reward_run` to the folder of a finished reward run.",
            )


def _compile(plan: TrainPlan) -> dict[str, re.Pattern[str]]:
    from pitchpipe.training.measuring.evaluation import compile_checks

    return compile_checks(plan.reward_checks)


def tell_reward_inputs(plan: TrainPlan) -> dict[str, Any]:
    """What the records say of the model that scores; nothing where none does."""
    if plan.method not in ("rloo", "grpo") or not plan.reward_run:
        return {}
    from pitchpipe.training.models.loading import resolve_model

    judge = resolve_model(plan.reward_run)
    return {"reward_run": judge.run_id, "reward_hash": judge.adapter_hash or judge.base_hash}


def build_rewards(plan: TrainPlan) -> list[Reward]:
    """A function for each check, by the check's name, and one for the reward run."""
    rewards = [make_check(name, pattern) for name, pattern in _compile(plan).items()]
    return [*rewards, make_judge(plan)] if plan.reward_run else rewards


def make_check(name: str, pattern: re.Pattern[str]) -> Reward:
    """A reward of 1 for answers in which the pattern is found, else 0.

    >>> make_check("polite", re.compile("please"))(completions=[[{"role": "assistant", "content": "please"}]])
    [1.0]
    """

    def check(completions: list[Conversation], **_: Any) -> list[float]:
        return [float(bool(pattern.search(turns[0]["content"]))) for turns in completions]

    check.__name__ = name
    return check


def make_judge(plan: TrainPlan) -> Reward:
    """The score of the plan's reward run, read by its own tokenizer."""
    import torch

    from pitchpipe.training.models.encoding import batch_by_length
    from pitchpipe.training.models.loading import load_model, load_tokenizer, resolve_model
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

    resolved = resolve_model(plan.reward_run)
    encoder = ChatEncoder(load_tokenizer(resolved.folder))
    model: Any = load_model(resolved, plan.precision, plan.attention).requires_grad_(False)
    pad = encoder.tokenizer.pad_token_id

    def score(prompts: list[Conversation], completions: list[Conversation], **_: Any) -> list[float]:
        rows = [
            encoder.prompt(prompt) + encoder.answer(turns[0]["content"])
            for prompt, turns in zip(prompts, completions, strict=True)
        ]
        found = np.zeros(len(rows))
        for places in batch_by_length([len(ids) for ids in rows]):
            longest = len(rows[places[0]])
            ids = torch.tensor([rows[place] + [pad] * (longest - len(rows[place])) for place in places])
            mask = torch.tensor([[1] * len(rows[place]) + [0] * (longest - len(rows[place])) for place in places])
            with torch.inference_mode():
                logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
            found[places] = logits[:, 0].float().cpu().numpy()
        return [float(value) for value in found]

    score.__name__ = "reward_run"
    return score
