"""Vectors: what encoders promise, that they are kept, and what is similar."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pitchpipe.store.curation import vectors
from pitchpipe.store.curation.encoding import encode_tfidf, load_encoders
from pitchpipe.store.curation.vectors import find_similar, read_request_vectors
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project

REQUESTS = ["How do I bake bread at home?", "How do I bake rolls at home?", "Name three rivers of Asia.", "🙂"]


@pytest.fixture
def project(store: Store, write_lines: Callable[[str, list[str]], Path]) -> Store:
    create_project(store, "p")
    rows = [json.dumps({"prompt": text, "completion": "It is so."}) for text in REQUESTS]
    import_file(store, write_lines("rows.jsonl", rows), "p")
    return store


def test_vectors_have_unit_length_and_do_not_depend_on_the_order() -> None:
    matrix = encode_tfidf(REQUESTS)
    assert matrix.dtype == np.float32
    assert np.linalg.norm(matrix, axis=1) == pytest.approx([1, 1, 1, 1], abs=1e-5)
    assert encode_tfidf(["", "words"])[0].tolist() == [0.0] * encode_tfidf(["", "words"]).shape[1]
    assert encode_tfidf(REQUESTS[::-1])[::-1] == pytest.approx(matrix, abs=1e-6)
    assert (len(encode_tfidf([])), len(encode_tfidf(["one"])), len(encode_tfidf(["🙂", "?"]))) == (0, 1, 2)
    assert matrix[0] @ matrix[1] > 0.3 > abs(matrix[0] @ matrix[2])


def test_short_questions_about_other_things_are_not_taken_for_alike() -> None:
    things = [
        f"{a}{b}" for a in ("qu", "ze", "mo", "ri", "xa") for b in ("lant", "dorf", "mist", "bark", "gow", "veed")
    ]
    matrix = encode_tfidf([f"What is {thing}?" for thing in things])
    assert np.triu(matrix @ matrix.T, 1).max() < 0.8


def test_the_most_similar_requests_come_first(project: Store) -> None:
    ids = read_request_vectors(project, "p").example_ids
    similar = find_similar(project, "p", ids[0])
    assert similar[0][0] == ids[1]
    assert ids[0] not in dict(similar)
    assert len(similar) == 3
    assert len(find_similar(project, "p", ids[0], limit=1)) == 1
    with pytest.raises(NotFoundError, match="no example 'e'"):
        find_similar(project, "p", "e")


def test_vectors_are_made_once_and_again_when_a_request_is_new(
    project: Store, write_lines: Callable[[str, list[str]], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_request_vectors(project, "p")

    def fail(texts: object) -> np.ndarray:
        raise AssertionError("made again")

    again = read_request_vectors(project, "p", encoders={"tfidf": fail})
    assert np.array_equal(first.matrix, again.matrix)
    import_file(project, write_lines("more.jsonl", ['{"prompt": "Something new?", "completion": "No."}']), "p")
    assert len(read_request_vectors(project, "p").matrix) == 5
    assert len(list((project.workspace / vectors.FOLDER).rglob("*.npy"))) == 1, "the older file is gone"
    with pytest.raises(UsageError, match="'other' is not there"):
        read_request_vectors(project, "p", "other")


def test_the_sentence_model_is_asked_only_for_texts_that_have_no_vector(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def run(source: Path, target: Path) -> None:
        texts = pl.read_parquet(source)["text"].to_list()
        asked.append(texts)
        rows = np.array([[len(text), 1] for text in texts], np.float32)
        pl.DataFrame({"vector": rows}, schema={"vector": pl.Array(pl.Float32, 2)}).write_parquet(target)

    assert list(load_encoders(tmp_path)) == ["tfidf"]
    encode = load_encoders(tmp_path, run)["minilm"]
    assert encode(["a", "bb", "a"]).tolist() == [[1, 1], [2, 1], [1, 1]]
    assert encode(["bb", "ccc"]).tolist() == [[2, 1], [3, 1]]
    assert asked == [["a", "bb"], ["ccc"]]
    kept = load_encoders(tmp_path)["minilm"]
    assert kept(["ccc", "a"]).tolist() == [[3, 1], [1, 1]]
    with pytest.raises(UsageError, match="1 of 2 texts have no vector"):
        kept(["a", "new"])


def test_an_encoder_that_fails_leaves_nothing_that_is_taken_for_vectors(tmp_path: Path) -> None:
    def fail(source: Path, target: Path) -> None:
        target.write_bytes(b"half a fi")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        load_encoders(tmp_path, fail)["minilm"](["a"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
