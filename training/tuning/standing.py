"""Standing: which measurement of a run is its best, and whether it is time to stop. Pure and free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.training.tuning.advice import series


@dataclass(frozen=True, slots=True)
class Standing:
    """What the measurements of a run add up to."""

    best_step: int | None = None
    """The step of the lowest dev loss, that before training (step 0) included; None while nothing is measured."""
    best: float | None = None
    since_best: int = 0
    """Measurements in a row that were no better."""

    def is_exhausted(self, patience: int) -> bool:
        """True when so many measurements in a row were no better than the best; never for 0."""
        return bool(patience) and self.since_best >= patience


def find_standing(metrics: Sequence[dict[str, Any]], up_to_step: int | None = None) -> Standing:
    """The standing of a run by the `dev_loss` of its metrics, up to a step where one is given.

    It is derived and stored nowhere, so a run that is continued after a crash knows it too.

    >>> find_standing([{"step": 0, "dev_loss": 2.0}, {"step": 10, "dev_loss": 1.0}, {"step": 20, "dev_loss": 1.0}])
    Standing(best_step=10, best=1.0, since_best=1)
    """
    best_step, best, since = None, None, 0
    for step, value in series(metrics, "dev_loss"):
        if up_to_step is not None and step > up_to_step:
            break
        if best is None or value < best:
            best_step, best, since = step, value, 0
        else:
            since += 1
    return Standing(best_step, best, since)
