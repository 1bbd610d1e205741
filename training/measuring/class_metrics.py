"""Class metrics: how good a classifier is and whether its probabilities mean what they say. Free of torch.

Labels and predictions are places in one list of classes, so that a class which training never saw counts too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np

from pitchpipe.training.measuring.intervals import wilson

BINS = 10
_RESAMPLES_AT_ONCE = 64


def count_confusion(truth: Sequence[int], predicted: Sequence[int], classes: int) -> np.ndarray:
    """How often a class (row) was taken for another (column), int64 of shape (classes, classes).

    >>> count_confusion([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    places = np.asarray(truth, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def measure_classes(confusion: np.ndarray) -> list[dict[str, float]]:
    """Precision, recall, F1 and support of each class; a share of nothing is 0.

    >>> measure_classes(np.array([[1, 1], [0, 1]]))[0]
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666, 'support': 2}
    """
    measured = []
    for place in range(len(confusion)):
        hits, asked, said = confusion[place, place], confusion[place].sum(), confusion[:, place].sum()
        measured.append(
            {
                "precision": float(hits / said) if said else 0.0,
                "recall": float(hits / asked) if asked else 0.0,
                "f1": float(2 * hits / (asked + said)) if asked + said else 0.0,
                "support": int(asked),
            }
        )
    return measured


def macro_f1(confusion: np.ndarray) -> float:
    """The mean F1 of all classes that occur or were predicted, each counting the same.

    >>> round(macro_f1(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]])), 4)
    0.6667
    """
    return float(_macro_f1s(confusion.reshape(1, -1), len(confusion))[0])


def bootstrap_macro_f1(
    truth: Sequence[int], predicted: Sequence[int], classes: int, groups: Sequence[str], resamples: int, seed: int
) -> tuple[float, float]:
    """The 95 % interval of the macro F1 when groups of rows are drawn anew."""
    names = {name: place for place, name in enumerate(sorted(set(groups)))}
    counts = np.zeros((len(names), classes * classes))
    for group, true, said in zip(groups, truth, predicted, strict=True):
        counts[names[group], true * classes + said] += 1
    generator, found = np.random.default_rng(seed), []
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        size = min(_RESAMPLES_AT_ONCE, resamples - start)
        drawn = generator.multinomial(len(names), [1 / len(names)] * len(names), size=size)
        found.append(_macro_f1s(drawn @ counts, classes))
    low, high = np.quantile(np.concatenate(found), [0.025, 0.975])
    return float(low), float(high)


def _macro_f1s(confusions: np.ndarray, classes: int) -> np.ndarray:
    """The macro F1 of each flat confusion, shape (n, classes * classes) to (n,)."""
    tables = confusions.reshape(-1, classes, classes)
    both = tables.sum(1) + tables.sum(2)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    shares = np.where(both > 0, 2 * hits / np.maximum(both, 1), 0.0)
    means: np.ndarray = shares.sum(1) / np.maximum((both > 0).sum(1), 1)
    return means


def measure_calibration(confidence: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """The expected calibration error over ten equal bins of confidence, and the table behind it.

    Guo et al., "On calibration of modern neural networks" (2017): the mean distance of a bin's accuracy from its mean
    confidence, weighted by its rows; 0 is best.

    >>> measure_calibration([0.95, 0.95], [True, False])["ece"]
    0.45
    """
    sure, hits = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    table, error = [], 0.0
    for number in range(BINS):
        inside = place == number
        size = int(inside.sum())
        if not size:
            continue
        mean, accuracy = float(sure[inside].mean()), float(hits[inside].mean())
        low, high = wilson(int(hits[inside].sum()), size)
        error += size / len(sure) * abs(accuracy - mean)
        bounds = {"from": number / BINS, "to": (number + 1) / BINS}
        table.append({**bounds, "rows": size, "confidence": mean, "accuracy": accuracy, "low": low, "high": high})
    return {"ece": round(error, 12), "bins": table}


def compare_paired(first: Sequence[bool], second: Sequence[bool]) -> dict[str, Any]:
    """McNemar's exact test of who is right on the same rows (McNemar 1947): only rows where one alone is right count.

    >>> compare_paired([True, True, True, False], [False, False, True, False])
    {'only_first': 2, 'only_second': 0, 'p': 0.5}
    """
    only_first = sum(one and not other for one, other in zip(first, second, strict=True))
    only_second = sum(other and not one for one, other in zip(first, second, strict=True))
    apart = only_first + only_second
    tail = sum(comb(apart, number) for number in range(min(only_first, only_second) + 1))
    return {"only_first": only_first, "only_second": only_second, "p": min(1.0, 2 * tail / 2**apart)}
