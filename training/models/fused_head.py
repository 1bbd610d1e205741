"""A language-model head that scores only the tokens that are learned.

TRL's trainers ask the model for per-token log-probabilities (`fused_lm_head=True`). On a CPU TRL scores every position,
the prompt and the padding too, and computes the logits again in the backward pass. With a frozen head, as LoRA has it,
neither is needed: the gradient of a token's log-probability with respect to its hidden state is one row,
`weight[label] - p @ weight`, which the forward pass can keep instead of the logits. Same numbers, about a third of the
head's work.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel
from trl.trainer.utils import FusedCausalLMOutput

from pitchpipe.training.models.shared_prompts import can_share_prompts, mask_for, share_prompts
from pitchpipe.training.tokens.tokenizing import IGNORED

_ROWS_AT_ONCE = 256
"""Tokens scored at once: bounds the logits to 50 MB at 50,000 words."""


class _ScoreTokens(torch.autograd.Function):  # type: ignore[misc]
    """Log-probability, entropy, mean logit and rank-one flag of each label, given hidden states (tokens, width)."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        needs_gradient = ctx.needs_input_grad[0]
        parts, directions = [], []
        for rows, wanted in zip(hidden.split(_ROWS_AT_ONCE), labels.split(_ROWS_AT_ONCE), strict=True):
            logits = (rows.to(weight.dtype) @ weight.T).float()
            normaliser = logits.logsumexp(-1, keepdim=True)
            chances = (logits - normaliser).exp_()
            own = logits.gather(1, wanted[:, None])
            expected = (chances * logits).sum(-1)
            log_probs = (own - normaliser)[:, 0]
            entropy = normaliser[:, 0] - expected
            parts.append((log_probs, entropy, logits.mean(-1), logits.argmax(-1) == wanted))
            if needs_gradient:
                directions.append(weight[wanted].float() - (chances.to(weight.dtype) @ weight).float())
        if needs_gradient:
            ctx.save_for_backward(torch.cat(directions))
        ctx.hidden_dtype = hidden.dtype
        log_probs, entropy, means, first = (torch.cat(column) for column in zip(*parts, strict=True))
        ctx.mark_non_differentiable(entropy, means, first)
        return log_probs, entropy, means, first

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, *_: Any) -> tuple[torch.Tensor, None, None]:
        (directions,) = ctx.saved_tensors
        return (gradient[:, None] * directions).to(ctx.hidden_dtype), None, None


def install_fused_head(model: PreTrainedModel, pairs: bool = False) -> None:
    """Replaces TRL's head on a CPU, where it is the slow one; call it after the trainer is built.

    With `pairs` the batches are those of preference tuning, and both answers of a pair share one prompt. Leaves the
    model alone on a GPU, and where the head is trained, scaled, capped or has a bias.
    """
    head = model.get_output_embeddings()
    config = model.config.get_text_config()
    odd = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
    plain = all(getattr(config, name, None) is None for name in odd) and getattr(head, "bias", None) is None
    if model.device.type != "cpu" or not plain or head.weight.requires_grad:
        return
    before, shares = model.forward, pairs and can_share_prompts(model)

    def forward(*args: Any, fused_lm_head: bool = False, labels: torch.Tensor | None = None, **kwargs: Any) -> Any:
        if not fused_lm_head or labels is None or kwargs.get("shift_labels") is not None:
            return before(*args, fused_lm_head=fused_lm_head, labels=labels, **kwargs)
        count = kwargs.pop("num_items_in_batch", None)
        wanted = labels[:, 1:]
        mask = wanted != IGNORED
        given = {name: value for name, value in kwargs.items() if value is not None and name != "use_cache"}
        if shares and not args and given.keys() == {"input_ids", "attention_mask"}:
            hidden = _read_pairs(model, given["input_ids"], given["attention_mask"], labels)[mask]
        else:
            hidden = model.base_model(*args, **{**kwargs, "use_cache": False}).last_hidden_state[:, :-1][mask]
        with torch.autocast(hidden.device.type, enabled=False):
            scored = _ScoreTokens.apply(hidden, head.weight, wanted[mask])
        spread = [part.new_zeros(mask.shape).masked_scatter(mask, part) for part in scored]
        log_probs, entropy, means, first = spread
        loss = -log_probs.sum() / (mask.sum().clamp(min=1) if count is None else count)
        return FusedCausalLMOutput(
            loss=loss, log_probs=log_probs, entropy=entropy, mean_logits=means, is_top1=first, label_mask=mask
        )

    model.forward = forward


def _read_pairs(model: Any, ids: torch.Tensor, attended: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The hidden states of all positions but the last, (rows, length - 1, width)."""
    rows = share_prompts(ids, attended, labels)
    if rows is None:
        whole = model.base_model(input_ids=ids, attention_mask=attended, use_cache=False)
        return whole.last_hidden_state[:, :-1]
    mask = mask_for(model, rows.seen)
    hidden = model.base_model(
        input_ids=rows.ids, attention_mask=mask, position_ids=rows.positions, use_cache=False
    ).last_hidden_state
    pair = torch.arange(len(ids), device=ids.device)[:, None] % len(rows.ids)
    # A token that is padding has no place of its own; it is never learned.
    return hidden[pair, rows.places[:, :-1].clamp(max=hidden.shape[1] - 1)]
