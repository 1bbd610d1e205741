"""Amounts: how many rows are usually enough for a method, by published experience, and where a set stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pitchpipe.training.preflight.findings import Finding, fine, warn


@dataclass(frozen=True, slots=True)
class Amount:
    """Rows with which others saw something, and with which they saw a lot."""

    unit: str
    few: int
    """With fewer, hardly anything is learned but the rows themselves."""
    usual: int
    """With so many, published results are good."""
    source: str


AMOUNTS = {
    "sft": Amount(
        "answers", 50, 1000,
        "OpenAI's fine-tuning guide sees gains from 50 to 100 rows; LIMA (arXiv 2305.11206) aligned a large model with "
        "1,000 curated ones",
    ),
    "dpo": Amount(
        "pairs", 200, 2000,
        "a few hundred to a few thousand pairs move a style; Zephyr (arXiv 2310.16944) used 62,000 for general chat",
    ),
    "kto": Amount(
        "thumbs", 500, 5000,
        "KTO (arXiv 2402.01306) keeps pace with pairs, and a thumb says less than a pair",
    ),
    "reward": Amount(
        "pairs", 500, 10_000,
        "HelpSteer2 (arXiv 2406.08673) trained a leading reward model on 10,000 pairs",
    ),
    "rloo": Amount(
        "prompts", 100, 5000,
        "prompts are used again and again; published runs on GSM8K use its 7,473",
    ),
    "grpo": Amount(
        "prompts", 100, 5000,
        "prompts are used again and again; published runs on GSM8K use its 7,473",
    ),
    "classify": Amount(
        "labelled texts", 100, 1000,
        "below about 1,000 rows results vary from seed to seed (Mosbach et al. 2021, arXiv 2006.04884): repeat seeds",
    ),
}  # fmt: skip


def stand(method: str, rows: int) -> dict[str, Any]:
    """Where a set stands: `{"rows", "unit", "few", "usual", "standing", "source"}`.

    >>> stand("sft", 120)["standing"]
    'some'
    """
    amount = AMOUNTS[method]
    standing = "few" if rows < amount.few else "some" if rows < amount.usual else "enough"
    return {
        "rows": rows, "unit": amount.unit, "few": amount.few, "usual": amount.usual, "standing": standing,
        "source": amount.source,
    }  # fmt: skip


def check_amount(method: str, rows: int) -> list[Finding]:
    """Whether the rows are usually enough; too few are warned of, for a trial run may be just what is wanted."""
    told = stand(method, rows)
    words = f"{rows:,} {told['unit']} to learn from. Usual: {told['few']:,} show something, {told['usual']:,} are good "
    if told["standing"] == "few":
        advice = (
            f"Collect at least {told['few'] - rows:,} more, or take the run as a trial. In the store they are made "
            "fastest where the Coverage view says that rows are missing."
        )
        return [warn("amount", f"{words}({told['source']}).", advice)]
    return [fine("amount", f"{words}({told['source']}).")]
