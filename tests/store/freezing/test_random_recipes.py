"""Nothing is dropped without a listed reason: random projects and random recipes, down to the last unit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchpipe.store.freezing.knowledge import Knowledge, Recipe
from pitchpipe.store.freezing.snapshot_building import Dataset, build_rows
from pitchpipe.store.freezing.snapshot_rules import CERTAIN
from pitchpipe.store.freezing.snapshot_units import list_units
from pitchpipe.store.measures.consensus import CHOICE_STRATEGIES, STRATEGIES
from pitchpipe.store.rules import catalogue
from pitchpipe.store.rules.rule import Background, Finding, Hit, Parameter, Row, Rule, RuleChoice
from tests.store.rules.test_chain import BACKGROUND, draw_choice

WORDS = (
    "Where is my parcel?", "Where is my parcel", "Bring it back.", "N/A", "", "yes yes yes yes", "Call 555 now",
    "I'm sorry, but I can't help with that.", "i'm sorry but I can't help with that", "Mail a@mail.org",
    "Mail b@mail.org",
)  # fmt: skip
RATERS = ("ana", "ben", "cai")


def find_words(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    """Rows whose text has exactly so many words."""
    for place, row in enumerate(rows):
        text = " ".join(row[column] or "" for column in ("answer", "answer_a", "answer_b"))
        if len(text.split()) == parameters["count"]:
            yield Finding(place, f"the answers have {parameters['count']} words", {"words": len(text.split())})


COUNTING = Rule("counting", "1", "Counts words", "For tests.", find_words, (Parameter("count", 3, "words"),))
SURE = Rule("empty_answer", "9", "Counts words for sure", "For tests.", find_words, COUNTING.parameters)
COUNTS = st.builds(
    RuleChoice, st.sampled_from(["counting", "empty_answer"]), st.sampled_from(["drop", "mark"]),
    st.integers(0, 4).map(lambda count: (("count", count),)),
)  # fmt: skip
DUPLICATES = ("exact_duplicate", "near_duplicate", "semantic_duplicate")
REAL = tuple(rule for rule in catalogue.RULES if rule != "empty_answer")
CHOICES = st.one_of(COUNTS, draw_choice(REAL), draw_choice(DUPLICATES), st.just(RuleChoice("personal_data", "mask")))
CHAINS = st.tuples(
    st.builds(
        RuleChoice, st.sampled_from(DUPLICATES), st.just("drop"),
        st.sampled_from(["prompt", "both"]).map(lambda on: (("on", on),)),
    ),
    st.sampled_from([RuleChoice("refusal"), RuleChoice("counting"), RuleChoice("length_only", "drop")]),
)  # fmt: skip
"""A rule against duplicates, named before another one that drops."""
RECIPES = st.builds(
    Recipe,
    near_duplicate_threshold=st.sampled_from([0.5, 0.8, 1.0]),
    strategy=st.sampled_from(STRATEGIES),
    strategies=st.dictionaries(st.sampled_from(["verdict", "labels"]), st.sampled_from(CHOICE_STRATEGIES)).map(
        lambda chosen: tuple(chosen.items())
    ),
    tie_policy=st.sampled_from(["keep", "drop"]),
    widest_spread=st.sampled_from([None, 0, 2]),
    lowest_support=st.sampled_from([None, 0.5, 1.0]),
    rules=st.lists(CHOICES, max_size=4).map(tuple),
    weights=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([0.2, 1.0])).map(lambda w: tuple(w.items())),
)


@st.composite
def projects(draw: st.DrawFn) -> Knowledge:
    """Up to eight requests of two sources, up to three answers each, judged by up to three, some decisions."""
    examples: dict[str, dict[str, Any]] = {}
    candidates: dict[str, dict[str, Any]] = {}
    tasks: dict[str, dict[str, Any]] = {}
    judgements: dict[str, list[dict[str, Any]]] = {}
    for number, source in enumerate(["a", "b", *draw(st.lists(st.sampled_from("ab"), max_size=6))]):
        id = f"ex{number}"
        asked = [{"role": "user", "content": draw(st.sampled_from(WORDS[:4])) + str(draw(st.integers(0, 2)))}]
        examples[id] = {"id": id, "messages": json.dumps(asked), "category": None, "group_id": f"g{number}",
                        "split": draw(st.sampled_from(["train", "train", "holdout"])), "source": source,
                        "judgement_id": None}  # fmt: skip
        answers = [f"{id}c{place}" for place in range(draw(st.integers(0, 3)))]
        for answer in answers:
            candidates[answer] = make_answer(answer, id, draw(st.sampled_from(WORDS)))
        if len(answers) > 1:
            kind = draw(st.sampled_from(["compare", "rank"]))
            purpose = draw(st.sampled_from([None, None, "gold"]))
            tasks[f"{id}t"] = {"id": f"{id}t", "example_id": id, "kind": kind, "purpose": purpose, "repeat_of": None,
                               "candidate_ids": json.dumps(answers if kind == "rank" else answers[:2])}  # fmt: skip
            verdicts = st.sampled_from(["a", "b", "tie", "both_bad", "cannot_judge"])
            compared = st.builds(lambda verdict: {"verdict": verdict, "strength": None}, verdicts)
            ranked = st.permutations(range(len(answers))).map(lambda ranks: {"ranks": ranks})
            judgements[f"{id}t"] = draw(judge(f"{id}t", kind, {"compare": compared, "rank": ranked}[kind]))
        # Two tasks about one answer, so that what one of them decides meets what others say in the other.
        for place in range(draw(st.integers(0, 2)) if answers else 0):
            task = f"{id}r{place}"
            tasks[task] = {"id": task, "example_id": id, "kind": "rate", "purpose": None, "repeat_of": None,
                           "candidate_ids": json.dumps(answers[:1])}  # fmt: skip
            judgements[task] = draw(judge(task, "rate", st.integers(0, 4).map(lambda score: {"helpfulness": score})))
        if draw(st.booleans()):
            tasks[f"{id}l"] = {"id": f"{id}l", "example_id": id, "kind": "tag", "purpose": None, "repeat_of": None,
                               "candidate_ids": "[]"}  # fmt: skip
            labels = st.sampled_from(["refund", "other"]).map(lambda label: {"labels": [label]})
            judgements[f"{id}l"] = draw(judge(f"{id}l", "tag", labels))
    targets = st.sampled_from(sorted({*examples, *candidates}))
    decided = draw(st.dictionaries(targets, st.sampled_from(["keep", "drop"]), max_size=4))
    decisions = {target: {"target_id": target, "verdict": verdict, "reason": "so", "actor": "cora"}
                 for target, verdict in decided.items()}  # fmt: skip
    return Knowledge(examples, candidates, tasks, judgements, decisions)


def make_answer(id: str, example_id: str, text: str) -> dict[str, Any]:
    return {"id": id, "example_id": example_id, "origin": "import", "text": text, "model": None, "run_id": None,
            "judgement_id": None, "parent_id": None}  # fmt: skip


def judge(
    task_id: str, kind: str, values: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """What up to three raters said of a task, or what a curator decided alone."""
    said = st.lists(values, max_size=3).map(
        lambda given: [make_judgement(task_id, kind, value, rater) for value, rater in zip(given, RATERS, strict=False)]
    )
    return st.one_of(said, values.map(lambda value: [make_judgement(task_id, kind, value, "cora", "adjudication")]))


def make_judgement(
    task_id: str, kind: str, value: dict[str, Any], rater: str, source: str = "annotator"
) -> dict[str, Any]:
    return {"id": f"{task_id}_{rater}", "task_id": task_id, "kind": kind, "annotator": rater,
            "value": json.dumps(value), "detail": None, "rubric_hash": None, "guideline_hash": None,
            "source": source}  # fmt: skip


def build(known: Knowledge, recipe: Recipe, chosen: set[str] | None = None) -> Dataset:
    with mock.patch.dict(catalogue.RULES, {rule.id: rule for rule in (COUNTING, SURE)}):
        return build_rows(known, recipe, BACKGROUND, chosen)


def name(thing: Any) -> tuple[str, str, str]:
    """What a unit is called, as rows and drops both tell it."""
    if isinstance(thing, dict):
        answers = [thing[column] for column in ("candidate_id", "candidate_a", "candidate_b") if thing[column]]
        return thing["row_kind"], thing["example_id"], " ".join(answers) or thing["example_id"]
    return thing.row_kind, thing.example_id, thing.unit


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(known=projects(), recipe=RECIPES, slice_of=st.integers(0, 9))
def test_every_unit_is_a_row_or_a_drop_with_rule_version_and_reason_and_never_both(
    known: Knowledge, recipe: Recipe, slice_of: int
) -> None:
    chosen = None if slice_of > 8 else {id for id in known.examples if int(id[2:]) < slice_of}
    made = build(known, recipe, chosen)
    units = Counter(name(unit) for unit in list_units(known, recipe))
    assert Counter(map(name, made.rows)) + Counter(map(name, made.dropped)) == units
    assert all(count == 1 for count in units.values())  # so the sum above also says: on one list only
    for drop in made.dropped:
        assert drop.rule and drop.version and drop.reason
        assert drop.evidence is None or json.loads(drop.evidence)
    for mark in made.marked:
        assert any(mark.row is row for row in made.rows), "only rows that stay are marked"
    if chosen is not None:
        assert {row["example_id"] for row in made.rows} <= chosen


def list_leaders(made: Dataset, follower: Hit) -> list[int]:
    """The places of the rows that a duplicate went for, as its evidence names them."""
    is_of_one_kind = follower.evidence["compared"] != ["messages"]
    named = [follower.evidence["other"], *follower.evidence["other_candidates"]]
    return [
        place for place, row in enumerate(made.given)
        if [row["example_id"], *(row[c] for c in ("candidate_id", "candidate_a", "candidate_b") if row[c])] == named
        and (not is_of_one_kind or row["row_kind"] == follower.row["row_kind"]) and place != follower.place
    ]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(known=projects(), recipe=RECIPES, chain=CHAINS)
def test_the_row_that_a_duplicate_went_for_stays_or_goes_for_another_by_a_later_rule_against_duplicates(
    known: Knowledge, recipe: Recipe, chain: tuple[RuleChoice, ...]
) -> None:
    made = build(known, replace(recipe, rules=(*chain, *recipe.rules[:2])))
    gone = {hit.place: hit for hit in made.hits if hit.action == "drop"}
    for follower in (hit for hit in gone.values() if hit.rule in DUPLICATES):
        leaders = list_leaders(made, follower)
        assert leaders, "the evidence names no row"
        takers = [gone.get(place) for place in leaders]
        assert any(by is None or (by.rule in DUPLICATES and by.step > follower.step) for by in takers)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(known=projects(), recipe=RECIPES)
def test_what_a_curator_keeps_falls_to_certain_rules_only(known: Knowledge, recipe: Recipe) -> None:
    kept = {target for target, decision in known.decisions.items() if decision["verdict"] == "keep"}
    rules = {choice.rule for choice in recipe.rules} - CERTAIN
    for drop in build(known, recipe).dropped:
        if drop.rule in rules:
            assert drop.example_id not in kept
            assert not set(drop.unit.split()) <= kept


def test_a_kept_row_that_a_rule_found_is_told_as_kept() -> None:
    with_words = {"count": 3}
    known = Knowledge(
        {"ex": {"id": "ex", "messages": '[{"role":"user","content":"Hi"}]', "category": None, "group_id": "g",
                "split": "train", "source": "a", "judgement_id": None}},
        {"c": make_answer("c", "ex", "Bring it back.")},
        {}, {}, {"ex": {"target_id": "ex", "verdict": "keep", "reason": "", "actor": "cora"}},
    )  # fmt: skip
    choice = RuleChoice("counting", "drop", tuple(with_words.items()))
    made = build(known, Recipe(rules=(choice,)))
    assert [(mark.action, mark.rule, mark.reason) for mark in made.marked] == [
        ("kept", "counting", "the answers have 3 words")
    ]
    sure = build(known, Recipe(rules=(RuleChoice("empty_answer", "drop", choice.parameters),)))
    assert [(drop.rule, drop.version, drop.evidence) for drop in sure.dropped] == [("empty_answer", "9", '{"words":3}')]


@pytest.mark.parametrize("kept", ["ex1", "ex2"])
def test_of_two_duplicates_the_one_that_a_curator_keeps_stays(kept: str) -> None:
    examples = {
        id: {"id": id, "messages": '[{"role":"user","content":"Hi"}]', "category": None, "group_id": id,
             "split": "train", "source": "a", "judgement_id": None}
        for id in ("ex1", "ex2")
    }  # fmt: skip
    answers = {f"{id}c": make_answer(f"{id}c", id, "Bring it back.") for id in examples}
    decisions = {kept: {"target_id": kept, "verdict": "keep", "reason": "", "actor": "cora"}}
    known = Knowledge(examples, answers, {}, {}, decisions)
    made = build_rows(known, Recipe(rules=(RuleChoice("exact_duplicate"),)))
    assert [row["example_id"] for row in made.rows] == [kept]
    assert [drop.rule for drop in made.dropped] == ["exact_duplicate"]
