"""Sample answers by step: what the model says to the same prompts as it learns. Stored text is shown as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pitchpipe.training.tuning.samples import read_samples

_WIDTHS = {"prompt": 165, "at first": 200, "end": 95}
"""Pixels; the chosen answer takes more."""


def show_samples(folder: Path) -> None:
    """The samples of a chosen step beside the earliest answer to the same prompt; nothing where there are none."""
    samples = read_samples(folder)
    if not samples:
        return
    steps = sorted({sample["step"] for sample in samples})
    with st.expander("Sample answers", expanded=True):
        step = steps[-1]
        if len(steps) > 1:
            step = st.select_slider("Step", steps, value=steps[-1], key=f"samples_{folder.name}_{steps[-1]}")
        table = pd.DataFrame(compare_samples(samples, step))
        widths = {name: st.column_config.TextColumn(width=_WIDTHS.get(name, 230)) for name in table.columns}
        st.dataframe(table, hide_index=True, width="stretch", row_height=74, column_config=widths)


def compare_samples(samples: list[dict[str, Any]], step: int) -> list[dict[str, str]]:
    """One row a prompt answered at the step: the prompt, the earliest answer where that is another, and this one.

    >>> ask = [{"role": "user", "content": "Hi"}]
    >>> compare_samples([{"step": 4, "row_id": "r", "prompt": ask, "answer": "Yo", "tokens": 2, "finished": True}], 4)
    [{'prompt': 'Hi', 'answer at step 4': 'Yo', 'end': 'ended, 2 tokens'}]
    """
    first: dict[str, dict[str, Any]] = {}
    for sample in samples:
        first.setdefault(sample["row_id"], sample)
    now = [sample for sample in samples if sample["step"] == step]
    has_first = any(first[sample["row_id"]]["step"] < step for sample in now)
    rows = []
    for sample in now:
        row = {"prompt": sample["prompt"][-1]["content"]}
        if has_first:
            before = first[sample["row_id"]]
            row["at first"] = before["answer"] if before["step"] < step else ""
        rows.append({**row, f"answer at step {step}": sample["answer"], "end": _tell_end(sample)})
    return rows


def _tell_end(sample: dict[str, Any]) -> str:
    if "tokens" not in sample:
        return ""
    return f"{'ended' if sample['finished'] else 'cut off'}, {sample['tokens']} tokens"
