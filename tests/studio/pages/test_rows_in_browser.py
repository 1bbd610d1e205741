"""The rows of the Data page in a real browser: search, tick, drop, undo, and a row opened by a press."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pitchpipe.store.curation.slices import Slice, find_examples
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.team import people
from tests.studio.pages.driving import click_settled

pytestmark = pytest.mark.browser
_ROW, _HEADER = 36, 36


def make_curator(store: Store) -> None:
    people.sign_in(store, "cora")  # who comes first leads


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def test_rows_are_found_ticked_dropped_and_brought_back(serve_pages: Callable[..., Any], page: Any) -> None:
    server = serve_pages(count=12, dwell_ms=0, prepare=make_curator)
    page.goto(f"{server.url}/login?next=data")
    page.wait_for_selector("#name:focus")
    page.keyboard.type("cora")
    page.keyboard.press("Enter")
    page.wait_for_selector(".rw-head")
    assert page.inner_text(".rw-head b") == "12"

    page.fill(".st-key-rows_words input", '"question 1"')  # 1, 10, 11 and 12
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.rw-head b').innerText === '4'")

    table = page.locator('[data-testid="stDataFrame"]').first
    table.wait_for(state="visible")
    box = table.bounding_box()
    for row in (0, 2):
        page.mouse.click(box["x"] + 16, box["y"] + _HEADER + _ROW * row + _ROW / 2)
        page.wait_for_function(f"document.body.innerText.includes('{1 if row == 0 else 2} ticked')")
    choose(page, ".st-key-rows_do", "drop")
    page.fill(".st-key-rows_note input", "not ours")
    page.keyboard.press("Enter")
    go = page.locator(".st-key-rows_go button:not([disabled])", has_text="Drop 2")
    go.first.wait_for()
    click_settled(page, go)
    page.wait_for_function("document.body.innerText.includes('cora dropped 2 rows: not ours')")

    box = page.locator('[data-testid="stDataFrame"]').first.bounding_box()
    page.mouse.click(box["x"] + 200, box["y"] + _HEADER + _ROW / 2)
    page.wait_for_selector(".st-key-card_rows_row .rw-why")
    assert "cora dropped it (not ours)" in page.inner_text(".rw-why")

    page.keyboard.press("u")
    page.wait_for_function("document.body.innerText.includes('undone by cora')")
    page.wait_for_function("!document.querySelector('.rw-why').innerText.includes('dropped it')")
    server.stop()
    store = open_store(server.workspace)
    assert find_examples(store, "Help desk", Slice(filters=(("decision", "is", ("drop",)),))) == []
    assert store.read("SELECT count(*) FROM decisions") == [(2,)]  # nothing is ever deleted
    store.close()


def choose(page: Any, selector: str, value: str) -> None:
    page.click(f"{selector} input")
    page.get_by_role("option", name=value, exact=True).click()
