"""How models stand: against the likelihood maximised by other means, and on cases worked out by hand."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from pitchpipe.store.consensus.model_comparisons import rank_project_models
from pitchpipe.store.database import Store
from pitchpipe.store.measures.model_ranking import ModelRanking, rank_models
from tests.store.judged import add_example, add_judgement, add_task, prefer

Row = tuple[str, str, str, str, float]


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["prompt", "model_a", "model_b", "outcome", "weight"], orient="row")


def meet(first: str, second: str, wins: int, losses: int, ties: int) -> list[Row]:
    endings = ["a"] * wins + ["b"] * losses + ["tie"] * ties
    return [(f"{first}{second}{n}", first, second, ending, 1.0) for n, ending in enumerate(endings)]


def strengths(ranking: ModelRanking) -> dict[str, float]:
    return {one.model: one.strength for one in ranking.standings}


def test_strengths_are_those_that_make_the_comparisons_most_likely() -> None:
    """The same likelihood (ties and the half games of the prior included) maximised by a general optimiser."""
    rows = meet("a", "b", 9, 4, 3) + meet("b", "c", 6, 2, 1) + meet("a", "c", 3, 2, 2)
    names = ["a", "b", "c", "average"]
    games = [(names.index(a), names.index(b), outcome, weight) for _, a, b, outcome, weight in rows]
    games += [(n, 3, outcome, 0.5) for n in range(3) for outcome in "ab"]

    def lose(x: np.ndarray) -> float:
        logs, v = np.concatenate([x[:3], [0.0]]), np.exp(x[3])
        total = 0.0
        for one, other, outcome, weight in games:
            p, q = np.exp(logs[one]), np.exp(logs[other])
            tie = 2 * v * np.sqrt(p * q)
            total -= weight * np.log({"a": p, "b": q, "tie": tie}[outcome] / (p + q + tie))
        return float(total)

    best = minimize(lose, np.zeros(4), tol=1e-10).x
    expected = best[:3] - best[:3].mean()
    found = strengths(rank_models(frame(rows), 0))
    assert [found[name] for name in "abc"] == pytest.approx(expected.tolist(), abs=1e-3)


def test_the_order_of_comparisons_and_of_sides_changes_nothing() -> None:
    rows = meet("a", "b", 9, 4, 3) + meet("b", "c", 6, 2, 1)
    turned = [(p, b, a, {"a": "b", "b": "a"}.get(o, o), w) for p, a, b, o, w in rows]
    shuffled = rows[:]
    random.Random(1).shuffle(shuffled)
    assert rank_models(frame(shuffled), 20) == rank_models(frame(rows), 20)
    assert strengths(rank_models(frame(turned), 0)) == pytest.approx(strengths(rank_models(frame(rows), 0)), abs=1e-4)


def test_models_that_nothing_links_are_ranked_apart() -> None:
    found = rank_models(frame(meet("a", "b", 3, 1, 0) + meet("b", "c", 3, 1, 0) + meet("x", "y", 0, 5, 0)), 0)
    assert [(one.model, one.component) for one in found.standings] == [
        ("a", 0), ("b", 0), ("c", 0), ("y", 1), ("x", 1)
    ]  # fmt: skip
    assert found.components == 2
    assert [one.note.split(",")[0] for one in found.standings if one.note] == ["It never lost", "It never won"]


def test_a_model_that_only_wins_stays_finite_and_more_wins_say_more() -> None:
    few, many = (rank_models(frame(meet("a", "b", count, 0, 0)), 50).standings[0] for count in (3, 30))
    assert few.model == many.model == "a"
    assert 0.5 < few.win_share < many.win_share < 1
    assert (many.wins, many.losses, many.ties, many.prompts) == (30, 0, 0, 30)


def test_intervals_draw_prompts_so_that_more_raters_of_the_same_prompts_do_not_narrow_them() -> None:
    once = meet("a", "b", 12, 8, 0)
    six_times = [row for row in once for _ in range(6)]
    widths = [
        one.high - one.low
        for rows in (once, six_times)
        for one in rank_models(frame(rows)).standings[:1]
        if one.high is not None and one.low is not None
    ]
    assert widths[1] > widths[0] * 0.9
    assert rank_models(frame([("p", "a", "b", "a", 1.0)])).standings[0].low is None


def test_nothing_to_compare_says_so() -> None:
    assert rank_models(frame([])).undefined_because == "no answers of two named models were compared"
    assert rank_models(frame([("p", "a", "a", "tie", 1.0)])).standings == []


def test_a_project_counts_verdicts_and_rankings_but_no_measuring_tasks(store: Store) -> None:
    """e0: north beats south twice, one tie (both bad). e1: a ranking north, south, west; its three pairs weigh 1/3.

    A task with a known answer and an adjudicated one: the first counts not, of the second the curator's word alone.
    """
    for example, answers in (("e0", "ab"), ("e1", "abc"), ("e2", "ab"), ("e3", "ab")):
        add_example(store, example, answers)
    names = {"a": "north", "b": "south", "c": "west"}
    for letter, model in names.items():
        store.write(
            lambda t, letter=letter, model=model: t.run(  # type: ignore[misc]
                "UPDATE candidates SET model = ? WHERE ends_with(id, ?)", [model, letter]
            )
        )
    add_task(store, "t0", "e0", "compare", "ab")
    for rater, side in (("ana", "a"), ("ben", "a"), ("cai", "both_bad"), ("dov", "cannot_judge")):
        add_judgement(store, "t0", rater, prefer(side))
    add_task(store, "t1", "e1", "rank", "abc")
    add_judgement(store, "t1", "ana", {"ranks": [0, 1, 2]})
    add_task(store, "t2", "e2", "compare", "ab", purpose="gold")
    add_judgement(store, "t2", "ana", prefer("b"))
    add_task(store, "t3", "e3", "compare", "ab")
    add_judgement(store, "t3", "ana", prefer("a"))
    add_judgement(store, "t3", "cora", prefer("b"), source="adjudication")
    found = {one.model: one for one in rank_project_models(store, "p", 0).standings}
    assert (found["north"].wins, found["north"].losses, found["north"].ties) == pytest.approx((2 + 2 / 3, 1, 1))
    assert (found["south"].wins, found["south"].losses) == pytest.approx((1 + 1 / 3, 2 + 1 / 3))
    assert (found["west"].wins, found["west"].losses, found["west"].prompts) == pytest.approx((0, 2 / 3, 1))
