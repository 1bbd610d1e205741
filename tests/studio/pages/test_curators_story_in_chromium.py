"""A curator's way in a real browser: check, add up, freeze, export; what was chosen on the way is in what comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from tests.studio.pages.driving import click_settled

pytestmark = pytest.mark.browser
PAIRS = """kind = "compare"
prompt = "{q}"
answer_a = "{x}"
answer_b = "{y}"
[[judgements]]
rater = "ana"
value = "{ana}"
[[judgements]]
rater = "ben"
value = "{ben}"
"""
ANSWERS = ("Write to anna.meier@mail.org about it.", "N/A", "Take the second street on the left.")


def fill(workspace: Path) -> None:
    """Four comparisons, the first of them tied between two raters, and answers: with an address, empty, sound."""
    store: Store = open_store(workspace)
    create_project(store, "p", holdout_share=0.0)
    pairs = [
        {"q": f"Question {n}?", "x": f"Answer {n} in short.", "y": f"Another answer, number {n}.", "ana": "a",
         "ben": "a" if n else "b"}
        for n in range(4)
    ]  # fmt: skip
    plain = [{"instruction": f"Request {n}?", "output": answer} for n, answer in enumerate(ANSWERS)]
    (workspace / "pairs.toml").write_text(PAIRS, encoding="utf-8")
    for name, rows, mapping in (("pairs", pairs, workspace / "pairs.toml"), ("answers", plain, None)):
        (workspace / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        import_file(store, workspace / f"{name}.jsonl", "p", mapping=mapping)
    store.close()


def press(page: Any, name: str, then: str) -> None:
    """Presses the button and waits for words that follow from it."""
    click_settled(page, page.get_by_role("button", name=name))
    page.wait_for_selector(f"text={then}")


def read_metric(page: Any, label: str) -> str:
    metric = page.locator("[data-testid=stMetric]", has_text=label).first
    return str(metric.locator("[data-testid=stMetricValue]").inner_text())


def test_rules_and_strategies_go_from_checks_and_consensus_into_the_files_of_an_export(
    page_server: Callable[[Path], Any], chromium: Any, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    fill(workspace)
    server = page_server(workspace)
    page = chromium.new_context(viewport={"width": 1440, "height": 1600}).new_page()
    page.goto(f"{server.url}/login")
    page.fill("#name", "petra")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    page.goto(f"{server.url}/data?view=checks")
    press(page, "Check with 10 rules", "Would stay")
    assert [read_metric(page, label) for label in ("Rows", "Would stay", "Masked")] == ["15", "14", "1"]
    press(page, "Take into the recipe", "These rules are in the recipe.")

    page.get_by_role("radio", name="Consensus").click()
    page.wait_for_selector("text=Strategies side by side")
    page.get_by_text("are left out").click()
    page.wait_for_selector("text=Leaves out 1 of 4: 1 tied.")
    press(page, "Take into the recipe", "In the recipe:")
    press(page, "Go to Snapshots", "With what you took from Checks and Consensus.")

    press(page, "Preview", "Training rows")
    assert [read_metric(page, label) for label in ("Training rows", "Left out")] == ["13", "2"]
    page.get_by_label("Name of the snapshot").fill("first")
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-snapshots_freeze button:enabled")
    click_settled(page, page.locator(".st-key-snapshots_freeze button:enabled"))
    press(page, "Export it", "Run the dry run")
    press(page, "Write to the workspace", "Download sft.parquet")

    (folder,) = (workspace / "snapshots").iterdir()
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    chosen = {choice["rule"]: choice["action"] for choice in recipe["rules"]}
    assert (recipe["tie_policy"], len(chosen)) == ("drop", 10)
    assert (chosen["empty_answer"], chosen["personal_data"], chosen["refusal"]) == ("drop", "mask", "mark")
    assert sorted(pl.read_parquet(folder / "dropped.parquet")["rule"]) == ["empty_answer", "tie"]
    (written,) = (workspace / "exports").rglob("sft.parquet")
    text = str(pl.read_parquet(written).to_dicts())
    assert "[EMAIL]" in text and "anna.meier" not in text and "N/A" not in text
