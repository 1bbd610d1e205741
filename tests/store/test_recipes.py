"""Recipes: what they leave out of a hash, what they refuse, and what comes back as it was saved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.identity import content_id, hash_value
from pitchpipe.store.knowledge import FIRST_COLUMNS, LATER_COLUMNS, ROW_COLUMNS, Recipe
from pitchpipe.store.recipe_files import find_recipe, list_recipes, read_recipe, save_recipe
from pitchpipe.store.recipes import write_recipe
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.store.snapshot_building import build_rows, identify_row
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


FULL = Recipe(
    strategy="median", near_duplicate_threshold=0.9, strategies=(("helpfulness", "majority"), ("verdict", "majority")),
    tie_policy="drop", widest_spread=2, lowest_support=0.6,
    rules=(RuleChoice("empty_answer"), RuleChoice("personal_data", "mask"),
           RuleChoice("repetition", "mark")), weights=(("a.jsonl", 0.7), ("b.jsonl", 0.3)),
)  # fmt: skip


def test_a_recipe_goes_to_json_and_comes_back_the_same() -> None:
    assert read_recipe(write_recipe(FULL)) == FULL
    assert read_recipe({}) == Recipe()
    assert set(write_recipe(Recipe())) == {"strategy", "near_duplicate_threshold"}


def test_the_order_of_rules_counts_and_that_of_questions_does_not() -> None:
    turned = Recipe(rules=FULL.rules[::-1])
    assert write_recipe(turned) != write_recipe(Recipe(rules=FULL.rules))
    asked = Recipe(strategies=FULL.strategies[::-1])
    assert write_recipe(asked) == write_recipe(Recipe(strategies=FULL.strategies))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"strategie": "mean"}, "no field 'strategie'"),
        ({"strategy": "best"}, "strategy 'best' is not known"),
        ({"strategy": 3}, "'strategy' is 3"),
        ({"strategies": {"tone": "best"}}, "'strategies.tone' is 'best'"),
        ({"strategies": ["mean"]}, "'strategies' is"),
        ({"near_duplicate_threshold": 0.4}, "'near_duplicate_threshold' is 0.4"),
        ({"near_duplicate_threshold": float("nan")}, "'near_duplicate_threshold' is nan"),
        ({"near_duplicate_threshold": True}, "'near_duplicate_threshold' is True"),
        ({"tie_policy": "a"}, "'tie_policy' is 'a'"),
        ({"widest_spread": 1.5}, "'widest_spread' is 1.5"),
        ({"widest_spread": -1}, "'widest_spread' is -1"),
        ({"lowest_support": 2}, "'lowest_support' is 2"),
        ({"weights": {"a": -1}}, "'weights.a' is -1"),
        ({"weights": {"a": 0}}, "'weights' is"),
        ({"weights": {"a": float("inf")}}, "'weights.a' is inf"),
        ({"rules": [{"rule": "nonsense"}]}, "no rule 'nonsense'"),
        ({"rules": [{"rule": "empty_answer", "action": "burn"}]}, "'rules.0.action' is 'burn'"),
        ({"rules": [{"rule": "empty_answer", "colour": 1}]}, "'rules.0' is"),
        ({"rules": [{"rule": "repetition", "parameters": {"no_such": 1}}]}, "no parameter 'no_such'"),
        ({"slice": 3}, "'slice' is 3"),
        ([], "is an object"),
    ],
)
def test_a_recipe_that_cannot_be_followed_names_the_field(values: Any, told: str) -> None:
    with pytest.raises(UsageError) as error:
        read_recipe(values)
    assert told in error.value.happened
    assert error.value.advice


def test_recipes_are_saved_under_names_and_the_later_one_counts(compare_store: Store) -> None:
    save_recipe(compare_store, "p", "usual", Recipe(), "cora")
    save_recipe(compare_store, "p", "usual", FULL, "cora")
    save_recipe(compare_store, "p", "a first", Recipe(tie_policy="drop"), "cora")
    assert list_recipes(compare_store, "p") == {"a first": Recipe(tie_policy="drop"), "usual": FULL}
    assert find_recipe(compare_store, "p", "usual") == FULL
    with pytest.raises(NotFoundError, match="a first, usual"):
        find_recipe(compare_store, "p", "nope")
    with pytest.raises(UsageError, match="cannot be used"):
        save_recipe(compare_store, "p", " ", Recipe(), "cora")


VALUES = st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(values=st.dictionaries(st.sampled_from(ROW_COLUMNS), VALUES))
def test_a_row_is_identified_by_its_canonical_json(values: dict[str, Any]) -> None:
    """As `content_id` of all columns but those of later versions that are empty; what the first versions did."""
    later = {name: values[name] for name in LATER_COLUMNS if values.get(name) is not None}
    content = {name: values.get(name) for name in FIRST_COLUMNS if name != "row_id"} | later
    assert identify_row(values) == content_id("row", content)


def test_a_dial_at_its_usual_value_is_no_part_of_a_recipe() -> None:
    said = read_recipe({"rules": [{"rule": "too_long", "parameters": {"most_tokens": 2048}}]})
    assert write_recipe(said)["rules"] == [{"rule": "too_long", "action": "drop"}]
    whole = read_recipe({"rules": [{"rule": "repetition", "parameters": {"leniency": 2}}], "token_model": "embedded"})
    assert whole.rules[0].parameters == (("leniency", 2.0),)
    assert write_recipe(whole)["token_model"] == "embedded"
    with pytest.raises(UsageError, match="'most_tokens' of 'too_long' is 0"):
        read_recipe({"rules": [{"rule": "too_long", "parameters": {"most_tokens": 0}}]})
