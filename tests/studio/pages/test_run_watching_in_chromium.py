"""A run that grows while somebody watches it in Chromium."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.identity import new_id
from pitchpipe.store.judging import annotating
from pitchpipe.store.queue import queueing
from pitchpipe.training.plans.plan_files import load_recipe, with_dials
from pitchpipe.training.runs.processes import process_started
from pitchpipe.training.runs.run_folders import write_progress
from tests.studio.pages.test_rounds import make_run

pytestmark = pytest.mark.browser


@pytest.fixture
def running(fill_workspace: Callable[..., Store], tmp_path: Path, project_name: str) -> Path:
    """The folder of a run at step 2 of 90, whose process is this one."""
    store = fill_workspace(tmp_path / "workspace", count=3, dwell_ms=0)
    task = queueing.claim_next_task(store, project_name, "ben")
    assert task is not None
    annotating.submit_judgement(
        store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="ben", token=task.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    frozen = snapshots.create_snapshot(store, project_name, "first")
    plan = with_dials(load_recipe("sft"), snapshot=str(frozen.folder.resolve()), name="house style")
    here = {"pid": os.getpid(), "started": process_started(os.getpid())}
    folder = make_run(store, plan, [2.0, 1.5], process=here)
    write_progress(folder, "training", 2, 90, eta_seconds=40.0)
    store.close()
    return folder


def test_a_growing_run_is_drawn_again_and_leaves_what_is_typed_beside_it(
    running: Path, page_server: Callable[[Path], Any], chromium: Any
) -> None:
    server = page_server(running.parents[1])
    context = chromium.new_context(viewport={"width": 1440, "height": 1200})
    page = context.new_page()
    page.goto(f"{server.url}/login?next=rounds")
    page.get_by_role("textbox").first.fill("ada")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=step 2 of 90")
    page.wait_for_selector("[data-testid=stVegaLiteChart]")
    name = page.get_by_label("Name", exact=True)
    name.click()
    page.keyboard.type("half a na")
    with (running / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": 3, "loss": 1.25, "grad_norm": 170.0}) + "\n")
    write_progress(running, "training", 3, 90, eta_seconds=700.0)
    page.wait_for_selector("text=step 3 of 90")
    page.wait_for_selector("text=The gradient norm was 170 at step 3")
    page.wait_for_selector("text=about 12 min left")
    page.get_by_text("gradient norm", exact=True).wait_for()
    page.keyboard.type("me")
    assert name.input_value() == "half a name"
    assert page.get_by_role("button", name="Stop and keep a checkpoint").is_visible()
    context.close()
