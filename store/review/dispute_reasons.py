"""Finds why tasks are in dispute, and says it in words. `disputes.py` tells what each reason means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import polars as pl

from pitchpipe.store.measures.contradictions import find_cycles, find_rating_conflicts, find_reversals
from pitchpipe.store.measures.disagreement import (
    measure_labels,
    measure_reversals,
    measure_spreads,
    measure_verdicts,
)
from pitchpipe.store.review.opinion_reading import Opinions

Found: TypeAlias = tuple[str, str, str, float, tuple[str, ...]]
"""A task, the kind of reason, the sentence, what there is to win (0 to 1), and other tasks that it is about."""

_STRENGTHS = 6.0
"""From -3 to 3."""
_REVERSED_SHARE = 1 / 3
"""From this share of pairs in opposite orders on, rankings disagree."""
_NO_MERIT = ("complexity", "verbosity")
"""Attributes of HelpSteer of which neither end is better, so that they say nothing of which answer is."""
_STRENGTH_WORDS = ("", " slightly", "", " much")


def find_verdict_reasons(
    opinions: Opinions, tasks: Sequence[str], widest_spread: int, weakest_support: float
) -> list[Found]:
    """Verdicts on different sides or without support, and rankings in opposite orders."""
    counting = _keep(opinions.choices, tasks)
    found: list[Found] = []
    compared = counting.filter(~pl.col("is_ranked")).select("task", "verdict", "preference")
    for task, raters, for_a, for_b, abstained, low, high, support, is_tied in measure_verdicts(compared).iter_rows():
        spread = (high - low) if low is not None else 0.0
        if for_a and for_b:
            rest = f", {raters - for_a - for_b} for neither" if raters > for_a + for_b else ""
            sentence = f"The raters stand on different sides: {for_a} for A, {for_b} for B{rest}."
            found.append((task, "disagreement", sentence, spread / _STRENGTHS, ()))
        elif spread > widest_spread:
            sentence = f"The strengths of preference are {spread:g} points apart: from {low:g} to {high:g}."
            found.append((task, "disagreement", sentence, spread / _STRENGTHS, ()))
        if abstained == raters:
            found.append((task, "low_confidence", f"None of {raters} raters could judge.", 1.0, ()))
        elif is_tied:
            found.append((task, "low_confidence", "Several verdicts share the first place.", 1 - support, ()))
        elif support <= weakest_support:
            sentence = f"Only {support:.0%} of {raters} raters gave the most frequent verdict."
            found.append((task, "low_confidence", sentence, 1 - support, ()))
    for task, pairs, turned in measure_reversals(counting.filter(pl.col("is_ranked"))).iter_rows():
        if turned / pairs >= _REVERSED_SHARE:
            sentence = f"{turned} of {pairs} pairs of answers are put in opposite orders."
            found.append((task, "disagreement", sentence, turned / pairs, ()))
    return found


def find_label_reasons(opinions: Opinions, tasks: Sequence[str], weakest_support: float) -> list[Found]:
    """Labels, kinds of error and choices that differ or lack support."""
    found: list[Found] = []
    for task, subject, question, raters, distinct, support, is_tied, labels in measure_labels(
        _keep(opinions.labels, tasks)
    ).iter_rows():
        if distinct < 2:
            continue
        where = _name_subject(opinions, task, subject)
        sentence = f"{_name_question(question)}{where}: {' / '.join(labels)}."
        found.append((task, "disagreement", sentence, 1 - support, ()))
        if is_tied or support <= weakest_support:
            share = "is tied" if is_tied else f"has only {support:.0%} of {raters} raters behind it"
            found.append((task, "low_confidence", f"{_name_question(question)}{where}: the answer {share}.", 0.5, ()))
    return found


def find_rating_reasons(opinions: Opinions, tasks: Sequence[str], widest_spread: int) -> list[Found]:
    """Ratings that are further apart than the project's rule."""
    found: list[Found] = []
    spreads = measure_spreads(_keep(opinions.scores, tasks))
    wide = spreads.filter(pl.col("high") - pl.col("low") > widest_spread)
    for task, subject, question, low, high, _, reach in wide.iter_rows():
        where = _name_subject(opinions, task, subject)
        sentence = f"{_name_question(question)}{where}: ratings from {low:g} to {high:g}."
        found.append((task, "disagreement", sentence, min(1.0, (high - low) / reach), ()))
    return found


def find_cycle_reasons(opinions: Opinions, tasks: Sequence[str]) -> list[Found]:
    """Circles of preferences, of the majority (a settled task counts as it was settled) and of single raters."""
    own = _keep(opinions.choices, tasks)
    shared = pl.concat([own, opinions.last_words])
    keys = ["example", "task", "answer_a", "answer_b"]
    for_a, for_b = ((pl.col("verdict") == verdict).sum().cast(pl.Int64) for verdict in "ab")
    majority = shared.group_by(keys, maintain_order=True).agg((for_b - for_a).alias("preference"))
    found = _describe_cycles(majority.with_columns(pl.col("example").alias("group")), "By majority", tasks)
    circles = {task for task, *_ in found}
    by_rater = own.with_columns(pl.concat_str("example", "rater", separator="\n").alias("group"))
    single = _describe_cycles(by_rater, "By {rater} alone", tasks)
    return found + [reason for reason in single if reason[0] not in circles]


def find_self_reasons(opinions: Opinions, tasks: Sequence[str], widest_spread: int) -> list[Found]:
    """What single raters said against themselves."""
    choices = _keep(opinions.choices, tasks).drop_nulls("preference")
    scores = _keep(opinions.scores, tasks)
    return [
        *_find_rating_conflicts(opinions, choices, scores),
        *_find_turned_choices(choices, widest_spread),
        *_find_turned_ratings(opinions, scores, widest_spread),
    ]


