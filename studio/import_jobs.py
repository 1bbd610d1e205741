"""Dry runs, imports and fetches that go on while their page is redrawn, left or reloaded. One a person at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.importing.progress import ReadMeter

State = Literal["running", "finished", "failed", "stopped"]
Work = Callable[[Callable[[int], None], ReadMeter], Any]
"""What a job does: it is given whom to tell the number of rows, and the meter to hand to the reader."""

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_jobs: dict[str, Job] = {}


class _StoppedError(Exception):
    """Raised inside of a job that its owner stopped."""


@dataclass(slots=True)
class Job:
    """One piece of work and how far it has come."""

    title: str
    kind: str
    about: Any
    """What it was started with, to tell whether its result still fits what is on the page."""
    state: State = "running"
    rows: int = 0
    share: float = 0.0
    """Bytes read, 0 to 1."""
    result: Any = None
    problem: tuple[str, str] | None = None
    is_asked_to_stop: bool = False
    meter: ReadMeter = field(default_factory=ReadMeter)
    done: threading.Event = field(default_factory=threading.Event)

    def tell(self, rows: int) -> None:
        """Notes how far the work has come; ends it where its owner asked for that."""
        self.rows, self.share = rows, self.meter.share
        if self.is_asked_to_stop:
            raise _StoppedError


def find_job(owner: str) -> Job | None:
    """The job of a person that runs or ran last."""
    return _jobs.get(owner)


def forget_job(owner: str) -> None:
    """Drops a job that has ended."""
    with _lock:
        job = _jobs.get(owner)
        if job is not None and job.state != "running":
            del _jobs[owner]


def start_job(owner: str, title: str, kind: str, about: Any, work: Work, patience: float = 0.8) -> Job:
    """Starts work on a thread of its own, waiting a moment so that what is quick is done on return.

    Raises:
        PitchpipeError: this person's last job still runs.
    """
    with _lock:
        running = _jobs.get(owner)
        if running is not None and running.state == "running":
            raise PitchpipeError(f"'{running.title}' still runs.", "Wait for it, or stop it.")
        job = _jobs[owner] = Job(title, kind, about)
    threading.Thread(target=_run, args=(job, work), daemon=True, name=f"pitchpipe-{kind}").start()
    job.done.wait(patience)
    return job


def _run(job: Job, work: Work) -> None:
    began = time.monotonic()
    try:
        job.result = work(job.tell, job.meter)
        job.state = "finished"
    except _StoppedError:
        job.state = "stopped"
    except PitchpipeError as error:
        job.problem, job.state = (error.happened, error.advice), "failed"
    except Exception as error:  # noqa: BLE001 - the page must hear of a defect too; the log keeps where it was
        _log.exception("the job %s failed", job.title)
        happened = f"An error of the program itself: {type(error).__name__}: {error}"
        job.problem, job.state = (happened, "Nothing was kept. The server's log has the details."), "failed"
    finally:
        _log.info("%s: %s after %.1f s", job.title, job.state, time.monotonic() - began)
        job.done.set()
