"""Cards of raters and the state of a project, read from a real store whose rows are written by hand."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.judging.answer_reading import read_work
from pitchpipe.store.judging.known_answers import align_value
from pitchpipe.store.projects import create_project
from pitchpipe.store.team.people import change_person, sign_in
from pitchpipe.store.team.quality_reading import describe_project_quality
from pitchpipe.store.team.rater_reading import RaterCard, describe_raters

START = datetime(2026, 3, 2, 9)


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """What is read must be the same in both homes of the tables."""
    return str(request.param)


class Desk:
    """Writes tasks and judgements as the store would; `card` reads one rater's back."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.project = create_project(store, "p", overlap=2, holdout_share=0.0).id
        self.entries = 0

    def add_task(self, id: str, kind: str = "compare", candidates: tuple[str, ...] = ("c1", "c2"), **more: Any) -> str:
        row = {
            "id": id, "project_id": self.project, "example_id": f"ex_{id}", "kind": kind, "overlap": 2, "priority": 0,
            "candidate_ids": canonical_json(list(candidates)), "batch": "", "position": 0, "created_at": START, **more,
        }  # fmt: skip
        self.store.write(lambda t: t.insert_frame("tasks", pl.DataFrame([row])))
        return id

    def judge(
        self, task: str, rater: str, value: dict[str, Any], *, kind: str = "compare", at: float = 0,
        shown: tuple[str, ...] = ("c1", "c2"), **more: Any,
    ) -> None:  # fmt: skip
        self.entries += 1
        row = {
            "id": f"j{self.entries}", "entry": f"{self.entries:026d}", "project_id": self.project, "task_id": task,
            "example_id": f"ex_{task}", "annotator": rater, "kind": kind, "status": "submitted",
            "value": canonical_json(value), "reason": "", "shown": canonical_json(list(shown)), "source": "studio",
            "created_at": START + timedelta(minutes=at), **more,
        }  # fmt: skip
        self.store.write(lambda t: t.insert_frame("judgements", pl.DataFrame([row])))

    def card(self, name: str) -> RaterCard:
        return next(card for card in describe_raters(self.store, "p") if card.name == name)


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


A, B, TIE = ({"verdict": "a", "strength": -1}, {"verdict": "b", "strength": 1}, {"verdict": "tie", "strength": 0})


def test_left_is_what_stood_on_the_left_whatever_the_stored_order_was(desk: Desk) -> None:
    """a with c1 first is left; a with c2 first is right; b with c2 first is left, twice; a tie says nothing: 3 of 4."""
    swapped = ("c2", "c1")
    for number, (value, shown) in enumerate(
        [(A, ("c1", "c2")), (A, swapped), (B, swapped), (B, swapped), (TIE, swapped)]
    ):
        desk.judge(desk.add_task(f"t{number}"), "ana", value, shown=shown)
    desk.judge(desk.add_task("imported"), "ana", A, shown=(), source="import_1")  # nobody knows how that was shown
    left = desk.card("ana").left
    assert (left.hits, left.total) == (3, 4)


def test_agreement_with_the_rest_takes_the_latest_row_and_no_adjudication(desk: Desk) -> None:
    """Verdicts: t0 both a; t1 ana b then a, ben a; so 2 of 2. Strengths -1 throughout: another 2 of 2."""
    for task in ("t0", "t1"):
        desk.add_task(task)
        desk.judge(task, "ben", A)
    desk.judge("t0", "ana", A)
    desk.judge("t1", "ana", B)
    desk.judge("t1", "ana", A)
    desk.judge("t0", "cem", B, source="adjudication")
    card = desk.card("ana")
    assert (card.rest.hits, card.rest.total, card.judged) == (4, 4, 2)
    assert [one.name for one in describe_raters(desk.store, "p")] == ["ana", "ben"]


