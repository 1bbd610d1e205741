"""Identity must never change: every hash and id that was ever made rests on it."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.identity import canonical_json, continue_after, new_id

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_canonical_json_is_what_the_standard_library_writes_with_sorted_keys_and_no_spaces(value: object) -> None:
    written = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    assert canonical_json(value) == written


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_what_json_has_no_number_for_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        canonical_json([{1, 2}])


def test_ids_are_26_digits_that_sort_by_the_time_of_making_and_say_it() -> None:
    ids = [new_id() for _ in range(3000)]
    assert ids == sorted(set(ids)) and all(len(id) == 26 for id in ids)
    assert new_id("rec").startswith("rec_")
    number = sum("0123456789abcdefghjkmnpqrstvwxyz".index(digit) << 5 * (25 - n) for n, digit in enumerate(ids[0]))
    assert 0 <= time.time() * 1000 - (number >> 82) < 60_000  # behind 12 bits of order and 70 of chance
    continue_after(ids[-1])
    assert new_id() > ids[-1]
