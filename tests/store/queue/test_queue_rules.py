"""Rules of the queue: more raters where they disagree, skills, known answers, calibration, pauses and repeats."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.freezing.snapshots import create_snapshot
from pitchpipe.store.judging.annotating import skip_task, submit_judgement
from pitchpipe.store.judging.undoing import redo_last, undo_last
from pitchpipe.store.projects import change_rules, get_project
from pitchpipe.store.queue.gold import is_right, list_gold, read_feedback, set_gold
from pitchpipe.store.queue.queue_rules import do_agree, estimate_cost_left
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from pitchpipe.store.queue.standing import note_guideline, pause_annotator, read_standing, resume_annotator
from pitchpipe.store.queue.suggesting import add_suggestions
from pitchpipe.store.records import ClaimedTask, TaskKind
from pitchpipe.store.team.people import sign_in


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """These rules hold in both homes of the tables."""
    return str(request.param)


def claim(store: Store, annotator: str = "ana") -> ClaimedTask:
    task = claim_next_task(store, "p", annotator)
    assert task is not None
    return task


def judge(store: Store, task: ClaimedTask, annotator: str = "ana", side: str = "a", strength: int = 2) -> None:
    """Judges a comparison in stored terms, whatever order was shown."""
    shown = [answer.candidate_id for answer in task.answers]
    is_swapped = shown != json.loads(read_one(store, "SELECT candidate_ids FROM tasks WHERE id = ?", task.task_id))
    value = {"verdict": side, "strength": 0 if side == "tie" else None}
    if side in ("a", "b"):
        is_first = (side == "a") != is_swapped
        value = {"verdict": "first" if is_first else "second", "strength": -strength if is_first else strength}
    submit_judgement(
        store, judgement_id=uuid.uuid4().hex, task_id=task.task_id, annotator=annotator, token=task.token, value=value
    )


def read_one(store: Store, sql: str, *values: object) -> Any:
    return store.read(sql, list(values))[0][0]


def list_tasks(store: Store) -> list[str]:
    return [row[0] for row in store.read("SELECT id FROM tasks ORDER BY position, id")]


@pytest.mark.parametrize(
    ("strengths", "how_many", "is_agreed"),
    [
        ([-1, -3], 2, True),  # one side, 2 apart
        ([-1, 1], 2, False),  # two sides
        ([0, -2], 2, True),  # a tie and a light preference
        ([0, -3], 2, False),
        ([-2, -3, 3], 2, True),  # a majority of three
        ([-3, 0, 3], 2, False),
    ],
)
def test_comparisons_agree_within_the_spread_on_one_side(strengths: list[int], how_many: int, is_agreed: bool) -> None:
    verdicts = {-1: "a", 0: "tie", 1: "b"}
    values = [{"verdict": verdicts[(s > 0) - (s < 0)], "strength": s} for s in strengths]
    assert do_agree("compare", values, 2, how_many) is is_agreed


def test_a_divided_task_gets_one_more_rater_at_a_time_until_a_majority_agrees(compare_store: Store) -> None:
    change_rules(compare_store, "p", most_raters=5)
    first = list_tasks(compare_store)[0]

    def overlap() -> int:
        return int(read_one(compare_store, "SELECT overlap FROM tasks WHERE id = ?", first))

    for name, side, expected in [("ana", "a", 2), ("ben", "b", 3), ("cleo", "tie", 4), ("dan", "a", 5)]:
        task = claim(compare_store, name)
        assert task.task_id == first
        judge(compare_store, task, name, side, 3)
        # a3 b3 | a3 b3 tie: nobody within 2 | a3 b3 tie a3: 3 of 4 are asked for | then most_raters ends it
        assert overlap() == expected
    judge(compare_store, claim(compare_store, "eve"), "eve", "b", 3)
    assert overlap() == 5
    assert claim(compare_store, "fay").task_id != first


def test_a_task_whose_raters_agree_is_not_widened_and_the_cost_left_is_told(compare_store: Store) -> None:
    change_rules(compare_store, "p", most_raters=3)
    for name, side in [("ana", "a"), ("ben", "a")]:
        judge(compare_store, claim(compare_store, name), name, side, 2)
    for name, side in [("ana", "a"), ("ben", "b")]:
        judge(compare_store, claim(compare_store, name), name, side, 2)
    assert sorted(row[0] for row in compare_store.read("SELECT overlap FROM tasks")) == [2] * 9 + [3]
    cost = estimate_cost_left(compare_store, "p")
    # 8 untouched tasks at 2 slots, 1 more rater for the divided one; 1 of 2 was divided, so 8 x 0.5 more are expected.
    assert (cost.slots_left, cost.disagreement, cost.expected_extra) == (17, 0.5, 4.0)


def test_tasks_that_came_judged_say_nothing_about_disagreement(compare_store: Store) -> None:
    """One task came with three raters where the project asks for two: nobody was added because of a dispute."""
    change_rules(compare_store, "p", most_raters=3)
    (task, *_) = list_tasks(compare_store)
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 3 WHERE id = ?", [task]))
    for slot in (1, 2, 3):
        row = [task, slot, get_project(compare_store, "p").id, f"r{slot}", utc_now()]
        compare_store.write(
            lambda t, row=row: t.run(
                "INSERT INTO assignments (task_id, slot, project_id, annotator, token, shown, claimed_at) "
                "VALUES (?, ?, ?, ?, 'import', '[]', ?)",
                row,
            )
        )
    cost = estimate_cost_left(compare_store, "p")
    assert (cost.slots_left, cost.disagreement, cost.expected_extra) == (18, None, 0.0)


def test_a_task_with_a_skill_goes_to_those_who_have_it_and_priority_comes_first(compare_store: Store) -> None:
    tasks = list_tasks(compare_store)
    compare_store.write(lambda t: t.run("UPDATE tasks SET skill = 'cs', priority = 5 WHERE id = ?", [tasks[4]]))
    compare_store.write(lambda t: t.run("UPDATE tasks SET priority = 1 WHERE id = ?", [tasks[7]]))
    sign_in(compare_store, "ben")
    compare_store.write(lambda t: t.run("UPDATE annotators SET skills = '[\"de\",\"cs\"]' WHERE name = 'ben'"))
    assert claim(compare_store, "ben").task_id == tasks[4]
    assert claim(compare_store, "ana").task_id == tasks[7]
    assert count_progress(compare_store, "p", "ana").available == 9


def test_known_answers_come_at_their_rate_to_everybody_beyond_the_overlap(compare_store: Store) -> None:
    tasks = list_tasks(compare_store)
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    change_rules(compare_store, "p", gold_every=2)
    for task_id in tasks[:2]:
        set_gold(compare_store, "p", task_id, {"verdict": "a", "strength": -1}, "because")
    totals = set()
    for name in ("ana", "ben"):
        for place in range(1, 5):
            task = claim(compare_store, name)
            assert (task.task_id in tasks[:2]) == (place == 3), (name, place)
            before = count_progress(compare_store, "p", name)
            judge(compare_store, task, name)
            after = count_progress(compare_store, "p", name)
            assert before.done + before.available == after.done + after.available
            totals.add((name, before.done + before.available))
    assert len(totals) == 2  # the total never moves when a known answer is met
    assert [row["judgements"] for row in list_gold(compare_store, "p")] == [2, 0]
    with pytest.raises(UsageError):
        set_gold(compare_store, "p", tasks[3], {"verdict": "left"})
    with pytest.raises(NotFoundError):
        set_gold(compare_store, "p", "task_0", {"verdict": "a"})


def test_calibration_comes_before_any_real_work_and_a_skipped_one_never_returns(compare_store: Store) -> None:
    tasks = list_tasks(compare_store)
    change_rules(compare_store, "p", calibration_tasks=2)
    for task_id in tasks[6:9]:
        set_gold(compare_store, "p", task_id, {"verdict": "a"})
    assert read_standing(compare_store, "p", "ana").calibration_left == 2
    skipped = claim(compare_store)
    skip_task(
        compare_store, judgement_id="s", task_id=skipped.task_id, annotator="ana", token=skipped.token, reason="odd"
    )
    served = []
    for _ in range(3):
        task = claim(compare_store)
        served.append(task.task_id)
        judge(compare_store, task)
    assert served == [tasks[7], tasks[8], tasks[0]]
    standing = read_standing(compare_store, "p", "ana")
    assert (standing.calibration_left, standing.gold_right, standing.gold_judged) == (0, 2, 2)


def test_five_poor_answers_pause_an_annotator_until_a_lead_resumes_them(compare_store: Store) -> None:
    tasks = list_tasks(compare_store)
    change_rules(compare_store, "p", calibration_tasks=6, gold_least_accuracy=0.6)
    for task_id in tasks[:6]:
        set_gold(compare_store, "p", task_id, {"verdict": "a"})
    for place in range(5):
        assert read_standing(compare_store, "p", "ana").paused_reason is None
        judge(compare_store, claim(compare_store), side="a" if place < 2 else "b")
    assert claim_next_task(compare_store, "p", "ana") is None
    reason = read_standing(compare_store, "p", "ana").paused_reason
    assert reason is not None
    assert reason.startswith("2 of your 5 answers")
    assert claim_next_task(compare_store, "p", "ben") is not None
    resume_annotator(compare_store, "p", "ana", "lea")
    judge(compare_store, claim(compare_store), side="b")
    standing = read_standing(compare_store, "p", "ana")
    assert (standing.paused_reason, standing.gold_right, standing.gold_judged) == (None, 0, 1)


def test_a_lead_pauses_with_a_reason_and_the_guideline_seen_is_remembered(compare_store: Store) -> None:
    claim(compare_store)
    with pytest.raises(UsageError, match="No reason"):
        pause_annotator(compare_store, "p", "ana", " ", "lea")
    pause_annotator(compare_store, "p", "ana", "Let us talk first.", "lea")
    assert claim_next_task(compare_store, "p", "ana") is None
    note_guideline(compare_store, "p", "ana", "Be kind.")
    standing = read_standing(compare_store, "p", "ana")
    assert (standing.paused_reason, standing.seen_guideline) == ("Let us talk first.", "Be kind.")
    assert read_standing(compare_store, "p", "ben").seen_guideline is None


def test_feedback_waits_for_the_submit_and_then_only_the_first_answer_measures(compare_store: Store) -> None:
    task_id = list_tasks(compare_store)[0]
    change_rules(compare_store, "p", calibration_tasks=1, gold_feedback=True)
    set_gold(compare_store, "p", task_id, {"verdict": "a", "strength": -2}, "a answers the question")
    task = claim(compare_store)
    assert read_feedback(compare_store, task_id, "ana") is None
    judge(compare_store, task, side="b")
    feedback = read_feedback(compare_store, task_id, "ana")
    assert feedback is not None
    candidates = json.loads(read_one(compare_store, "SELECT candidate_ids FROM tasks WHERE id = ?", task_id))
    is_first = task.answers[0].candidate_id == candidates[0]
    assert feedback.value == {"verdict": "first" if is_first else "second", "strength": -2 if is_first else 2}
    assert (feedback.is_right, feedback.explanation) == (False, "a answers the question")
    undo_last(compare_store, "p", "ana")
    judge(compare_store, claim(compare_store), side="a")
    assert read_standing(compare_store, "p", "ana").gold_right == 0
    change_rules(compare_store, "p", gold_feedback=False)  # nobody was told: a correction is honest
    assert read_standing(compare_store, "p", "ana").gold_right == 1


def test_repeats_ask_an_own_earlier_task_again_every_second_one_swapped(compare_store: Store) -> None:
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    change_rules(compare_store, "p", repeat_every=3)
    served = []
    while (task := claim_next_task(compare_store, "p", "ana")) is not None:
        assert not task.is_reopened
        served.append(task)
        judge(compare_store, task)
    repeats = compare_store.read("SELECT id, repeat_of FROM tasks WHERE purpose = 'repeat' ORDER BY created_at")
    places = [[task.task_id for task in served].index(row[0]) for row in repeats]
    assert places == [3, 7, 11]  # after 3, 6 and 9 ordinary ones
    assert len(served) == 13
    by_id = {task.task_id: [answer.candidate_id for answer in task.answers] for task in served}
    orders = [(by_id[again], by_id[of]) for again, of in repeats]
    assert [again == of for again, of in orders] == [True, False, True]
    assert orders[1][0] == orders[1][1][::-1]
    assert claim_next_task(compare_store, "p", "ben") is None
    snapshot = create_snapshot(compare_store, "p", "s")
    assert snapshot.counts["pair_train"] == 10


def test_known_answers_stay_out_of_datasets(compare_store: Store) -> None:
    task_id = list_tasks(compare_store)[0]
    change_rules(compare_store, "p", calibration_tasks=1)
    set_gold(compare_store, "p", task_id, {"verdict": "a"})
    judge(compare_store, claim(compare_store))
    judge(compare_store, claim(compare_store))
    assert create_snapshot(compare_store, "p", "s").counts["pair_train"] == 1


@pytest.mark.parametrize(
    ("kind", "value", "known", "expected"),
    [
        (TaskKind.COMPARE, {"verdict": "tie", "strength": 0}, {"verdict": "a", "strength": -1}, False),
        (TaskKind.RATE, {"q": 4, "tone": "warm"}, {"q": 5, "tone": "warm"}, True),
        (TaskKind.RATE, {"q": 0}, {"q": 1}, False),
        (TaskKind.RATE, {"tone": "warm"}, {"tone": "cold"}, False),
        (TaskKind.TAG, {"labels": ["b", "a"]}, {"labels": ["a", "b"]}, True),
        (TaskKind.RANK, {"ranks": [0, 2, 1]}, {"ranks": [1, 5, 3]}, True),
        (TaskKind.RANK, {"ranks": [0, 0, 1]}, {"ranks": [0, 1, 2]}, False),
        (TaskKind.EDIT, {"text": "x"}, {"text": "y"}, False),
        (TaskKind.TURNS, {"turns": {"1": {"q": 3}}}, {"turns": {"1": {"q": 4}}}, True),
        (TaskKind.SCREEN, {"compare": {"verdict": "a"}, "rate": [{"q": 3}, {}]}, {"compare": {"verdict": "a"}}, True),
        (TaskKind.SCREEN, {"compare": {"verdict": "a"}}, {"rate": [{"q": 3}]}, False),
    ],
)
def test_what_counts_as_right(kind: TaskKind, value: dict[str, Any], known: dict[str, Any], expected: bool) -> None:
    assert is_right(kind, value, known) is expected


def test_a_suggestion_is_shown_only_where_the_rules_say_so_and_its_acceptance_is_kept(compare_store: Store) -> None:
    first, second = list_tasks(compare_store)[:2]
    rows = [
        {"task_id": first, "value": {"verdict": "a", "strength": -2}, "score": 0.9},
        {"task_id": second, "value": {"verdict": "b", "strength": 2}},
    ]
    assert add_suggestions(compare_store, "p", rows, "judge-v1") == {"added": 2, "replaced": 0}
    assert add_suggestions(compare_store, "p", rows[:1], "judge-v1") == {"added": 0, "replaced": 1}
    task = claim(compare_store)
    assert task.suggestion is None
    change_rules(compare_store, "p", suggestions=True)
    task = claim(compare_store)
    is_first = task.answers[0].candidate_id == json.loads(
        read_one(compare_store, "SELECT candidate_ids FROM tasks WHERE id = ?", first)
    )[0]  # fmt: skip
    on_screen = {"verdict": "first" if is_first else "second", "strength": -2 if is_first else 2}
    assert task.suggestion == {"value": on_screen, "score": 0.9}  # never what made it
    judge(compare_store, task, side="a", strength=2)
    judge(compare_store, claim(compare_store), side="a", strength=2)
    judge(compare_store, claim(compare_store))  # none was suggested
    details = [
        row[0] and json.loads(row[0]) for row in compare_store.read("SELECT detail FROM judgements ORDER BY entry")
    ]
    assert details == [
        {"suggestion": {"source": "judge-v1", "score": 0.9, "is_accepted": True}},
        {"suggestion": {"source": "judge-v1", "score": None, "is_accepted": False}},
        None,
    ]
    undo_last(compare_store, "p", "ana")
    undo_last(compare_store, "p", "ana")
    redo_last(compare_store, "p", "ana")
    detail = json.loads(read_one(compare_store, "SELECT detail FROM judgements ORDER BY entry DESC LIMIT 1"))
    assert detail["suggestion"]["source"] == "judge-v1"


@pytest.mark.parametrize(
    "row",
    [
        {"task_id": "task_0", "value": {"verdict": "a"}},
        {"value": {"verdict": "left"}},
        {"value": {"verdict": "a"}, "score": 1.5},
        {"value": {}},
    ],
)
def test_a_suggestion_that_does_not_fit_is_refused_with_all_others(compare_store: Store, row: dict[str, Any]) -> None:
    tasks = list_tasks(compare_store)
    good = {"task_id": tasks[0], "value": {"verdict": "a"}}
    with pytest.raises((UsageError, NotFoundError)):
        add_suggestions(compare_store, "p", [good, {"task_id": tasks[1], **row}], "judge-v1")
    assert compare_store.read("SELECT count(*) FROM suggestions") == [(0,)]


@pytest.mark.parametrize(
    "changes",
    [{"gold_evry": 1}, {"gold_every": -1}, {"gold_least_accuracy": 2.0}, {"suggestions": 1}, {"most_raters": True}],
)
def test_a_rule_that_is_unknown_or_out_of_range_changes_nothing(compare_store: Store, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        change_rules(compare_store, "p", repeat_every=4, **changes)
    assert change_rules(compare_store, "p").rules.repeat_every == 0
