"""Answers that share their prompt's row get the numbers and the gradients that each would get alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PAIRS = [
    ([1, 5, 9, 12, 7], [20, 21, 2], [30, 2]),
    ([1, 5], [20, 2], [20, 21, 22, 23, 2]),  # the answers begin alike, which they do not share
    ([1, 5, 9, 12, 7, 8, 8, 8], [2], [30, 31, 2]),
]


def batch(pairs: list[tuple[list[int], list[int], list[int]]]) -> dict[str, Any]:
    import torch

    rows = [prompt + chosen for prompt, chosen, _ in pairs] + [prompt + other for prompt, _, other in pairs]
    width = max(map(len, rows))
    learned = [len(prompt) for prompt, _, _ in pairs] * 2
    labels = [
        [-100] * start + row[start:] + [-100] * (width - len(row)) for row, start in zip(rows, learned, strict=True)
    ]
    return {
        "input_ids": torch.tensor([row + [0] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
        "labels": torch.tensor(labels),
    }


def test_a_pair_is_laid_out_as_prompt_chosen_rejected() -> None:
    from pitchpipe.training.models.shared_prompts import share_prompts

    given = batch([([1, 5, 9, 7], [20, 2], [30, 31, 2])])
    rows = share_prompts(given["input_ids"], given["attention_mask"], given["labels"])
    assert rows is not None
    assert rows.ids.tolist() == [[1, 5, 9, 7, 20, 2, 30, 31, 2]]
    assert rows.positions.tolist() == [[0, 1, 2, 3, 4, 5, 4, 5, 6]]
    assert rows.places.tolist()[1] == [0, 1, 2, 3, 6, 7, 8]
    seen = rows.seen[0, 0].int().tolist()
    assert seen[5] == [1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert seen[7] == [1, 1, 1, 1, 0, 0, 1, 1, 0]


def test_what_is_mostly_answer_or_no_pair_is_left_as_it_is() -> None:
    from pitchpipe.training.models.shared_prompts import share_prompts

    long = batch([([1], [20] * 9, [30] * 9)])
    assert share_prompts(long["input_ids"], long["attention_mask"], long["labels"]) is None
    assert share_prompts(long["input_ids"][:1], long["attention_mask"][:1], long["labels"][:1]) is None


@pytest.mark.parametrize("attention", ["eager", "sdpa", "auto"])
def test_shared_rows_give_the_scores_and_gradients_of_rows_alone(tiny_model: Path, attention: str) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from trl.trainer.utils import add_fused_lm_head

    from pitchpipe.training.models.fused_head import install_fused_head
    from pitchpipe.training.models.loading import load_model, resolve_model

    found = []
    for pairs in (False, True):
        torch.manual_seed(3)
        base = load_model(resolve_model(str(tiny_model)), "fp32", attention)
        model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
        add_fused_lm_head(base)
        install_fused_head(base, pairs=pairs)
        widths: list[int] = []
        base.model.embed_tokens.register_forward_hook(
            lambda _, given, __, widths=widths: widths.append(given[0].numel())
        )
        scored = model(**batch(PAIRS), fused_lm_head=True, use_cache=False)
        (scored.log_probs * torch.arange(1.0, 7.0)[:, None]).sum().backward()
        gradients = [weight.grad for weight in model.parameters() if weight.requires_grad]
        found.append((scored, gradients, widths))
    (alone, pulls, before), (shared, others, after) = found
    assert (before, after) == ([66], [36])
    assert torch.allclose(alone.log_probs, shared.log_probs, atol=1e-5)
    assert torch.allclose(alone.entropy, shared.entropy, atol=1e-5)
    assert torch.equal(alone.is_top1, shared.is_top1)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(pulls, others, strict=True))
    assert any(pull.abs().max() > 1e-2 for pull in pulls)
