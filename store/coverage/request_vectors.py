"""Vectors of a project's requests by TF-IDF and a truncated SVD, until the store keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pitchpipe.store.coverage.clusters import Matrix

_DIMENSIONS = 256


def encode_requests(texts: Sequence[str]) -> Matrix:
    """Unit rows, float32, one a text."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(texts) < 3:
        return np.eye(len(texts), max(1, len(texts)), dtype=np.float32)
    weights = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(texts)
    flat = TruncatedSVD(max(1, min(_DIMENSIONS, *weights.shape) - 1), random_state=0).fit_transform(weights) + 1e-9
    unit: Matrix = (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)
    return unit
