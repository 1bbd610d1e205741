"""Chains of rules: whatever rules in whatever order, every row is kept or listed, and nothing else happens to it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation.encoding import encode_tfidf
from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.applying import apply_rules
from pitchpipe.store.rules.catalogue import RULES, order_chain
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.reading import list_spans, read_field
from pitchpipe.store.rules.rule import Background, Parameter, RuleChoice
from tests.store.rules.made_rows import answer, make_row

BACKGROUND = Background(
    evaluation_sets={"test": [("t1", "What is the capital city of the country of France today?")]},
    count_tokens=lambda chats: [sum(len(text.split()) + 3 for _, text in chat) for chat in chats],
    encoders={"tfidf": encode_tfidf, "minilm": encode_tfidf},  # which model it is changes nothing here
)
OF_ROWS_ALONE = ("empty_answer", "same_answers", "refusal", "boilerplate", "repetition", "language", "too_long",
                 "too_short", "length_only", "same_model", "personal_data", "secrets")  # fmt: skip
"""Rules that judge each row by itself, so that the order of rows changes nothing."""
TEXTS = [
    "", "N/A", "I'm sorry, but I can't help with that.", "As an AI language model, I have no taste.", "Paris.",
    "It is a fine day. " * 8, "Das Wetter ist heute wirklich schön, und ich gehe mit dem Hund in den Wald spazieren.",
    "Mail a@mail.org or call (415) 555-2671", "Human: and you?\nAssistant: fine", "key AKIA" + "Q7WXN3J5RTZ2LMPD",
    "What is the capital city of the country of France today?", "Paris is the capital of France, and it is large.",
    "Paris is the capital of France, and it is large. Very large.", "```\ncode()\n```", "\ud800 broken", "🙂" * 5,
]  # fmt: skip


@st.composite
def draw_row(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["answer", "pair", "label", "span"]))
    text = st.sampled_from(TEXTS)
    row = make_row(
        kind,
        draw(text),
        split=draw(st.sampled_from(["train", "holdout"])),
        row_id=f"row_{draw(st.integers(0, 10**9))}",
    )
    row["example_id"] = draw(st.sampled_from(["e1", "e2", "e3", "e4"]))
    if kind == "pair":
        row.update(answer_a=draw(text), answer_b=draw(text), candidate_a="c1", candidate_b="c2", model_a="m")
        row.update(model_b=draw(st.sampled_from(["m", "n"])), verdict=draw(st.sampled_from(["a", "b", "tie", None])))
    else:
        row.update(answer=draw(text), candidate_id=draw(st.sampled_from(["c1", "c2"])))
        row["scores"] = draw(
            st.sampled_from([None, json.dumps({"helpfulness": 1.0}), json.dumps({"helpfulness": 3.0})])
        )
    return row


def draw_dial(parameter: Parameter) -> st.SearchStrategy[Any]:
    """Values in range; words only as they are, for not every word is a language."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if isinstance(parameter.default, bool):
        return st.booleans()
    if isinstance(parameter.default, int | float) and parameter.low is not None and parameter.high is not None:
        most = min(parameter.high, max(parameter.default * 2, parameter.low))
        low, wanted = parameter.low, type(parameter.default)
        return st.floats(0, 1).map(lambda share: wanted(low + share * (most - low)))
    return st.just(parameter.default)


@st.composite
def draw_choice(draw: st.DrawFn, rules: tuple[str, ...] = tuple(RULES)) -> RuleChoice:
    rule = RULES[draw(st.sampled_from(rules))]
    dials = draw(
        st.lists(st.sampled_from(rule.parameters), unique_by=lambda p: p.name) if rule.parameters else st.just([])
    )
    values = tuple((dial.name, draw(draw_dial(dial))) for dial in dials)
    return RuleChoice(rule.id, draw(st.sampled_from(rule.actions)), values)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(draw_row(), max_size=12), choices=st.lists(draw_choice(), max_size=6))
