"""Plans: what a run is asked to do, as frozen dataclasses that read and write TOML. Free of torch.

A plan names its inputs (a snapshot folder, a model) and a dozen dials. Each dial carries its meaning, unit and range in
the field itself, so the same text serves the pages, the command line and the error that a value out of range raises.
`trl_overrides` hands further arguments to TRL's own configuration; the names are checked when the run starts, before
a model is loaded (`training/overrides.py`).
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pitchpipe.store.errors import NotFoundError, RunError, UsageError

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class Dial:
    """One setting of a plan, described for people."""

    name: str
    default: Any
    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()


def _dial(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(default=default, metadata={"help": help, "unit": unit, "low": low, "high": high, "choices": choices})


def _about(help: str) -> dict[str, Any]:
    """The description of a dial whose default is a fresh list or table."""
    return {"help": help, "unit": "", "low": None, "high": None, "choices": ()}


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """Tune a model on a snapshot."""

    method: str = _dial("sft", "How to tune: instruction tuning or preference tuning.", choices=("sft", "dpo"))
    snapshot: str = _dial("", "The snapshot folder to learn from.")
    model: str = _dial(
        "embedded",
        "The model to start from: `embedded`, a Hugging Face model id, a local folder, or the folder of a finished "
        "training run (its adapter is then trained further).",
    )
    name: str = _dial("", "What people call this run.")
    epochs: float = _dial(2.0, "How often every row is seen.", unit="passes", low=0.01, high=100)
    max_steps: int = _dial(0, "Stop after so many optimiser steps; 0 leaves it to `epochs`.", unit="steps", low=0)
    max_rows: int = _dial(0, "Learn from the first so many rows in id order; 0 takes all.", unit="rows", low=0)
    batch_size: int = _dial(8, "Rows in one forward pass on each device.", unit="rows", low=1, high=1024)
    accumulation: int = _dial(1, "Forward passes that make one optimiser step.", unit="passes", low=1, high=1024)
    learning_rate: float = _dial(2e-4, "Peak learning rate.", low=0.0, high=1.0)
    schedule: str = _dial(
        "cosine", "How the rate falls after warming up.", choices=("constant_with_warmup", "linear", "cosine")
    )
    warmup: float = _dial(0.05, "Share of the steps that warm up.", unit="share", low=0.0, high=0.99)
    lora_rank: int = _dial(16, "Rank of the LoRA adapter.", low=1, high=512)
    lora_alpha: int = _dial(32, "Scale of the LoRA adapter (alpha / rank multiplies its output).", low=1, high=4096)
    lora_dropout: float = _dial(0.0, "Dropout before the adapter.", unit="share", low=0.0, high=0.9)
    max_length: int = _dial(512, "Longest row, prompt and answer together.", unit="tokens", low=8, high=1_000_000)
    over_length: str = _dial(
        "drop",
        "What happens to a longer row: leave it out, cut its end (it then never learns to stop), or refuse to start.",
        choices=("drop", "truncate", "fail"),
    )
    precision: str = _dial(
        "auto",
        "Arithmetic; `auto` is bf16 where the processor has it.",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = _dial(
        "auto", "Attention kernel; `auto` is eager on a CPU, sdpa on a GPU.", choices=("auto", "eager", "sdpa")
    )
    checkpointing: bool = _dial(False, "Recompute activations to save memory, at a fifth of the speed.")
    checkpoint_every: int = _dial(
        0, "Steps between checkpoints that a stopped run resumes from; 0 keeps none.", unit="steps", low=0
    )
    beta: float = _dial(0.1, "DPO: how strongly the reference holds the policy back.", low=0.001, high=10)
    sft_weight: float = _dial(
        0.0, "DPO: weight of the plain likelihood of the chosen answer, which guards its style.", low=0.0, high=10
    )
    minimum_rating: float = _dial(3.0, "SFT: answers rated lower are left out.", unit="rating 0-4", low=0.0, high=4.0)
    minimum_support: float = _dial(
        0.0, "DPO: pairs on which a smaller share of raters agrees are left out.", unit="share", low=0.0, high=1.0
    )
    samples: int = _dial(4, "Training prompts answered after training, into samples.jsonl.", low=0, high=64)
    seed: int = _dial(7, "Seed of the order of rows and of the adapter's start.", low=0)
    threads: int = _dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    trl_overrides: dict[str, Any] = field(
        default_factory=dict, metadata=_about("Further arguments of TRL's own configuration of the method.")
    )
    kind: str = _dial("train", "Always `train`.", choices=("train",))


@dataclass(frozen=True, slots=True)
class EvaluatePlan:
    """Measure a tuned model beside its base on the sealed holdout."""

    run: str = _dial("", "The folder of the finished training run to measure.")
    snapshot: str = _dial("", "The snapshot folder whose holdout rows are used.")
    name: str = _dial("", "What people call this run.")
    checks: dict[str, Any] = field(
        default_factory=dict,
        metadata=_about("Format checks: name = regular expression, searched in every answer (multi-line mode)."),
    )
    max_prompts: int = _dial(0, "Holdout prompts to answer, in id order; 0 takes all.", unit="prompts", low=0)
    max_new_tokens: int = _dial(64, "Longest answer.", unit="tokens", low=1, high=32_768)
    max_length: int = _dial(1024, "Longest scored row; longer rows are listed, not scored.", unit="tokens", low=8)
    batch_size: int = _dial(16, "Rows scored in one pass; the result does not depend on it.", low=1, high=4096)
    generation_batch_size: int = _dial(48, "Prompts answered at once.", unit="prompts", low=1, high=4096)
    resamples: int = _dial(2000, "Bootstrap resamples behind the intervals.", low=100, high=1_000_000)
    precision: str = _dial(
        "auto",
        "Arithmetic; `auto` is fp32 on a CPU (the same text in any batch).",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = _dial("auto", "Attention kernel.", choices=("auto", "eager", "sdpa"))
    cache: str = _dial("", "Folder of answers already generated; empty generates every time.")
    seed: int = _dial(7, "Seed of the bootstrap.", low=0)
    threads: int = _dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    kind: str = _dial("evaluate", "Always `evaluate`.", choices=("evaluate",))


@dataclass(frozen=True, slots=True)
class GeneratePlan:
    """Answer prompts with a tuned model and its base, for people to review."""

    run: str = _dial("", "The folder of the finished training run that answers.")
    snapshot: str = _dial("", "The snapshot folder that the prompts come from; not needed with a prompts file.")
    prompts: str = _dial(
        "holdout",
        "Which prompts: `holdout` or `train` of the snapshot, or a JSONL file of {example_id, messages}.",
    )
    name: str = _dial("", "What people call this run.")
    arms: list[str] = field(
        default_factory=lambda: ["base", "tuned"], metadata=_about("Who answers: `base`, `tuned` or both.")
    )
    max_prompts: int = _dial(40, "Prompts to answer, in id order; 0 takes all.", unit="prompts", low=0)
    max_new_tokens: int = _dial(64, "Longest answer.", unit="tokens", low=1, high=32_768)
    generation_batch_size: int = _dial(48, "Prompts answered at once.", unit="prompts", low=1, high=4096)
    precision: str = _dial(
        "auto",
        "Arithmetic; `auto` is fp32 on a CPU (the same text in any batch).",
        choices=("auto", "bf16", "fp32"),
    )
    attention: str = _dial("auto", "Attention kernel.", choices=("auto", "eager", "sdpa"))
    cache: str = _dial("", "Folder of answers already generated; empty generates every time.")
    threads: int = _dial(0, "CPU threads; 0 takes all.", unit="threads", low=0, high=1024)
    kind: str = _dial("generate", "Always `generate`.", choices=("generate",))


Plan = TrainPlan | EvaluatePlan | GeneratePlan
_KINDS: dict[str, type[TrainPlan] | type[EvaluatePlan] | type[GeneratePlan]] = {
    "train": TrainPlan,
    "evaluate": EvaluatePlan,
    "generate": GeneratePlan,
}
P = TypeVar("P", bound=Plan)


def describe_dials(plan_type: type[Any]) -> list[Dial]:
    """Every dial of a kind of plan, in the order in which people should meet them."""
    dials = []
    for entry in dataclasses.fields(plan_type):
        made = entry.default_factory() if entry.default_factory is not dataclasses.MISSING else entry.default
        dials.append(Dial(name=entry.name, default=made, **entry.metadata))
    return dials


def with_dials(plan: P, **changes: Any) -> P:
    """The same plan with some dials turned, checked again.

    >>> with_dials(TrainPlan(), epochs=1).epochs
    1.0
    """
    known = {entry.name for entry in dataclasses.fields(plan)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise UsageError(
            f"A {plan.kind} plan has no dial {', '.join(repr(name) for name in unknown)}.",
            f"Its dials are: {', '.join(sorted(known))}. Arguments of TRL itself go under [trl_overrides].",
        )
    checked = {
        dial.name: _check(dial, changes[dial.name]) for dial in describe_dials(type(plan)) if dial.name in changes
    }
    return dataclasses.replace(plan, **checked)


def _check(dial: Dial, value: Any) -> Any:
    """The value in the dial's own type, or a UsageError that names dial, value and range."""
    if isinstance(dial.default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(dial.default):
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}, which is not of type {type(dial.default).__name__}.",
            f"{dial.help} The default is {dial.default!r}.",
        )
    if dial.choices and value not in dial.choices:
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}.", f"It must be one of: {', '.join(dial.choices)}. {dial.help}"
        )
    too_low = dial.low is not None and value < dial.low
    if too_low or (dial.high is not None and value > dial.high):
        top = "any height" if dial.high is None else f"{dial.high:g}"
        raise UsageError(
            f"The dial `{dial.name}` is set to {value!r}.",
            f"It must lie between {dial.low or 0:g} and {top}{' ' + dial.unit if dial.unit else ''}. {dial.help}",
        )
    return value


