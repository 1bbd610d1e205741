"""Metric log: the lines of a run's metrics.jsonl, read once and then only what is new, for pages that look often.

A run of 100,000 steps has some 40 MB of metrics; reading them all every two seconds would take the page's whole core.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import METRICS
from pitchpipe.training.tuning.advice import Finding, advise

Curve: TypeAlias = "tuple[array[float], array[float]]"
"""Steps and values, of one length."""
_KEPT_RUNS = 12
_lock = threading.Lock()


@dataclass
class MetricLog:
    """The lines of one file so far, in order of step; of two lines for one step the later one counts."""

    path: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    """Every series of finite numbers, by name."""
    _place: int = 0
    _inode: int = 0
    _advised: tuple[int, list[Finding]] = (-1, [])

    def catch_up(self) -> None:
        """Reads what was written since the last look; a line still being written is left for next time."""
        if not self.path.is_file():
            self._forget()
            return
        facts = self.path.stat()
        if facts.st_ino != self._inode or facts.st_size < self._place:
            # A run that goes on from a checkpoint cuts its metrics back to it.
            self._forget()
            self._inode = facts.st_ino
        with self.path.open("rb") as file:
            file.seek(self._place)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.split(b"\n")[:-1]:
            self._add(line)

    def _forget(self) -> None:
        self.curves = {}
        self.lines, self._place, self._inode, self._advised = [], 0, 0, (-1, [])

    def _add(self, line: bytes) -> None:
        try:
            metric = json.loads(line)
            step = metric["step"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            return
        if self.lines and step <= self.lines[-1]["step"]:
            kept = [known for known in self.lines if known["step"] < step]
            self.lines, self.curves = kept, collect_curves(kept)
        self.lines.append(metric)
        _add_line(self.curves, metric)

    def advise(self, plan: TrainPlan, is_final: bool) -> list[Finding]:
        """The advice on the lines so far; while a run goes on worked out again when they are 1% more."""
        known = self._advised[0]
        if len(self.lines) >= known * 1.01 + 0.5 or (is_final and len(self.lines) != known):
            self._advised = len(self.lines), advise(self.lines, plan)
        return self._advised[1]


def collect_curves(lines: Iterable[dict[str, Any]]) -> dict[str, Curve]:
    """Every series of finite numbers in lines of metrics, by name.

    >>> collect_curves([{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}])["loss"]
    (array('d', [1.0]), array('d', [2.0]))
    """
    curves: dict[str, Curve] = {}
    for line in lines:
        _add_line(curves, line)
    return curves


def _add_line(curves: dict[str, Curve], line: dict[str, Any]) -> None:
    for name, value in line.items():
        if isinstance(value, int | float):
            steps, values = curves.setdefault(name, (array("d"), array("d")))
            steps.append(line["step"])
            values.append(value)


_logs: OrderedDict[str, MetricLog] = OrderedDict()


def read_log(folder: Path) -> MetricLog:
    """The log of a run folder, up to date; those of the runs last looked at are remembered."""
    key = str(folder.resolve())
    with _lock:
        log = _logs.pop(key, None) or MetricLog(folder / METRICS)
        _logs[key] = log
        while len(_logs) > _KEPT_RUNS:
            _logs.popitem(last=False)
        log.catch_up()
        return log