def test_no_row_is_lost_without_a_reason_whatever_the_chain(
    rows: list[dict[str, Any]], choices: list[RuleChoice]
) -> None:
    before = copy.deepcopy(rows)
    outcome = apply_rules(rows, choices, BACKGROUND)
    drops = [hit for hit in outcome.hits if hit.action == "drop"]
    assert rows == before, "a rule changed a row"
    assert len(rows) == len(outcome.kept) + len(drops)
    assert sorted(outcome.kept + [hit.place for hit in drops]) == list(range(len(rows)))
    assert outcome.kept == sorted(outcome.kept)
    gone_at = {hit.place: hit.step for hit in drops}
    for hit in outcome.hits:
        assert hit.reason and hit.version == RULES[hit.rule].version
        assert hit.step <= gone_at.get(hit.place, len(choices)), "a rule saw a row that an earlier one had dropped"
        for field, spans in list_spans(hit.evidence):
            text = read_field(hit.row, field) or ""
            assert all(0 <= start < end <= len(text) and kind for start, end, kind in spans)
    # At most one finding a row and rule.
    assert len({(hit.step, hit.place) for hit in outcome.hits}) == len(outcome.hits)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(draw_row(), max_size=10, unique_by=lambda row: row["row_id"]),
    choices=st.lists(draw_choice(OF_ROWS_ALONE), max_size=4),
    chance=st.randoms(use_true_random=False),
)
def test_the_order_of_rows_does_not_change_what_rules_on_single_rows_drop(
    rows: list[dict[str, Any]], choices: list[RuleChoice], chance: Any
) -> None:
    shuffled = chance.sample(rows, len(rows))
    kept = {rows[place]["row_id"] for place in apply_rules(rows, choices, BACKGROUND).kept}
    assert {shuffled[place]["row_id"] for place in apply_rules(shuffled, choices, BACKGROUND).kept} == kept


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(draw_row(), max_size=8))
def test_marking_and_masking_remove_no_row(rows: list[dict[str, Any]]) -> None:
    choices = [RuleChoice(rule.id, action) for rule in RULES.values() for action in rule.actions if action != "drop"]
    outcome = apply_rules(rows, choices, BACKGROUND)
    assert outcome.kept == list(range(len(rows)))
    for place, row in enumerate(rows):
        masked, _ = mask_row(row, [hit for hit in outcome.hits if hit.place == place])
        assert masked.keys() == row.keys()


def test_a_later_rule_sees_only_what_earlier_ones_left() -> None:
    rows = [answer("N/A"), answer("Fine.")]
    chain = [RuleChoice("empty_answer", "drop"), RuleChoice("too_short", "mark", (("fewest_tokens", 5),))]
    assert [(hit.rule, hit.place) for hit in apply_rules(rows, chain, BACKGROUND).hits] == [
        ("empty_answer", 0),
        ("too_short", 1),
    ]
    assert [hit.place for hit in apply_rules(rows, chain[::-1], BACKGROUND).hits if hit.rule == "too_short"] == [0, 1]


DUPLICATES = ("exact_duplicate", "near_duplicate", "semantic_duplicate", "semantic_neighbour")


def test_no_other_rule_takes_the_row_that_a_duplicate_went_for() -> None:
    """The longer answer would lead, but it refuses; asked first, the duplicates left nothing of the request."""
    refusing = answer("I'm sorry, but I can't help with that at all, whatever you say.", example_id="e1")
    rows = [refusing, answer("It is a fish.", example_id="e2")]
    on_prompt = RuleChoice("exact_duplicate", "drop", (("on", "prompt"),))
    for chain in ([on_prompt, RuleChoice("refusal")], [RuleChoice("refusal"), on_prompt]):
        outcome = apply_rules(rows, chain, BACKGROUND)
        assert outcome.kept == [1]
        assert [(hit.rule, hit.step) for hit in outcome.hits] == [("refusal", 0)]


def test_rules_against_duplicates_come_last_and_else_the_named_order_stands() -> None:
    named = ["near_duplicate", "secrets", "exact_duplicate", "refusal", "semantic_neighbour", "empty_answer"]
    assert [choice.rule for choice in order_chain([RuleChoice(rule) for rule in named])] == [
        "secrets", "refusal", "empty_answer", "near_duplicate", "exact_duplicate", "semantic_neighbour"
    ]  # fmt: skip
    assert tuple(RULES)[-4:] == DUPLICATES, "Checks shows the catalogue's order, which is the one applied"


def test_a_chain_with_a_mistake_is_refused_before_any_rule_runs() -> None:
    told: list[str] = []
    good = RuleChoice("empty_answer")
    for bad, words in (
        (RuleChoice("no_such"), "no rule 'no_such'"),
        (RuleChoice("refusal", "mask"), "'refusal' cannot mask"),
        (RuleChoice("refusal", "drop", (("most_words", 0),)), "'most_words' of 'refusal' is 0"),
        (RuleChoice("refusal", "drop", (("most", 3),)), "no parameter 'most'"),
    ):
        with pytest.raises(UsageError, match=words):
            apply_rules([answer("x")], [good, bad], BACKGROUND, lambda _, title: told.append(title))
    assert told == []


def test_every_rule_is_described_for_people() -> None:
    for id, rule in RULES.items():
        assert id == rule.id and rule.title and rule.about.endswith(".") and rule.actions
        for parameter in rule.parameters:
            assert parameter.about.endswith("."), f"{id}.{parameter.name}"
