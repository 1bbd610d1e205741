"""The whole way of a run in a real browser: plan, preflight, start, watch, stop, continue, finish."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging import annotating
from pitchpipe.store.queue import queueing
from tests.studio.pages.driving import click_settled, wait_for_words

pytestmark = pytest.mark.browser
_STEPS = 500
"""Enough to be stopped on the way, on a fast machine too: a step takes some hundredths of a second."""
_PATIENCE_MS = 120_000
"""Loading torch takes its time on a busy machine."""


def freeze_pairs(store: Store, project: str) -> None:
    """Every pair judged, and the dataset frozen."""
    while (task := queueing.claim_next_task(store, project, "ben")) is not None:
        annotating.submit_judgement(
            store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="ben", token=task.token,
            value={"verdict": "first", "strength": -1},
        )  # fmt: skip
    snapshots.create_snapshot(store, project, "first")


def open_rounds(chromium: Any, url: str) -> Any:
    page = chromium.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(_PATIENCE_MS)
    page.goto(f"{url}/login")
    page.fill("#name", "petra")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    page.goto(f"{url}/rounds")
    wait_for_words(page, "New run")
    return page


def read_steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_a_run_is_planned_looked_ahead_at_started_watched_stopped_continued_and_finished(
    fill_workspace: Callable[..., Store], page_server: Any, chromium: Any, tmp_path: Path, tiny_model: Path,
    project_name: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    workspace = tmp_path / "workspace"
    store = fill_workspace(workspace, count=6, dwell_ms=0)
    freeze_pairs(store, project_name)
    store.close()
    plan = tmp_path / "plan.toml"
    plan.write_text(
        f'kind = "train"\nmethod = "dpo"\nname = "six pairs"\nmodel = "{tiny_model}"\nmax_steps = {_STEPS}\n'
        'batch_size = 2\nprecision = "fp32"\nlora_rank = 4\nsamples = 0\nthreads = 1\n'
    )
    page = open_rounds(chromium, page_server(workspace).url)
    click_settled(page, page.get_by_role("button", name="Open a plan file"))
    page.locator("input[type=file]").set_input_files(plan)
    page.wait_for_selector("[data-testid=stTextInput] input[value='six pairs']")
    page.keyboard.press("Escape")

    click_settled(page, page.get_by_role("button", name="Preflight", exact=True))
    wait_for_words(page, "6 pairs to learn from")
    assert "The run can start; read the warnings first." in page.locator(".st-key-card_preflight").inner_text()
    page.wait_for_selector(".tokens span.loss")
    assert page.get_by_role("button", name="Start the run").is_disabled()
    click_settled(page, page.locator("label", has_text="I have read the warnings"))
    page.wait_for_selector("button:has-text('Start the run'):enabled")
    click_settled(page, page.get_by_role("button", name="Start the run"))

    page.wait_for_selector(f"text=/step [0-9]+ of {_STEPS}/")
    (folder,) = (workspace / "runs").iterdir()
    page.wait_for_selector(".st-key-card_run canvas, .st-key-card_run .vega-embed")
    click_settled(page, page.get_by_role("button", name="Stop and keep a checkpoint"))
    page.wait_for_selector("button:has-text('Continue the run')")
    stopped = read_steps(folder)
    assert 0 < stopped[-1] < _STEPS and not (folder / "manifest.json").exists()

    click_settled(page, page.get_by_role("button", name="Continue the run"))
    page.wait_for_selector(".st-key-card_run .pp-pill.finished")
    assert read_steps(folder) == list(range(1, _STEPS + 1))
    assert (folder / "manifest.json").is_file()
    page.context.close()
