"""Vectors for tests of coverage: planted groups."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_unit(rows: Any) -> Any:
    """The rows as float32 of unit length."""
    matrix = np.asarray(rows, np.float64)
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def plant_groups(groups: int, each: int, dimensions: int = 16, seed: int = 7) -> Any:
    """Tight groups around random directions: `groups` x `each` unit rows, group after group."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(groups, dimensions))
    return make_unit(np.repeat(centres, each, axis=0) + 0.1 * random.normal(size=(groups * each, dimensions)))
