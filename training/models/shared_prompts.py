"""Shared prompts: both answers of a pair in one row behind their prompt, which is then computed once.

Preference tuning scores prompt + chosen and prompt + rejected. Laid out as prompt + chosen + rejected, with a mask that
hides the answers from each other and with positions that go on from the prompt in both, a causal model computes the
same hidden states (to rounding) from fewer tokens. The idea is that of arXiv 2410.20305.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import torch

from pitchpipe.training.tokens.tokenizing import IGNORED

_WORTH = 0.9
"""Rows are shared only where that leaves at most so much of the positions."""
_PROMPT, _CHOSEN, _REJECTED, _PADDING = range(4)


@dataclass(frozen=True, slots=True)
class SharedRows:
    """A batch of pairs, one row a pair."""

    ids: torch.Tensor
    """(pairs, width)"""
    positions: torch.Tensor
    """(pairs, width), where each token stands in its own text"""
    seen: torch.Tensor
    """(pairs, 1, width, width), true where a token may look"""
    places: torch.Tensor
    """(2 x pairs, length): where each token of the unshared rows went, chosen rows first."""


def can_share_prompts(model: Any) -> bool:
    """Whether a model does nothing but full causal attention that takes positions and a mask of ours."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    takes_positions = "position_ids" in inspect.signature(model.base_model.forward).parameters
    windowed = getattr(config, "sliding_window", None) or kinds != {"full_attention"}
    return takes_positions and not windowed and config._attn_implementation in ("eager", "sdpa", "grouped")


def share_prompts(ids: torch.Tensor, attended: torch.Tensor, labels: torch.Tensor) -> SharedRows | None:
    """The shared rows of a batch padded on the right whose first half holds the chosen and whose second the rejected.

    None where the batch is none of pairs, or too little of it is prompt to be worth it.
    """
    if len(ids) % 2:
        return None
    (chosen, rejected), length = ids.chunk(2), ids.shape[1]
    first = (labels != IGNORED).int().argmax(1)
    common = (chosen == rejected).int().cumprod(1).sum(1)
    prompt = torch.stack([common, *first.chunk(2), *attended.sum(1).chunk(2)]).min(0).values[:, None]
    ends = attended.sum(1, keepdim=True)
    middle = ends[: len(chosen)]
    end = middle + ends[len(chosen) :] - prompt
    width = int(end.max())
    if width > _WORTH * 2 * length:
        return None
    at = torch.arange(width, device=ids.device)[None]
    part = torch.where(at < prompt, _PROMPT, torch.where(at < middle, _CHOSEN, _REJECTED))
    part = part.masked_fill(at >= end, _PADDING)
    positions = torch.where(part >= _REJECTED, at - middle + prompt, at).clamp(max=length - 1)
    shared = torch.where(part == _CHOSEN, chosen.gather(1, positions), rejected.gather(1, positions))
    same = (part[:, None, :] == _PROMPT) | (part[:, None, :] == part[:, :, None])
    seen = (same & (at[:, None, :] <= at[..., None]))[:, None]
    before = torch.arange(length, device=ids.device)[None].expand(len(chosen), length)
    after = torch.where(before < prompt, before, before + middle - prompt)
    return SharedRows(shared, positions, seen, torch.cat([before, after]))


def mask_for(model: Any, seen: torch.Tensor) -> torch.Tensor:
    """What the model's attention kernel takes as a mask: sdpa booleans, the others numbers to add."""
    if model.config.get_text_config()._attn_implementation == "sdpa":
        return seen
    mask = torch.zeros(seen.shape, dtype=model.dtype, device=seen.device)
    return mask.masked_fill(~seen, torch.finfo(model.dtype).min)
