"""The catalogue and actions on PostgreSQL: the same answers as on the file."""

from __future__ import annotations

import pytest

from pitchpipe.store.curation.catalogue import count_facets, open_catalogue
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.curation.curating import act_on, undo_action
from pitchpipe.store.curation.row_card import explain_standing, read_row_card
from pitchpipe.store.curation.slices import find_examples, list_slices, save_slice
from pitchpipe.store.database import Store
from pitchpipe.store.queue.tasking import TaskOrder
from tests.store.desk import judge


@pytest.fixture
def home() -> str:
    return "postgres"


def test_rows_are_found_decided_on_queued_and_taken_back(compare_store: Store) -> None:
    judge(compare_store, "ana", {"verdict": "a", "strength": -1})
    ids = find_examples(compare_store, "p", Slice('"number"'))
    assert len(ids) == 10
    dropped = act_on(compare_store, "p", "drop", ids[:2], note="odd", actor="cora")
    act_on(compare_store, "p", "tag", ids[5:7], note="", actor="cora", tag="look")
    queued = act_on(compare_store, "p", "queue", ids[3:5], note="", actor="cora", order=TaskOrder("rate"))
    facets = count_facets(open_catalogue(compare_store, "p"), Slice())
    assert dict(facets["decision"]) == {"undecided": 8, "drop": 2} and dict(facets["tags"]) == {"": 8, "look": 2}
    assert explain_standing(read_row_card(compare_store, "p", ids[0]))[0].startswith("Out of new snapshots: cora")
    assert undo_action(compare_store, queued, "cora").kept_tasks == 0
    undo_action(compare_store, dropped, "cora")
    assert find_examples(compare_store, "p", Slice(filters=(("decision", "is", ("drop",)),))) == []
    save_slice(compare_store, "p", "judged", Slice(sql="SELECT example_id FROM judgements"), "cora")
    assert len(find_examples(compare_store, "p", list_slices(compare_store, "p")[0].slice)) == 1
