"""The curator's queue: each reason by a case made by hand, the order, and what leaves the queue."""

from __future__ import annotations

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.review.disputes import Dispute, count_reasons, find_disputes, narrow_disputes
from tests.store.judged import PROJECT, add_example, add_flag, add_judgement, add_task, prefer


def find(store: Store) -> dict[str, list[tuple[str, str]]]:
    """The reasons of each task with their sentences."""
    return {
        dispute.task_id: [(reason.kind, reason.sentence) for reason in dispute.reasons]
        for dispute in find_disputes(store, PROJECT)
    }


def add_pair(store: Store, *verdicts: dict[str, object], task: str = "t1", example: str = "e1") -> None:
    add_example(store, example, "AB")
    add_task(store, task, example, "compare", "AB")
    for place, verdict in enumerate(verdicts):
        add_judgement(store, task, f"r{place}", verdict)


def test_raters_who_agree_are_no_dispute(store: Store) -> None:
    add_pair(store, prefer("a", -2), prefer("a", -1), prefer("a", -3))
    assert find(store) == {}


def test_verdicts_on_different_sides_are(store: Store) -> None:
    add_pair(store, prefer("a", -2), prefer("a", -1), prefer("b", 1))
    assert find(store) == {"t1": [("disagreement", "The raters stand on different sides: 2 for A, 1 for B.")]}


def test_strengths_on_one_side_that_are_wider_apart_than_the_rule_are(store: Store) -> None:
    add_pair(store, prefer("tie", 0), prefer("b", 3), prefer("b", 3))
    assert find(store) == {"t1": [("disagreement", "The strengths of preference are 3 points apart: from 0 to 3.")]}


def test_a_tie_of_verdicts_is_of_low_confidence(store: Store) -> None:
    add_pair(store, prefer("a", -1), prefer("tie", 0))
    assert find(store) == {"t1": [("low_confidence", "Several verdicts share the first place.")]}


def test_nobody_could_judge_is_of_low_confidence(store: Store) -> None:
    add_pair(store, prefer("cannot_judge"), prefer("cannot_judge"))
    assert find(store) == {"t1": [("low_confidence", "None of 2 raters could judge.")]}


def test_ratings_three_points_apart_are_a_disagreement_and_two_are_none(store: Store) -> None:
    add_example(store, "e1", "AB")
    add_task(store, "t1", "e1", "rate", "A")
    for rater, score in (("ana", 1), ("ben", 4)):
        value = {"helpfulness": score, "tone": 2 if score == 1 else 4, "note": rater}
        add_judgement(store, "t1", rater, value, detail='{"text_questions": ["note"]}')
    assert find(store) == {"t1": [("disagreement", "Helpfulness: ratings from 1 to 4.")]}


def test_choices_that_differ_are_a_disagreement_but_words_of_ones_own_are_not(store: Store) -> None:
    add_example(store, "e1", "A")
    add_task(store, "t1", "e1", "rate", "A")
    for rater, tone in (("ana", "warm"), ("ben", "cold"), ("eva", "cold")):
        value = {"tone": tone, "note": f"words of {rater}"}
        add_judgement(store, "t1", rater, value, detail='{"text_questions": ["note"]}')
    assert find(store) == {"t1": [("disagreement", "Tone: cold / warm.")]}


def test_rankings_in_opposite_orders_are_a_disagreement(store: Store) -> None:
    """Best to worst A B C against C B A: all three pairs are turned."""
    add_example(store, "e1", "ABC")
    add_task(store, "t1", "e1", "rank", "ABC")
    add_judgement(store, "t1", "ana", {"ranks": [0, 1, 2]})
    add_judgement(store, "t1", "ben", {"ranks": [2, 1, 0]})
    assert find(store) == {"t1": [("disagreement", "3 of 3 pairs of answers are put in opposite orders.")]}


def test_tags_errors_and_turns_are_compared_too(store: Store) -> None:
    add_example(store, "e1", "A")
    values = {
        "tag": ({"labels": ["refund"]}, {"labels": ["delay", "refund"]}, {"labels": ["refund"]}),
        "span": ({"spans": []}, {"spans": [{"start": 0, "end": 2, "label": "false"}]}, {"spans": []}),
        "turns": ({"turns": {"1": {"helpfulness": 0}}}, {"turns": {"1": {"helpfulness": 4}}}, {"turns": {}}),
    }
    for kind, given in values.items():
        add_task(store, kind, "e1", kind, "A")
        for place, value in enumerate(given):
            add_judgement(store, kind, f"r{place}", value)
    assert find(store) == {
        "tag": [("disagreement", "Labels: delay, refund / refund.")],
        "span": [("disagreement", "Spans: false / no error.")],
        "turns": [("disagreement", "Helpfulness of turn 1: ratings from 0 to 4.")],
    }


def test_the_parts_of_a_screen_count_like_tasks_of_their_kind(store: Store) -> None:
    add_example(store, "e1", "AB")
    add_task(store, "t1", "e1", "screen", "AB")
    for rater, side, score in (("ana", "a", 4), ("ben", "b", 0)):
        rates = [{"helpfulness": 2}, {"helpfulness": score}]
        add_judgement(store, "t1", rater, {"compare": prefer(side), "rate": rates, "edit": {"answer": 0, "text": "x"}})
    kinds = find(store)["t1"]
    assert ("disagreement", "Helpfulness of B: ratings from 0 to 4.") in kinds
    assert ("disagreement", "The raters stand on different sides: 1 for A, 1 for B.") in kinds
    # ana rated A 2 and B 4 and picked A; ben rated A 2 and B 0 and picked B.
    assert ("rating_against_choice", "ana rated A 2 and B 4, and yet picked A.") in kinds
    assert ("rating_against_choice", "ben rated B 0 and A 2, and yet picked B.") in kinds


