"""Every error that a user can cause, as one small tree.

    PitchpipeError
    ├── UsageError            the request itself is off (exit code 2)
    ├── NotFoundError         a named thing does not exist
    ├── ImportFileError       a file cannot be read as data
    ├── StoreError
    │   ├── StoreLockedError  another process owns the file
    │   ├── StoreFullError    the disk is full
    │   └── MigrationError    the schema cannot be brought up to date
    ├── SnapshotError         a snapshot folder is incomplete or altered
    └── RunError              a run folder, plan or model cannot be used

Each message has two parts: what happened, with the offending value, and what to do next. Commands and pages show both
without a traceback; any other exception is a defect of ours and is shown as one.
"""

from __future__ import annotations


class PitchpipeError(Exception):
    """A user's mistake or a fault of the surroundings, told in two parts."""

    exit_code = 1

    def __init__(self, happened: str, advice: str) -> None:
        super().__init__(f"{happened}\n{advice}")
        self.happened = happened
        self.advice = advice


class UsageError(PitchpipeError):
    """The request itself is off: an unknown format, a value out of range."""

    exit_code = 2


class NotFoundError(PitchpipeError):
    """A project, snapshot, run, task or file that was named does not exist."""


class ImportFileError(PitchpipeError):
    """A file cannot be read as data at all (rows that cannot be read are reported, not raised)."""


class StoreError(PitchpipeError):
    """The store cannot do what was asked."""


class StoreLockedError(StoreError):
    """Another process owns the store file. `owner_pid` names it where the system tells."""

    def __init__(self, happened: str, advice: str, owner_pid: int | None = None) -> None:
        super().__init__(happened, advice)
        self.owner_pid = owner_pid


class StoreFullError(StoreError):
    """The disk that holds the workspace is full; nothing of the last write was kept."""


DISK_FULL = (
    "The disk that holds the workspace is full; nothing of this write was kept.",
    "Free some space and try again. Everything acknowledged before is safe.",
)
"""What happened and what to do, for a StoreFullError."""


class MigrationError(StoreError):
    """The schema cannot be brought up to date; the store is as it was before."""


class SnapshotError(PitchpipeError):
    """A snapshot folder is incomplete, altered, or not fit for the use asked of it."""


class RunError(PitchpipeError):
    """A run folder, a plan or a model cannot be used."""
