"""Describes a snapshot for machines, in Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.identity import hash_file

# The context of the specification, appendix "JSON-LD context", as every Croissant file carries it.
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {pl.String: "sc:Text", pl.Float64: "sc:Float", pl.Int64: "sc:Integer"}
_ABOUT = {
    "row_id": "Hash of the row's whole content.",
    "row_kind": "What the row is: answer, pair, label or span.",
    "group_id": "Requests of one normal form, or of one conversation tree; a group lies on one side of the seal.",
    "split": "train, or holdout: sealed, for evaluation only.",
    "messages": "The conversation that is answered, as JSON: a list of {role, content}.",
    "verdict": "Consensus of a comparison: a, b, tie, both_bad or cannot_judge.",
    "scores": "Consensus by question of the rubric, as JSON.",
    "support": "Share of the raters that agree with the consensus, 0 to 1.",
    "raters": "Who judged, as a JSON list.",
    "judgement_ids": "The judgements behind the row, as a JSON list.",
    "reason": "Why the unit is no row.",
    "evidence": "What shows it, as JSON.",
}


def write_croissant(facts: Mapping[str, Any], rows: pl.DataFrame, drops: pl.DataFrame, folder: Path) -> str:
    """The description as JSON-LD text; the same files give the same text. No date: a snapshot is its content.

    Args:
        facts: the fields of the manifest.
        folder: holds `rows.parquet` and `dropped.parquet`, which are hashed.
    """
    counts = facts["counts"]
    described = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": re.sub(r"[^A-Za-z0-9._-]+", "-", f"{facts['project']}-{facts['snapshot_id']}").strip("-"),
        "description": (
            f"Human feedback of the project {facts['project']}: {counts['rows']} rows, {counts['dropped']} units left "
            "out with their reasons. README.md tells how it was made."
        ),
        "url": "README.md",
        "version": "1.0.0",
        "identifier": facts["snapshot_id"],
        "distribution": [_describe_file(folder / "rows.parquet"), _describe_file(folder / "dropped.parquet")],
        "recordSet": [_describe_records("rows", rows), _describe_records("dropped", drops)],
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _describe_file(path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": hash_file(path).removeprefix("sha256:"),
    }


def _describe_records(name: str, frame: pl.DataFrame) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": f"{name}/{column}",
                "description": _ABOUT.get(column, column.replace("_", " ").capitalize() + "."),
                "dataType": _TYPES[type(kind)],
                "source": {"fileObject": {"@id": f"{name}.parquet"}, "extract": {"column": column}},
            }
            for column, kind in frame.schema.items()
        ],
    }
