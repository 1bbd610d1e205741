"""Row order: fills batches with rows of about the same length, so that little is padding.

The sampler that transformers has for this draws pools of at most a quarter of the rows and sorts within each. With few
rows the pools are small, so that much padding is left. Here all rows are sorted by a length that is blurred anew in
each epoch, cut into batches, and the batches are shuffled.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import Sampler

_BLUR = 0.1
"""Lengths vary by so large a share before they are sorted, so that the same rows do not always meet."""


def order_by_length(lengths: Sequence[int], together: int, seed: int | str) -> list[int]:
    """The places of all rows, each once; every `together` in a row are of about the same length.

    The longest come first, so that what does not fit into memory fails at once; a part that is not full comes last.

    >>> order_by_length([9, 1, 8, 2, 1], 2, seed=0)
    [0, 2, 3, 1, 4]
    """
    chance = random.Random(seed)
    blurred = [length * chance.uniform(1 - _BLUR, 1 + _BLUR) for length in lengths]
    order = sorted(range(len(lengths)), key=lambda place: (-blurred[place], place))
    parts = [order[start : start + together] for start in range(0, len(order), together)]
    middle = parts[1:-1] if len(parts[-1:] and parts[-1]) < together else parts[1:]
    last = parts[1 + len(middle) :]
    chance.shuffle(middle)
    return [place for part in [*parts[:1], *middle, *last] for place in part]


class LengthOrder(Sampler[int]):  # type: ignore[misc]
    """The order of rows of each epoch; the same seed gives the same order, whatever was drawn before."""

    def __init__(self, lengths: Sequence[int], together: int, seed: int) -> None:
        self.lengths, self.together, self.seed = list(lengths), together, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called before each pass, also by a run that goes on from a checkpoint."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(order_by_length(self.lengths, self.together, f"{self.seed} {self.epoch}"))


def group_rows(trainer: Any, learned: Sequence[dict[str, Any]]) -> None:
    """Has the trainer take its rows in this order; a row's length is that of all its token ids together."""
    args = trainer.args
    lengths = [sum(len(part) for part in row.values() if isinstance(part, list)) for row in learned]
    together = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    order = LengthOrder(lengths, together, args.seed)
    trainer._get_train_sampler = lambda *_: order