def test_a_rating_in_one_task_against_a_choice_in_another_is_found(store: Store) -> None:
    add_pair(store, task="pick")
    for answer, score in (("A", 2), ("B", 4)):
        add_task(store, f"rate{answer}", "e1", "rate", answer)
        add_judgement(store, f"rate{answer}", "ana", {"helpfulness": score, "verbosity": 4 - score})
    add_judgement(store, "pick", "ana", prefer("a", -1))
    assert find(store) == {"pick": [("rating_against_choice", "ana rated A 2 and B 4, and yet picked A.")]}


def test_a_circle_by_majority_names_each_of_its_tasks(store: Store) -> None:
    add_example(store, "e1", "ABC")
    for task, answers in (("ab", "AB"), ("bc", "BC"), ("ca", "CA")):
        add_task(store, task, "e1", "compare", answers)
        add_judgement(store, task, f"rater of {task}", prefer("a"))
    found = find(store)
    assert {kind for reasons in found.values() for kind, _ in reasons} == {"cycle"}
    assert set(found) == {"ab", "bc", "ca"}
    assert found["ab"][0][1].startswith("By majority 3 answers form a circle")


def test_a_circle_of_one_rater_is_found_where_the_majority_has_none(store: Store) -> None:
    add_example(store, "e1", "ABC")
    for task, answers, others in (("ab", "AB", "a"), ("bc", "BC", "a"), ("ca", "CA", "b")):
        add_task(store, task, "e1", "compare", answers)
        add_judgement(store, task, "ana", prefer("a"))
        add_judgement(store, task, "ben", prefer(others))
        add_judgement(store, task, "eva", prefer(others))
    assert [sentence[:16] for kind, sentence in find(store)["ab"] if kind == "cycle"] == ["By ana alone 3 a"]


def test_a_repeat_answered_differently_is_found_at_the_first_task_alone(store: Store) -> None:
    add_pair(store, prefer("a", -2))
    add_task(store, "again", "e1", "compare", "BA", purpose="repeat", repeat_of="t1", only_for="r0")
    add_judgement(store, "again", "r0", prefer("a", -1))  # the repeat's a is B
    assert find(store) == {
        "t1": [
            (
                "self_contradiction",
                "r0 judged this pair twice and differently: A better here, B slightly the other time.",
            )
        ]
    }


def test_one_answer_rated_twice_differently_is_a_self_contradiction(store: Store) -> None:
    add_example(store, "e1", "AB")
    for task, score in (("t1", 4), ("t2", 1)):
        add_task(store, task, "e1", "rate", "A")
        add_judgement(store, task, "ana", {"helpfulness": score})
    assert find(store)["t1"] == [("self_contradiction", "ana rated helpfulness twice: 4 here, 1 the other time.")]


def test_a_flag_comes_with_its_words_and_is_found_by_them(store: Store) -> None:
    add_pair(store, prefer("a", -1))
    add_flag(store, "t1", "ana", "names a real customer")
    assert find(store) == {"t1": [("flag", "ana flagged it: names a real customer")]}
    found = find_disputes(store, PROJECT)
    assert [dispute.task_id for dispute in narrow_disputes(found, words="real CUSTOMER")] == ["t1"]
    assert narrow_disputes(found, words="refund") == []


def test_a_closed_flag_is_none(store: Store) -> None:
    add_pair(store, prefer("a", -1))
    add_flag(store, "t1", "ana", "odd")
    store.write(lambda t: t.run("UPDATE flags SET closed_at = created_at"))
    assert find(store) == {}


def test_only_the_latest_judgement_of_a_rater_counts(store: Store) -> None:
    add_pair(store, prefer("a", -2), prefer("a", -1), prefer("b", 1))
    add_judgement(store, "t1", "r2", prefer("a", -1))
    assert find(store) == {}


def test_gold_items_reviews_of_a_run_and_dropped_examples_come_only_when_flagged(store: Store) -> None:
    add_example(store, "e1", "AB")
    for task, columns in (("gold", {"purpose": "gold"}), ("review", {"batch": "run_1"}), ("plain", {})):
        add_task(store, task, "e1", "compare", "AB", **columns)
        add_judgement(store, task, "ana" + task, prefer("a"))
        add_judgement(store, task, "ben" + task, prefer("b"))
    assert set(find(store)) == {"plain"}
    decide(store, "e1", "drop", "not ours", "cora")
    add_flag(store, "gold", "ana", "the known answer is wrong")
    assert set(find(store)) == {"gold"}


def test_the_widest_dispute_comes_first_and_filters_hold(store: Store) -> None:
    add_pair(store, prefer("a", -1), prefer("b", 1), prefer("b", 1), task="small", example="e1")
    add_pair(store, prefer("a", -3), prefer("b", 3), prefer("b", 3), task="wide", example="e2")
    add_pair(store, prefer("a", -1), prefer("b", 1), task="tied", example="e3")
    found = find_disputes(store, PROJECT)
    # wide: 6 of 6 points; tied: 2 of 6 and half of the support lacking; small: 2 of 6.
    assert [(dispute.task_id, round(dispute.gain, 3)) for dispute in found] == [
        ("wide", 1.0), ("tied", 0.833), ("small", 0.333),
    ]  # fmt: skip
    assert count_reasons(found)["disagreement"] == 3
    assert names(narrow_disputes(found, reasons=["low_confidence"])) == ["tied"]
    assert names(narrow_disputes(found, kind="rate")) == []
    assert found[0].request == "The request of e2"


def names(disputes: list[Dispute]) -> list[str]:
    return [dispute.task_id for dispute in disputes]
