"""Duplicates: what is found, whom it follows, and who stays."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation.encoding import encode_tfidf
from pitchpipe.store.freezing.splitting import shingle_text
from pitchpipe.store.rules.applying import apply_rules
from pitchpipe.store.rules.leaders import follow_leaders
from pitchpipe.store.rules.rule import Background, Finding, Row, RuleChoice
from tests.store.rules.dataset_rows import make_answer, make_pair


def find(rows: list[Row], rule: str, background: Background | None = None, **parameters: Any) -> dict[str, str]:
    """For each example with a dropped row, the example that it follows."""
    choice = RuleChoice(rule, "drop", tuple(parameters.items()))
    outcome = apply_rules(rows, [choice], background or Background())
    return {rows[hit.place]["example_id"]: hit.evidence["other"] for hit in outcome.hits}


ENCODERS = Background(encoders={"tfidf": encode_tfidf})
WORDS = " ".join(f"word{number}" for number in range(1, 41))


def change(text: str, *places: int) -> str:
    words = text.split()
    for place in places:
        words[place] = f"changed{place}"
    return " ".join(words)


# --- what is the same


def test_case_punctuation_and_white_space_make_no_other_text() -> None:
    rows = [
        make_answer("e1", "Where is my e-mail?", "It is in the drawer."),
        make_answer("e2", "  where IS my email ", "it is in the drawer"),
        make_answer("e3", "Where is my e-mail?", "It is in the attic."),
    ]
    assert find(rows, "exact_duplicate") in ({"e2": "e1"}, {"e1": "e2"})
    assert len(find(rows, "exact_duplicate", on="prompt")) == 2


def test_sums_with_another_operator_or_number_are_not_the_same() -> None:
    sums = ["What is 5 + 3?", "What is 5 - 3?", "What is 5 * 3?", "What is 5 + 4?", "what is 5 +3"]
    rows = [make_answer(f"e{place}", text, "It is a sum") for place, text in enumerate(sums)]
    assert set(find(rows, "exact_duplicate")) <= {"e0", "e4"}
    assert len(find(rows, "exact_duplicate")) == 1


def test_a_long_request_does_not_make_two_different_answers_alike() -> None:
    rows = [make_answer("e1", WORDS, "Yes", candidate_id="c1"), make_answer("e1", WORDS, "No", candidate_id="c2")]
    assert find(rows, "near_duplicate") == {}
    assert find(rows, "exact_duplicate", on="prompt") == {}, "rows of one example are not duplicates of each other"


def test_one_word_of_twenty_may_differ_and_two_not() -> None:
    # 40 words are 39 runs of two; a word inside takes two of them: 35/43 = 0.81 with two changed, 33/45 = 0.73 with 3.
    rows = [make_answer("e1", WORDS, "same"), make_answer("e2", change(WORDS, 9, 30), "same!")]
    hits = apply_rules(rows, [RuleChoice("near_duplicate")], Background()).hits
    assert [hit.evidence["score"] for hit in hits] == [pytest.approx(35 / 43, abs=1e-4)]
    assert find([rows[0], make_answer("e3", change(WORDS, 9, 20, 30), "same")], "near_duplicate") == {}
    # Runs of five words: a word inside takes five of 36, so two changed leave 26/46 = 0.57.
    assert find(rows, "near_duplicate", words=5) == {}
    assert len(find(rows, "near_duplicate", words=5, threshold=0.55)) == 1


def test_short_answers_are_not_compared_and_long_ones_are() -> None:
    long = "It rains today and will rain tomorrow as well."
    rows = [
        make_answer("e1", "Is it raining?", "Yes."), make_answer("e2", "Do cows eat grass?", "Yes."),
        make_answer("e3", "How is the weather?", long), make_answer("e4", "Shall I take a coat?", long),
        make_pair("e5", "Something else?", long, long),
    ]  # fmt: skip
    assert find(rows, "exact_duplicate", on="answer") in ({"e4": "e3"}, {"e3": "e4"})


def test_all_rows_of_an_example_follow_its_request() -> None:
    rows = [
        make_answer("e1", WORDS, "one", n_judgements=3),
        make_answer("e2", WORDS, "two", candidate_id="c2"),
        make_pair("e2", WORDS, "two", "three"),
        make_answer("e3", [WORDS, "And now?"], "four"),
        make_answer("e3", WORDS, "Yes, go on.", candidate_id=None, turn=1),
    ]
    outcome = apply_rules(rows, [RuleChoice("exact_duplicate", "drop", (("on", "prompt"),))], Background())
    # e3 is another conversation as a whole, although one of its rows shows only its beginning.
    assert outcome.kept == [0, 3, 4]
    assert {hit.evidence["other"] for hit in outcome.hits} == {"e1"}


def test_pairs_are_compared_with_pairs_and_the_sides_do_not_matter() -> None:
    rows = [
        make_pair("e1", WORDS, "left answer", "right answer"),
        make_pair("e2", WORDS, "Right answer!", "Left answer!"),
        make_answer("e3", WORDS, "left answer\nright answer"),
    ]
    assert set(find(rows, "exact_duplicate")) in ({"e1"}, {"e2"})


@pytest.mark.parametrize("rule", ["exact_duplicate", "near_duplicate", "semantic_duplicate"])
def test_pairs_that_were_won_the_other_way_round_are_no_duplicates(rule: str) -> None:
    """e2 is e1 with the sides changed, so that the same text won; in e3 the other one did, e4 and e5 have no winner."""
    left, right = "It is in the upper drawer.", "Nobody has ever seen that thing."
    rows = [
        make_pair("e1", WORDS, left, right, verdict="a", n_judgements=5),
        make_pair("e2", WORDS, right, left, verdict="b"),
        make_pair("e3", WORDS, left, right, verdict="b"),
        make_pair("e4", WORDS, left, right, verdict="tie"),
        make_pair("e5", WORDS, left, right, verdict="both_bad"),
        make_pair("e6", WORDS, right, left, verdict="tie", n_judgements=5),
    ]
    assert find(rows, rule, ENCODERS) == {"e2": "e1", "e4": "e6"}


@pytest.mark.parametrize("rule", ["exact_duplicate", "near_duplicate", "semantic_duplicate"])
def test_the_same_text_with_other_labels_or_marks_is_no_duplicate(rule: str) -> None:
    def say(id: str, kind: str, judgements: int, **said: str) -> Row:
        return make_answer(id, WORDS, "It is in the drawer.", row_kind=kind, n_judgements=judgements, **said)

    rows = [
        say("e1", "label", 5, labels='["refund"]'),
        say("e2", "label", 1, labels='["refund"]'),
        say("e3", "label", 1, labels='["other"]'),
        say("e4", "span", 5, spans='[{"start":0,"end":2,"label":"vague"}]'),
        say("e5", "span", 1, spans='[{"start":0,"end":2,"label":"vague"}]'),
        say("e6", "span", 1, spans="[]"),
    ]
    assert find(rows, rule, ENCODERS) == {"e2": "e1", "e5": "e4"}


def test_a_sealed_row_and_an_open_one_never_take_each_others_place() -> None:
    rows = [make_answer("e1", WORDS, "same"), make_answer("e2", WORDS, "same", split="holdout")]
    assert find(rows, "exact_duplicate") == find(rows, "near_duplicate") == {}


def test_texts_without_a_letter_are_the_same_only_as_they_stand() -> None:
    rows = [make_answer("e1", "🙂", "🙂"), make_answer("e2", "🙁", "🙁"), make_answer("e3", "🙂", "🙂")]
    assert set(find(rows, "exact_duplicate")) in ({"e1"}, {"e3"})
    assert len(find(rows, "near_duplicate")) == 1


# --- who stays


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"origin": "person"}, {"scores": '{"helpfulness": 4}', "n_judgements": 3}),
        ({"scores": '{"helpfulness": 4, "why": "words"}'}, {"scores": '{"helpfulness": 3}', "n_judgements": 9}),
        ({"n_judgements": 2}, {"n_judgements": 1, "answer": "the same!!!!!"}),
        ({"answer": "the same!!!"}, {"answer": "the same"}),
    ],
)
def test_the_row_that_people_put_most_into_stays(better: dict[str, Any], worse: dict[str, Any]) -> None:
    rows = [
        make_answer("e1", WORDS, **{"answer": "the same", **worse}),
        make_answer("e2", WORDS, **{"answer": "the same", **better}),
    ]
    assert find(rows, "exact_duplicate") == find(rows[::-1], "exact_duplicate") == {"e1": "e2"}


def test_what_a_curator_kept_stays_before_what_a_person_wrote() -> None:
    rows = [make_answer("e1", WORDS, "same"), make_answer("e2", WORDS, "same", origin="person")]
    assert find(rows, "exact_duplicate", Background(kept_ids={"cand_e1"})) == {"e2": "e1"}
    assert find(rows, "exact_duplicate", Background(kept_ids={"e1"})) == {"e2": "e1"}


def test_of_two_unrated_answers_the_one_that_won_comparisons_stays() -> None:
    rows = [
        make_answer("e1", WORDS, "same"),
        make_answer("e2", WORDS, "same"),
        make_pair("e1", WORDS, "same", "poor", verdict="b", candidate_a="cand_e1"),
        make_pair("e2", WORDS, "same", "other", verdict="a", candidate_a="cand_e2"),
    ]
    assert find(rows, "exact_duplicate") == {"e1": "e2"}


def test_a_pair_from_a_correction_stays_before_one_that_was_judged() -> None:
    rows = [
        make_pair("e1", WORDS, "left", "right", n_judgements=5, support=1.0, pair_origin="compare"),
        make_pair("e2", WORDS, "left", "right", n_judgements=1, support=1.0, pair_origin="edit"),
    ]
    assert find(rows, "exact_duplicate") == {"e1": "e2"}


# --- no chains


def test_in_a_chain_the_middle_goes_and_the_far_end_stays() -> None:
    first, middle, last = WORDS, change(WORDS, 10, 20), change(WORDS, 10, 20, 30, 35)
    rows = [
        make_answer("a", first, "same", n_judgements=3),
        make_answer("b", middle, "same", n_judgements=2),
        make_answer("c", last, "same", n_judgements=1),
    ]
    assert find(rows, "near_duplicate") == {"b": "a"}
    # When the middle is the best of the three, it leads both.
    rows[1]["n_judgements"] = 9
    assert find(rows, "near_duplicate") == {"a": "b", "c": "b"}


def test_words_that_most_texts_share_make_no_duplicates() -> None:
    preamble = " ".join(f"preamble{number}" for number in range(40))
    texts = [f"{preamble} Tell me what thing{number} is about" for number in range(100)]
    assert follow_leaders([[text] for text in texts], 0.8, length=2, common=0.2) == [None] * 100
    # 40 + 6 words give 45 runs; 2 of the last are other ones: 43/47 = 0.91, so without the care one is left.
    assert follow_leaders([[text] for text in texts], 0.8, length=2).count(None) == 1


def test_a_text_that_stands_there_very_often_is_still_found() -> None:
    texts = [["the very same request of nine words it is"]] * 60 + [[f"{n * 7919 % 90017}" * 3] for n in range(1, 41)]
    followings = follow_leaders(texts, 0.8, length=2, common=0.2)
    assert [following is None for following in followings] == [True] + [False] * 59 + [True] * 40


TEXT = st.lists(st.sampled_from(list("abcdefgh")), min_size=1, max_size=16).map(" ".join)
LISTS = st.integers(1, 2).flatmap(lambda parts: st.lists(st.tuples(*[TEXT] * parts), min_size=1, max_size=24))


@settings(max_examples=150, deadline=None)
@given(LISTS, st.sampled_from([0.5, 0.6, 0.8, 0.9, 1.0]), st.integers(1, 5))
def test_the_search_finds_what_comparing_all_pairs_finds(
    texts: list[tuple[str, ...]], threshold: float, length: int
) -> None:
    followings = follow_leaders(texts, threshold, length)
    leaders: list[int] = []
    for place, text in enumerate(texts):
        scores = {leader: measure(text, texts[leader], length) for leader in leaders}
        best = max(scores.values(), default=0.0)
        following = followings[place]
        if best >= threshold:
            assert following is not None
            assert following.score == pytest.approx(best)
            assert following.leader == min(leader for leader, score in scores.items() if score == best)
        else:
            assert following is None
            leaders.append(place)


def measure(first: tuple[str, ...], second: tuple[str, ...], length: int) -> float:
    sets = [(shingle_text(a, length), shingle_text(b, length)) for a, b in zip(first, second, strict=True)]
    return min(len(a & b) / len(a | b) for a, b in sets)


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXT, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(texts: list[str], chance: random.Random) -> None:
    rows = [make_answer(f"e{number}", text, "same", n_judgements=number % 3) for number, text in enumerate(texts)]
    shuffled = chance.sample(rows, len(rows))
    for on in ("prompt", "both"):
        assert find(rows, "near_duplicate", on=on) == find(shuffled, "near_duplicate", on=on)


# --- the planted set: the figures in docs/curation_rules.md


def write_planted_set() -> tuple[list[Row], dict[str, dict[str, str]]]:
    """1,000 requests of 12 to 80 words with planted copies of some; by kind of copy: copy -> original."""
    chance = random.Random(7)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 9))) for _ in range(3000)]
    bases = [" ".join(chance.choices(words, k=chance.randint(12, 80))) for _ in range(1000)]
    copies: dict[str, dict[str, str]] = {"exact": {}, "punctuation": {}, "edited": {}}
    rows = [make_answer(f"base{number}", text, "same", n_judgements=5) for number, text in enumerate(bases)]

    def plant(kind: str, number: int, text: str) -> None:
        copies[kind][f"{kind}{number}"] = f"base{number}"
        rows.append(make_answer(f"{kind}{number}", text, "same", n_judgements=1))

    for number in range(100):
        plant("exact", number, bases[number])
        plant("punctuation", number + 100, bases[number + 100].title().replace(" ", ",  ") + "!?")
        text = bases[number + 200]
        count = max(1, round(0.05 * len(text.split())))
        plant("edited", number + 200, change(text, *chance.sample(range(len(text.split())), count)))
    return chance.sample(rows, len(rows)), copies


@pytest.mark.parametrize(
    ("rule", "parameters", "recall"),
    [
        ("exact_duplicate", {}, {"exact": 1.0, "punctuation": 1.0, "edited": 0.0}),
        ("near_duplicate", {}, {"exact": 1.0, "punctuation": 1.0, "edited": 0.65}),
        ("near_duplicate", {"threshold": 0.7}, {"exact": 1.0, "punctuation": 1.0, "edited": 0.95}),
        ("near_duplicate", {"words": 5}, {"exact": 1.0, "punctuation": 1.0, "edited": 0.0}),
        ("near_duplicate", {"words": 5, "threshold": 0.5}, {"exact": 1.0, "punctuation": 1.0, "edited": 0.9}),
    ],
)
def test_planted_copies_are_found_and_nothing_else(
    rule: str, parameters: dict[str, Any], recall: dict[str, float]
) -> None:
    rows, copies = write_planted_set()
    found = find(rows, rule, on="prompt", **parameters)
    planted = {copy: base for kind in copies.values() for copy, base in kind.items()}
    assert {copy: base for copy, base in found.items() if planted.get(copy) != base} == {}, "precision is 1"
    for kind, expected in copies.items():
        share = len(found.keys() & expected.keys()) / len(expected)
        assert share >= recall[kind]


def test_a_finding_says_in_words_and_figures_why() -> None:
    rows = [make_answer("e1", WORDS, "same", n_judgements=1), make_answer("e2", change(WORDS, 9, 30), "same!")]
    hit = apply_rules(rows, [RuleChoice("near_duplicate")], Background()).hits[0]
    finding = Finding(hit.place, hit.reason, hit.evidence)
    assert finding.reason == (
        "Its request and answer are 0.81 similar to what stands in example e1 (answer cand_e1), which stays."
    )
    assert finding.evidence == {
        "other": "e1", "other_candidates": ["cand_e1"], "score": 0.814, "compared": ["messages", "answer"],
    }  # fmt: skip
