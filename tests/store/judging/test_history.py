"""An annotator's own history: newest first, filtered, paged, in the terms of their screen."""

from __future__ import annotations

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.annotating import skip_task, submit_judgement
from pitchpipe.store.judging.flagging import flag_task
from pitchpipe.store.judging.history import list_history
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.records import JudgementStatus, TaskKind


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """It reads alike in both homes of the tables."""
    return str(request.param)


@pytest.fixture
def judged(compare_store: Store) -> Store:
    """Five tasks of ana: three submits (one flagged), a skip, and a submit taken back."""
    for number in range(5):
        task = claim_next_task(compare_store, "p", "ana")
        assert task is not None
        own = {"judgement_id": f"j{number}", "task_id": task.task_id, "annotator": "ana", "token": task.token}
        if number == 1:
            flag = {name: value for name, value in own.items() if name != "judgement_id"}
            flag_task(compare_store, flag_id="f", kind="flag", words="odd", **flag)
        if number == 2:
            skip_task(compare_store, **own, reason="Not my LANGUAGE")
        else:
            value = {"verdict": "first", "strength": -min(number, 3) or -1}
            submit_judgement(compare_store, **own, value=value, reason=f"reason {number}", seconds=2.5)
    undo_last(compare_store, "p", "ana")
    return compare_store


def test_the_latest_comes_first_with_what_was_entered(judged: Store) -> None:
    entries = list_history(judged, "p", "ana")
    assert [entry.request for entry in entries] == [f"Question number {n}?" for n in (4, 3, 2, 1, 0)]
    assert [entry.status.value for entry in entries] == ["retracted", "submitted", "skipped", "submitted", "submitted"]
    assert entries[1].value == {"verdict": "first", "strength": -3}
    assert (entries[1].reason, entries[1].seconds, entries[1].kind) == ("reason 3", 2.5, TaskKind.COMPARE)
    assert [entry.has_open_flag for entry in entries] == [False, False, False, True, False]
    assert list_history(judged, "p", "ben") == []


def test_it_is_filtered_by_status_kind_and_words_and_paged(judged: Store) -> None:
    def requests(**filters: object) -> list[str]:
        return [entry.request[-2] for entry in list_history(judged, "p", "ana", **filters)]  # type: ignore[arg-type]

    assert requests(status=JudgementStatus.SUBMITTED) == ["3", "1", "0"]
    assert requests(kind=TaskKind.RATE) == []
    assert requests(words="number 3") == ["3"]
    assert requests(words="my language") == ["2"]
    assert requests(words="100% of_it") == []
    assert requests(limit=2, offset=1) == ["3", "2"]
    with pytest.raises(UsageError):
        requests(limit=0)


def test_an_adjudication_stands_in_no_history(judged: Store) -> None:
    judged.write(lambda t: t.run("UPDATE judgements SET source = 'adjudication' WHERE id = 'j3'"))
    assert len(list_history(judged, "p", "ana")) == 4
