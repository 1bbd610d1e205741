"""Attention without copies gives the numbers of transformers' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def models(tiny_model: Path) -> list[Any]:
    """The model with attention of transformers and with ours; two heads share each head of keys."""
    from pitchpipe.training.models.loading import load_model, resolve_model

    resolved = resolve_model(str(tiny_model))
    return [load_model(resolved, "fp32", attention) for attention in ("eager", "auto")]


def test_the_kernel_is_the_one_of_a_cpu(models: list[Any]) -> None:
    assert [model.config._attn_implementation for model in models] == ["eager", "grouped"]


@pytest.mark.parametrize("case", ["plain", "padded left", "packed"])
def test_logits_and_gradients_are_those_of_eager_attention(models: list[Any], case: str) -> None:
    import torch

    ids = torch.arange(5, 29).view(2, 12)
    given: dict[str, Any] = {"input_ids": ids}
    if case == "padded left":
        given["attention_mask"] = torch.tensor([[1] * 12, [0] * 5 + [1] * 7])
    if case == "packed":
        given["position_ids"] = torch.tensor([[*range(5), *range(7)], [*range(9), *range(3)]])
    found = []
    for model in models:
        model.zero_grad()
        logits = model(**given, use_cache=False).logits[:, -3:]
        (logits * logits.detach().argsort()).sum().backward()
        found.append((logits, model.model.layers[0].self_attn.k_proj.weight.grad.clone()))
    (theirs, pull), (ours, other) = found
    assert torch.allclose(theirs, ours, atol=1e-5)
    assert (pull - other).abs().max() < 1e-5 * pull.abs().max()


def test_weights_of_attention_in_bf16_are_those_of_fp32_rounded() -> None:
    import torch

    scores = torch.randn(2, 3, 40, 30, generator=torch.manual_seed(1)).mul(4).bfloat16()
    exact = torch.softmax(scores, -1, dtype=torch.float32).bfloat16()
    assert torch.equal(torch.softmax(scores, -1), exact)


def test_answers_are_those_of_eager_attention(models: list[Any], encoder: Any) -> None:
    from pitchpipe.training.measuring.generation import generate_answers

    texts = ["the lamp", "where is my parcel today please", "a", "open the page and send a new one thank you"]
    prompts = [encoder.prompt([{"role": "user", "content": text}]) for text in texts]
    theirs, ours = (generate_answers(model, encoder, prompts, 24, batch_size=3) for model in models)
    assert theirs == ours
    assert any(answer.tokens > 5 for answer in ours)


def test_a_family_whose_attention_is_not_plain_keeps_its_own() -> None:
    from pitchpipe.training.models.grouped_attention import fits_grouped_attention

    assert fits_grouped_attention({"model_type": "llama"})
    assert not fits_grouped_attention({"model_type": "gemma2"})
    assert not fits_grouped_attention({})
