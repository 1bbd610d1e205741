"""Gaps: a curator's list against categories and clusters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.coverage.gaps import (
    find_gaps,
    find_underrepresented,
    fits_name,
    parse_wanted,
    read_wanted,
    save_wanted,
)
from pitchpipe.store.errors import UsageError


def test_a_list_is_read_a_line_a_kind() -> None:
    assert parse_wanted('# first\nbilling: 50\n\n"time: zones" = 1,000\n') == {"billing": 50, "time: zones": 1000}


@pytest.mark.parametrize("line", ["billing", "billing: many", "billing: -3", "billing: 2.5", ": 4", "billing: ²"])
def test_a_line_that_is_no_target_is_told_by_its_number(line: str) -> None:
    with pytest.raises(UsageError, match="Line 2 is"):
        parse_wanted(f"ok: 1\n{line}")


def test_a_kind_that_is_wanted_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="wanted twice, again in line 2"):
        parse_wanted("a: 1\na: 2")


def test_the_largest_gap_comes_first_and_a_kind_without_any_is_told() -> None:
    categories = ["Closed QA", "closed_qa", "brainstorming", None]
    gaps = find_gaps({"closed qa": 2, "poems": 5, "Brainstorm": 3}, categories, [0, 0, 0, 0], ["other"])
    assert [(gap.name, gap.found, gap.missing) for gap in gaps] == [("poems", 0, 5), ("Brainstorm", 1, 2),
                                                                     ("closed qa", 2, 0)]  # fmt: skip
    assert gaps[2].matched == ("Closed QA", "closed_qa")


def test_a_request_in_a_fitting_category_and_a_fitting_cluster_counts_once() -> None:
    gap = find_gaps({"refunds": 9}, ["refund", "other", "other"], [0, 0, 1], ["money, refund, late", "box"])[0]
    assert gap.found == 2 and gap.matched == ("refund", "money, refund, late")


@pytest.mark.parametrize(("wanted", "name"), [("code", "mode"), ("math", "bath"), ("cooking", "smoking"), ("a", "b")])
def test_names_that_look_alike_by_chance_do_not_fit(wanted: str, name: str) -> None:
    assert not fits_name(wanted, name)


def test_clusters_far_below_an_even_share_are_found() -> None:
    assert find_underrepresented([100, 100, 100, 12, 9]) == [4, 3]
    assert find_underrepresented([]) == []


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20), st.integers(0, 9))
)
def test_a_kept_list_is_read_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, wanted: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("wanted")
    save_wanted(folder, "prj_1", wanted)
    assert read_wanted(folder, "prj_1") == wanted


def test_no_list_is_an_empty_one_and_a_broken_file_is_told(tmp_path: Path) -> None:
    assert read_wanted(tmp_path, "prj_1") == {}
    file = save_wanted(tmp_path, "prj_1", {"a": 1})
    file.write_text("[wanted]\na = -1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r'write lines such as "billing" = 50'):
        read_wanted(tmp_path, "prj_1")
    file.write_text("[wanted", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        read_wanted(tmp_path, "prj_1")
