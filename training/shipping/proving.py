"""Proving: the shipped model beside the tuned one, number by number and token by token.

The tuned model is the base with its adapter beside the weights; the shipped one is what transformers loads from the
written folder, with its own tokenizer, chat template and generation settings and no code of ours. In fp32 the two must
agree to rounding. In bf16 or fp16 folding rounds every weight once more, so the likelihoods may differ by a hundredth
of a nat, and a greedy answer may part where the tuned model itself hardly preferred one token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pitchpipe.store.errors import RunError
from pitchpipe.training.measuring.scoring import Score, score_answers
from pitchpipe.training.shipping.golden import PROMPTS, GoldenAnswer
from pitchpipe.training.tokens.tokenizing import ChatEncoder

_TOLERANCE = {"float32": (1e-4, 1e-3)}
_ROUNDED = (1e-2, 0.25)
"""By precision: nats a token by which the mean may differ, and nats that make two tokens a tie."""

Pieces = list[tuple[list[int], list[int]]]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model makes of the rows and the golden prompts."""

    scores: list[Score]
    golden: list[GoldenAnswer]
    precision: str


def sample_model(model: Any, encoder: ChatEncoder, pieces: Pieces, ends: Sequence[int], max_new_tokens: int) -> Sample:
    """Scores the rows and answers the golden prompts with our own token ids."""
    prompts = [encoder.prompt(messages) for messages in PROMPTS]
    golden = []
    for messages, prompt in zip(PROMPTS, prompts, strict=True):
        ids = answer_greedily(model, prompt, max_new_tokens, eos_token_id=list(ends))
        golden.append(_golden(encoder.tokenizer, messages, prompt, ids, ends))
    scores = score_answers(model, pieces, 8, encoder.tokenizer.pad_token_id) if pieces else []
    return Sample(scores, golden, str(model.dtype).removeprefix("torch."))


def sample_folder(model: Any, tokenizer: Any, max_new_tokens: int) -> list[GoldenAnswer]:
    """The golden answers as a stranger gets them: the folder's own template, tokenizer and generation settings."""
    golden = []
    ends = model.generation_config.eos_token_id
    for messages in PROMPTS:
        rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
        prompt = list(rendered["input_ids"])
        ids = answer_greedily(model, prompt, max_new_tokens)
        golden.append(_golden(tokenizer, messages, prompt, ids, ends if isinstance(ends, list) else [ends]))
    return golden


@torch.inference_mode()  # type: ignore[untyped-decorator]
def answer_greedily(model: Any, prompt: list[int], max_new_tokens: int, **settings: Any) -> list[int]:
    """The ids of the greedy answer, by transformers' own `generate`."""
    ids = torch.tensor([prompt], device=model.device)
    said = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        # Settings of sampling that a base may bring would be warned of.
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=None,
        **settings,
    )
    answer: list[int] = said[0, len(prompt) :].tolist()
    return answer


def _golden(
    tokenizer: Any, messages: list[dict[str, str]], prompt: list[int], ids: list[int], ends: Sequence[int]
) -> GoldenAnswer:
    finished = bool(ids) and ids[-1] in ends
    words = ids[:-1] if finished else ids
    text = tokenizer.decode(words, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return GoldenAnswer(messages, prompt, text.strip(), ids, finished)


def compare(before: Sample, after: Sample, load_tuned: Callable[[], Any]) -> dict[str, Any]:
    """The proof as numbers; the tuned model is loaded again where two answers part, to see how near a tie that was.

    Raises:
        RunError: the shipped model is not the tuned one.
    """
    tolerance, tie = _TOLERANCE.get(before.precision, _ROUNDED)
    tokens = sum(score.tokens for score in before.scores)
    nll = {
        name: _mean(sample.scores) if sample.scores else None
        for name, sample in (("tuned", before), ("shipped", after))
    }
    pairs = list(zip(before.scores, after.scores, strict=True))
    worst = max((abs(one.nll_sum - two.nll_sum) / one.tokens for one, two in pairs), default=0.0)
    differing = [
        (one, two) for one, two in zip(before.golden, after.golden, strict=True) if one.answer_ids != two.answer_ids
    ]
    tuned = load_tuned() if differing else None
    parted = [_gap(tuned, one.prompt_ids, one.answer_ids, two.answer_ids) for one, two in differing]
    proof = {
        "precision": before.precision,
        "rows": len(before.scores),
        "tokens": tokens,
        "nll": nll,
        "tolerance": tolerance,
        "largest_row_difference": worst,
        "golden": {"prompts": len(before.golden), "equal": len(before.golden) - len(parted), "gaps": parted},
    }
    _refuse_another(before, after, proof, tie)
    return proof


def _refuse_another(before: Sample, after: Sample, proof: dict[str, Any], tie: float) -> None:
    """Raises RunError when the proof shows another model than the tuned one."""
    nll, tolerance, parted = proof["nll"], proof["tolerance"], proof["golden"]["gaps"]
    if before.scores and not abs(_mean(after.scores) - _mean(before.scores)) <= tolerance:
        raise RunError(
            f"The shipped model scores its rows at {nll['shipped']:.4f} nats a token, the tuned one at "
            f"{nll['tuned']:.4f}; {tolerance:g} is allowed.",
            "Nothing was shipped. Ship from a base in fp32, or tune again.",
        )
    if any(one.prompt_ids != two.prompt_ids for one, two in zip(before.golden, after.golden, strict=True)):
        raise RunError(
            "The shipped tokenizer gives a golden prompt other token ids than training did.",
            "Nothing was shipped. Use a base whose chat template survives being saved.",
        )
    if any(gap > tie for gap in parted):
        raise RunError(
            f"The shipped model answers {len(parted)} of {len(before.golden)} golden prompts otherwise, where the "
            f"tuned one preferred its own by {max(parted):.3f} nats.",
            "Nothing was shipped. Ship from a base in fp32, or tune again.",
        )


def _mean(scores: list[Score]) -> float:
    return sum(score.nll_sum for score in scores) / sum(score.tokens for score in scores)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def _gap(model: Any, prompt: list[int], one: list[int], two: list[int]) -> float:
    """By how many nats the model prefers the first token in which `one` differs from `two`."""
    same = next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    if same in (len(one), len(two)):
        return float("inf")  # one answer ended where the other went on: the settings of ending differ
    ids = torch.tensor([prompt + one[:same]], device=model.device)
    logits = model(input_ids=ids).logits[0, -1].float()
    return float(logits[one[same]] - logits[two[same]])
