"""The Review page in a real browser, by keyboard: a curator settles disputes without a mouse, and blind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import open_store
from pitchpipe.store.team import people
from tests.store.judged import add_example, add_flag, add_judgement, add_task, prefer
from tests.studio.pages.conftest import PageServer

pytestmark = pytest.mark.browser
MODEL = "hidden-model-north"


def _fill(workspace: Path) -> None:
    """Three disputes, the widest first, with a curator named cora."""
    store = open_store(workspace)
    for number, strengths in enumerate([(-3, 3, 3), (-2, 2, 2), (-1, 1, 1)], 1):
        add_example(store, f"e{number}", "AB", model=MODEL)
        add_task(store, f"t{number}", f"e{number}", "compare", "AB")
        for rater, strength in zip(("ana", "ben", "eva"), strengths, strict=True):
            value = prefer("a" if strength < 0 else "b", strength)
            add_judgement(store, f"t{number}", rater, value, f"{rater} says why on e{number}")
    add_flag(store, "t1", "ana", "please look")
    people.sign_in(store, "cora")
    store.write(lambda t: t.run("UPDATE annotators SET role = 'curator'"))
    store.write(lambda t: t.run("UPDATE projects SET minimum_dwell_ms = 300"))
    store.close()


def _sign_in(chromium: Any, server: PageServer) -> Any:
    page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"{server.url}/login?next=review")
    page.wait_for_selector("#name:focus")
    page.keyboard.type("cora")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/review")
    return page


def _wait_for_case(page: Any, number: int) -> None:
    page.wait_for_selector(f".st-key-card_ask >> text=The request of e{number}")
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    page.wait_for_timeout(500)  # a person reads longer than the dwell of 300 ms


def test_a_curator_settles_two_disputes_with_keys_alone(chromium: Any, tmp_path: Path) -> None:
    server = PageServer(tmp_path)
    _fill(tmp_path)
    server.start()
    try:
        page = _sign_in(chromium, server)
        page.evaluate("window.clicks = 0; addEventListener('pointerdown', () => window.clicks++, true)")
        _wait_for_case(page, 1)
        # The second rater's reason is there to read, and who wrote the answers is nowhere in the page.
        assert "ben says why on e1" in page.locator(".st-key-card_raters").inner_text()
        assert "please look" in page.locator(".st-key-card_why").inner_text()
        assert MODEL not in page.content()
        page.keyboard.press("2")
        _wait_for_case(page, 2)
        assert MODEL in page.locator(".st-key-card_settled").inner_text()
        page.keyboard.press("n")
        _wait_for_case(page, 3)
        page.keyboard.press("p")
        _wait_for_case(page, 2)
        # Digits typed into a field are text and settle nothing.
        page.locator("input[placeholder='words in request or reason']").focus()
        page.keyboard.type("1")
        page.keyboard.press("Escape")
        page.keyboard.press("Backspace")
        page.evaluate("document.activeElement.blur()")
        _wait_for_case(page, 2)
        page.keyboard.press("1")
        _wait_for_case(page, 3)
        page.keyboard.press("u")
        _wait_for_case(page, 2)
        page.keyboard.press("3")
        _wait_for_case(page, 3)
        assert page.evaluate("window.clicks") == 0
        page.context.close()
    finally:
        server.stop()
    store = open_store(tmp_path)
    rows = store.read(
        "SELECT task_id, annotator, status, value FROM judgements WHERE source = 'adjudication' ORDER BY entry"
    )
    assert [(row[0], row[2]) for row in rows] == [
        ("t1", "submitted"), ("t2", "submitted"), ("t2", "retracted"), ("t2", "submitted"),
    ]  # fmt: skip
    assert {row[1] for row in rows} == {"cora"}
    assert '"strength":3' in rows[0][3].replace(" ", "")
    assert '"strength":2' in rows[3][3].replace(" ", "")
    assert store.read("SELECT closed_by FROM flags") == [("cora",)]
    store.close()
