"""What one can ask of a project's coverage, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from pitchpipe.store.coverage.choosing import SubsetOrder, choose_subset
from pitchpipe.store.coverage.covering import describe_clusters, describe_kinds, read_coverage
from pitchpipe.store.coverage.gaps import find_gaps, find_underrepresented, parse_wanted, read_wanted, save_wanted
from pitchpipe.store.coverage.naming import first_words
from pitchpipe.store.coverage.next_labels import find_next
from pitchpipe.store.coverage.sending import send_next
from pitchpipe.store.curation.curating import act_on
from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
from pitchpipe.studio.encoders import load_all_encoders


def coverage(
    store: Store,
    project: str,
    clusters: int | None = None,
    want: dict[str, int] | None = None,
    encoder: str = "tfidf",
) -> dict[str, Any]:
    """The clusters and kinds of a project's requests, and the gaps to its wanted list; `want` replaces the list."""
    target = get_project(store, project)
    found = read_coverage(store, project, encoder=encoder, count=clusters, encoders=load_all_encoders(store))
    if want is not None:
        checked = parse_wanted("\n".join(f"{name}: {count}" for name, count in want.items()))
        save_wanted(store.workspace, target.id, checked)
    wanted = read_wanted(store.workspace, target.id)
    train = found.requests.filter(pl.col("split") == "train")  # what is sealed is never trained on
    kinds, labels = train["kind"].to_list(), train["cluster"].to_list()
    described = describe_clusters(found)
    small = set(find_underrepresented(described["train"].to_list()))
    requests = found.requests["request"]
    return {
        "project": project,
        "encoder": found.encoder,
        "requests": len(requests),
        "clusters": [
            {**row, "is_small": row["cluster"] in small,
             "typical": [first_words(requests[place], 160) for place in found.typical[row["cluster"]]]}
            for row in described.iter_rows(named=True)
        ],
        "kinds": describe_kinds(found).to_dicts(),
        "gaps": [
            {"kind": gap.name, "wanted": gap.target, "found": gap.found, "missing": gap.missing,
             "found_in": list(gap.matched)}
            for gap in find_gaps(wanted, kinds, labels, found.names)
        ],
    }  # fmt: skip


def next_labels(
    store: Store, project: str, limit: int = 20, send: bool = False, encoder: str = "tfidf", actor: str = "local"
) -> dict[str, Any]:
    """What to label next, with reasons; `send` puts it at the head of the queue."""
    found = read_coverage(store, project, encoder=encoder, encoders=load_all_encoders(store))
    labels = find_next(store, project, found, limit)
    told: dict[str, Any] = {
        "project": project,
        "next": [
            {"example_id": label.example_id, "task_id": label.task_id, "kind": label.kind,
             "cluster": found.names[label.cluster], "uncertainty": round(label.uncertainty, 4), "reason": label.reason,
             "request": first_words(label.request, 160)}
            for label in labels
        ],
    }  # fmt: skip
    if send:
        told["sent"] = asdict(send_next(store, project, labels, actor))
    return told


def subset(
    store: Store,
    project: str,
    way: str = "diverse",
    budget: int = 1000,
    highest_cosine: float = 0.9,
    balance: list[str] | None = None,
    tag: str | None = None,
    encoder: str = "tfidf",
    actor: str = "local",
) -> dict[str, Any]:
    """A subset of the training examples with figures before and after; `tag` tags the chosen ones."""
    by = SubsetOrder().balance if balance is None else tuple(balance)
    order = SubsetOrder(way, budget, highest_cosine, by)
    chosen = choose_subset(read_coverage(store, project, encoder=encoder, encoders=load_all_encoders(store)), order)
    told: dict[str, Any] = {
        "project": project,
        "way": way,
        "chosen": len(chosen.example_ids),
        "all": asdict(chosen.before),
        "subset": asdict(chosen.after),
        "random": asdict(chosen.alike),
        "example_ids": chosen.example_ids,
    }
    if tag is not None:
        note = f"subset: {way}, at most {budget}"
        told["action_id"] = act_on(store, project, "tag", chosen.example_ids, note=note, actor=actor, tag=tag)
    return told