def test_what_was_taken_back_counts_nowhere_and_a_skip_as_a_skip(desk: Desk) -> None:
    for task in ("t0", "t1"):
        desk.add_task(task)
        desk.judge(task, "ana", A)
    desk.judge("t0", "ana", {}, status="retracted")
    desk.judge("t1", "ana", {}, status="skipped")
    card = desk.card("ana")
    assert (card.judged, card.skipped, card.rest.undefined_because) == (0, 1, "nobody else judged the same")


def test_ratings_count_question_by_question_and_words_are_not_compared(desk: Desk) -> None:
    """help: 3-3 and 1-2 (half exact, all within a step); the notes differ and are long, so they are left out."""
    for number, (one, other) in enumerate([(3, 3), (1, 2)]):
        task = desk.add_task(f"t{number}", "rate", ("c1",))
        for name, score in (("ana", one), ("ben", other)):
            value = {"help": score, "tone": "warm", "note": f"{name} {number} " + "word " * 30}
            desk.judge(task, name, value, kind="rate", shown=("c1",))
    questions = {one.question: one.rest for one in desk.card("ana").questions}
    assert set(questions) == {"help", "tone"}
    assert questions["help"].exact.share == 0.5
    assert questions["help"].near is not None and questions["help"].near.share == 1.0
    assert questions["tone"].near is None


def test_a_repeat_is_held_against_the_own_earlier_answer_swapped_sides_apart(desk: Desk) -> None:
    """t0 again: same verdict. t1 again with the sides swapped on the screen: the other verdict."""
    for task, again, first, second, shown in (
        ("t0", "r0", A, A, ("c1", "c2")),
        ("t1", "r1", A, B, ("c2", "c1")),
    ):
        desk.add_task(task)
        desk.judge(task, "ana", first)
        desk.add_task(again, purpose="repeat", repeat_of=task, only_for="ana")
        desk.judge(again, "ana", second, shown=shown)
    card = desk.card("ana")
    assert (card.repeats.hits, card.repeats.total) == (1, 1)
    assert (card.swapped.hits, card.swapped.total) == (0, 1)
    assert card.rest.total == 0  # one's own again is no second opinion


def test_a_repeat_whose_candidates_stand_the_other_way_round_is_turned_first(desk: Desk) -> None:
    desk.add_task("t0")
    desk.judge("t0", "ana", A)
    desk.add_task("r0", candidates=("c2", "c1"), purpose="repeat", repeat_of="t0", only_for="ana")
    desk.judge("r0", "ana", B, shown=("c2", "c1"))
    assert (desk.card("ana").swapped.hits, desk.card("ana").swapped.total) == (1, 1)
    assert align_value("rank", {"ranks": [0, 1, 2]}, ["x", "y", "z"], ["z", "x", "y"]) == {"ranks": [2, 0, 1]}
    assert align_value("rate", {"help": 1}, ["x"], ["y"]) is None


def test_known_answers_are_counted_by_verdict_whatever_the_strength(desk: Desk) -> None:
    for number, value in enumerate([A, A, B]):
        task = desk.add_task(f"g{number}", purpose="gold")
        desk.judge(task, "ana", value)
        row = {"task_id": task, "project_id": desk.project, "value": json.dumps(A), "explanation": "", "actor": "x",
               "created_at": START}  # fmt: skip
        desk.store.write(lambda t, row=row: t.insert_frame("gold_answers", pl.DataFrame([row])))
    gold = desk.card("ana").gold
    assert (gold.hits, gold.total) == (2, 3)


def test_acceptance_stands_beside_how_often_others_said_the_same_unprompted(desk: Desk) -> None:
    """ana saw the suggestion a on two tasks and took both; of the others who saw none, ben gave a once of twice."""
    seen = canonical_json({"suggestion": {"source": "m", "score": 0.9, "is_accepted": True}})
    for number, other in enumerate([A, B]):
        task = desk.add_task(f"t{number}")
        row = {"task_id": task, "source": "m", "value": canonical_json(A), "score": 0.9, "created_at": START}
        desk.store.write(lambda t, row=row: t.insert_frame("suggestions", pl.DataFrame([row])))
        desk.judge(task, "ana", A, detail=seen)
        desk.judge(task, "ben", other)
    card = desk.card("ana")
    assert (card.accepted.hits, card.accepted.total) == (2, 2)
    assert (card.unprompted.hits, card.unprompted.total) == (1, 2)
    assert desk.card("ben").accepted.undefined_because == "no suggestion was shown"


