"""Cost: padding, steps, memory and time of a plan, and what to change where it does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight import memory, timing
from pitchpipe.training.preflight.findings import Finding, block, fine, warn
from pitchpipe.training.preflight.hardware_look import is_enough
from pitchpipe.training.preflight.memory import GIGABYTE, Batch, ModelShape, estimate_memory
from pitchpipe.training.preflight.padding import Layout, count_steps, measure_layout
from pitchpipe.training.preflight.planned_rows import REFINING, PlannedRow, PlannedRows

_MUCH_PADDING = 0.25
_TIGHT = 0.85
_FEW_STEPS = 10
_LAYOUTS = {"sft": ("grouped", "packed", "shuffled"), "classify": ("grouped", "shuffled")}
"""Layouts that a method can choose between; any other takes rows at random."""


def estimate_costs(
    plan: TrainPlan, planned: PlannedRows, model: ResolvedModel, hardware: dict[str, Any], runs_dir: Path
) -> tuple[dict[str, Any], list[Finding]]:
    """The parts `padding`, `steps`, `memory` and `time` of the report, and what is to be said of them."""
    learned = planned.learned
    shape = memory.read_shape(model.folder)
    layouts = compare_layouts(plan, learned)
    chosen = layouts[plan.layout] if plan.layout in layouts else layouts["shuffled"]
    steps = describe_steps(plan, chosen, len(learned), hardware["devices"])
    needed = _estimate(plan, shape, learned, hardware)
    padding = chosen.computed / max(chosen.tokens, 1)
    speed = timing.find_speed(plan, runs_dir, model.name, hardware["device"], shape.parameters, padding)
    a_step = chosen.tokens / max(chosen.batches, 1) * plan.accumulation
    seconds = timing.estimate_seconds(speed, a_step, steps["steps"])
    tries = list_tries(plan, shape, learned, hardware) if is_enough(sum(needed.values()), hardware) is False else []
    missing = "; drawing answers is not counted" if plan.method in REFINING and not speed.is_measured else ""
    report = {
        "padding": {
            "layout": chosen.name,
            "layouts": [{**dataclasses.asdict(entry), "waste": round(entry.waste, 4)} for entry in layouts.values()],
        },
        "steps": steps,
        "memory": {
            "parts": needed, "needed": sum(needed.values()), "free": hardware["memory_free"],
            "fits": is_enough(sum(needed.values()), hardware), "source": memory.SOURCE, "tries": tries,
        },
        "time": {
            "seconds": round(seconds, 1), "tokens_per_second": round(speed.tokens_per_second, 1),
            "source": speed.source + missing, "is_measured": speed.is_measured,
        },
    }  # fmt: skip
    return report, [*_tell_memory(report["memory"]), *_tell_padding(layouts, chosen), *_tell_steps(steps)]


def compare_layouts(plan: TrainPlan, learned: Sequence[PlannedRow]) -> dict[str, Layout]:
    """What each layout that the method knows would cost in one pass."""
    lengths = [row.measure(plan.max_length) for row in learned]
    if plan.method in REFINING:  # a batch counts answers, several to each prompt
        lengths = [[prompt + plan.max_new_tokens] for (prompt,) in lengths for _ in range(plan.generations)]
    names = _LAYOUTS.get(plan.method, ("shuffled",))
    return {name: measure_layout(name, lengths, plan.batch_size, plan.max_length, plan.seed) for name in names}


def describe_steps(plan: TrainPlan, layout: Layout, rows: int, devices: int) -> dict[str, Any]:
    """Optimiser steps, rows a step and passes."""
    shared = devices if plan.hardware in ("many_gpus", "fsdp2", "multi_node") else 1
    batches = -(-layout.batches // shared)
    steps = count_steps(max(1, batches), plan.accumulation, plan.epochs, plan.max_steps)
    a_pass = max(1, -(-batches // plan.accumulation))
    return {
        "steps": steps,
        "steps_a_pass": a_pass,
        "passes": round(steps / a_pass, 2),
        "rows_a_step": min(plan.batch_size * plan.accumulation * shared, rows),
        "devices": shared,
    }


def _estimate(
    plan: TrainPlan, shape: ModelShape, learned: Sequence[PlannedRow], hardware: dict[str, Any]
) -> dict[str, int]:
    on_gpu = hardware["device"] != "cpu"
    is_eager = plan.attention == "eager" or (plan.attention == "auto" and not on_gpu)
    return estimate_memory(plan, shape, find_largest_batch(plan, learned), hardware["precision"], is_eager, on_gpu)


def find_largest_batch(plan: TrainPlan, learned: Sequence[PlannedRow]) -> Batch:
    """The longest rows side by side; packed ones fill `max_length` each."""
    measured = sorted(((max(row.measure(plan.max_length)), row) for row in learned), key=lambda pair: -pair[0])
    rows = [row for _, row in measured[: plan.batch_size]]
    sequences = sum(max(1, len(row.sides)) for row in rows)
    learned_tokens = sum(len(answer) for row in rows for answer in row.sides.values())
    longest = measured[0][0] if measured else 0
    if plan.layout == "packed" and plan.method == "sft":
        total = sum(length for length, _ in measured)
        room = min(plan.batch_size * plan.max_length, total)
        # All that is packed runs as one sequence; rows do not see each other.
        return Batch(1, room, room)
    if plan.method in REFINING:
        sequences = plan.batch_size
        longest += plan.max_new_tokens
        learned_tokens = sequences * plan.max_new_tokens
    return Batch(sequences, longest, learned_tokens)


def list_tries(
    plan: TrainPlan, shape: ModelShape, learned: Sequence[PlannedRow], hardware: dict[str, Any]
) -> list[dict[str, Any]]:
    """Dials to turn, the mildest first, up to the first two that fit: `{"dials", "needed", "fits"}`."""
    found: list[dict[str, Any]] = []
    for dials in _list_ladder(plan, hardware):
        needed = sum(_estimate(dataclasses.replace(plan, **dials), shape, learned, hardware).values())
        fits = bool(is_enough(needed, hardware))
        found.append({"dials": dials, "needed": needed, "fits": fits})
        if sum(entry["fits"] for entry in found) == 2:
            break
    return [entry for entry in found if entry["fits"]] or found[-1:]


def _list_ladder(plan: TrainPlan, hardware: dict[str, Any]) -> Iterator[dict[str, Any]]:
    del hardware
    batch = plan.batch_size
    while batch > 1:
        batch //= 2
        yield {"batch_size": batch, "accumulation": plan.accumulation * (plan.batch_size // batch)}
    if not plan.checkpointing:
        yield {"checkpointing": True}
    if plan.weights == "full":
        yield {"weights": "lora"}
    small = {"batch_size": 1, "accumulation": plan.accumulation * plan.batch_size, "checkpointing": True}
    yield {**small, "weights": "lora"}
    if plan.max_length > 64:
        yield {**small, "weights": "lora", "max_length": plan.max_length // 2}
        yield {**small, "weights": "lora", "max_length": max(64, plan.max_length // 4)}


def say_dials(dials: dict[str, Any]) -> str:
    """Dials as a plan file spells them.

    >>> say_dials({"batch_size": 2, "checkpointing": True})
    'batch_size = 2, checkpointing = true'
    """
    return ", ".join(f"{name} = {str(value).lower()}" for name, value in dials.items())


def _tell_memory(told: dict[str, Any]) -> list[Finding]:
    needed, free = told["needed"] / GIGABYTE, told["free"] / GIGABYTE
    words = f"The run needs about {needed:.1f} GB at its peak, and {free:.1f} GB are free."
    if told["fits"] is None:
        return [warn("memory", f"The run needs about {needed:.1f} GB.", "How much is free could not be found out.")]
    if not told["fits"]:
        said = [
            f"{say_dials(entry['dials'])} ({entry['needed'] / GIGABYTE:.1f} GB)"
            for entry in told["tries"]
            if entry["fits"]
        ]
        advice = f"Try {' or '.join(said)}." if said else "Even the smallest batch does not fit: take a smaller model."
        return [block("memory", f"It will not fit. {words}", advice)]
    if needed > _TIGHT * free:
        return [warn("memory", words, "It is tight: halve `batch_size` and double `accumulation` to be safe.")]
    return [fine("memory", words)]


def _tell_padding(layouts: dict[str, Layout], chosen: Layout) -> list[Finding]:
    best = min(layouts.values(), key=lambda entry: entry.computed)
    words = f"With the layout {chosen.name}, {chosen.waste:.0%} of what is computed is padding"
    saved = 1 - best.computed / chosen.computed if chosen.computed else 0.0
    if chosen.waste > _MUCH_PADDING and saved > 0.1:
        advice = f"Set `layout` to {best.name}: it saves {saved:.0%} of the work."
        return [warn("lengths", f"{words}.", advice)]
    others = [f"{entry.name} {entry.waste:.0%}" for entry in layouts.values() if entry.name != chosen.name]
    compared = f" ({', '.join(others)})" if others else ""
    return [fine("lengths", f"{words}{compared}.")]


def _tell_steps(steps: dict[str, Any]) -> list[Finding]:
    passes = f"{steps['passes']:g} pass{'' if steps['passes'] == 1 else 'es'}"
    words = f"{steps['steps']:,} steps of {steps['rows_a_step']} rows, {passes} over them."
    if steps["steps"] < _FEW_STEPS:
        advice = "Hardly anything is learned in so few: raise `epochs`, or lower `batch_size`."
        return [warn("time", words, advice)]
    return [fine("time", words)]
