"""Rules against duplicates on a project: what its curators decided counts, and a check of all rules asks them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pitchpipe.store.curation.checking import preview_rules
from pitchpipe.store.curation.curating import decide
from pitchpipe.store.curation.rules_background import read_background
from pitchpipe.store.database import Store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.studio.rule_verbs import check


@pytest.fixture
def twice(store: Store, write_lines: Callable[[str, list[str]], Path]) -> Store:
    """A project `p` in which one request and answer stand twice, the second time with other punctuation."""
    create_project(store, "p", holdout_share=0.0)
    rows = [("How do I bake bread?", "Slowly."), ("how do I bake bread", "Slowly!"), ("Name a river.", "The Nile.")]
    lines = [json.dumps({"prompt": prompt, "completion": answer}) for prompt, answer in rows]
    import_file(store, write_lines("rows.jsonl", lines), "p")
    return store


def test_what_a_curator_kept_leads_and_the_other_follows(twice: Store) -> None:
    chain = [RuleChoice("exact_duplicate", "drop")]
    preview = preview_rules(twice, "p", chain)
    (hit,) = preview.hits
    followed = hit.row
    decide(twice, followed["candidate_id"], "keep", "the better one", "cora")
    assert read_background(twice, "p").kept_ids == {followed["candidate_id"]}
    preview = preview_rules(twice, "p", chain, read_background(twice, "p"))
    (hit,) = preview.hits
    assert not hit.is_protected
    assert hit.row["candidate_id"] != followed["candidate_id"]
    assert hit.evidence["other_candidates"] == [followed["candidate_id"]]
    decide(twice, followed["candidate_id"], "drop", "or not", "cora")
    assert read_background(twice, "p").kept_ids == frozenset()


def test_a_check_of_all_rules_asks_the_duplicate_rules_too(twice: Store) -> None:
    told = check(twice, "p")
    ids = [rule["rule"] for rule in told["rules"]]
    assert {"exact_duplicate", "near_duplicate", "semantic_duplicate", "semantic_neighbour"} <= set(ids)
    assert "contamination" not in ids, "there is no evaluation set to compare with"
