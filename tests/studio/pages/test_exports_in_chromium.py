"""The coloured tokens in a real browser: text and colour, never markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.studio.export_verbs import checks_folder
from pitchpipe.training.exports.export_check import CheckRequest, create_check_folder
from pitchpipe.training.runs.run_folders import write_json

pytestmark = pytest.mark.browser
MARKUP = "<img src=x onerror=alert(1)> **a**"


def leave_check(store: Store, project: str) -> None:
    """A finished dry run of one row, as the process leaves it."""
    frozen = snapshots.create_snapshot(store, project, "first")
    request = CheckRequest(str(frozen.folder.resolve()), max_length=20)
    folder = create_check_folder(checks_folder(store), request)
    told = {"fate": "truncated", "why": "", "troubles": "", "tokens": 21, "prompt": 9, "completion": 12}
    none = {"chosen": None, "rejected": None}
    pl.DataFrame([{"row_id": "row_1", **told, **none}]).write_parquet(folder / "ledger.parquet")
    tokens = [["where\n", 1, "context"], [MARKUP, 2, "loss"], ["</style>", 3, "cut"]]
    shown = {"row_id": "row_1", "fate": "truncated", "troubles": [], "row": {"prompt": MARKUP}}
    (folder / "masks.jsonl").write_text(json.dumps({**shown, "sides": [{"side": "completion", "tokens": tokens}]}))
    trainer = {"trainer": "SFTTrainer", "rows_expected": 1, "tokens_expected": 20, "rows": 1, "tokens": 20}
    counts = {"kept": 0, "truncated": 1, "too_long": 0, "dropped": 0}
    summary = {"max_length": 20, "fates": counts, "troubles": {}, "tokens": {}, "trainer": {**trainer, "agrees": True}}
    write_json(folder / "summary.json", summary)
    write_json(folder / "manifest.json", {})


def test_tokens_are_shown_in_colour_and_what_they_say_never_runs(
    fill_workspace: Callable[..., Store], page_server: Any, chromium: Any, tmp_path: Path, project_name: str
) -> None:
    store = fill_workspace(tmp_path / "workspace", count=2)
    leave_check(store, project_name)
    store.close()
    server = page_server(tmp_path / "workspace")
    page = chromium.new_context().new_page()
    spoken: list[str] = []
    page.on("dialog", lambda dialog: (spoken.append(dialog.message), dialog.dismiss()))
    page.goto(f"{server.url}/login")
    page.fill("#name", "petra")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Sign out")
    page.goto(f"{server.url}/data?view=exports")
    page.wait_for_selector(".tokens span.cut")
    assert [page.locator(f".tokens span.{use}").inner_text() for use in ("loss", "cut")] == [MARKUP, "</style>"]
    assert page.locator(".tokens span.context").inner_text().startswith("where↵")
    assert page.locator(".tokens img").count() == 0 and spoken == []
    colours = {
        page.locator(f".tokens span.{use}").evaluate("piece => getComputedStyle(piece).backgroundColor")
        for use in ("context", "loss", "cut")
    }
    assert len(colours) == 3
