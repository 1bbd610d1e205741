"""Mixes: sources reach the shares that were asked, by leaving rows out and never by doubling any."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.freezing.mixing import check_sources, share_out, thin_sources


def make_rows(counts: dict[str, int], kind: str = "answer", split: str = "train") -> list[dict[str, Any]]:
    return [{"row_kind": kind, "split": split, "source": source, "group_id": f"{source}{number // 2}"}
            for source, count in counts.items() for number in range(count)]  # fmt: skip


def test_as_many_rows_stay_as_the_shares_allow() -> None:
    """a is short: 30 rows are three quarters of 40, so of b 10 stay; c was given nothing."""
    rows = make_rows({"a": 30, "b": 100, "c": 5})
    left_out = thin_sources(rows, (("a", 3.0), ("b", 1.0)))
    kept = Counter(row["source"] for place, row in enumerate(rows) if place not in left_out)
    assert kept == {"a": 30, "b": 10}
    assert left_out[30 + 100] == "the recipe's mix gives the source c no share"
    assert "10 of 100 rows of the source b stay, to make up a share of 25% of the mix" in left_out.values()


def test_each_kind_is_mixed_by_itself_and_the_sealed_side_not_at_all() -> None:
    rows = make_rows({"a": 10, "b": 20}) + make_rows({"a": 4}, "pair") + make_rows({"b": 9}, split="holdout")
    left_out = thin_sources(rows, (("a", 1.0), ("b", 1.0)))
    assert sorted({(rows[p]["row_kind"], rows[p]["source"], rows[p]["split"]) for p in left_out}) == [
        ("answer", "b", "train")
    ]
    assert len(left_out) == 10


def test_rows_of_one_group_go_together_and_more_data_moves_none_of_those_that_stay() -> None:
    few, many = make_rows({"a": 20, "b": 20}), make_rows({"a": 20, "b": 40})
    weights = (("a", 1.0), ("b", 0.5))

    def kept(rows: list[dict[str, Any]]) -> set[str]:
        left_out = thin_sources(rows, weights)
        return {row["group_id"] for place, row in enumerate(rows) if place not in left_out and row["source"] == "b"}

    assert len(kept(few)) == len(kept(many)) == 5  # ten rows, two of each group
    assert kept(few) != {f"b{number}" for number in range(5)}, "the first ones of the file would be no fair sample"


def test_a_share_of_a_source_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="typo"):
        check_sources({"a.jsonl"}, (("typo.jsonl", 1.0),))


@given(
    counts=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 500), min_size=1),
    shares=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 10).map(lambda tenth: tenth / 10), min_size=1),
)
def test_what_stays_is_within_one_row_of_the_shares_and_no_source_gives_more_than_it_has(
    counts: dict[str, int], shares: dict[str, float]
) -> None:
    kept = share_out(counts, shares)
    wanted = {source: shares.get(source, 0.0) for source in counts}
    assert all(0 <= kept[source] <= counts[source] for source in counts)
    if any(wanted.values()):
        whole = min(counts[source] / share for source, share in wanted.items() if share)
        assert all(abs(kept[source] - whole * wanted[source]) <= 1 for source in counts)
        assert any(kept[source] == counts[source] for source in counts), "more rows could have stayed"
    else:
        assert not any(kept.values())
