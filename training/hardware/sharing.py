"""Sharing: every row of an epoch goes to exactly one of several processes.

Accelerate fills the last batch of an epoch with rows of the first, so that all processes have the same number of
batches; those rows are then learned twice. Here the epoch is filled up with a blank row instead, in which nothing is
learned: the loss of a step is the mean over all answer tokens of all processes, so it is that of one process with the
same rows. Methods whose rows cannot be blank ask for a number of rows that fills the batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelerate.data_loader import SeedableRandomSampler
from datasets import Dataset, concatenate_datasets
from torch.utils.data import RandomSampler, Sampler

from pitchpipe.store.errors import RunError
from pitchpipe.training.hardware.ranks import world_size
from pitchpipe.training.tokens.tokenizing import IGNORED


class FilledSampler(Sampler[int]):  # type: ignore[misc]
    """The rows in the order of another sampler, then a blank one until all processes' batches are full.

    >>> list(FilledSampler([2, 0, 1], blank=3, multiple=4))
    [2, 0, 1, 3]
    """

    def __init__(self, rows: Any, blank: int, multiple: int) -> None:
        self.rows, self.blank, self.multiple = rows, blank, multiple

    def __len__(self) -> int:
        return -(-len(self.rows) // self.multiple) * self.multiple

    def __iter__(self) -> Iterator[int]:
        yield from self.rows
        yield from [self.blank] * (len(self) - len(self.rows))

    def set_epoch(self, epoch: int) -> None:
        """Accelerate tells the epoch, which the order depends on."""
        if hasattr(self.rows, "set_epoch"):
            self.rows.set_epoch(epoch)


def share_rows(trainer: Any, method: str) -> None:
    """Makes the trainer of one of several processes take its share of the rows and no other; alone it stays as it is.

    Raises:
        RunError: the rows do not fill the batches, and the method's rows cannot be blank.
    """
    count = world_size()
    if count == 1:
        return
    rows = len(trainer.train_dataset)
    multiple = trainer.args.per_device_train_batch_size * count
    if rows % multiple == 0:
        return
    if method != "sft" or trainer.args.packing:
        raise RunError(
            f"{rows} rows do not fill batches of {multiple} ({count} processes), and some would be learned twice.",
            f"Set `max_rows` to {rows - rows % multiple}, or choose another `batch_size`."
            if rows > multiple
            else "Use fewer processes or a smaller `batch_size`.",
        )
    end = trainer.processing_class.eos_token_id
    real = trainer.train_dataset
    # Whatever else a row carries (a weight, say) counts for nothing without a label.
    blank = Dataset.from_list([{**real[0], "input_ids": [end, end], "labels": [IGNORED, IGNORED]}])
    order = trainer._get_train_sampler(real)
    if isinstance(order, RandomSampler):
        # What accelerate would put in its place, so that the order is that of one process.
        order = SeedableRandomSampler(real, num_samples=rows, data_seed=trainer.args.data_seed)
    trainer.train_dataset = concatenate_datasets([real, blank.cast(real.features)])
    trainer._get_train_sampler = lambda *_: FilledSampler(order, rows, multiple)
