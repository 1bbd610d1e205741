"""Strategies side by side: what each makes of a question, what would change, and which is right where that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.consensus.consensus_preview import (
    Preview,
    StrategyPreview,
    compare_strategies,
    count_drops,
    preview_strategies,
)
from pitchpipe.store.consensus.project_answers import read_answers, read_requests
from pitchpipe.store.consensus.question_answers import Given
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.gold import set_gold
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer

PANDALM = Path(__file__).parents[1] / "pandalm.map.toml"


def say(unit: str, **answers: Any) -> list[Given]:
    return [Given(unit, f"ex {unit}", rater, value, None, f"{unit} {rater}", False) for rater, value in answers.items()]


def by_name(preview: Preview) -> dict[str, StrategyPreview]:
    return {one.strategy: one for one in preview.strategies}


def test_strategies_stand_side_by_side_with_what_would_change() -> None:
    """u1 0 3 3 4: mean 2.5, so 3 (halves upwards); median 3; closest three 10/3. u2 0 0 4: mean 4/3, median 0.

    u3 1 3: mean 2, majority tied. Against the mean the median changes u2 (1 to 0), the majority u2 and u3.
    """
    said = say("u1", ana=0, ben=3, cai=3, dov=4) + say("u2", ana=0, ben=0, cai=4) + say("u3", ana=1, ben=3)
    found = by_name(compare_strategies("helpfulness", said, ("mean", "median", "closest_three", "majority")))
    assert {name: one.distribution for name, one in found.items()} == {
        "mean": {"1": 1, "2": 1, "3": 1},
        "median": {"0": 1, "2": 1, "3": 1},
        "closest_three": {"1": 1, "2": 1, "3": 1},
        "majority": {"0": 1, "3": 1, "no consensus": 1},
    }
    assert (found["mean"].changed, found["mean"].moves, found["mean"].disputed) == (0, [], 2)
    assert (found["median"].changed, found["median"].moves) == (1, [("1", "0", 1)])
    assert (found["majority"].changed, found["majority"].undecided, found["majority"].tied) == (2, 1, 1)
    assert found["closest_three"].disputed == 1  # of u1 the three closest lie 1 apart, of u2 there are only three
    (change,) = found["median"].changes
    assert (change.unit, change.example_id, change.before, change.after) == ("u2", "ex u2", "1", "0")
    assert change.answers == [("ana", "0"), ("ben", "0"), ("cai", "4")]


def test_each_row_that_a_rule_leaves_out_is_counted_once() -> None:
    rows = {"label": ["tie", "tie", "a", "b"], "spread": [5.0, None, 3.0, None], "support": [0.1, 0.4, 0.2, 0.5]}
    frame = pl.DataFrame(rows)
    assert count_drops(frame) == {"tie": 0, "spread": 0, "support": 0}
    assert count_drops(frame, "drop", 2, 0.5) == {"tie": 2, "spread": 1, "support": 0}
    assert count_drops(frame, "keep", 3, 0.45) == {"tie": 0, "spread": 1, "support": 2}


def vote(known: str, *votes: str, start: int = 0, count: int = 1) -> tuple[list[Given], dict[str, str]]:
    """`count` units whose raters r0, r1, ... gave those votes, and what is known of them."""
    said = [
        given
        for n in range(start, start + count)
        for given in say(f"u{n}", **{f"r{place}": value for place, value in enumerate(votes)})
    ]
    return said, {f"u{n}": known for n in range(start, start + count)}


def test_where_the_model_loses_to_the_majority_it_is_said_so_in_words() -> None:
    """On 40 units r0 and r1 are always right and r3 and r4 always wrong, so the model believes the first two.

    On six more it is the other way round: r0 and r1 say 1, r3, r4 and a newcomer say 0, and 0 is right. The majority
    finds all 46, the model only the 40.
    """
    said, known = vote("0", "0", "0", "0", "1", "1", "0", count=20)
    more, facts = vote("1", "1", "1", "1", "0", "0", "1", start=20, count=20)
    said, known = said + more, known | facts
    for n in range(40, 46):
        said += say(f"u{n}", r0="1", r1="1", r3="0", r4="0", r6="0")
        known[f"u{n}"] = "0"
    found = compare_strategies("is_right", said, (), None, known)
    shares = {one.strategy: one.right.hits for one in found.strategies}
    assert shares == {"majority": 46, "dawid_skene": 40}
    assert found.advice == (
        "On your 46 known answers majority is right more often than Dawid-Skene: 100.0% against 87.0%."
    )
    few = {unit: value for unit, value in known.items() if unit in ("u0", "u40")}
    assert compare_strategies("is_right", said, (), None, few).advice.endswith("That may be chance (p = 1.00).")
    assert "cannot be told" in compare_strategies("is_right", said).advice


def test_a_known_answer_measures_and_is_no_row(store: Store) -> None:
    for n in range(3):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab")
        for rater, side in (("ana", "a"), ("ben", "a"), ("cai", "b")):
            add_judgement(store, f"t{n}", rater, prefer(side))
    set_gold(store, PROJECT, "t2", {"verdict": "b", "strength": None})
    found = preview_strategies(store, PROJECT, "verdict")
    assert (found.units, found.current, found.is_number) == (2, "majority", False)
    votes = by_name(found)["majority"]
    assert (votes.distribution, votes.right.hits, votes.right.total) == ({"a": 2}, 0, 1)
    assert read_answers(store, PROJECT).describe_questions() == [("verdict", False, 2)]
    assert read_requests(store, ["e1", "e1", "nobody"]) == {"e1": "The request of e1"}


def test_a_question_that_nobody_answered_lists_those_that_were(store: Store) -> None:
    add_example(store, "e", "a")
    add_task(store, "t", "e", "rate", "a")
    add_judgement(store, "t", "ana", {"helpfulness": 3, "tone": "warm"})
    with pytest.raises(NotFoundError, match="helpfulness, tone"):
        preview_strategies(store, PROJECT, "verdict")
    with pytest.raises(UsageError, match="no numbers"):
        preview_strategies(store, PROJECT, "tone", ("mean",))
    assert by_name(preview_strategies(store, PROJECT, "tone"))["dawid_skene"].undefined_because is not None


@pytest.mark.real_data
def test_of_pandalms_pairs_none_changes_when_the_model_decides(store: Store, real_data: Path) -> None:
    """999 pairs, three raters each, 879 of one mind, and never three minds: the two that agree win either way."""
    create_project(store, "pandalm")
    import_file(store, real_data / "pandalm_testset_3raters.json", "pandalm", mapping=PANDALM)
    found = by_name(preview_strategies(store, "pandalm", "verdict"))
    assert found["majority"].distribution == found["dawid_skene"].distribution == {"a": 422, "b": 472, "tie": 105}
    assert (found["dawid_skene"].changed, found["dawid_skene"].model) == (0, "dawid_skene")
    assert found["majority"].mean_support == pytest.approx((879 + 120 * 2 / 3) / 999)


@pytest.mark.real_data
def test_on_a_real_crowd_the_model_is_right_more_often_and_it_is_no_chance(real_data: Path) -> None:
    options: dict[str, Any] = {"separator": "\t", "has_header": False}
    labels = pl.read_csv(real_data / "crowd_barzan_labels.txt", new_columns=["rater", "unit", "value"], **options)
    gold = pl.read_csv(real_data / "crowd_barzan_gold.txt", **options)
    said = [Given(str(unit), "", rater, str(value), None, f"{unit} {rater}", False)
            for rater, unit, value in labels.iter_rows()]  # fmt: skip
    known = {str(unit): str(value) for unit, value in gold.iter_rows()}
    found = compare_strategies("is_relevant", said, (), None, known)
    assert found.advice == (
        "On your 1,000 known answers Dawid-Skene is right more often than majority: 71.4% against 69.6%."
    )
    assert by_name(found)["dawid_skene"].changed == 36
