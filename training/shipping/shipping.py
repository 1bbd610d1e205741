"""Shipping: carries out a ship request, from a finished run to a folder that any program loads.

The model is built in a neighbour of its place and gets its name only when everything is proven, so the place is empty
or whole. Its manifest, with the hash of every file, is written last.
"""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.models.loading import ResolvedModel, load_tokenizer, resolve_model
from pitchpipe.training.rows.formats import build_rows
from pitchpipe.training.runs.records import environment
from pitchpipe.training.runs.run_folders import (
    MANIFEST,
    SUMMARY,
    read_json,
    read_manifest,
    read_plan,
    verify_run,
    write_json,
    write_manifest,
    write_progress,
)
from pitchpipe.training.shipping.golden import write_golden
from pitchpipe.training.shipping.merging import check_ends, load_own_precision, load_plain, merge, save_model
from pitchpipe.training.shipping.proving import Pieces, Sample, compare, sample_folder, sample_model
from pitchpipe.training.shipping.ship_request import PROOF, ShipRequest, bundle_of, refuse_full_place
from pitchpipe.training.shipping.shipped_card import write_shipped_card
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.monitor import stop_if_asked

ANSWERING = ("sft", "dpo", "kto", "rloo", "grpo")
"""The methods whose models answer prompts."""
_ANSWERS = {"sft": "completion", "dpo": "chosen", "kto": "completion"}
"""Where the rows of a method hold the answer that is scored; the others learn from prompts alone."""


def ship(folder: Path, request: ShipRequest) -> None:
    """Merges, saves, proves and seals; `folder` is the ship folder, the model goes where the request says."""
    run = Path(request.run)
    resolved = resolve_shipped_run(run)
    place = bundle_of(folder, request)
    if not _is_placed(place, folder):
        refuse_full_place(place)
        scratch = place.parent / f".{place.name}.{folder.name}.part"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            _build(folder, request, run, resolved, scratch)
            if place.is_dir():
                place.rmdir()
            scratch.rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    _finish(folder, place, resolved)


def resolve_shipped_run(run: Path) -> ResolvedModel:
    """The model of a run that may be shipped.

    Raises:
        RunError: the run is not finished, was altered since, or made no model that answers.
    """
    manifest = read_manifest(run)
    method = manifest.get("method")
    if manifest.get("kind") == "train" and method not in ANSWERING:
        raise RunError(
            f"The run {manifest['run_id']} tuned by the method {method!r}; its model scores texts and answers none.",
            f"Ship a run of one of: {', '.join(ANSWERING)}.",
        )
    problems = verify_run(run)
    if problems:
        raise RunError(
            f"The run {manifest['run_id']} is not as it was when it finished: {'; '.join(problems[:5])}.",
            "Restore the folder from a copy, or tune again.",
        )
    return resolve_model(str(run))


def _is_placed(place: Path, folder: Path) -> bool:
    """True when an earlier process put the model there and ended before it could say so."""
    manifest = read_json(place / MANIFEST) if place.is_dir() else {}
    return manifest.get("kind") == "shipped" and manifest.get("ship_id") == folder.resolve().name


def _build(folder: Path, request: ShipRequest, run: Path, resolved: ResolvedModel, scratch: Path) -> None:
    encoder = ChatEncoder(load_tokenizer(resolved.folder))
    pieces = _pieces(request, run, encoder)
    write_progress(folder, "loading the tuned model", 0, 4)
    model = load_own_precision(resolved)
    write_progress(folder, "asking the tuned model", 1, 4)
    ends = _ends(model, encoder)
    before = sample_model(model, encoder, pieces, ends, request.max_new_tokens)
    stop_if_asked()
    write_progress(folder, "merging and saving", 2, 4)
    model = merge(model)
    save_model(model, encoder, scratch)
    check_ends(scratch, encoder)
    del model
    gc.collect()
    stop_if_asked()
    write_progress(folder, "asking the shipped model", 3, 4)
    after = _sample_shipped(scratch, encoder, pieces, request.max_new_tokens)
    proof = compare(before, after, lambda: load_own_precision(resolved))
    write_golden(scratch, after.golden, encoder.template_hash, request.max_new_tokens)
    if request.gguf:
        from pitchpipe.training.shipping.gguf_export import write_gguf

        write_progress(folder, "writing and reading GGUF", 3, 4)
        proof["gguf"] = write_gguf(scratch, encoder)
    write_json(scratch / PROOF, proof)
    write_shipped_card(scratch, run, resolved, request, proof)
    _seal(folder, scratch, run, resolved, encoder)


def _sample_shipped(folder: Path, encoder: ChatEncoder, pieces: Pieces, max_new_tokens: int) -> Sample:
    """What transformers alone makes of the written folder."""
    from transformers import AutoTokenizer

    from pitchpipe.training.measuring.scoring import score_answers

    model, tokenizer = load_plain(folder), AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    scores = score_answers(model, pieces, 8, encoder.tokenizer.pad_token_id) if pieces else []
    golden = sample_folder(model, tokenizer, max_new_tokens)
    return Sample(scores, golden, str(model.dtype).removeprefix("torch."))


def _ends(model: Any, encoder: ChatEncoder) -> list[int]:
    from pitchpipe.training.measuring.generation import stop_tokens

    return sorted(stop_tokens(model, encoder))


def _pieces(request: ShipRequest, run: Path, encoder: ChatEncoder) -> Pieces:
    """Rows that the run learned whole: a model is compared with itself, so the holdout may stay sealed."""
    if not request.snapshot or not request.rows:
        return []
    import polars as pl

    plan = read_plan(run)
    method = getattr(plan, "method", "")
    if method not in _ANSWERS:
        return []
    _, rows = read_snapshot(Path(request.snapshot))
    ledger = pl.read_parquet(run / "ledger.parquet")
    whole = set(ledger.filter(pl.col("status") == "kept")["row_id"])
    found = [row for row in build_rows(method, rows).kept if row["row_id"] in whole][: request.rows]
    answer = _ANSWERS[method]
    return [(encoder.prompt(row["prompt"]), encoder.answer(row[answer][0]["content"])) for row in found]


def _seal(folder: Path, scratch: Path, run: Path, resolved: ResolvedModel, encoder: ChatEncoder) -> None:
    inputs = read_json(run / "inputs.json")
    write_manifest(
        scratch,
        kind="shipped",
        ship_id=folder.resolve().name,
        run_id=read_manifest(run)["run_id"],
        base_model_hash=inputs.get("base_model_hash"),
        tuned_weights_hash=resolved.adapter_hash or resolved.base_hash,
        snapshot_id=inputs.get("snapshot_id"),
        snapshot_rows_sha256=inputs.get("snapshot_rows_sha256"),
        chat_template_hash=encoder.template_hash,
    )


def _finish(folder: Path, place: Path, resolved: ResolvedModel) -> None:
    proof = read_json(place / PROOF)
    write_json(folder / PROOF, proof)
    write_json(folder / "environment.json", environment())
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    summary = {
        "run": resolved.run_id,
        "model": str(place),
        "bytes": size,
        "nll": proof["nll"],
        "rows": proof["rows"],
        "golden": f"{proof['golden']['equal']} of {proof['golden']['prompts']} equal",
        "gguf": proof.get("gguf"),
    }
    write_json(folder / SUMMARY, summary)
    write_progress(folder, "finished", 4, 4)
    write_manifest(folder, kind="ship", ship_id=folder.name)
