"""Every page with realistic content in a real Chromium, light and dark: the pictures in docs/images come from here.

Set PITCHPIPE_SCREENSHOTS to a folder to keep them (`docs/images` renews the ones that the docs show).
"""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.freezing.snapshots import create_snapshot
from pitchpipe.store.identity import new_id
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging import annotating
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue import queueing
from pitchpipe.store.queue.tasking import create_tasks
from tests.studio.pages.driving import READY, press

pytestmark = pytest.mark.browser
_KINDS = {
    "screen": {"rubric": "compare_rate_correct", "parts": ("compare", "rate", "edit"), "priority": 9},
    "rate": {"rubric": "checks", "priority": 8}, "span": {"rubric": "errors", "priority": 7},
    "tag": {"rubric": "topics", "priority": 6}, "edit": {"priority": 5},
}  # fmt: skip
_ANSWERS = {
    "screen": "6 2 1 3 4 4 3", "rate": "3 1 1", "span": "Shift+ArrowRight Shift+ArrowRight Shift+ArrowRight 1",
    "tag": "2 5", "edit": "t",
}  # fmt: skip


@pytest.fixture
def help_desk(tmp_path: Path, page_server: Any) -> Any:
    """A server over the sample help desk: its pairs judged by three raters, and tasks of every kind for people."""
    store = open_store(tmp_path / "workspace")
    create_project(store, "helpdesk", minimum_dwell_ms=0, salt="screenshots")
    with as_file(files("pitchpipe.sample_data")) as folder:
        for name in ("preferences", "ratings"):
            import_file(store, folder / f"{name}.jsonl", "helpdesk", mapping=folder / f"{name}.map.toml")
    create_tasks(store, "helpdesk", "compare", overlap=4, limit=40)
    for kind, settings in _KINDS.items():
        create_tasks(store, "helpdesk", kind, limit=1, overlap=4, **settings)
    _judge_some(store)
    create_snapshot(store, "helpdesk", "first")
    store.close()
    return page_server(tmp_path / "workspace")


def _judge_some(store: Store) -> None:
    for verdict, strength in (("first", -2), ("second", 3), ("first", -1), ("tie", 0)):
        task = queueing.claim_next_task(store, "helpdesk", "nora")
        while task is not None and task.kind.value != "compare":
            annotating.skip_task(
                store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="nora", token=task.token, reason="-"
            )
            task = queueing.claim_next_task(store, "helpdesk", "nora")
        assert task is not None
        annotating.submit_judgement(
            store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator="nora", token=task.token,
            value={"verdict": verdict, "strength": strength}, reason="Says what to do next.", seconds=34.0,
        )  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_drawn_whole_in_light_and_dark(
    help_desk: Any, chromium: Any, tmp_path: Path, scheme: str
) -> None:
    kept = os.environ.get("PITCHPIPE_SCREENSHOTS")
    folder = Path(kept) if kept else tmp_path
    ending = "" if scheme == "light" else "_dark"
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def keep(name: str) -> None:
        page.wait_for_timeout(700)
        page.screenshot(path=str(folder / f"{name}{ending}.png"))
        assert page.locator("[data-testid=stException]").count() == 0, name

    page.goto(f"{help_desk.url}/login?next=annotate")
    page.fill("#name", "mira")
    page.keyboard.press("Enter")
    for kind, keys in _ANSWERS.items():
        page.wait_for_selector(f".form[data-kind='{kind}'][data-state='ready']")
        press(page, keys)
        if kind == "edit":
            page.keyboard.type(" Reply if it is still missing tomorrow.")
        else:
            press(page, "t")
            page.keyboard.type("It names the next step and who pays; the other only says sorry.")
        keep(f"annotate_{kind}")
        page.keyboard.press("Control+Enter")
    page.wait_for_selector(f".form[data-kind='compare']{READY.removeprefix('.form')}")
    press(page, "2 d")
    keep("annotate")
    press(page, "?")
    keep("annotate_keys")
    press(page, "Escape")
    for name, sign in (
        ("history", ".st-key-card_entry_0"), ("review", "text=Review"), ("people", "text=Each person"),
        ("rounds", "text=Preflight"), ("", ".st-key-card_loop"),
    ):  # fmt: skip
        page.goto(f"{help_desk.url}/{name}")
        page.wait_for_selector(sign)
        page.wait_for_timeout(1200)
        keep(name or "home")
    context.close()
    assert faults == []


def test_a_tablet_shows_the_whole_task_without_scrolling_sideways(help_desk: Any, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 820, "height": 1180}, has_touch=True)
    page = context.new_page()
    page.goto(f"{help_desk.url}/login?next=annotate")
    page.fill("#name", "mira")
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    overflow = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert overflow <= 0
    box = page.locator(".go").bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 820
    context.close()
