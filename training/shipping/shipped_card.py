"""The card of a shipped model: what it is, what it learned from and from how many people, how it was measured, and how
to load it. It names no person, no path of a machine, and quotes no row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.training.models.embedded_model import read_origin
from pitchpipe.training.models.loading import WEIGHTS, ResolvedModel, hash_weights, resolve_base
from pitchpipe.training.plans.plan_files import plan_to_toml
from pitchpipe.training.runs.run_folders import SUMMARY, read_json, read_manifest, read_plan
from pitchpipe.training.shipping.ship_request import ShipRequest

_LOADING = """## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**prompt, max_new_tokens=256)
```

`golden.json` holds a few prompts with their token ids and greedy answers: a server that gives others serves another
model or another chat template. `manifest.json` holds the hash of every file.
"""
_WHAT = {False: "its adapter is folded in", True: "all of its weights were trained"}
_PLACES = ("snapshot", "model", "reward_run", "run")
"""Dials that name places of a machine."""


def write_shipped_card(
    bundle: Path, run: Path, resolved: ResolvedModel, request: ShipRequest, proof: dict[str, Any]
) -> None:
    """Writes README.md, the name under which model hubs look for a card."""
    manifest, inputs, plan = read_manifest(run), read_json(run / "inputs.json"), read_plan(run)
    summary, start = read_json(run / SUMMARY), resolve_base(run) if resolved.is_whole else resolved
    base = public_name(start)
    method = getattr(plan, "method", "")
    head = {"base_model": base, "library_name": "transformers", "tags": ["pitchpipe", method]}
    if read_origin(start.folder).get("licence"):
        head["license"] = start.licence.lower()
    sections = [
        "---\n" + "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in head.items()) + "---",
        f"# {plan.name or manifest['run_id']}",
        f"`{base}`, tuned by the method `{method}` with Pitchpipe; {_WHAT[resolved.is_whole]}.",
        "## Data\n\n" + _table(_data_facts(run, inputs, request)),
        "## Settings\n\n```toml\n" + _settings(plan_to_toml(plan)) + "```",
        "## Evaluation\n\n" + _evaluation(request),
        "## Proof\n\n" + _table(_proof_facts(proof)),
        "## Lineage\n\n" + _table(_lineage_facts(manifest, inputs, start, run, summary)),
        f"## Licence\n\n{start.licence}. The data's own terms hold too; what its rows say, the model may repeat.",
        _LOADING,
    ]
    (bundle / "README.md").write_text("\n\n".join(sections), encoding="utf-8")


def public_name(resolved: ResolvedModel) -> str:
    """What the base may be called in public: never a path of this machine."""
    known = read_origin(resolved.folder).get("name")
    return known or (Path(resolved.name).name if Path(resolved.name).is_dir() else resolved.name)


def _table(facts: dict[str, Any]) -> str:
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value not in (None, "")]
    return "\n".join(["| | |", "|---|---|", *rows])


def _data_facts(run: Path, inputs: dict[str, Any], request: ShipRequest) -> dict[str, Any]:
    ledger = pl.read_parquet(run / "ledger.parquet")
    counts = dict(ledger.group_by("status").len().iter_rows())
    learned = counts.get("kept", 0) + counts.get("truncated", 0)
    return {
        "snapshot": f"`{inputs.get('snapshot_id')}`",
        "hash of its rows": f"`{inputs.get('snapshot_rows_sha256')}`",
        "rows learned": f"{learned:,} of {ledger.height:,} ({counts.get('truncated', 0):,} of them cut)",
        "left out": f"{counts.get('too_long', 0):,} too long, {counts.get('dropped', 0):,} by rule",
        "tokens": f"{ledger.filter(pl.col('status').is_in(['kept', 'truncated']))['tokens'].sum():,}",
        "people behind the learned rows": count_raters(request, ledger),
    }


def count_raters(request: ShipRequest, ledger: pl.DataFrame) -> int | None:
    """How many people judged the rows that were learned; None where the snapshot is not at hand."""
    path = Path(request.snapshot) / "rows.parquet"
    if not request.snapshot or not path.is_file():
        return None
    learned = ledger.filter(pl.col("status").is_in(["kept", "truncated"]))["row_id"].implode()
    told = pl.read_parquet(path).filter(pl.col("row_id").is_in(learned))["raters"].drop_nulls()
    return len({name for names in told for name in json.loads(names)})


def _settings(toml: str) -> str:
    """The plan without the dials that name places of a machine."""
    lines = [line for line in toml.splitlines() if line.split(" = ")[0] not in _PLACES]
    return "\n".join(lines) + "\n"


def _evaluation(request: ShipRequest) -> str:
    summary = read_json(Path(request.evaluation) / SUMMARY) if request.evaluation else {}
    if not summary:
        return "Not measured before it was shipped."
    holdout = summary.get("holdout", {})
    facts: dict[str, Any] = {"sealed rows": f"{holdout.get('scored')} scored, {holdout.get('answered')} answered"}
    if summary.get("holdout_nll"):
        nll = summary["holdout_nll"]
        facts["nats a token on the holdout"] = f"{_figure(nll['tuned'])} (base {_figure(nll['base'])})"
    if summary.get("nll_difference"):
        found = summary["nll_difference"]
        facts["difference, 95% interval"] = f"{found['mean']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
    for name, share in (summary.get("checks") or {}).items():
        facts[f"check: {name}"] = f"{share['tuned']:.0%} (base {share['base']:.0%})"
    if summary.get("stop_rate"):
        facts["answers that end by themselves"] = f"{summary['stop_rate']['tuned']:.0%}"
    return _table(facts)


def _proof_facts(proof: dict[str, Any]) -> dict[str, Any]:
    nll, golden = proof["nll"], proof["golden"]
    facts = {"precision": proof["precision"]}
    if nll["tuned"] is not None:
        facts["nats a token before and after"] = (
            f"{nll['tuned']:.5f} and {nll['shipped']:.5f} on {proof['rows']} rows ({proof['tolerance']:g} allowed)"
        )
    facts["greedy answers"] = f"{golden['equal']} of {golden['prompts']} equal, token by token"
    if proof.get("gguf"):
        facts["GGUF"] = f"read back: logits differ by at most {proof['gguf']['largest_difference']:.2g}"
    return facts


def _lineage_facts(
    manifest: dict[str, Any], inputs: dict[str, Any], resolved: ResolvedModel, run: Path, summary: dict[str, Any]
) -> dict[str, Any]:
    libraries = read_json(run / "environment.json").get("libraries", {})
    return {
        "run": f"`{manifest['run_id']}`, finished {manifest.get('finished_at', '')}",
        "started from": f"run `{inputs['start_run']}`" if inputs.get("start_run") else "the base model",
        "base model": f"`{public_name(resolved)}` (`{resolved.base_hash}`)",
        "tuned weights": f"`{hash_weights(run / WEIGHTS)}`",
        "chat template": f"`{inputs.get('chat_template_hash')}`",
        "reference": summary.get("reference"),
        "made with": ", ".join(f"{name} {version}" for name, version in sorted(libraries.items())),
    }


def _figure(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
