"""How one rater judges: tables worked out by hand, and properties that hold for any table."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.measures.coding import code_ratings
from pitchpipe.store.measures.dawid_skene import DawidSkene, fit_dawid_skene
from pitchpipe.store.measures.raters import (
    RestAgreement,
    compare_pairs,
    compare_with_rest,
    describe_lean,
    make_share,
)

Rating = tuple[str, str, object]


def frame(ratings: list[Rating]) -> pl.DataFrame:
    return pl.DataFrame(ratings, schema=["unit", "rater", "value"], orient="row", strict=False)


def compare(ratings: list[Rating], *, is_ordinal: bool = False) -> dict[str, RestAgreement]:
    found, _ = compare_with_rest(code_ratings(frame(ratings)), is_ordinal)
    return {one.rater: one for one in found}


def read_grid(grid: str) -> list[Rating]:
    """Ratings from lines of `name values…`, one column a unit, a dot for a missing one."""
    lines = [line.split() for line in grid.strip().splitlines()]
    return [(f"u{n}", name, int(c)) for name, *cells in lines for n, c in enumerate(cells) if c != "."]


def test_a_rater_is_compared_with_each_of_the_others_and_units_count_the_same() -> None:
    """ana: u0 both others agree (1), u1 one of two (1/2), u2 the only other differs (0): 1.5 of 3 units.

    Her values: 1, 1, 0, so p(1) = 2/3. The others': u0 all 1, u1 half 1, u2 all 1: q(1) = (1 + 1/2 + 1) / 3 = 5/6.
    Expected agreement 2/3 * 5/6 + 1/3 * 1/6 = 11/18; kappa = 1 - (1 - 1/2) / (1 - 11/18) = 1 - (9/18) / (7/18) = -2/7.
    """
    ana = compare(read_grid("ana 1 1 0\nben 1 1 1\ncem 1 0 ."))["ana"]
    assert (ana.exact.hits, ana.exact.total, ana.exact.share) == (1.5, 3, 0.5)
    assert ana.kappa == pytest.approx(-2 / 7)
    assert ana.near is None


def test_on_a_scale_one_step_apart_is_near_and_distance_counts_squared() -> None:
    """ana 0 2 4, ben 1 2 2: exact 1 of 3, near 2 of 3 (0-1 and 2-2).

    Observed: (1 + 0 + 4) / 3 = 5/3. Squares: ana 20/3, ben 9/3; means 2 and 5/3. Expected: 29/3 - 2 * 10/3 = 3.
    kappa = 1 - 5/9 = 4/9.
    """
    found = compare(read_grid("ana 0 2 4\nben 1 2 2"), is_ordinal=True)
    for name in ("ana", "ben"):
        assert found[name].exact.share == pytest.approx(1 / 3)
        assert found[name].near is not None and found[name].near.share == pytest.approx(2 / 3)
        assert found[name].kappa == pytest.approx(4 / 9)


def test_one_who_always_says_the_same_gets_nothing_for_being_often_right() -> None:
    lazy = compare(read_grid("lazy 1 1 1 1\nben 1 1 1 0\ncem 1 1 1 0"))["lazy"]
    assert (lazy.exact.share, lazy.kappa) == (0.75, 0.0)


def test_what_cannot_be_told_says_why_and_is_never_a_number() -> None:
    alone = compare([("u1", "ana", 1), ("u2", "ben", 1)])["ana"]
    assert (alone.exact.share, alone.kappa, alone.undefined_because) == (None, None, "nobody else judged the same")
    assert alone.exact.undefined_because == "nobody else judged the same"
    same = compare(read_grid("ana 1 1\nben 1 1"))["ana"]
    assert same.exact.share == 1 and same.kappa is None
    assert same.undefined_because == "everybody gave the same value, so agreement cannot be told from chance"
    many = compare([(f"u{n}", name, f"label {n}") for n in range(70) for name in ("ana", "ben")])["ana"]
    assert many.exact.share == 1 and many.undefined_because == "more than 64 different values were given"


def test_the_share_of_each_rating_is_kept_for_the_drift_and_lone_ones_are_left_out() -> None:
    coded = code_ratings(frame(read_grid("ana 1 0 1\nben 1 1 .")))
    _, exact = compare_with_rest(coded, is_ordinal=False)
    assert exact[:2].tolist() == [1.0, 0.0]
    assert str(exact[2]) == "nan"


def test_a_rater_who_judged_again_counts_with_the_later_row() -> None:
    found = compare([("u1", "ana", 0), ("u1", "ben", 1), ("u1", "ana", 1)])
    assert found["ana"].exact.share == 1.0


def test_pairs_come_with_the_least_agreeing_first_and_say_who_is_stricter() -> None:
    """Ten units. ana and ben alike on all; cem one step above both on five of ten: mean difference -0.5."""
    rows = [(f"u{n}", name, 2 + (name == "cem" and n < 5)) for n in range(10) for name in ("ana", "ben", "cem")]
    rows += [("u0", "dan", 2)]  # one shared unit is no pair
    pairs = compare_pairs(code_ratings(frame(rows)))
    assert [(p.first, p.second, p.units, p.exact, p.difference) for p in pairs] == [
        ("ana", "cem", 10, 0.5, -0.5), ("ben", "cem", 10, 0.5, -0.5), ("ana", "ben", 10, 1.0, 0.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "total", "words"),
    [(70, 100, "Leans left"), (30, 100, "Leans right"), (52, 100, "No lean"), (0, 0, "Cannot be told: nothing")],
)
def test_a_lean_is_told_only_where_the_interval_leaves_one_half(hits: int, total: int, words: str) -> None:
    assert describe_lean(make_share(hits, total, "nothing was compared")).startswith(words)


TABLES = st.lists(
    st.tuples(st.integers(0, 7).map("u{}".format), st.sampled_from(["ana", "ben", "cem"]), st.integers(0, 4)),
    min_size=1, max_size=40, unique_by=lambda row: row[:2],
)  # fmt: skip


@given(TABLES, st.booleans(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_names_and_order_change_nothing(table: list[Rating], is_ordinal: bool, chance: random.Random) -> None:
    names = {"ana": "x", "ben": "y", "cem": "z"}
    shuffled = [(f"other {unit}", names[rater], value) for unit, rater, value in table]
    chance.shuffle(shuffled)
    one, other = compare(table, is_ordinal=is_ordinal), compare(shuffled, is_ordinal=is_ordinal)
    for rater, name in names.items():
        if rater in one:
            assert one[rater].exact.hits == pytest.approx(other[name].exact.hits)
            assert one[rater].exact.total == other[name].exact.total
            assert one[rater].kappa == pytest.approx(other[name].kappa)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_the_vectorised_share_equals_the_one_counted_pair_by_pair(table: list[Rating]) -> None:
    found = compare(table, is_ordinal=True)
    for name, one in found.items():
        shares, near = [], []
        for unit, rater, value in table:
            others = [v for u, r, v in table if u == unit and r != rater]
            if rater == name and others:
                shares.append(sum(v == value for v in others) / len(others))
                near.append(sum(abs(v - value) <= 1 for v in others) / len(others))  # type: ignore[operator]
        assert one.exact.total == len(shares)
        assert one.exact.hits == pytest.approx(sum(shares))
        assert one.near is not None and one.near.hits == pytest.approx(sum(near))


def fit(ratings: list[Rating]) -> DawidSkene:
    model = fit_dawid_skene(code_ratings(frame(ratings)))
    assert isinstance(model, DawidSkene)
    return model


def test_one_step_of_the_model_is_the_one_worked_out_by_hand() -> None:
    """Two units, two raters: u0 a=0 b=0, u1 a=1 b=0. Start: u0 (1, 0), u1 (1/2, 1/2).

    Prior with one more of each: (1.5 + 1) / 4 = 0.625, 0.375.
    a, true 0: gave 0 on 1 and 1 on 1/2: (1 + 1, 1/2 + 1) / 3.5 = (4/7, 3/7); true 1: (0 + 1, 1/2 + 1) / 2.5 = (.4, .6).
    b, true 0: (1.5 + 1, 1) / 3.5 = (5/7, 2/7); true 1: (1/2 + 1, 1) / 2.5 = (.6, .4).
    u0: .625 * 4/7 * 5/7 = .25510 against .375 * .4 * .6 = .09: .7392. u1: .625 * 3/7 * 5/7 = .19133 against
    .375 * .6 * .6 = .135: .5863.
    """
    table = frame([("u0", "a", 0), ("u0", "b", 0), ("u1", "a", 1), ("u1", "b", 0)])
    model = fit_dawid_skene(code_ratings(table), iterations=1)
    assert isinstance(model, DawidSkene)
    assert model.posterior[:, 0].tolist() == pytest.approx([0.7392, 0.5863], abs=5e-5)
    assert model.confusion[0].tolist() == [pytest.approx([4 / 7, 3 / 7]), pytest.approx([0.4, 0.6])]


def test_a_careless_rater_is_told_from_careful_ones_without_any_known_answer() -> None:
    chance = random.Random(5)
    rows: list[Rating] = []
    for unit in range(300):
        truth = chance.randrange(3)
        for name, skill in (("ana", 0.95), ("ben", 0.85), ("cem", 0.8), ("guess", 1 / 3)):
            wrong = chance.choice([value for value in range(3) if value != truth])
            rows.append((f"u{unit}", name, truth if chance.random() < skill else wrong))
    told = {quality.rater: quality.accuracy for quality in fit(rows).qualities}
    for name, skill in (("ana", 0.95), ("ben", 0.85), ("cem", 0.8), ("guess", 1 / 3)):
        assert told[name] == pytest.approx(skill, abs=0.06)


def test_few_ratings_give_no_quality_and_nothing_shared_gives_no_model() -> None:
    rows: list[Rating] = [(f"u{n}", name, n % 2) for n in range(12) for name in ("ana", "ben")]
    told = {quality.rater: quality for quality in fit([*rows, ("u0", "new", 0)]).qualities}
    assert (told["new"].accuracy, told["new"].undefined_because) == (None, "fewer than 10 ratings")
    assert fit_dawid_skene(code_ratings(frame([("u0", "ana", 0), ("u1", "ana", 1)]))) == "nothing was judged by two"
    same = fit_dawid_skene(code_ratings(frame([("u0", "ana", 1), ("u0", "ben", 1)])))
    assert same == "every rating is the same value"


@given(TABLES)
@settings(max_examples=40, deadline=None)
def test_posteriors_are_probabilities_and_names_change_nothing(table: list[Rating]) -> None:
    model = fit_dawid_skene(code_ratings(frame(table)))
    renamed = fit_dawid_skene(code_ratings(frame([(unit, f"z{rater}", value) for unit, rater, value in table])))
    if isinstance(model, str) or isinstance(renamed, str):
        assert model == renamed
        return
    assert model.posterior.sum(axis=1) == pytest.approx(1.0)
    assert model.posterior == pytest.approx(renamed.posterior)


@pytest.mark.real_data
def test_on_a_real_crowd_the_model_beats_the_majority(real_data: Path) -> None:
    """Barzan: 83 workers, 1,000 items of two labels with known answers; majority vote is right on 0.696."""
    options = {"separator": "\t", "has_header": False}
    labels = pl.read_csv(real_data / "crowd_barzan_labels.txt", new_columns=["rater", "unit", "value"], **options)
    known = dict(pl.read_csv(real_data / "crowd_barzan_gold.txt", **options).iter_rows())
    coded = code_ratings(labels)
    model = fit_dawid_skene(coded)
    assert isinstance(model, DawidSkene)
    votes = coded.count().argmax(axis=1)
    majority, fitted = (
        sum(known[unit] == coded.values[int(place)] for unit, place in zip(coded.units, guess, strict=True)) / 1000
        for guess in (votes, model.posterior.argmax(axis=1))
    )
    assert majority == pytest.approx(0.696)
    assert fitted >= 0.71
