"""The annotate page in a real Chromium: 50 mixed tasks by keys alone, with 1,000 and with 50,000 tasks in the store.

Run with `python -m tests.benchmarks annotate`. Measured in the page, from the key that submits to the animation frame
in which the next request is on the screen and its form is ready. Loopback, one annotator.
"""

from __future__ import annotations

import json
import runpy
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project

_ROOT = Path(__file__).parents[1]
_DWELL_MS = 50
_MIXED = {
    "compare": (2, None, "2"), "rate": (1, None, "3 2 4 1 2"), "edit": (1, None, "t End"), "tag": (0, "topics", "2 5"),
    "span": (1, "errors", "ArrowRight Shift+ArrowRight 1"), "turns": (1, "turns", "3"),
    "screen": (2, "compare_rate_correct", "6 3 4 4 1 0 2"),
}  # fmt: skip
"""Of each kind: how many of the pair's answers it is about, its rubric, and the keys that answer it."""
_WATCH = """
globalThis.times = []; globalThis.pointers = 0;
for (const kind of ["pointerdown", "mousedown", "touchstart"]) addEventListener(kind, () => { pointers += 1; }, true);
const form = () => [...document.querySelectorAll("*")].find(one => one.shadowRoot?.querySelector(".form"))
  .shadowRoot.querySelector(".form");
const request = () => document.querySelector(".st-key-card_ask")?.textContent;
addEventListener("keydown", event => {
  if (event.key !== "Enter" || !event.ctrlKey) return;
  const began = performance.now(), before = request();
  const look = () => {
    if (request() !== before && form().dataset.state === "ready") times.push(performance.now() - began);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
"""


def measure(sizes: tuple[int, int] = (1_000, 50_000), count: int = 50) -> dict[str, Any]:
    """Milliseconds from key to next task at each size, and whether every text arrived as it was typed."""
    return {str(size): _measure_once(size, count) for size in sizes}


def _measure_once(size: int, count: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    pages = runpy.run_path(str(_ROOT / "studio" / "pages" / "conftest.py"))
    chromium = runpy.run_path(str(_ROOT / "find_chromium.py"))["find_chromium"]()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        _fill(workspace, size, count)
        server = pages["PageServer"](workspace)
        server.start()
        try:
            with sync_playwright() as playwright:
                arguments = pages["_CHROMIUM_ARGUMENTS"]
                browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=arguments)
                times, pointers = _work(browser, server.url, count)
                browser.close()
        finally:
            server.stop()
        found = _check(workspace, count)
    return {
        "tasks_in_store": size, "done": len(times), "pointer_events": pointers, "texts_lost": count - found,
        "p50_ms": round(statistics.median(times), 1), "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
        "max_ms": round(max(times), 1),
    }  # fmt: skip


def _fill(workspace: Path, size: int, count: int) -> None:
    workspace.mkdir()
    rows, mapping = workspace / "rows.jsonl", workspace / "map.toml"
    with rows.open("w", encoding="utf-8") as file:
        for number in range(size):
            row = {"q": f"Question {number}: how do I mend my kettle of kind {number % 77}?",
                   "a": "Unplug it first. " * 12, "b": f"Kettles of kind {number} can be hot. " * 9}  # fmt: skip
            file.write(json.dumps(row) + "\n")
    mapping.write_text('kind = "compare"\nprompt = "{q}"\nanswer_a = "{a}"\nanswer_b = "{b}"\n', encoding="utf-8")
    store = open_store(workspace)
    create_project(store, "p", holdout_share=0.0, minimum_dwell_ms=_DWELL_MS)
    import_file(store, rows, "p", mapping=mapping)
    _mix(store, count)
    store.close()


def _mix(store: Store, count: int) -> None:
    """Makes the first tasks of the queue such of all kinds in turn."""
    kinds = list(_MIXED)
    first = store.read("SELECT id, candidate_ids FROM tasks ORDER BY position, id LIMIT ?", [count])
    for place, (task_id, candidate_ids) in enumerate(first):
        kind = kinds[place % len(kinds)]
        answers, rubric, _ = _MIXED[kind]
        row = [kind, rubric, json.dumps(json.loads(candidate_ids)[:answers]), task_id]
        store.write(
            lambda t, row=row: t.run("UPDATE tasks SET kind = ?, rubric = ?, candidate_ids = ? WHERE id = ?", row)
        )


def _work(browser: Any, url: str, count: int) -> tuple[list[float], int]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}/login?next=annotate")
    page.wait_for_selector("#name:focus")
    page.keyboard.type("ana")
    page.keyboard.press("Enter")
    page.wait_for_selector(".form[data-state='ready']")
    page.evaluate(_WATCH)
    for place in range(count):
        kind = list(_MIXED)[place % len(_MIXED)]
        page.wait_for_selector(f".form[data-kind='{kind}'][data-state='ready']")
        for key in _MIXED[kind][2].split():
            page.keyboard.press(key)
        if kind == "edit":
            page.keyboard.type(f" Corrected {place}.")
            page.keyboard.press("Tab")
        else:
            page.keyboard.press("t")
        page.keyboard.type(f"reason {place}: 1 2 3 r c s u")
        page.wait_for_timeout(_DWELL_MS)
        page.keyboard.press("Control+Enter")
        page.wait_for_function(f"times.length > {place}")
    times, pointers = page.evaluate("[times, pointers]")
    return list(times), int(pointers)


def _check(workspace: Path, count: int) -> int:
    """How many of the typed texts are in the store, to the letter."""
    store = open_store(workspace)
    reasons = {row[0] for row in store.read("SELECT reason FROM judgements WHERE status = 'submitted'")}
    store.close()
    return sum(f"reason {place}: 1 2 3 r c s u" in reasons for place in range(count))
