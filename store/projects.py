"""Projects and the people who sign in: made once, read everywhere."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict, fields, replace
from typing import Any, TypedDict, Unpack

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json, new_id
from pitchpipe.store.records import Project, QueueRules

_SECONDS_REMEMBERED = 1.0
RULE_RANGES: dict[str, tuple[Any, Any]] = {
    "most_raters": (0, 100), "widest_spread": (0, 10), "gold_every": (0, 1000), "gold_least_accuracy": (0.0, 1.0),
    "gold_feedback": (False, True), "calibration_tasks": (0, 100), "repeat_every": (0, 1000),
    "suggestions": (False, True), "break_after_minutes": (0, 480),
}  # fmt: skip
"""The least and the largest value of each rule of a queue (see `QueueRules`)."""
_COLUMNS = (
    "id, name, overlap, holdout_share, salt, lease_seconds, minimum_dwell_ms, rate_rubric, compare_rubric, guideline, "
    "created_at, queue_rules"
)
_SELECT_PROJECT = f"SELECT {_COLUMNS} FROM projects WHERE name = ?"
_INSERT_PROJECT = (
    f"INSERT INTO projects ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class ProjectSettings(TypedDict, total=False):
    """What a new project is made with; what is left out has the default of `draft_project`."""

    overlap: int
    holdout_share: float
    salt: str | None
    lease_seconds: int
    minimum_dwell_ms: int
    rate_rubric: str
    compare_rubric: str
    guideline: str
    rules: QueueRules | None


def create_project(store: Store, name: str, *, actor: str = "local", **settings: Unpack[ProjectSettings]) -> Project:
    """The project of that name, made with these settings unless it is there already (then it stays as it is).

    Raises:
        UsageError: the name is empty or a number is out of range.
    """
    project = draft_project(name, **settings)
    store.write(lambda transaction: insert_project(transaction, project, actor))
    store.checkpoint()  # the journal brings back judgements only, not what they are about
    return get_project(store, name)


def draft_project(
    name: str,
    *,
    overlap: int = 1,
    holdout_share: float = 0.1,
    salt: str | None = None,
    lease_seconds: int = 1800,
    minimum_dwell_ms: int = 400,
    rate_rubric: str = "helpfulness",
    compare_rubric: str = "preference",
    guideline: str = "helpfulness",
    rules: QueueRules | None = None,
) -> Project:
    """A new project with these settings that is in no store yet.

    Raises:
        UsageError: the name is empty or a number is out of range.
    """
    _check(
        1 <= len(name.strip()) <= 100 and name.isprintable(),
        f"The project name {name!r} cannot be used",
        "1 to 100 printable characters",
    )
    _check(overlap >= 1, f"overlap is {overlap}", "1 or more")
    _check(0 <= holdout_share <= 0.5, f"holdout_share is {holdout_share}", "between 0 and 0.5")
    _check(1 <= lease_seconds <= 86_400, f"lease_seconds is {lease_seconds}", "between 1 and 86400")
    _check(0 <= minimum_dwell_ms <= 5000, f"minimum_dwell_ms is {minimum_dwell_ms}", "between 0 and 5000")
    return Project(
        new_id("proj"), name, overlap, holdout_share, salt or secrets.token_hex(8), lease_seconds, minimum_dwell_ms,
        rate_rubric, compare_rubric, guideline, utc_now(), rules or QueueRules(),
    )  # fmt: skip


def insert_project(transaction: Transaction, project: Project, actor: str) -> bool:
    """Adds a drafted project; False, and nothing is changed, where there is one of that name."""
    row = [getattr(project, field.name) for field in fields(project)]
    is_new = bool(transaction.run(_INSERT_PROJECT, [*row[:-1], canonical_json(asdict(project.rules))])[0][0])
    if is_new:
        record_event(transaction, actor, "create_project", project.name, {"overlap": project.overlap})
    return is_new


def get_project(store: Store, name: str) -> Project:
    """The project of that name. Raises NotFoundError, naming the ones there are."""
    rows = store.read(_SELECT_PROJECT, [name])
    if not rows:
        names = ", ".join(project.name for project in list_projects(store)) or "none yet"
        raise NotFoundError(
            f"There is no project '{name}'.",
            f"Projects here: {names}. Make one with: pitchpipe init --project NAME, or import a file into it.",
        )
    return _read_project(rows[0])


def find_project(store: Store, name: str) -> Project:
    """The project of that name as it was within the last second: for the queue, which asks at every step."""
    read_at, project = store.queue_memory.projects.get(name, (0.0, None))
    if project is None or time.monotonic() - read_at > _SECONDS_REMEMBERED:
        project = get_project(store, name)
        store.queue_memory.projects[name] = (time.monotonic(), project)
    return project


def list_projects(store: Store) -> list[Project]:
    """All projects, oldest first."""
    return [_read_project(row) for row in store.read(f"SELECT {_COLUMNS} FROM projects ORDER BY created_at, id")]


def change_rules(store: Store, project: str, actor: str = "local", **changes: Any) -> Project:
    """The project with some rules of its queue changed, such as `gold_every=10`; the change is put on record.

    Raises:
        UsageError: there is no such rule, or a value is out of its range; nothing is changed.
    """
    target = get_project(store, project)
    for name, value in changes.items():
        _check_rule(name, value)
    rules = replace(target.rules, **changes)

    def update_rules(transaction: Transaction) -> None:
        sql = "UPDATE projects SET queue_rules = ? WHERE id = ?"
        transaction.run(sql, [canonical_json(asdict(rules)), target.id])
        record_event(transaction, actor, "change_rules", project, changes)

    store.write(update_rules)
    store.queue_memory.projects.pop(project, None)
    store.queue_memory.drop_windows(target.id)
    return replace(target, rules=rules)


def _check_rule(name: str, value: Any) -> None:
    if name not in RULE_RANGES:
        raise UsageError(f"There is no rule '{name}'.", f"Use one of: {', '.join(RULE_RANGES)}.")
    low, high = RULE_RANGES[name]
    is_number = type(value) is int or (type(high) is float and type(value) is float)
    if type(high) is bool:
        _check(type(value) is bool, f"The rule {name} is {value!r}", "true or false")
    else:
        _check(is_number and low <= value <= high, f"The rule {name} is {value!r}", f"between {low} and {high}")


def _read_project(row: tuple[Any, ...]) -> Project:
    return Project(*(*row[:-1], read_rules(row[-1])))


def read_rules(text: str | None) -> QueueRules:
    """The rules of a queue out of their JSON; None, as in projects made before there were any, is the defaults."""
    return QueueRules(**json.loads(text)) if text else QueueRules()


def _check(is_right: bool, found: str, expected: str) -> None:
    if not is_right:
        raise UsageError(f"{found}.", f"It must be {expected}.")


def describe_project(project: Project) -> dict[str, Any]:
    """The settings that people set, as plain values."""
    return {
        "name": project.name,
        "overlap": project.overlap,
        "holdout_share": project.holdout_share,
        "rate_rubric": project.rate_rubric,
        "compare_rubric": project.compare_rubric,
        "guideline": project.guideline,
    }
