"""Batches hold rows of about the same length, in an order that depends on nothing but the seed and the epoch."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.training.tuning.row_order import LengthOrder, order_by_length


@given(lengths=st.lists(st.integers(1, 500), max_size=60), together=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_every_row_comes_once_and_only_the_last_batch_is_not_full(lengths: list[int], together: int, seed: int) -> None:
    order = order_by_length(lengths, together, seed)
    assert sorted(order) == list(range(len(lengths)))
    parts = [[lengths[place] for place in order[at : at + together]] for at in range(0, len(order), together)]
    for part in parts[1:]:
        # A blur of a tenth either way: no row of a later batch is more than 1.1 / 0.9 as long as the first batch's.
        assert max(part) * 0.9 <= min(parts[0]) * 1.1
    if len(lengths) % together:
        assert len(parts[-1]) == len(lengths) % together


def padded(order: list[int], lengths: list[int], size: int) -> float:
    parts = [[lengths[place] for place in order[at : at + size]] for at in range(0, len(order), size)]
    return sum(max(part) * len(part) for part in parts) / sum(lengths)


def test_little_of_a_batch_is_padding_even_with_few_rows() -> None:
    chance = random.Random(5)
    lengths = [round(chance.lognormvariate(5, 0.6)) for _ in range(160)]
    anyhow = padded(chance.sample(range(160), 160), lengths, 8)
    assert anyhow > 1.6
    assert padded(order_by_length(lengths, 8, 1), lengths, 8) < 1.25


def test_each_epoch_mixes_anew_and_the_same_seed_gives_the_same_order_again() -> None:
    lengths = [10 + place % 37 for place in range(100)]
    order, again = LengthOrder(lengths, 8, 7), LengthOrder(lengths, 8, 7)
    first = list(order)
    order.set_epoch(1)
    again.set_epoch(1)
    assert list(order) == list(again) != first
    batches = {frozenset(first[at : at + 8]) for at in range(0, 96, 8)}
    later = list(order)
    assert sum(frozenset(later[at : at + 8]) in batches for at in range(0, 96, 8)) < 4
