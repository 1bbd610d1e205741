"""How a recipe joins judgements: by question, whatever the order, with drops that say why."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.consensus.consensus_plan import Choice, ConsensusPlan, Outcome, read_choice
from pitchpipe.store.consensus.question_answers import Given, group_units
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshot_building import build_rows
from pitchpipe.store.freezing.snapshot_reading import read_knowledge
from pitchpipe.store.measures.consensus import CHOICE_STRATEGIES, STRATEGIES
from pitchpipe.store.measures.posteriors import fit_posteriors
from pitchpipe.store.projects import get_project
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer

RATERS = ("ana", "ben", "cai", "dov")


def answer(unit: str, rater: str, value: Any, strength: int | None = None, *, adjudicated: bool = False) -> Given:
    return Given(unit, unit, rater, value, strength, f"{unit} {rater}", adjudicated)


def join_all(choice: Choice, question: str, answers: list[Given]) -> dict[str, Outcome]:
    plan = ConsensusPlan(choice, {question: answers})
    return {unit: plan.join(question, unit, said) for unit, said in group_units(answers).items()}


def build(store: Store, recipe: Recipe) -> tuple[list[dict[str, Any]], list[tuple[str, str, str]]]:
    made = build_rows(read_knowledge(store, get_project(store, PROJECT).id), recipe)
    return made.rows, [(drop.row_kind, drop.rule, drop.reason) for drop in made.dropped]


numbers = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(RATERS), st.integers(0, 4)), min_size=1, max_size=40)
some_verdict = st.sampled_from(["a", "b", "tie", "both_bad", "cannot_judge"])
verdicts = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(RATERS), some_verdict), min_size=1, max_size=40)


@settings(max_examples=60)
@given(numbers, st.sampled_from(STRATEGIES), st.randoms(use_true_random=False))
def test_the_order_of_judgements_changes_nothing_of_what_ratings_add_up_to(
    drawn: list[tuple[int, str, int]], strategy: str, chance: random.Random
) -> None:
    said = [answer(f"u{unit}", rater, value) for (unit, rater), value in {(u, r): v for u, r, v in drawn}.items()]
    found = join_all(Choice(strategy), "helpfulness", said)
    shuffled = said[:]
    chance.shuffle(shuffled)
    assert join_all(Choice(strategy), "helpfulness", shuffled) == found
    for unit, outcome in found.items():
        values = [one.value for one in said if one.unit == unit]
        assert outcome.value is None or min(values) - 4 <= outcome.value <= 4
        if outcome.posterior:
            assert sum(outcome.posterior.values()) == pytest.approx(1.0, abs=1e-5)


@settings(max_examples=60)
@given(verdicts, st.sampled_from(CHOICE_STRATEGIES), st.randoms(use_true_random=False))
def test_the_order_of_judgements_changes_nothing_of_a_verdict(
    drawn: list[tuple[int, str, str]], strategy: str, chance: random.Random
) -> None:
    said = [answer(f"u{unit}", rater, value) for (unit, rater), value in {(u, r): v for u, r, v in drawn}.items()]
    choice = Choice(strategies={"verdict": strategy})
    found = join_all(choice, "verdict", said)
    shuffled = said[:]
    chance.shuffle(shuffled)
    assert join_all(choice, "verdict", shuffled) == found
    for unit, outcome in found.items():
        values = {one.value for one in said if one.unit == unit}
        assert outcome.value in values or (outcome.value == "tie" and outcome.is_tied) or outcome.posterior


def make_crowd() -> list[Given]:
    """Forty units of two values, odd ones are true: three careful raters, and two who say 1 to everything."""
    said = [answer(f"u{n}", rater, n % 2) for n in range(40) for rater in ("ana", "ben", "cai")]
    # On the last unit, which is 0, only one careful rater was asked and both careless ones.
    said = [one for one in said if not (one.unit == "u38" and one.rater in ("ben", "cai"))]
    return said + [answer(f"u{n}", rater, 1) for n in range(40) for rater in ("dov", "eve")]


def test_dawid_skene_believes_one_careful_rater_over_two_who_say_the_same_to_everything() -> None:
    by_majority = join_all(Choice("majority"), "is_right", make_crowd())["u38"]
    by_model = join_all(Choice("dawid_skene"), "is_right", make_crowd())["u38"]
    assert (by_majority.value, by_majority.support) == (1, 2 / 3)
    assert by_model.posterior is not None and by_model.posterior["0"] > 0.9
    assert by_model.value == pytest.approx(by_model.posterior["1"])  # the expected value of 0 and 1
    assert by_model.confidence == by_model.posterior["0"]
    assert (by_model.strategy, by_model.support) == ("dawid_skene", 1 / 3)


def test_raters_of_few_labels_get_one_chance_of_being_right_instead_of_a_table() -> None:
    rows = [(f"u{n}", rater, n % 2) for n in range(9) for rater in ("ana", "ben")]
    found = fit_posteriors(pl.DataFrame(rows, ["unit", "rater", "value"], orient="row"))
    assert (found.strategy, found.undefined_because) == ("one_coin", None)
    more = [(f"u{n}", rater, n % 2) for n in range(10) for rater in ("ana", "ben")]
    assert fit_posteriors(pl.DataFrame(more, ["unit", "rater", "value"], orient="row")).strategy == "dawid_skene"


def test_one_coin_posteriors_are_those_of_the_formula() -> None:
    """At the fixed point p(v) is proportional to prior(v) * prod (right if said v, else wrong / (values - 1)).

    Everything is computed again here by loops, from the posterior that was found.
    """
    said = {("u0", "ana"): 0, ("u0", "ben"): 0, ("u1", "ana"): 1, ("u1", "ben"): 2, ("u2", "ana"): 2, ("u2", "ben"): 2}
    rows = [(unit, rater, value) for (unit, rater), value in said.items()]
    found = fit_posteriors(pl.DataFrame(rows, ["unit", "rater", "value"], orient="row"))
    assert found.strategy == "one_coin"
    chances = {unit: found.find(unit) or {} for unit in ("u0", "u1", "u2")}
    prior = {v: (sum(chances[u][v] for u in chances) + 1) / (3 + 3) for v in range(3)}
    right = {r: (sum(chances[u][v] for (u, by), v in said.items() if by == r) + 1) / (3 + 3) for r in ("ana", "ben")}
    for unit in chances:
        raw = {v: prior[v] for v in range(3)}
        for (at, rater), value in said.items():
            if at == unit:
                raw = {v: p * (right[rater] if v == value else (1 - right[rater]) / 2) for v, p in raw.items()}
        assert {v: p / sum(raw.values()) for v, p in raw.items()} == pytest.approx(chances[unit], abs=2e-2)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_curator_decides_alone_whatever_the_strategy(strategy: str) -> None:
    said = [*make_crowd(), answer("x", "cora", 1, adjudicated=True), answer("x", "ana", 0)]
    found = join_all(Choice(strategy), "is_right", said)["x"]
    assert (found.value, found.n, found.posterior) == (1.0, 1, None)
    assert (found.strategy, found.support) == ("adjudicated", 1.0)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_answer_that_two_tasks_ask_about_has_the_value_that_a_curator_decided_in_one(
    store: Store, strategy: str
) -> None:
    """Adjudicated 4 in one task, rated 0 by another rater in the other, where nobody decided on the tone."""
    add_example(store, "e", "a")
    for task in ("t1", "t2"):
        add_task(store, task, "e", "rate", "a")
    add_judgement(store, "t1", "cora", {"helpfulness": 4}, source="adjudication")
    add_judgement(store, "t2", "ben", {"helpfulness": 0, "tone": "warm"})
    (row,) = build(store, Recipe(strategy, widest_spread=0))[0]
    assert json.loads(row["scores"]) == {"helpfulness": 4, "tone": "warm"}
    assert row["strategy"] == "helpfulness: adjudicated, tone: majority"


@pytest.mark.parametrize("strategy", CHOICE_STRATEGIES)
def test_a_verdict_that_a_curator_decided_is_no_vote_among_others(strategy: str) -> None:
    said = [answer("x", "cora", "b", 2, adjudicated=True), *(answer("x", rater, "a", -3) for rater in RATERS)]
    found = join_all(Choice(strategies={"verdict": strategy}), "verdict", said)["x"]
    assert (found.value, found.strength, found.support, found.strategy) == ("b", 2, 1.0, "adjudicated")


def test_where_no_two_judged_the_same_the_majority_stands_and_is_named() -> None:
    found = join_all(Choice("dawid_skene"), "helpfulness", [answer("u1", "ana", 3), answer("u2", "ben", 1)])
    assert [(one.value, one.strategy, one.posterior) for one in found.values()] == [
        (3, "majority", None), (1, "majority", None)
    ]  # fmt: skip


def test_a_rater_who_cannot_judge_is_no_vote_under_the_model_either() -> None:
    said = [answer(f"u{n}", rater, "ab"[n % 2]) for n in range(20) for rater in ("ana", "ben", "cai")]
    said += [answer("x", rater, "cannot_judge") for rater in RATERS[:2]] + [answer("x", "cai", "b")]
    said += [answer("y", "ana", "cannot_judge")]
    found = join_all(Choice(strategies={"verdict": "dawid_skene"}), "verdict", said)
    assert (found["x"].value, found["x"].support) == ("b", 1 / 3)
    assert set(found["x"].posterior or {}) == {"a", "b"}
    assert (found["y"].value, found["y"].posterior) == ("cannot_judge", None)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe("mode"), "'mode'"),
        (Recipe(strategies=(("tone", "mode"),)), "'mode'"),
        (Recipe(tie_policy="a"), "'a'"),  # type: ignore[arg-type]
        (Recipe(widest_spread=-1), "-1"),
        (Recipe(lowest_support=1.5), "1.5"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused_with_the_value(recipe: Recipe, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_choice(recipe)


def test_options_have_no_mean() -> None:
    with pytest.raises(UsageError, match=r"tone.*no numbers"):
        join_all(Choice(strategies={"tone": "mean"}), "tone", [answer("u", "ana", "warm")])


@pytest.fixture
def pairs(store: Store) -> Store:
    """Two comparisons and a rating: e1 is tied one to one, e2 is a by two of three, 2a is rated 0, 3, 3 and 4."""
    for example in ("e1", "e2"):
        add_example(store, example, "ab")
        add_task(store, f"{example}_compare", example, "compare", "ab")
    add_judgement(store, "e1_compare", "ana", prefer("a", -3))
    add_judgement(store, "e1_compare", "ben", prefer("b", 1))
    for rater, side, strength in (("ana", "a", -1), ("ben", "a", -2), ("cai", "b", 1)):
        add_judgement(store, "e2_compare", rater, prefer(side, strength))
    add_task(store, "e2_rate", "e2", "rate", "a")
    for rater, score in zip(RATERS, (0, 3, 3, 4), strict=True):
        add_judgement(store, "e2_rate", rater, {"helpfulness": score, "tone": "warm" if score else "cold"})
    return store


def test_a_tie_stays_a_tie_or_is_dropped_with_its_reason_and_never_becomes_a(pairs: Store) -> None:
    rows, dropped = build(pairs, Recipe())
    assert [row["verdict"] for row in rows if row["row_kind"] == "pair"] == ["tie", "a"]
    assert dropped == []
    rows, dropped = build(pairs, Recipe(tie_policy="drop"))
    assert [row["verdict"] for row in rows if row["row_kind"] == "pair"] == ["a"]
    assert dropped == [("pair", "tie", "the votes are tied")]


def test_a_wide_spread_is_dropped_by_rule_and_closest_three_measures_the_three_that_count(pairs: Store) -> None:
    _, dropped = build(pairs, Recipe(widest_spread=2))
    # strengths -3 to 1 and -2 to 1 lie 4 and 3 apart, ratings 0 to 4 lie 4 apart
    assert [(kind, reason) for kind, _, reason in dropped] == [
        ("answer", "the answers to helpfulness lie 4 apart, more than 2"),
        ("pair", "the strengths of the verdict lie 4 apart, more than 2"),
        ("pair", "the strengths of the verdict lie 3 apart, more than 2"),
    ]
    rows, dropped = build(pairs, Recipe("closest_three", widest_spread=2))
    assert [kind for kind, _, _ in dropped] == ["pair", "pair"]
    scores = [row["scores"] for row in rows if row["scores"]]
    assert json.loads(scores[0])["helpfulness"] == pytest.approx(10 / 3)


def test_weak_support_is_dropped_by_rule(pairs: Store) -> None:
    _, dropped = build(pairs, Recipe(lowest_support=0.6))
    # e1: half gave each verdict but nobody said tie: support 0; e2: 2 of 3; the rating: (2 of 4 and 3 of 4) / 2 = 0.63
    assert dropped == [("pair", "support", "0.00 of the raters agree, below 0.6")]


def test_each_question_goes_by_its_own_strategy_and_the_row_says_which(pairs: Store) -> None:
    rows, _ = build(pairs, Recipe(strategies=(("helpfulness", "median"), ("tone", "dawid_skene"))))
    (rated,) = [row for row in rows if row["scores"]]
    assert json.loads(rated["scores"]) == {"helpfulness": 3.0, "tone": "warm"}
    assert rated["strategy"] == "helpfulness: median, tone: one_coin"
    assert set(json.loads(rated["posterior"])["tone"]) == {"cold", "warm"}


def test_a_row_without_a_model_has_no_posterior_and_keeps_its_id(pairs: Store) -> None:
    rows, _ = build(pairs, Recipe())
    assert {row["posterior"] for row in rows} == {None}


def test_every_unit_is_a_row_or_a_drop_whatever_the_recipe(pairs: Store) -> None:
    everything = [
        Recipe(strategy, tie_policy=policy, widest_spread=spread, lowest_support=support)
        for strategy in STRATEGIES
        for policy in ("keep", "drop")
        for spread in (None, 0)
        for support in (None, 0.9)
    ]  # fmt: skip
    for recipe in everything:
        rows, dropped = build(pairs, recipe)
        assert len(rows) + len(dropped) == 6  # four answers, two pairs


def test_a_model_is_fitted_on_all_pairs_of_the_project(store: Store) -> None:
    """Ana and ben agree on eleven pairs where cai says the opposite; on the last one only ana and cai were asked."""
    for n in range(12):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab")
        side, other = ("a", "b") if n % 2 else ("b", "a")
        for rater in ("ana", "ben") if n < 11 else ("ana",):
            add_judgement(store, f"t{n}", rater, prefer(side))
        add_judgement(store, f"t{n}", "cai", prefer(other))
    rows, _ = build(store, Recipe(strategies=(("verdict", "dawid_skene"),)))
    last = next(row for row in rows if row["row_kind"] == "pair" and row["example_id"] == "e11")
    assert (last["verdict"], last["support"], last["strategy"]) == ("a", 0.5, "dawid_skene")
    assert json.loads(last["posterior"])["a"] > 0.9
    by_vote = next(r for r in build(store, Recipe())[0] if r["row_kind"] == "pair" and r["example_id"] == "e11")
    assert by_vote["verdict"] == "tie"


@pytest.mark.real_data
def test_on_a_real_crowd_the_strategy_beats_the_majority(real_data: Path) -> None:
    """Barzan: 5,000 labels of 83 workers on 1,000 items with known answers; published majority 0.696."""
    options: dict[str, Any] = {"separator": "\t", "has_header": False}
    labels = pl.read_csv(real_data / "crowd_barzan_labels.txt", new_columns=["rater", "unit", "value"], **options)
    known = {
        str(unit): value for unit, value in pl.read_csv(real_data / "crowd_barzan_gold.txt", **options).iter_rows()
    }
    said = [answer(str(unit), rater, str(value)) for rater, unit, value in labels.iter_rows()]
    right = {}
    for strategy in CHOICE_STRATEGIES:
        found = join_all(Choice(strategies={"is_relevant": strategy}), "is_relevant", said)
        right[strategy] = sum(found[unit].value == str(value) for unit, value in known.items()) / len(known)
    assert right["majority"] == pytest.approx(0.696)
    assert right["dawid_skene"] >= 0.71


def test_pairs_of_a_ranking_obey_the_tie_policy(store: Store) -> None:
    add_example(store, "e", "abc")
    add_task(store, "t", "e", "rank", "abc")
    add_judgement(store, "t", "ana", {"ranks": [0, 1, 1]})
    rows, dropped = build(store, Recipe(tie_policy="drop"))
    assert [row["verdict"] for row in rows if row["row_kind"] == "pair"] == ["a", "a"]
    assert dropped == [("pair", "tie", "people found the two equal")]


def test_the_words_of_a_rater_whom_nobody_can_be_compared_with_stand() -> None:
    # Three raters share 40 units and lean to "b"; a fourth, alone with 30 others, always says "a". To the model "a"
    # from that rater would be worth nothing, and every one of the 30 would become a "b".
    shared = [(f"u{n}", rater, "b" if n % 4 else "a") for n in range(40) for rater in ("r1", "r2", "r3")]
    alone = [(f"v{n}", "published", "a") for n in range(30)]
    found = fit_posteriors(pl.DataFrame(shared + alone, ["unit", "rater", "value"], orient="row"))
    assert (found.strategy, found.find("v0")) == ("dawid_skene", None)
    assert found.find("u1")["b"] > 0.95  # type: ignore[index]
    nobody = fit_posteriors(pl.DataFrame(alone, ["unit", "rater", "value"], orient="row"))
    assert (nobody.strategy, nobody.undefined_because) == ("majority", "no two raters judged the same")
