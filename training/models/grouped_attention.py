"""Grouped attention: eager attention that does not copy keys and values for every head that reads them.

Where several query heads share one head of keys (most models of today), transformers repeats keys and values for each
of them before the product. On a CPU that copying is most of what a generated token costs: the whole cache, at every
step, in every layer. Here the queries of a group stand below each other instead, which is the same product.
"""

from __future__ import annotations

from typing import Any

import torch

KERNEL = "grouped"
_PLAIN = ("llama", "mistral", "qwen2", "qwen3", "smollm3", "granite")
"""Families whose eager attention is the plain one: no sinks, no capped scores."""


def fits_grouped_attention(config: dict[str, Any]) -> bool:
    """Whether a model, by its config.json, computes nothing but what this kernel computes."""
    return config.get("model_type") in _PLAIN


def register_grouped_attention() -> str:
    """Makes the kernel known to transformers and returns its name."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register(KERNEL, attend)
    AttentionMaskInterface.register(KERNEL, eager_mask)
    return KERNEL


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """What each query takes from the values: query (rows, heads, length, width), key and value (rows, groups, seen,
    width), the mask is added to the scores; returns (rows, length, heads, width)."""
    rows, heads, length, width = query.shape
    groups, seen = key.shape[1:3]
    stacked = (query * scaling).reshape(rows, groups, heads // groups * length, width)
    scores = stacked @ key.transpose(2, 3)
    if attention_mask is not None:
        apart = scores.view(rows, groups, heads // groups, length, seen) + attention_mask[:, :, None]
        scores = apart.view(rows, groups, -1, seen)
    # On a CPU softmax computes in fp32 whatever it is given: the same numbers, but only the rounded ones are kept.
    weights = torch.nn.functional.softmax(scores, dim=-1).to(query.dtype)
    weights = torch.nn.functional.dropout(weights, p=dropout, training=module.training)
    return (weights @ value).view(rows, heads, length, width).transpose(1, 2).contiguous(), None
