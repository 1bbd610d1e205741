"""What one can do with a store: one function a verb, the same name and parameters as its command and its API route.

Each takes the open store and plain values and returns plain values that become JSON as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pitchpipe.prompts.library import load_rubric, load_screen
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.importing.ingest import import_file as ingest_file
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.lineage import trace_lineage
from pitchpipe.store.overview import count_loop
from pitchpipe.store.projects import create_project, describe_project, list_projects
from pitchpipe.store.queue.tasking import count_tasks, create_tasks
from pitchpipe.store.review.reviewing import list_reviews, report_review
from pitchpipe.store.runs import list_runs, register_candidates, register_run
from pitchpipe.store.team.people import Person, change_person, list_people, restore, revoke
from pitchpipe.studio.import_verbs import find_source

Progress = Callable[[int], None]


def init(
    store: Store, project: str | None = None, overlap: int = 1, holdout_share: float = 0.1, salt: str | None = None
) -> dict[str, Any]:
    """Makes the workspace and, if one is named, a project."""
    if project is not None:
        create_project(store, project, overlap=overlap, holdout_share=holdout_share, salt=salt)
    return {
        "workspace": str(store.workspace),
        "projects": [describe_project(known) for known in list_projects(store)],
    }


def import_file(
    store: Store,
    file: str,
    project: str,
    format: str | None = None,
    map: str | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Imports a file into a project, which is made with default settings if it is not there."""
    mapping = Path(map) if map else None
    source = find_source(store, file)
    report = ingest_file(
        store, source, project, format=format, mapping=mapping, on_progress=on_progress, makes_project=True
    )
    return {**asdict(report), **report.added, "examples_in_project": count_loop(store, project).examples}


def tasks(
    store: Store,
    project: str,
    create: str | None = None,
    overlap: int | None = None,
    limit: int | None = None,
    rubric: str | None = None,
    priority: int = 0,
    skill: str | None = None,
) -> dict[str, Any]:
    """How the queue stands; with `create`, makes tasks of that kind first, asked by that rubric (or screen)."""
    made = None
    if create:
        rubric = rubric or _SHIPPED_RUBRICS.get(create)
        parts = _check_rubric(create, rubric, store.workspace / "prompts") if rubric else []
        made = create_tasks(
            store, project, create, overlap, limit, rubric=rubric, parts=parts, priority=priority, skill=skill
        )
    return {"project": project, "created": made, "tasks": count_tasks(store, project)}


_SHIPPED_RUBRICS = {"tag": "topics", "span": "errors", "turns": "turns", "screen": "compare_rate_correct"}
"""What is asked where a kind needs a rubric and none is named."""


def _check_rubric(kind: str, name: str, folder: Path) -> list[str]:
    """The kinds of a screen's parts, none for a rubric; refuses a rubric that is missing or for another kind."""
    if kind == "screen":
        return [part.kind for part in load_screen(name, folder).parts]
    rubric = load_rubric(name, folder)
    if rubric.kind != kind:
        raise UsageError(
            f"The rubric '{name}' is for tasks of the kind '{rubric.kind}', not '{kind}'.",
            "Name a rubric of that kind; edit, rank and write take none.",
        )
    return []


def agreement(store: Store, project: str) -> dict[str, Any]:
    """How far annotators agree, question by question."""
    return {
        "project": project,
        "questions": [
            {"kind": found.kind, "question": found.question, **asdict(found.agreement)}
            for found in measure_project_agreement(store, project)
        ],
    }


def register(store: Store, project: str, folder: str) -> dict[str, Any]:
    """Registers a finished run folder; the answers of a generate run become blind review tasks."""
    run = register_run(store, project, Path(folder))
    described = {"run": run.id, "kind": run.kind, "method": run.method, "folder": str(run.folder), **run.summary}
    if run.kind == "generate":
        described["review"] = register_candidates(store, project, run.id)
    return described


def review(store: Store, project: str) -> dict[str, Any]:
    """The batches of blind comparisons and how many wait."""
    return {"project": project, "reviews": list_reviews(store, project)}


def report(store: Store, project: str, run: str | None = None) -> dict[str, Any]:
    """The outcome of blind reviews: win rates with intervals once a batch is closed."""
    names = [run] if run else [batch["run"] for batch in list_reviews(store, project)]
    runs = [
        {"id": known.id, "kind": known.kind, "method": known.method, "snapshot": known.snapshot_id, **known.summary}
        for known in list_runs(store, project)
    ]
    return {"project": project, "runs": runs, "reviews": [report_review(store, project, name) for name in names]}


def lineage(store: Store, id: str) -> dict[str, Any]:
    """What a thing was made from, and what was made from it."""
    return trace_lineage(store, id)


def people(
    store: Store,
    name: str | None = None,
    role: str | None = None,
    skills: list[str] | None = None,
    access: Literal["revoke", "restore"] | None = None,
) -> dict[str, Any]:
    """Who has signed in, with role and skills; with `name`, changes that person first."""
    if name is None and (role, skills, access) != (None, None, None):
        raise UsageError("A change was asked for, but of nobody.", "Say of whom with --name NAME.")
    if name is not None and (role is not None or skills is not None):
        change_person(store, name, role=role, skills=skills, actor="local")
    if name is not None and access is not None:
        (revoke if access == "revoke" else restore)(store, name, "local")
    return {"people": [_describe_person(person) for person in list_people(store) if name in (None, person.name)]}


def _describe_person(person: Person) -> dict[str, Any]:
    return {
        "name": person.name, "role": person.role, "skills": list(person.skills), "is_revoked": person.is_revoked,
        "since": person.created_at.isoformat(timespec="seconds"),
    }  # fmt: skip
