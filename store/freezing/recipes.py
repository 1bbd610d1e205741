"""A recipe: how what people said becomes the rows of a snapshot. Values only; `recipe_files` reads and checks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pitchpipe.store.rules.rule import RuleChoice

if TYPE_CHECKING:
    from pitchpipe.store.curation.slices import Slice

TiePolicy = Literal["keep", "drop"]
TIE_POLICIES: tuple[TiePolicy, ...] = ("keep", "drop")
_ALWAYS_HASHED = ("strategy", "near_duplicate_threshold")
"""The fields of the first recipes. Any other one at its default is left out of the JSON, and so out of the hash:
a snapshot that was made before the field was known keeps its id."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How judgements become rows. Its hash is part of the snapshot's id."""

    strategy: str = "mean"
    """Consensus on ratings where `strategies` says nothing: mean, median, majority or closest_three. Verdicts, options
    and labels go by majority."""
    near_duplicate_threshold: float = 0.8
    """Jaccard similarity from which a training prompt counts as leaking a sealed one, 0.5 to 1."""
    strategies: tuple[tuple[str, str], ...] = ()
    """(question, strategy): consensus of single questions; "verdict" and "labels" name the comparison and the tags."""
    tie_policy: TiePolicy = "keep"
    """Whether pairs whose consensus is a tie stay as ties, or are dropped with the rule `tie`."""
    widest_spread: int | None = None
    """Rows whose ratings lie further apart than this many points are dropped; None: none are."""
    lowest_support: float | None = None
    """Rows with a smaller share of raters behind them are dropped, 0 to 1; None: none are."""
    slice: Slice | None = None
    """Only these examples; None: all."""
    rules: tuple[RuleChoice, ...] = ()
    """Rules of quality, applied in this order, but those against duplicates last (`catalogue.order_chain`)."""
    token_model: str = ""
    """Whose tokens the rules too_long and too_short count: embedded, a folder, a run's folder, a cached id."""
    weights: tuple[tuple[str, float], ...] = ()
    """(source, share): thins the training side until its sources stand in this proportion; none: as they are."""


def write_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON-able values, fields at their default left out: what is stored, shown and hashed.

    >>> write_recipe(Recipe(tie_policy="drop", weights=(("a.jsonl", 0.5),)))
    {'strategy': 'mean', 'near_duplicate_threshold': 0.8, 'tie_policy': 'drop', 'weights': {'a.jsonl': 0.5}}
    """
    defaults, written = Recipe(), {}
    for name in Recipe.__dataclass_fields__:
        value = getattr(recipe, name)
        if name in _ALWAYS_HASHED or value != getattr(defaults, name):
            written[name] = _write_field(name, value)
    return written


def _write_field(name: str, value: Any) -> Any:
    if name in ("strategies", "weights"):
        return dict(sorted(value))
    if name == "slice":
        return value.to_document()
    if name == "rules":
        return [_write_choice(choice) for choice in value]
    return value


def _write_choice(choice: RuleChoice) -> dict[str, Any]:
    written: dict[str, Any] = {"rule": choice.rule, "action": choice.action}
    if choice.parameters:
        written["parameters"] = dict(sorted(choice.parameters))
    return written
