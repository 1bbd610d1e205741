"""Coverage of a project and subsets of it, from the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pitchpipe.store.coverage.choosing import SubsetOrder, choose_subset
from pitchpipe.store.coverage.covering import describe_clusters, describe_kinds, read_coverage
from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer

WORDS = {"bake": "bake rye bread in my oven", "sort": "sort a python list by length"}


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    """Project `p`: ten requests about bread in one file, six about lists in another."""
    create_project(store, PROJECT, holdout_share=0.0)
    for name, count in (("bake", 10), ("sort", 6)):
        mapping = tmp_path / "map.toml"
        mapping.write_text('kind = "write"\nprompt = "{instruction}"\ncategory = "{category}"\n', encoding="utf-8")
        rows = [{"instruction": f"{WORDS[name]} with {'very ' * number}much care", "category": name}
                for number in range(count)]  # fmt: skip
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        import_file(store, file, PROJECT, mapping=mapping)
    return store


def test_coverage_counts_requests_and_the_work_on_them(store: Store) -> None:
    for number in range(3):
        add_example(store, f"e{number}", "xy")
    add_task(store, "t", "e0", "compare", "xy")
    add_task(store, "r", "e0", "rate", "x")
    add_judgement(store, "t", "ben", prefer("a"))
    add_judgement(store, "t", "eva", prefer("a"))
    add_judgement(store, "r", "ben", {"helpfulness": 2})
    row = describe_clusters(read_coverage(store, PROJECT, count=1)).row(0, named=True)
    del row["name"], row["cluster"], row["share"]
    assert row == {
        "examples": 3, "train": 3, "holdout": 0, "answers": 6, "judgements": 3, "pairs": 1, "judged": 1,
    }  # fmt: skip


def test_quality_is_the_best_answers_mean_on_the_scale_as_it_was_used(store: Store) -> None:
    for example, ratings in (("e0", {"x": 4, "y": 0}), ("e1", {"x": 1}), ("e2", {})):
        add_example(store, example, "xy")
        for answer, score in ratings.items():
            add_task(store, f"{example}{answer}", example, "rate", answer)
            add_judgement(store, f"{example}{answer}", "ben", {"helpfulness": score})
    coverage = read_coverage(store, PROJECT, count=1)
    assert dict(coverage.requests.select("example", "quality").iter_rows()) == {"e0": 1.0, "e1": 0.25, "e2": 0.5}


def test_kinds_and_clusters_are_told_apart_and_named(filled: Store) -> None:
    coverage = read_coverage(filled, PROJECT, count=2)
    assert describe_kinds(coverage).select("kind", "examples").rows() == [("bake", 10), ("sort", 6)]
    clusters = describe_clusters(coverage)
    assert sorted(clusters["examples"].to_list()) == [6, 10]
    assert "bread" in clusters["name"][0] and "python" in clusters["name"][1]
    assert coverage.requests["source"].unique().sort().to_list() == ["bake.jsonl", "sort.jsonl"]


def test_dropped_examples_cover_nothing(filled: Store) -> None:
    example = filled.read("SELECT id FROM examples ORDER BY position LIMIT 1")[0][0]
    decide(filled, example, "drop", "spam", "lea")
    assert example not in read_coverage(filled, PROJECT).requests["example"].to_list()
    assert len(read_coverage(filled, PROJECT).requests) == 15


def test_an_empty_project_covers_nothing_and_says_so(store: Store) -> None:
    create_project(store, PROJECT)
    coverage = read_coverage(store, PROJECT)
    assert len(coverage.requests) == 0 and coverage.names == [] and describe_kinds(coverage).is_empty()
    assert choose_subset(coverage, SubsetOrder()).example_ids == []
    with pytest.raises(NotFoundError):
        read_coverage(store, "nowhere")


def test_a_balanced_subset_takes_both_files_alike(filled: Store) -> None:
    subset = choose_subset(read_coverage(filled, PROJECT), SubsetOrder("balanced", 8, balance=("source",)))
    assert subset.after.groups == {"bake.jsonl": 4, "sort.jsonl": 4}
    assert subset.before.groups == {"bake.jsonl": 10, "sort.jsonl": 6}
    assert subset.alike.count == 8


def test_a_diverse_subset_is_more_diverse_than_a_random_one(filled: Store) -> None:
    subset = choose_subset(read_coverage(filled, PROJECT), SubsetOrder("diverse", 6, highest_cosine=0.7))
    assert subset.after.nearest is not None and subset.alike.nearest is not None
    assert subset.after.nearest > subset.alike.nearest


@pytest.mark.parametrize("way", ["diverse", "spread", "balanced"])
def test_sealed_examples_are_never_chosen(filled: Store, way: str) -> None:
    sealed = filled.read("SELECT id, group_id FROM examples ORDER BY position LIMIT 3")
    for _, group in sealed:
        filled.write(
            lambda t, group=group: t.run("UPDATE group_splits SET split = 'holdout' WHERE group_id = ?", [group])
        )
    subset = choose_subset(read_coverage(filled, PROJECT), SubsetOrder(way, 100, highest_cosine=1.0))
    assert len(subset.example_ids) == 13 and not {row[0] for row in sealed} & set(subset.example_ids)


def test_an_unknown_way_or_balance_is_refused(filled: Store) -> None:
    coverage = read_coverage(filled, PROJECT)
    for order in (
        SubsetOrder("best"),
        SubsetOrder("balanced", balance=("colour",)),
        SubsetOrder("balanced", balance=()),
    ):
        with pytest.raises(UsageError, match="Use"):
            choose_subset(coverage, order)


def test_progress_is_told_in_words(filled: Store, write_lines: Callable[..., Path]) -> None:
    told: list[str] = []
    read_coverage(filled, PROJECT, tell=told.append)
    assert Counter(told) == {
        "Reading requests and judgements": 1,
        "Making vectors of the requests": 1,
        "Finding clusters": 1,
    }
