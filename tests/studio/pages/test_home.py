"""The one next step and the lines of the picture follow from the counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pitchpipe.store.records import LoopCounts, Progress
from pitchpipe.studio.app_pages.home import describe_project, describe_stations, suggest_next_step

QUIET = LoopCounts(
    examples=240, holdout=40, candidates=480, tasks=200, open_tasks=0, judgements=600, judgements_today=12,
    annotators=3, snapshots=1, latest_snapshot="first", runs=1, review_tasks=0,
)  # fmt: skip
NOTHING_OPEN, SOME_OPEN = Progress(done=9, available=0, skipped=0), Progress(done=9, available=31, skipped=1)


@pytest.mark.parametrize(
    ("counts", "progress", "words"),
    [
        (replace(QUIET, review_tasks=40), SOME_OPEN, "40 blind pairs decide"),
        (QUIET, SOME_OPEN, "31 tasks wait for you"),
        (replace(QUIET, tasks=0, judgements=0, snapshots=0, runs=0), NOTHING_OPEN, "no tasks yet"),
        (replace(QUIET, snapshots=0, runs=0), NOTHING_OPEN, "600 judgements are in"),
        (replace(QUIET, runs=0), NOTHING_OPEN, "A snapshot is ready"),
        (QUIET, NOTHING_OPEN, "Let it answer"),
        (replace(QUIET, review_tasks=40), NOTHING_OPEN, "Others still have tasks open"),
    ],
)
def test_the_next_step_is_the_one_that_moves_the_loop_on(counts: LoopCounts, progress: Progress, words: str) -> None:
    step = suggest_next_step(counts, progress, "Help desk")
    assert words in step.words
    assert (step.page is None) != (step.command is None)


def test_commands_quote_a_project_name_with_a_space() -> None:
    step = suggest_next_step(replace(QUIET, snapshots=0), NOTHING_OPEN, "Help desk")
    assert step.command == 'pitchpipe snapshot create --project "Help desk" --name first'


def test_the_project_is_told_in_one_line() -> None:
    assert describe_project(QUIET) == "240 examples (40 sealed as holdout) · 480 answers · 3 people have judged"


def test_the_station_with_work_to_do_is_marked() -> None:
    assert describe_stations(QUIET, SOME_OPEN)["here"] == "queue"
    assert describe_stations(replace(QUIET, snapshots=0), NOTHING_OPEN)["here"] == "snapshot"
    assert describe_stations(QUIET, NOTHING_OPEN)["snapshot"] == "first"
