"""How each person of a project judges: everything that the People page tells about one rater.

The figures are for leads, to see which guideline needs work and who needs help; they are never shown to other raters.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.judging import known_answers
from pitchpipe.store.judging.answer_reading import Work, read_work
from pitchpipe.store.measures.coding import code_ratings
from pitchpipe.store.measures.dawid_skene import DawidSkene, fit_dawid_skene
from pitchpipe.store.measures.pace import Trend, compare_thirds, mark_sessions
from pitchpipe.store.measures.patterns import Floats
from pitchpipe.store.measures.raters import RestAgreement, Share, compare_with_rest, make_share
from pitchpipe.store.projects import get_project
from pitchpipe.store.team.people import Person, list_people

_LONGEST_SECONDS = 3600.0
_SHORTEST_SECONDS = 0.1
_MOST_HOURS = 8
_NOT_SHARED = "nobody else judged the same"
_UNITS_OF_MODEL = 20_000
"""The model of rater quality is fitted on at most so many units of a question, the first in the order of their
hashes (a fair sample): a rater's table does not get sharper beyond that."""


@dataclass(frozen=True, slots=True)
class QuestionCard:
    """One rater on one question."""

    kind: str
    question: str
    """With the kind in brackets where tasks of several kinds ask it."""
    rest: RestAgreement
    quality: float | None
    """Dawid-Skene: the chance that an answer of theirs is the true one, 0 to 1."""


@dataclass(frozen=True, slots=True)
class RaterCard:
    """One rater in one project. Shares are None where they cannot be told, with the reason beside them."""

    name: str
    person: Person | None
    """None for a rater who came with a file and never signed in."""
    paused_reason: str | None
    judged: int
    skipped: int
    rest: Share
    """Agreement with the others, exact, over all questions."""
    kappa: float | None
    """The same beyond chance, the mean over questions weighted by units."""
    quality: float | None
    quality_undefined: str | None
    gold: Share
    repeats: Share
    swapped: Share
    """Self-agreement on tasks asked again with the same and with swapped sides."""
    left: Share
    accepted: Share
    """Suggestions that were taken over as they were."""
    unprompted: Share
    """How often others, who saw no suggestion, gave that answer to the same tasks."""
    seconds: float | None
    """Median active seconds of a judgement."""
    seconds_by_kind: dict[str, float]
    trend: Trend
    drift: list[Share]
    """Agreement with the others by hour of a session, the first hour first."""
    questions: list[QuestionCard] = field(default_factory=list)


def describe_raters(store: Store, project: str, work: Work | None = None) -> list[RaterCard]:
    """A card for everyone who judged in the project, by name.

    Args:
        work: what `read_work` returned, where it was read already.
    """
    work = work or read_work(store, project)
    project_id = get_project(store, project).id
    live = work.rows.filter(pl.col("is_live") & (pl.col("status") == "submitted"))
    sessions = mark_sessions(live.select("row", "rater", "at", "kind", "seconds"))
    tallies = _compare_all(work, sessions)
    left, pace = _count_left(work), _measure_pace(sessions)
    known = known_answers.read_known_answers(store, project_id)
    people = {person.name: person for person in list_people(store)}
    paused = dict(store.read("SELECT annotator, paused_reason FROM standings WHERE project_id = ?", [project_id]))
    counts = work.rows.group_by("rater").agg(
        (pl.col("status") == "submitted").sum().alias("judged"), (pl.col("status") == "skipped").sum().alias("skipped")
    )
    return [
        _make_card(str(name), int(judged), int(skipped), tallies[name], left, pace, known, people, paused)
        for name, judged, skipped in counts.sort("rater").iter_rows()
    ]


@dataclass(slots=True)
class _Tally:
    """What the questions add up to for one rater."""

    hits: float = 0.0
    units: int = 0
    kappas: list[tuple[float, int]] = field(default_factory=list)
    qualities: list[tuple[float, int]] = field(default_factory=list)
    quality_undefined: str | None = None
    hours: dict[int, tuple[float, int]] = field(default_factory=dict)
    questions: list[QuestionCard] = field(default_factory=list)

    def average(self, figures: list[tuple[float, int]]) -> float | None:
        weight = sum(units for _, units in figures)
        return sum(figure * units for figure, units in figures) / weight if weight else None


def _compare_all(work: Work, sessions: pl.DataFrame) -> dict[str, _Tally]:
    """Agreement with the rest and quality of every rater, question by question, and agreement by hour of work."""
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    matches, names = [], work.name_questions()
    for kind, question, is_scale, ratings in work.split_questions():
        coded = code_ratings(ratings)
        found, exact = compare_with_rest(coded, is_scale)
        model = fit_dawid_skene(code_ratings(_keep_few_units(ratings)))
        qualities = {} if isinstance(model, str) else {quality.rater: quality for quality in model.qualities}
        for rest in found:
            tally, quality = tallies[rest.rater], qualities.get(rest.rater)
            tally.hits, tally.units = tally.hits + rest.exact.hits, tally.units + rest.exact.total
            if rest.kappa is not None:
                tally.kappas.append((rest.kappa, rest.exact.total))
            accuracy = quality.accuracy if quality else None
            if quality is not None and accuracy is not None:
                tally.qualities.append((accuracy, quality.ratings))
            else:
                tally.quality_undefined = _explain_no_quality(model, quality.undefined_because if quality else None)
            tally.questions.append(QuestionCard(kind, names[kind, question], rest, accuracy))
        matches.append(pl.DataFrame({"row": ratings["row"].gather(coded.row), "exact": exact}))
    _add_hours(sessions, matches, tallies)
    return tallies