def plan_from_dict(values: dict[str, Any]) -> Plan:
    """The plan that a document describes; `kind` decides which."""
    kind = values.get("kind", "train")
    if kind not in _KINDS:
        raise UsageError(f"The plan is of kind {kind!r}.", f"It must be one of: {', '.join(_KINDS)}.")
    return with_dials(_KINDS[kind](), **values)


def load_plan(path: Path) -> Plan:
    """Reads a plan file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no plan file {path}.", "Name an existing TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The plan file {path} is not TOML: {error}.", "Correct the line that it names.") from None
    return plan_from_dict(values)


def load_recipe(method: str, name: str = "cpu_demo") -> TrainPlan:
    """The plan that ships under `training/recipes/<method>/<name>.toml`, without its snapshot.

    >>> load_recipe("sft", "cpu_demo").method
    'sft'
    """
    path = RECIPES / method / f"{name}.toml"
    if not path.is_file():
        raise NotFoundError(
            f"There is no recipe {name!r} for the method {method!r}.",
            f"The recipes are: {', '.join(f'{m}/{n}' for m, n in list_recipes())}.",
        )
    plan = load_plan(path)
    if not isinstance(plan, TrainPlan):
        raise RunError(f"The recipe {path} is of kind {plan.kind!r}.", "A recipe must describe a training run.")
    return plan


def list_recipes() -> list[tuple[str, str]]:
    """The (method, name) of every recipe that ships."""
    return sorted((path.parent.name, path.stem) for path in RECIPES.glob("*/*.toml"))


def plan_to_toml(plan: Plan) -> str:
    """The plan as TOML, every dial written out, tables last.

    >>> plan_to_toml(GeneratePlan(run="r")).splitlines()[1]
    'run = "r"'
    """
    values = {entry.name: getattr(plan, entry.name) for entry in dataclasses.fields(plan)}
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    lines = [f"{name} = {_toml_value(value)}" for name, value in {"kind": plan.kind, **plain}.items()]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{_toml_text(key)} = {_toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_text(key)} = {_toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str):
        return _toml_text(value)
    return json.dumps(value)


def _toml_text(text: str) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
