"""What a preflight's report says in words, for the command line and the page alike."""

from __future__ import annotations

from typing import Any

_VERDICTS = {
    "blocks": "The run cannot start as it is planned.",
    "warns": "The run can start; read the warnings first.",
    "fine": "Nothing stands in the way.",
}


def describe_verdict(verdict: str) -> str:
    """The outcome in one sentence."""
    return _VERDICTS[verdict]


def describe_facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """What will run and what it takes, as (name, words); parts that could not be found out are left out."""
    plan, hardware = report["plan"], report["hardware"]
    facts = [
        ("method", f"{plan['method']} with {_WEIGHTS[plan['weights']]}, from {say_model(plan['model'])}"),
        ("recipe", describe_changes(report)),
        ("hardware", describe_hardware(hardware)),
    ]
    if "rows" in report:
        facts.append(("rows", describe_rows(report)))
    if "steps" in report:
        steps = report["steps"]
        facts.append(
            ("steps", f"{steps['steps']:,} of {steps['rows_a_step']} rows: {say_passes(steps['passes'])} over the rows")
        )
        facts.append(("padding", describe_padding(report["padding"])))
        memory = report["memory"]
        parts = ", ".join(f"{name} {say_bytes(size)}" for name, size in memory["parts"].items() if size > 5e6)
        facts.append(("memory", f"about {say_bytes(memory['needed'])} ({parts}); {say_bytes(memory['free'])} are free"))
        facts.append(("time", describe_time(report["time"])))
    return facts


_WEIGHTS = {"lora": "a LoRA adapter", "full": "all weights"}


def say_model(model: str) -> str:
    """A model by its name; of a folder, the last part.

    >>> say_model("/home/x/runs/run_1")
    'run_1'
    """
    return model.rstrip("/").rpartition("/")[2] if model.startswith("/") else model


def say_passes(passes: float) -> str:
    """Passes over the rows.

    >>> say_passes(1.0), say_passes(1.5)
    ('1 pass', '1.5 passes')
    """
    return f"{passes:g} pass{'' if passes == 1 else 'es'}"


def say_bytes(size: float) -> str:
    """Bytes for people.

    >>> say_bytes(1_530_000_000), say_bytes(42_000_000)
    ('1.5 GB', '42 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def say_seconds(seconds: float) -> str:
    """A span for people.

    >>> say_seconds(42), say_seconds(600), say_seconds(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def describe_changes(report: dict[str, Any]) -> str:
    """The closest recipe and what differs from it."""
    if report["recipe"] is None:
        return "no recipe ships for this method"
    changes = [f"{entry['dial']} {entry['recipe']} -> {entry['plan']}" for entry in report["changes"]]
    return f"{report['recipe']}" + (f"; changed: {', '.join(changes)}" if changes else ", unchanged")


def describe_hardware(hardware: dict[str, Any]) -> str:
    """What the machine has."""
    devices = f"{hardware['devices']} x " if hardware["devices"] > 1 else ""
    device = f"{hardware['cores']} CPU cores" if hardware["device"] == "cpu" else f"{devices}{hardware['device']}"
    free = f"{say_bytes(hardware['memory_free'])} of {say_bytes(hardware['memory'])} free"
    return f"{device}, {hardware['threads']} threads, {free}, {hardware['precision']}"


def describe_rows(report: dict[str, Any]) -> str:
    """The fates of the rows, and the tokens of those that are learned."""
    rows, tokens = report["rows"], report["tokens"]
    words = (
        f"{rows['learned']:,} of {rows['considered']:,} are learned ({rows['truncated']:,} of them cut), "
        f"{rows['too_long']:,} are too long, {rows['dropped']:,} left out by a rule"
    )
    if rows.get("held_back"):
        words += f", {rows['held_back']:,} held back to measure by"
    if not rows["learned"]:
        return words
    return (
        f"{words}; {tokens['total']:,} tokens a pass, half of the rows have at most {tokens['p50']:,}, the longest "
        f"{tokens['longest']:,}"
    )


def describe_padding(padding: dict[str, Any]) -> str:
    """What the layout wastes, and the others would."""
    shares = {entry["name"]: f"{entry['waste']:.0%}" for entry in padding["layouts"]}
    chosen = shares.pop(padding["layout"])
    others = ", ".join(f"{name} {share}" for name, share in shares.items())
    return f"{padding['layout']}: {chosen} of what is computed" + (f" ({others})" if others else "")


def describe_time(time: dict[str, Any]) -> str:
    """How long it takes, and how that is known."""
    return f"about {say_seconds(time['seconds'])} at {time['tokens_per_second']:,.0f} tokens/s ({time['source']})"
