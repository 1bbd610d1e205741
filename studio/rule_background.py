"""What rules of quality may know besides the rows, made in one place for Checks, snapshots, commands and the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pitchpipe.store.curation.rules_background import read_background
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.rules.rule import Background, RuleChoice
from pitchpipe.studio.encoders import load_all_encoders
from pitchpipe.training.exports.token_counting import TokenCounter, load_token_counter

NEEDS_MODEL = ("too_long", "too_short")
"""Rules that count the tokens of a model."""
TellTexts = Callable[[int, int], None]
"""Is told how many texts the sentence model has encoded, of how many."""


def load_background(
    store: Store,
    project: str,
    token_model: str = "",
    sets: Sequence[str] | None = None,
    on_encoded: TellTexts | None = None,
) -> Background:
    """All that rules may know of a project: evaluation sets, encoders, and the tokens of a model where one is named.

    Args:
        token_model: `embedded`, a folder, a run's folder, a cached id; empty for none.
        sets: the evaluation sets to compare with; all when left out.

    Raises:
        NotFoundError: there is no such project or set.
        RunError: there is no such model here.
    """
    count = _load_counter(token_model) if token_model else None
    background = read_background(store, project, count, load_all_encoders(store, on_encoded))
    unknown = [name for name in sets or () if name not in background.evaluation_sets]
    if unknown:
        known = ", ".join(background.evaluation_sets) or "none yet"
        raise NotFoundError(f"There is no evaluation set '{unknown[0]}' in '{project}'.", f"The sets are: {known}.")
    if not sets:
        return background
    return replace(background, evaluation_sets={name: background.evaluation_sets[name] for name in sets})


def load_recipe_background(
    store: Store, project: str, recipe: Recipe, on_encoded: TellTexts | None = None
) -> Background:
    """What the rules of a recipe may know; nothing is read for a recipe without rules."""
    if not recipe.rules:
        return Background()
    return load_background(store, project, recipe.token_model, on_encoded=on_encoded)


def name_token_model(recipe: Recipe, model: str | None) -> Recipe:
    """The recipe with a model whose tokens count; as it is where no rule of it counts any, or no model is named.

    A folder is named by its whole path, so that the recipe says the same from wherever it is used.

    >>> name_token_model(Recipe(rules=(RuleChoice("too_long"),)), "embedded").token_model
    'embedded'
    >>> name_token_model(Recipe(rules=(RuleChoice("refusal"),)), "embedded").token_model
    ''
    """
    if not model or not needs_model(recipe.rules):
        return recipe
    folder = Path(model).expanduser()
    return replace(recipe, token_model=str(folder.resolve()) if folder.is_dir() else model)


def needs_model(choices: Sequence[RuleChoice]) -> bool:
    """Whether one of the rules counts tokens."""
    return any(choice.rule in NEEDS_MODEL for choice in choices)


@lru_cache(maxsize=4)
def _load_counter(model: str) -> TokenCounter:
    """Kept: a tokenizer takes a while to load."""
    return load_token_counter(model)
