"""Vectors of a project's requests, made once and kept under the workspace: for the map and for what is similar."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pitchpipe.store.curation.encoding import FOLDER, TFIDF_VERSION, load_encoders
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.identity import hash_value, new_id
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.rule import Encode

_SELECT = "SELECT id, messages FROM examples WHERE project_id = ? ORDER BY position, id"


@dataclass(frozen=True, slots=True)
class RequestVectors:
    """A vector for the request of every example of a project."""

    example_ids: list[str]
    matrix: np.ndarray
    """float32, a row of unit length for each example (zeros for an empty request)."""
    encoder: str


def read_request_vectors(
    store: Store, project: str, encoder: str = "tfidf", encoders: Mapping[str, Encode] | None = None
) -> RequestVectors:
    """Vectors of all first requests of a project, in its order; made when a request is new, else read.

    Args:
        encoders: by name; None loads those that need nothing else (see `encoding.load_encoders`).

    Raises:
        NotFoundError: there is no such project. UsageError: there is no such encoder.
    """
    target = get_project(store, project)
    known = load_encoders(store.workspace) if encoders is None else encoders
    if encoder not in known:
        raise UsageError(f"The encoder '{encoder}' is not there.", f"Use one of: {', '.join(known)}.")
    rows = store.read(_SELECT, [target.id])
    texts = [read_first_request(messages) for _, messages in rows]
    # Those of the sentence model are kept text by text by the encoder itself.
    matrix = _keep_tfidf(store, target.id, texts, known[encoder]) if encoder == "tfidf" else known[encoder](texts)
    return RequestVectors([example_id for example_id, _ in rows], matrix, encoder)


def find_similar(
    store: Store,
    project: str,
    example_id: str,
    limit: int = 20,
    encoder: str = "tfidf",
    encoders: Mapping[str, Encode] | None = None,
) -> list[tuple[str, float]]:
    """The examples with the most similar first requests but for itself, each with the cosine, the most similar first.

    Raises:
        NotFoundError: the project has no such example.
    """
    vectors = read_request_vectors(store, project, encoder, encoders)
    if example_id not in vectors.example_ids:
        raise NotFoundError(f"The project '{project}' has no example '{example_id}'.", "Look it up on the Data page.")
    place = vectors.example_ids.index(example_id)
    scores = vectors.matrix @ vectors.matrix[place]
    scores[place] = -np.inf
    nearest = np.argsort(-scores, kind="stable")[: min(limit, len(scores) - 1)]
    return [(vectors.example_ids[near], round(min(1.0, float(scores[near])), 4)) for near in nearest.tolist()]


def read_first_request(messages: str) -> str:
    """The first turn of the user in a conversation (JSON as stored), whole: what its vector is made of.

    >>> read_first_request('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]')
    'Hi'
    """
    return next((str(message["content"]) for message in json.loads(messages) if message["role"] == "user"), "")


def _keep_tfidf(store: Store, project_id: str, texts: Sequence[str], encode: Encode) -> np.ndarray:
    """The vectors out of the project's file, which is made again when any text has changed."""
    folder = store.workspace / FOLDER / TFIDF_VERSION
    path = folder / f"{project_id}_{hash_value(list(texts))[7:33]}.npy"
    if path.is_file():
        kept: np.ndarray = np.load(path, allow_pickle=False)
        return kept
    matrix = encode(texts)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{new_id('part')}.npy"
    try:
        np.save(aside, matrix, allow_pickle=False)
        os.replace(aside, path)  # noqa: PTH105 - one call that is atomic on every system
    finally:
        aside.unlink(missing_ok=True)
    for older in folder.glob(f"{project_id}_*.npy"):
        if older != path:
            older.unlink(missing_ok=True)
    return matrix
