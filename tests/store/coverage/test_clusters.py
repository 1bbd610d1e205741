"""Clusters of requests: planted groups are found, every run tells the same, and real sources come apart."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pitchpipe.store.coverage.clusters import choose_count, find_clusters, find_typical, lay_out
from pitchpipe.store.coverage.covering import take_topics
from pitchpipe.store.coverage.naming import first_words, name_clusters
from pitchpipe.store.curation.encoding import encode_tfidf
from tests.store.coverage.planted import make_unit, plant_groups


def test_planted_groups_are_found_whole_and_the_largest_comes_first() -> None:
    matrix = np.vstack([plant_groups(3, 20), plant_groups(1, 30, seed=99)])
    clusters = find_clusters(matrix, 4)
    assert clusters.sizes == [30, 20, 20, 20]
    groups = [set(clusters.labels[start : start + 20].tolist()) for start in (0, 20, 40)]
    assert all(len(group) == 1 for group in groups)
    assert set(clusters.labels[60:].tolist()) == {0}


def test_the_same_vectors_give_the_same_clusters_and_the_same_map() -> None:
    matrix = plant_groups(5, 30)
    first, second = find_clusters(matrix), find_clusters(matrix)
    assert first.labels.tolist() == second.labels.tolist()
    assert np.array_equal(lay_out(matrix)[1], lay_out(matrix)[1])


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_requests_have_clusters_and_a_map_as_well(count: int) -> None:
    matrix = np.eye(8, dtype=np.float32)[:count]
    clusters = find_clusters(matrix, 5)
    assert sum(clusters.sizes) == count
    shown, flat = lay_out(matrix)
    assert len(shown) == count and flat.shape == (count, 2) and np.isfinite(flat).all()


def test_requests_that_are_all_the_same_are_one_cluster() -> None:
    clusters = find_clusters(np.tile(make_unit([[1, 2, 3]]), (50, 1)), 6)
    assert clusters.sizes == [50]
    assert np.isfinite(lay_out(np.tile(make_unit([[1, 2, 3]]), (50, 1)))[1]).all()


def test_a_large_set_is_fitted_on_a_sample_and_every_row_has_a_cluster() -> None:
    clusters = find_clusters(plant_groups(6, 2000), 6)
    assert clusters.sizes == [2000] * 6


def test_the_map_shows_a_sample_and_keeps_groups_together() -> None:
    matrix = plant_groups(4, 50)
    shown, flat = lay_out(matrix, most=120)
    assert len(shown) == 120 and (np.diff(shown) > 0).all()
    centres = np.array([flat[shown // 50 == group].mean(axis=0) for group in range(4)])
    nearest = np.argmin(((flat[:, None] - centres) ** 2).sum(axis=2), axis=1)
    assert (nearest == shown // 50).mean() > 0.95
    assert flat.min(axis=0).tolist() == pytest.approx([-1, -1]) and flat.max(axis=0).tolist() == pytest.approx([1, 1])


def test_typical_requests_are_near_the_middle_and_differ() -> None:
    matrix = make_unit([[1, 0], [1, 0], [0.9, 0.45], [0, 1], [-1, 0]])
    typical = find_typical(matrix, find_clusters(matrix, 1), most=3)[0]
    assert len(typical) == 3 and len({tuple(matrix[row].tolist()) for row in typical}) == 3


def test_a_map_has_from_one_to_forty_clusters() -> None:
    assert [choose_count(count) for count in (0, 1, 200, 3200, 10**6)] == [1, 1, 10, 40, 40]


def test_names_say_what_sets_a_cluster_apart_and_never_a_number_or_a_stop_word() -> None:
    texts = ["How do I bake 12 rye breads?", "Please bake the bread at 220 degrees", "bake bread"] * 2
    texts += ["How do I sort a python list in 3 lines?", "sort the list with python", "python list"] * 2
    names = name_clusters(texts, [0] * 6 + [1] * 6, 2)
    assert names[0].startswith("bake, bread") and names[1].startswith("list, python")
    assert not any(word.isdigit() or word in ("how", "the", "please") for name in names for word in name.split(", "))
    assert "breads" not in names[0].split(", ")


def test_the_form_around_requests_names_nothing() -> None:
    form = "Below is an instruction.\n### Instruction:\n{}\n### Response:"
    texts = [form.format(f"bake bread {n}") for n in range(20)] + [form.format(f"sort list {n}") for n in range(20)]
    assert name_clusters(texts, [0] * 20 + [1] * 20, 2) == ["bake, bread", "list, sort"]


def test_names_of_different_clusters_differ_and_wordless_clusters_have_one() -> None:
    names = name_clusters(["12", "34", "alpha beta", "alpha beta"], [0, 1, 2, 3], 4)
    assert len(set(names)) == 4 and names[0] == "mixed requests"


def test_a_word_of_a_sixth_of_all_texts_everywhere_is_no_name_in_any_language() -> None:
    texts = [f"bitte {word} bitte" for word in ("apfel", "birne", "kirsche", "pflaume") for _ in range(5)]
    names = name_clusters(texts, [place // 5 for place in range(20)], 4)
    assert names == ["apfel", "birne", "kirsche", "pflaume"]


def test_first_words_end_with_a_sign_that_there_is_more() -> None:
    assert first_words("a\n b  c") == "a b c"
    assert first_words("x" * 100) == "x" * 79 + "…"


@pytest.mark.real_data
def test_clusters_of_a_mixture_of_real_requests_are_of_one_source(real_data: Path) -> None:
    texts, sources = read_mixture(real_data)
    assert Counter(sources) == {"dolly": 1000, "gsm8k": 1000, "ifbench": 300, "oasst": 100}
    clusters = find_clusters(take_topics(encode_tfidf(texts), "tfidf"))
    pure = sum(
        Counter(source for source, label in zip(sources, clusters.labels, strict=True) if label == cluster)
        .most_common(1)[0][1]
        for cluster in range(len(clusters.sizes))
    )  # fmt: skip
    assert pure / len(texts) > 0.86  # the largest source alone is 0.42
    names = name_clusters(texts, clusters.labels.tolist(), len(clusters.sizes))
    assert len(set(names)) == len(names) and all(2 <= len(name.split(", ")) <= 4 for name in names)


def read_mixture(folder: Path) -> tuple[list[str], list[str]]:
    """Requests of four sources, each with its source; the form around Dolly's is taken off."""

    def read(name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines() if line.strip()]

    dolly = [str(row["prompt"]).split("### Instruction:\n")[-1].split("\n\n### Response:")[0]
             for row in read("dolly_hhrlhf_1000.jsonl")]  # fmt: skip
    found = {
        "gsm8k": [str(row["question"]) for row in read("gsm8k_train.jsonl")[:1000]],
        "dolly": dolly,
        "ifbench": [str(row["prompt"]) for row in read("ifbench_300.jsonl")],
        "oasst": [str(row["prompt"]["text"]) for row in read("oasst_en_100_tree.jsonl")],  # type: ignore[index]
    }
    return [text for texts in found.values() for text in texts], [s for s, texts in found.items() for _ in texts]
