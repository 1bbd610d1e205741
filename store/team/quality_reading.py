"""How far a project's judgements can be relied on, how fast they come, and when the queue will be empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.judging.answer_reading import Work, read_work
from pitchpipe.store.measures.agreement import Agreement, measure_agreement
from pitchpipe.store.measures.coding import code_ratings
from pitchpipe.store.measures.pace import Forecast, forecast_end
from pitchpipe.store.measures.raters import PairAgreement, compare_pairs
from pitchpipe.store.measures.wording import explain_agreement, explain_one_more, name_band
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.queue_rules import estimate_cost_left

_DAYS_OF_FORECAST = 14
_MOST_PAIRABLE = 200_000
"""Pairs of raters are compared on at most so many ratings of a question."""

_COUNT_REMAINING = """
SELECT coalesce(sum(greatest(t.overlap - coalesce(s.slots, 0), 0)), 0)
FROM tasks AS t
LEFT JOIN (SELECT task_id, count(*) AS slots FROM assignments
           WHERE project_id = $project AND leased_until IS NULL GROUP BY task_id) AS s ON s.task_id = t.id
WHERE t.project_id = $project AND t.purpose IS NULL
"""


@dataclass(frozen=True, slots=True)
class QuestionQuality:
    """Agreement on one question, with what it means."""

    kind: str
    question: str
    """With the kind in brackets where tasks of several kinds ask it."""
    agreement: Agreement
    raters_a_task: float
    """Ratings a unit, the median over units with at least two."""
    meaning: str
    one_more: str
    """What one more rater would buy."""
    widest_pair: PairAgreement | None
    """The two raters who agree least on it, of those who share enough units."""


@dataclass(frozen=True, slots=True)
class ProjectQuality:
    """The state of a project in figures and words."""

    questions: list[QuestionQuality]
    """Those that agree least first; undefined ones last."""
    daily: list[tuple[date, int]]
    """Judgements made in the studio by day (UTC), from the first such day to today, at most 60 days."""
    forecast: Forecast
    hours_left: float | None
    """Hours of work in what remains, at the median time of a judgement."""
    expected_extra: float
    """Judgements that adaptive overlap may add to what remains; 0 where it is off."""
    advice: str
    """What to do first."""


def describe_project_quality(
    store: Store, project: str, work: Work | None = None, resamples: int = 300, today: date | None = None
) -> ProjectQuality:
    """Agreement on each question with words, judgements by day, and a forecast.

    Args:
        work: what `read_work` returned, where it was read already.
        resamples: of the bootstrap of each interval.
        today: UTC; the clock's day when None.
    """
    work = work or read_work(store, project)
    project_id = get_project(store, project).id
    day = today or utc_now().date()
    names = work.name_questions()
    questions = [
        _describe_question(kind, names[kind, question], is_scale, ratings, resamples)
        for kind, question, is_scale, ratings in work.split_questions()
    ]
    questions.sort(key=lambda one: (one.agreement.alpha is None, one.agreement.alpha or 0.0))
    daily = _count_days(work, day)
    remaining = int(store.read(_COUNT_REMAINING, {"project": project_id})[0][0])
    forecast = forecast_end(remaining, choose_days(daily))
    live = work.rows.filter(pl.col("is_live") & (pl.col("status") == "submitted"))
    seconds = live["seconds"].median()
    hours = remaining * float(seconds) / 3600 if isinstance(seconds, int | float) else None
    return ProjectQuality(questions, daily, forecast, hours, _expect_extra(store, project), advise(questions))


def choose_days(daily: Sequence[tuple[date, int]]) -> list[int]:
    """The counts that a forecast goes by: the last fourteen days without today, which is not over; today if it is all.

    >>> choose_days([(date(2026, 3, 2), 40), (date(2026, 3, 3), 0), (date(2026, 3, 4), 5)])
    [40, 0]
    """
    counts = [count for _, count in daily]
    return counts[:-1][-_DAYS_OF_FORECAST:] or counts


def advise(questions: Sequence[QuestionQuality]) -> str:
    """The question to work on first and with whom, in words."""
    measured = [one for one in questions if one.agreement.alpha is not None]
    if not measured:
        return "Agreement needs tasks that two people judged: raise the overlap of some."
    worst = measured[0]
    if name_band(worst.agreement.alpha) == "firm":
        return "Every question is firm. New raters and changed guidelines are the time to look again."
    words = f"Sharpen '{worst.question}' first."
    pair = worst.widest_pair
    if pair is None or pair.exact == 1.0:
        return f"{words} Let two people go through ten tasks on which they differ, and write the outcome down."
    words += f" {pair.first} and {pair.second} differ most: the same answer on {pair.exact:.0%} of {pair.units:,} tasks"
    if pair.difference is not None and abs(pair.difference) >= 0.25:
        higher, lower = (pair.first, pair.second) if pair.difference > 0 else (pair.second, pair.first)
        words += f", {higher} {abs(pair.difference):.1f} steps higher than {lower} on average"
    return f"{words}. Let them talk ten of these tasks over, and write the outcome into the guideline."


def _describe_question(
    kind: str, question: str, is_scale: bool, ratings: pl.DataFrame, resamples: int
) -> QuestionQuality:
    found = measure_agreement(ratings, "ordinal" if is_scale else "nominal", resamples)
    sizes = ratings.group_by("unit").len().filter(pl.col("len") > 1)["len"]
    usual = sizes.median()  # a gold task that everybody judges must not count for all the others
    raters_a_task = float(usual) if isinstance(usual, int | float) else 1.0
    pairs = compare_pairs(code_ratings(ratings.sort("unit").head(_MOST_PAIRABLE)))
    return QuestionQuality(
        kind, question, found, raters_a_task,
        explain_agreement(found.alpha, found.raw_agreement, found.undefined_because, not is_scale),
        explain_one_more(found.alpha, raters_a_task), pairs[0] if pairs else None,
    )  # fmt: skip


def _expect_extra(store: Store, project: str) -> float:
    """What the queue's rules expect to add, in judgements."""
    return float(estimate_cost_left(store, project).expected_extra)


def _count_days(work: Work, today: date) -> list[tuple[date, int]]:
    live = work.rows.filter(pl.col("is_live") & (pl.col("status") == "submitted"))
    counts = dict(live.group_by(pl.col("at").dt.date()).len().iter_rows())
    if not counts:
        return []
    first = max(min(counts), today - timedelta(days=59))
    return [(day, counts.get(day, 0)) for n in range((today - first).days + 1) if (day := first + timedelta(days=n))]


def read_mark(store: Store, project: str) -> str:
    """A text that changes when the figures of a project may have, so that a page can keep them till then."""
    found = store.read(
        "SELECT (SELECT max(entry) FROM judgements WHERE project_id = $project), (SELECT max(id) FROM events), "
        "(SELECT count(*) FROM assignments WHERE project_id = $project AND leased_until IS NULL)",
        {"project": get_project(store, project).id},
    )
    return f"{project} {found[0]}"
