"""Generation: greedy answers to many prompts at once, the same text as one prompt at a time.

Prompts are sorted by length and read a few of about the same length at a time; then every step feeds one token a row
through the model with its cache of keys and values, padded on the left. A row that ends its turn leaves the batch at
once, so the batch shrinks as answers finish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad as pad_left
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.monitor import stop_if_asked

_READ_TOGETHER = 8
"""Prompts read in one pass."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said."""

    text: str
    finished: bool
    """It ended its turn by itself; False when the limit cut it."""
    tokens: int
    """Tokens generated, the end of turn included."""


def stop_tokens(model: Any, encoder: ChatEncoder) -> set[int]:
    """The tokens that end an answer: the template's end of turn and whatever the model itself ends with."""
    declared = model.generation_config.eos_token_id
    ends = declared if isinstance(declared, list) else [declared, encoder.tokenizer.eos_token_id]
    return {encoder.end_of_turn[-1], *(end for end in ends if end is not None)}


@torch.inference_mode()  # type: ignore[untyped-decorator]
def generate_answers(
    model: Any,
    encoder: ChatEncoder,
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    batch_size: int,
    tell: Callable[[int], None] | None = None,
) -> list[Answer]:
    """The greedy answer to each prompt, in the order of the prompts; `tell` hears how many are answered."""
    was_training = model.training
    model.eval()
    stops = stop_tokens(model, encoder)
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    said: dict[int, list[int]] = {}
    for start in range(0, len(order), batch_size):
        stop_if_asked()
        batch = order[start : start + batch_size]
        pad = encoder.tokenizer.pad_token_id
        tokens = _decode([prompts[index] for index in batch], model, pad, stops, max_new_tokens)
        said |= dict(zip(batch, tokens, strict=True))
        if tell:
            tell(len(said))
    model.train(was_training)
    return [_answer(said[index], stops, encoder) for index in range(len(prompts))]


def _answer(tokens: list[int], stops: set[int], encoder: ChatEncoder) -> Answer:
    finished = bool(tokens) and tokens[-1] in stops
    words = tokens[:-1] if finished else tokens
    text = encoder.tokenizer.decode(words, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Answer(text.strip(), finished, len(tokens))


def _decode(prompts: list[list[int]], model: Any, pad: int, stops: set[int], max_new_tokens: int) -> list[list[int]]:
    """The tokens that follow each prompt, up to and with a stop token."""
    cache, mask, chosen = _read_prompts(prompts, model, pad)
    positions = mask.sum(-1, keepdim=True) - 1
    rows = list(range(len(prompts)))
    said: list[list[int]] = [[] for _ in prompts]
    stop = torch.tensor(sorted(stops), device=model.device)
    for step in range(max_new_tokens):
        if step:
            # Every answer goes on by a token.
            positions = positions + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            chosen = _choose(model, chosen[:, None], mask, positions, cache)
        for row, token in zip(rows, chosen.tolist(), strict=True):
            said[row].append(token)
        going = ~torch.isin(chosen, stop)
        if not going.all():
            left = going.nonzero()[:, 0]
            if not len(left):
                break
            rows = [rows[index] for index in left.tolist()]
            cache.batch_select_indices(left)
            chosen, mask, positions = chosen[left], mask[left], positions[left]
    return said


def _read_prompts(prompts: list[list[int]], model: Any, pad: int) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
    """The cache after the prompts, longest first, with its mask (rows, width), and the first token of each answer.

    Read a few of about the same length at a time, so that a short prompt is not padded to the longest one; padded are
    only keys and values, which cost nothing.
    """
    width = len(prompts[0])
    whole = DynamicCache(config=model.config)
    size = _READ_TOGETHER if all(type(layer) is DynamicLayer for layer in whole.layers) else len(prompts)
    parts, masks, chosen = [], [], []
    for start in range(0, len(prompts), size):
        some = prompts[start : start + size]
        part, longest = DynamicCache(config=model.config), len(some[0])
        ids = torch.tensor([[pad] * (longest - len(prompt)) + prompt for prompt in some], device=model.device)
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in some], device=model.device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        chosen.append(_choose(model, ids, mask, positions, part))
        masks.append(pad_left(mask, (width - longest, 0)))
        parts.append(part)
    if len(parts) == 1:
        return parts[0], masks[0], chosen[0]
    for number, layers in enumerate(zip(*(part.layers for part in parts), strict=True)):
        kept = [
            torch.cat([pad_left(values, (0, 0, width - values.shape[2], 0)) for values in same])
            for same in ([layer.keys for layer in layers], [layer.values for layer in layers])
        ]
        whole.update(kept[0], kept[1], number)
    return whole, torch.cat(masks), torch.cat(chosen)


def _choose(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
) -> torch.Tensor:
    """The likeliest next token of each row; the cache takes in what was read."""
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits[:, -1]
    chosen: torch.Tensor = logits.argmax(-1)
    return chosen
