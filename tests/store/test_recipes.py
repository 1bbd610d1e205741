"""Recipes: what they leave out of a hash, what they refuse, and what comes back as it was saved."""

from __future__ import annotations

import pytest

from pitchpipe.store.identity import hash_value
from pitchpipe.store.knowledge import Recipe
from pitchpipe.store.recipes import write_recipe
from pitchpipe.store.snapshot_building import build_rows
from pitchpipe.store.snapshot_folder import identify_snapshot, make_drop_frame, make_mark_frame
from tests.store.pinned import make_pinned_knowledge


@pytest.mark.parametrize(
    ("recipe", "recipe_hash", "snapshot_id"),
    [
        (Recipe(), "sha256:c5e2e8cf8d2252528f872af3065bb8b50c8c5cd1f24aa61a5a61ea91a0aedb57",
         "snap_ecb2cb979246930ce4740fd70b"),
        (Recipe(strategy="median", near_duplicate_threshold=0.9),
         "sha256:fd11cfe590c63a5ad64bf90ce0a595e06839c303f3c546f17c6aa82335cec129", "snap_110b3a1e4e7f777224466eaa42"),
    ],
)  # fmt: skip
def test_a_snapshot_made_before_recipes_grew_keeps_its_id(recipe: Recipe, recipe_hash: str, snapshot_id: str) -> None:
    """Both values were computed with the code of before, from these same records."""
    made = build_rows(make_pinned_knowledge(), recipe)
    rows_hash = hash_value(sorted(row["row_id"] for row in made.rows))
    assert hash_value(write_recipe(recipe)) == recipe_hash
    drops, marks = make_drop_frame(made.dropped), make_mark_frame(made.marked)
    assert identify_snapshot(rows_hash, drops, marks, recipe_hash) == snapshot_id
