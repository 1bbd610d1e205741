"""Undo and redo find what they reach in the latest part of a log, whatever lies before it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.judging import action_log
from pitchpipe.store.judging.action_log import Stacks, read_stacks, replay

Row = tuple[Any, ...]


class KeptLog:
    """Stands in for a transaction: gives the latest rows of a log, newest first, and counts what was read."""

    def __init__(self, log: list[Row]) -> None:
        self.log, self.read = log, 0

    def run(self, _: str, values: dict[str, Any]) -> list[Row]:
        rows = self.log[::-1][: values["most"]]
        self.read += len(rows)
        return rows


def find_tops(stacks: Stacks) -> tuple[str | None, str | None]:
    return next(reversed(stacks.done), None), next(reversed(stacks.undone), None)


def write_log(moves: list[int]) -> list[Row]:
    """A log as undo and redo write it: submits on five tasks, flags, undos, redos, reopened and asked-again tasks."""
    log: list[Row] = []
    for number, move in enumerate(moves):
        stacks, entry, row = replay(log), f"{number:06}", None
        done, undone = find_tops(stacks)
        oldest = next(iter(stacks.done), None)
        if move < 5:
            row = (entry, f"j{number}", f"t{move}", "submitted", "studio", None, None, False)
        elif move == 5:
            row = (entry, f"f{number}", "t0", "flag", "studio", None, None, False)
        elif move in (6, 7) and done is not None:
            row = (entry, done, "t0", "undo", "studio", None, None, False) if done[0] == "f" else (
                entry, f"r{number}", stacks.done[done].task_id, "retracted", "studio", done, None, False)  # fmt: skip
        elif move == 8 and undone is not None:
            row = (entry, undone, "t0", "redo", "studio", None, None, False) if undone[0] == "f" else (
                entry, f"j{number}", stacks.undone[undone].task_id, "submitted", "studio", None,
                f'{{"redo_of": "{undone}"}}', False)  # fmt: skip
        elif move in (9, 10) and oldest is not None and oldest[0] == "j":
            source = "studio" if move == 9 else "asked_again"
            row = (entry, f"r{number}", stacks.done[oldest].task_id, "retracted", source, oldest, None, False)
        log += [row] if row else []
    return log


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 10), max_size=60))
def test_the_latest_part_of_a_log_tells_what_the_whole_log_tells(moves: list[int]) -> None:
    log = write_log(moves)
    original = action_log._FIRST_READ, action_log._TIMES_MORE
    action_log._FIRST_READ, action_log._TIMES_MORE = 3, 2
    try:
        assert find_tops(read_stacks(KeptLog(log), "p", "ana")) == find_tops(replay(log))  # type: ignore[arg-type]
    finally:
        action_log._FIRST_READ, action_log._TIMES_MORE = original


def test_an_undo_after_thirty_thousand_judgements_reads_two_hundred_of_them() -> None:
    log: list[Row] = [
        (f"{number:06}", f"j{number}", f"t{number}", "submitted", "studio", None, None, False)
        for number in range(30_000)
    ]
    kept = KeptLog(log)
    assert find_tops(read_stacks(kept, "p", "ana")) == ("j29999", None)  # type: ignore[arg-type]
    assert kept.read == 200