def test_speed_is_a_median_by_kind_and_drift_goes_by_hour_of_a_session(desk: Desk) -> None:
    """ana judges every 20 minutes: hour 0 has three tasks, hour 1 two; ben agrees in hour 0 only."""
    for number in range(5):
        task = desk.add_task(f"t{number}")
        desk.judge(task, "ana", A, at=20 * number, seconds=10.0 + number)
        desk.judge(task, "ben", A if number < 3 else B, at=20 * number)
    card = desk.card("ana")
    assert (card.seconds, card.seconds_by_kind) == (12.0, {"compare": 12.0})
    assert [(hour.hits, hour.total) for hour in card.drift] == [(6, 6), (0, 4)]  # verdict and strength each
    assert card.trend.ratio is None
    assert desk.card("ben").seconds is None


def test_a_card_carries_role_and_pause_and_strangers_have_none(desk: Desk) -> None:
    sign_in(desk.store, "ana")
    change_person(desk.store, "ana", skills=["de"], actor="x")
    row = {"project_id": desk.project, "annotator": "ben", "paused_reason": "below gold", "paused_at": START}
    desk.store.write(lambda t: t.insert_frame("standings", pl.DataFrame([row])))
    task = desk.add_task("t0")
    for name in ("ana", "ben"):
        desk.judge(task, name, A)
    ana, ben = desk.card("ana"), desk.card("ben")
    assert ana.person is not None and (ana.person.role, ana.person.skills) == ("lead", ("de",))
    assert (ben.person, ana.paused_reason, ben.paused_reason) == (None, None, "below gold")


def test_the_project_is_told_with_the_weakest_question_first_and_the_pair_that_differs(desk: Desk) -> None:
    """Twelve tasks; ana and ben agree on clarity, and on tone ben is one step higher on half of them."""
    for number in range(12):
        task = desk.add_task(f"t{number:02d}", "rate", ("c1",))
        for name in ("ana", "ben"):
            value = {"clear": number % 3, "tone": number % 3 + (name == "ben" and number % 2)}
            desk.judge(task, name, value, kind="rate", shown=("c1",), at=number, seconds=30.0)
    found = describe_project_quality(desk.store, "p", today=START.date())
    assert [one.question for one in found.questions] == ["tone", "clear"]
    assert found.questions[1].agreement.alpha == 1.0
    assert "Sharpen 'tone' first. ana and ben differ most: the same answer on 50% of 12 tasks, ben 0.5 steps" in (
        found.advice
    )
    assert found.daily == [(date(2026, 3, 2), 24)]
    # Nobody holds a slot in these hand-written rows: 12 tasks of overlap 2 are 24 to do, 12 minutes at 30 s each.
    assert (found.forecast.remaining, found.forecast.days) == (24, 1.0)
    assert found.hours_left == pytest.approx(0.2)


def test_an_empty_project_has_no_cards_and_says_what_agreement_needs(desk: Desk) -> None:
    assert describe_raters(desk.store, "p") == []
    found = describe_project_quality(desk.store, "p")
    assert (found.questions, found.daily, found.hours_left) == ([], [], None)
    assert "two people" in found.advice


def test_answers_about_different_parts_of_a_task_are_different_units(desk: Desk) -> None:
    task = desk.add_task("t0", "screen")
    for name in ("ana", "ben"):
        desk.judge(task, name, {"rate": [{"help": 1}, {"help": 3}]}, kind="screen")
    answers = read_work(desk.store, "p").answers
    assert (answers["unit"].n_unique(), answers.height) == (2, 4)
    assert desk.card("ana").rest.total == 2
