"""Semantic duplicates: cosine, the leader rule, and what the rule says when an encoder is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation.encoding import encode_tfidf
from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.applying import Hit, apply_rules
from pitchpipe.store.rules.rule import Background, Row, RuleChoice
from pitchpipe.store.rules.semantic import follow_by_cosine
from tests.store.rules.dataset_rows import make_answer


def encode_degrees(texts: Sequence[str]) -> np.ndarray:
    """A text that begins with a number as the direction of so many degrees."""
    angles = np.radians([float(text.split()[0]) for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def find(rows: list[Row], rule: str = "semantic_duplicate", **parameters: Any) -> list[Hit]:
    background = Background(encoders={"minilm": encode_degrees, "tfidf": encode_tfidf})
    choice = RuleChoice(rule, "mark", tuple({"encoder": "minilm", **parameters}.items()))
    return apply_rules(rows, [choice], background).hits


def make_rows(*degrees: float) -> list[Row]:
    """The first has most judgements, so it leads."""
    return [make_answer(f"e{place}", str(angle), "0", n_judgements=9 - place) for place, angle in enumerate(degrees)]


def test_the_cosine_of_the_least_alike_part_decides() -> None:
    # cos 18 degrees is 0.9511, cos 19 is 0.9455.
    assert [hit.place for hit in find(make_rows(0, 18))] == [1]
    assert find(make_rows(0, 19)) == []
    rows = [make_answer("e0", "0", "0"), make_answer("e1", "1", "45")]
    assert find(rows) == []
    assert len(find(rows, on="prompt")) == 1
    hit = find(make_rows(0, 18))[0]
    assert hit.evidence["score"] == pytest.approx(0.9511, abs=1e-4)
    assert hit.reason == (
        "Its request and answer are 0.95 alike in meaning to what stands in example e0 (answer cand_e0), which stays."
    )


def test_in_a_chain_the_middle_goes_and_the_far_end_stays() -> None:
    assert [(hit.place, hit.evidence["other"]) for hit in find(make_rows(0, 15, 30))] == [(1, "e0")]


def test_the_band_below_is_only_listed() -> None:
    # 18: 0.951 is no neighbour but a duplicate; 24: 0.914; 26: 0.899 is neither.
    assert [hit.place for hit in find(make_rows(0, 18, 100, 124, 200, 226), "semantic_neighbour")] == [3]
    with pytest.raises(UsageError, match="cannot drop"):
        apply_rules(make_rows(0), [RuleChoice("semantic_neighbour", "drop")], Background())


def test_an_encoder_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="'minilm' is not there"):
        apply_rules(make_rows(0), [RuleChoice("semantic_duplicate", "drop", (("encoder", "minilm"),))], Background())


def test_counting_words_finds_a_turned_request_and_leaves_another() -> None:
    rows = [
        make_answer("e0", "Please write a short poem about the sea in winter", "x", n_judgements=1),
        make_answer("e1", "About the sea in winter please write a short poem", "x"),
        make_answer("e2", "Please explain how a bicycle stays upright", "x"),
    ]
    assert [hit.place for hit in find(rows, encoder="tfidf", threshold=0.8)] == [1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 359), min_size=1, max_size=40), st.sampled_from([0.5, 0.9, 0.99]))
def test_blocks_change_nothing(degrees: list[int], threshold: float) -> None:
    matrix = encode_degrees([str(angle) for angle in degrees])
    followings = follow_by_cosine([matrix], threshold)
    leaders: list[int] = []
    for place, following in enumerate(followings):
        scores = [float(matrix[place] @ matrix[leader]) for leader in leaders]
        if following is None:
            assert max(scores, default=0) < threshold
            leaders.append(place)
        else:
            assert following.leader in leaders
            assert following.score == pytest.approx(max(scores), abs=1e-5)
