"""Recipes and slices as JSON that nobody would write: each is refused in words, none ends in a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.store.freezing.recipe_files import read_recipe, read_recipe_json

ENDLESS = 10**400


@pytest.mark.parametrize(
    "values",
    [
        {"near_duplicate_threshold": ENDLESS}, {"near_duplicate_threshold": float("nan")}, {"lowest_support": ENDLESS},
        {"widest_spread": ENDLESS}, {"weights": {"a": ENDLESS}}, {"weights": {"a": -1}}, {"weights": {"a": 5e-324}},
        {"weights": {"a": float("nan")}}, {"weights": {"\ud800": 1}}, {"slice": {"filters": 5}},
        {"slice": {"filters": [5]}}, {"slice": {"filters": [["rating", "<=", ENDLESS]]}},
        {"slice": {"filters": [["rating", "<=", "1e400"]]}}, {"slice": {"filters": [["source", "is", 5]]}},
        {"slice": {"filters": [[["a"], "is", 5]]}}, {"slice": {"filters": [["category", "is", [["x"], {}]]]}},
        {"slice": {"filters": {"a": 1}}}, {"slice": {"words": ["a"]}}, {"slice": {"words": "\ud800"}},
        {"slice": {"sql": 5}}, {"rules": [{"rule": "rating_against_choice", "parameters": {"gap": ENDLESS}}]},
        {"rules": [{"rule": "rating_against_choice", "parameters": {"question": "\ud800"}}]},
        {"rules": [{"rule": "refusal", "action": ["drop"]}]}, {"rules": [{"rule": "refusal"}] * 1000},
    ],
    ids=lambda values: ascii(values)[:60],
)  # fmt: skip
def test_a_recipe_of_wrong_values_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        read_recipe(values)


def test_a_recipe_nested_without_end_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("[" * 200_000)
    with pytest.raises(UsageError):
        read_recipe_json(tmp_path / "r.json")
