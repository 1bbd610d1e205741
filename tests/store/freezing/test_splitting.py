"""The seal: what is one request, and what is nearly one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.freezing.splitting import (
    assign_split,
    find_group,
    find_near_duplicates,
    normalise_text,
    shingle_text,
)
from pitchpipe.store.records import Message, Split


@pytest.mark.parametrize(
    "disguised",
    ["Don't e-mail me!", "  don’t  EMAIL me ", "_dont email me_", "Do\u200bn't e\u00admail me", "ＤＯＮＴ email me"],
)
def test_disguises_of_one_request_are_one_request(disguised: str) -> None:
    assert normalise_text(disguised) == "dont email me"
    assert find_group([Message("user", disguised)]) == find_group([Message("user", "dont email me")])


def test_numbers_and_texts_without_words_stay_apart() -> None:
    assert find_group([Message("user", "2 + 2?")]) != find_group([Message("user", "2 + 3?")])
    assert find_group([Message("user", "🙂")]) != find_group([Message("user", "🙁")])
    assert find_near_duplicates([("a", "🙂")], [("b", "🙁")]) == {}


@given(st.lists(st.text(max_size=20), min_size=1, max_size=40, unique=True), st.text(max_size=5))
def test_a_share_of_zero_seals_nothing_and_the_side_of_a_group_never_depends_on_others(
    texts: list[str], salt: str
) -> None:
    groups = [find_group([Message("user", text)]) for text in texts]
    assert {assign_split(group, salt, 0.0) for group in groups} == {Split.TRAIN}
    assert [assign_split(group, salt, 0.5) for group in groups] == [assign_split(group, salt, 0.5) for group in groups]


def test_about_the_asked_share_of_groups_is_sealed() -> None:
    sides = [assign_split(f"grp_{number}", "salt", 0.2) for number in range(5000)]
    # Binomial with p 0.2: the standard deviation of the share is 0.0057, so four of them are 0.023.
    assert abs(sides.count(Split.HOLDOUT) / 5000 - 0.2) < 0.023


WORDS = st.lists(st.sampled_from(list("abcdefghij")), min_size=1, max_size=14).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), st.lists(WORDS, min_size=1, max_size=12))
def test_looking_up_only_the_rarest_shingles_finds_what_comparing_all_pairs_finds(
    texts: list[str], references: list[str]
) -> None:
    found = find_near_duplicates(enumerate_texts(texts), enumerate_texts(references))
    for key, text in enumerate_texts(texts):
        mine = shingle_text(text)
        best = max(len(mine & other) / len(mine | other) for other in map(shingle_text, references))
        assert (key in found) == (best >= 0.8)
        if key in found:
            assert found[key][1] == pytest.approx(best)


def enumerate_texts(texts: list[str]) -> list[tuple[str, str]]:
    return [(str(number), text) for number, text in enumerate(texts)]


@pytest.mark.parametrize(("words", "fewer", "similarity"), [(24, 15, 0.55), (29, 18, 0.56)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_request_just_at_the_threshold_is_found(words: int, fewer: int, similarity: float, turned: bool) -> None:
    """24 words have 20 runs of five, the first 15 of them 11: 11/20 = 0.55. 29 have 25, 18 have 14: 14/25 = 0.56."""
    texts = [
        ("whole", " ".join(f"word{n}" for n in range(words))),
        ("part", " ".join(f"word{n}" for n in range(fewer))),
    ]
    first, second = texts[::-1] if turned else texts
    assert find_near_duplicates([first], [second], similarity) == {first[0]: (second[0], similarity)}
    assert find_near_duplicates([first], [second], similarity + 1e-6) == {}