def _explain_no_quality(model: DawidSkene | str, because: str | None) -> str:
    return model if isinstance(model, str) else because or _NOT_SHARED


def _keep_few_units(ratings: pl.DataFrame) -> pl.DataFrame:
    if ratings.height <= _UNITS_OF_MODEL:
        return ratings
    units = ratings["unit"].unique()
    if len(units) <= _UNITS_OF_MODEL:
        return ratings
    return ratings.filter(pl.col("unit").is_in(units.sort().head(_UNITS_OF_MODEL).implode()))


def _add_hours(sessions: pl.DataFrame, matches: list[pl.DataFrame], tallies: dict[str, _Tally]) -> None:
    if not matches or sessions.is_empty():
        return
    hours = sessions.select("row", "rater", pl.col("hour").clip(0, _MOST_HOURS))
    found = (
        pl.concat(matches).filter(pl.col("exact").is_not_nan()).join(hours, on="row")
        .group_by("rater", "hour").agg(pl.col("exact").sum(), pl.len())
    )  # fmt: skip
    for rater, hour, hits, total in found.iter_rows():
        tallies[rater].hours[hour] = (hits, total)


def _count_left(work: Work) -> dict[str, tuple[int, int]]:
    """For each rater how many decisive comparisons went to the answer shown on the left, of how many."""
    decisive = work.answers.filter((pl.col("part") == "compare") & pl.col("text").is_in(["a", "b"]))
    shown = decisive.select("row", "rater", "text").join(work.rows.select("row", "is_in_order").drop_nulls(), on="row")
    left = shown.group_by("rater").agg(((pl.col("text") == "a") == pl.col("is_in_order")).sum(), pl.len())
    return {rater: (hits, total) for rater, hits, total in left.iter_rows()}


@dataclass(frozen=True, slots=True)
class _Pace:
    seconds: float | None
    by_kind: dict[str, float]
    trend: Trend


def _measure_pace(sessions: pl.DataFrame) -> dict[str, _Pace]:
    """Median seconds and the trend within sessions, of what was judged in the studio with a time."""
    timed = sessions.drop_nulls("seconds")
    if timed.is_empty():
        return {}
    log = pl.col("seconds").clip(_SHORTEST_SECONDS, _LONGEST_SECONDS).log()
    marked = timed.with_columns((log - log.mean().over("rater", "kind")).alias("log"))
    medians = dict(marked.group_by("rater").agg(pl.col("seconds").median()).iter_rows())
    kinds: dict[str, dict[str, float]] = defaultdict(dict)
    for rater, kind, seconds in (
        marked.group_by("rater", "kind").agg(pl.col("seconds").median()).sort("kind").iter_rows()
    ):
        kinds[rater][kind] = seconds
    thirds: dict[tuple[str, int], Floats] = {
        (str(rater), int(third)): part["log"].to_numpy()
        for (rater, third), part in marked.drop_nulls("third").group_by("rater", "third")
    }
    nothing: Floats = np.empty(0)
    return {
        rater: _Pace(
            seconds, kinds[rater], compare_thirds(thirds.get((rater, 0), nothing), thirds.get((rater, 2), nothing))
        )
        for rater, seconds in medians.items()
    }


def _make_card(
    name: str,
    judged: int,
    skipped: int,
    tally: _Tally,
    left: dict[str, tuple[int, int]],
    paces: dict[str, _Pace],
    known: known_answers.KnownAnswers,
    people: dict[str, Person],
    paused: dict[str, str | None],
) -> RaterCard:
    pace = paces.get(name) or _Pace(None, {}, Trend(None, None, None, 0, "nothing was timed"))
    quality = tally.average(tally.qualities)
    return RaterCard(
        name=name,
        person=people.get(name),
        paused_reason=paused.get(name),
        judged=judged,
        skipped=skipped,
        rest=make_share(tally.hits, tally.units, _NOT_SHARED),
        kappa=tally.average(tally.kappas),
        quality=quality,
        quality_undefined=None if quality is not None else tally.quality_undefined or _NOT_SHARED,
        gold=make_share(*known.gold.get(name, (0, 0)), "no known answers were judged"),
        repeats=make_share(*known.repeats.get(name, (0, 0)), "nothing was asked again"),
        swapped=make_share(*known.swapped.get(name, (0, 0)), "nothing was asked again with swapped sides"),
        left=make_share(*left.get(name, (0, 0)), "no decisive comparison was made in the studio"),
        accepted=make_share(*known.accepted.get(name, (0, 0)), "no suggestion was shown"),
        unprompted=make_share(*known.unprompted.get(name, (0, 0)), "nobody judged the same without the suggestion"),
        seconds=pace.seconds,
        seconds_by_kind=pace.by_kind,
        trend=pace.trend,
        drift=[
            make_share(*tally.hours.get(hour, (0, 0)), "nothing was shared in this hour")
            for hour in range(max(tally.hours, default=-1) + 1)
        ],
        questions=tally.questions,
    )