def _describe_cycles(choices: pl.DataFrame, whose: str, tasks: Sequence[str]) -> list[Found]:
    found: list[Found] = []
    listed = set(tasks)
    for cycle in find_cycles(_order_pairs(choices)):
        rater = cycle.group.rpartition("\n")[2]
        count = len(cycle.answers)
        sentence = (
            f"{whose.format(rater=rater)} {count} answers form a circle: each is preferred to the next, "
            "and the last to the first."
        )
        others = tuple(dict.fromkeys(cycle.tasks))
        found += [(task, "cycle", sentence, 1.0, tuple(other for other in others if other != task))
                  for task in others if task in listed]  # fmt: skip
    return found


def _order_pairs(choices: pl.DataFrame) -> pl.DataFrame:
    """Choices with a side as winner and loser."""
    is_a = pl.col("preference") < 0
    return choices.filter(pl.col("preference") != 0).with_columns(
        pl.when(is_a).then("answer_a").otherwise("answer_b").alias("winner"),
        pl.when(is_a).then("answer_b").otherwise("answer_a").alias("loser"),
    )


def _find_rating_conflicts(opinions: Opinions, choices: pl.DataFrame, scores: pl.DataFrame) -> list[Found]:
    """By helpfulness where an answer was rated on it, else by the mean of what speaks for an answer."""
    telling = scores.filter(~pl.col("question").is_in(_NO_MERIT))
    if "helpfulness" in telling["question"]:
        telling = telling.filter(pl.col("question") == "helpfulness")
    conflicts = find_rating_conflicts(telling.rename({"subject": "answer"}), _order_pairs(choices))
    found: list[Found] = []
    for rater, task, winner, loser, winner_score, loser_score in conflicts.iter_rows():
        names = [_name_answer(opinions, task, answer) for answer in (winner, loser)]
        sentence = (
            f"{rater} rated {names[0]} {winner_score:g} and {names[1]} {loser_score:g}, and yet picked {names[0]}."
        )
        found.append((task, "rating_against_choice", sentence, min(1.0, (loser_score - winner_score) / 4), ()))
    return found


def _find_turned_choices(choices: pl.DataFrame, widest_spread: int) -> list[Found]:
    """Pairs are turned into one order first, so that the same pair is found under a and b swapped."""
    is_ordered = pl.col("answer_a") < pl.col("answer_b")
    pair = pl.concat_str(
        pl.min_horizontal("answer_a", "answer_b"), pl.max_horizontal("answer_a", "answer_b"), separator="\n"
    )
    answers = choices.with_columns(
        pair.alias("subject"), pl.when(is_ordered).then("preference").otherwise(-pl.col("preference")).alias("value")
    )
    order = dict(answers.select("task", is_ordered.alias("ordered")).iter_rows())
    turned = find_reversals(answers.select("rater", "subject", "task", "value"), widest_spread, has_sides=True)
    found: list[Found] = []
    for rater, _, task, value, other, other_value in turned.iter_rows():
        for here, there, first, second in ((task, other, value, other_value), (other, task, other_value, value)):
            sign = 1 if order[here] else -1
            sentence = (
                f"{rater} judged this pair twice and differently: {say_preference(first * sign)} here, "
                f"{say_preference(second * sign)} the other time."
            )
            found.append((here, "self_contradiction", sentence, 0.5, (there,)))
    return found


def _find_turned_ratings(opinions: Opinions, scores: pl.DataFrame, widest_spread: int) -> list[Found]:
    named = scores.filter(~pl.col("subject").str.starts_with("turn ")).with_columns(
        pl.concat_str("subject", "question", separator="\n").alias("subject"), pl.col("score").alias("value")
    )
    turned = find_reversals(named.select("rater", "subject", "task", "value"), widest_spread)
    found: list[Found] = []
    for rater, key, task, value, other, other_value in turned.iter_rows():
        subject, _, question = key.partition("\n")
        for here, there, first, second in ((task, other, value, other_value), (other, task, other_value, value)):
            where = _name_subject(opinions, here, subject)
            sentence = f"{rater} rated {question}{where} twice: {first:g} here, {second:g} the other time."
            found.append((here, "self_contradiction", sentence, 0.5, (there,)))
    return found


def _keep(frame: pl.DataFrame, tasks: Sequence[str]) -> pl.DataFrame:
    return frame.join(pl.DataFrame({"task": tasks}, {"task": pl.String}), on="task", how="semi", maintain_order="left")


def say_preference(preference: float) -> str:
    """A preference of -3 to 3, negative for A, in words.

    >>> say_preference(-3), say_preference(1), say_preference(0)
    ('A much better', 'B slightly', 'about the same')
    """
    if preference == 0:
        return "about the same"
    size = _STRENGTH_WORDS[min(3, abs(int(preference)))]
    return f"{'A' if preference < 0 else 'B'}{size}{'' if size == ' slightly' else ' better'}"


def _name_question(question: str) -> str:
    return question.replace("_", " ").capitalize()


def _name_subject(opinions: Opinions, task: str, subject: str) -> str:
    """Which answer, where there is a choice: " of A", " of turn 1", or nothing."""
    if subject.startswith("turn "):
        return f" of {subject}"
    answers = opinions.answers.get(task, [])
    return f" of {_name_answer(opinions, task, subject)}" if len(answers) > 1 and subject in answers else ""


def _name_answer(opinions: Opinions, task: str, answer: str) -> str:
    answers = opinions.answers.get(task, [])
    return chr(65 + answers.index(answer)) if answer in answers else "the other answer"
