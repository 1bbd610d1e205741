"""How a test works on the Annotate page in a browser: by keys, waiting for what it means."""

from __future__ import annotations

from typing import Any

READY = ".form[data-state='ready']"
DWELL_MS = 350
"""A little more than the project's minimum of 300 ms between a task's appearance and its submit."""


def show_question(page: Any) -> str:
    """The request on the screen."""
    return str(page.locator(".st-key-card_ask [data-testid=stText]").last.inner_text())


def wait_for_question(page: Any, number: int) -> None:
    """Waits for the task of that number, ready and old enough to be submitted."""
    page.wait_for_selector(f".st-key-card_ask >> text=Question {number}:")
    page.wait_for_selector(READY)
    page.wait_for_timeout(DWELL_MS)


def type_reason(page: Any, words: str) -> None:
    """Goes to the text field by key and types."""
    page.keyboard.press("t")
    page.keyboard.type(words)


def submit(page: Any) -> None:
    """Submits by key."""
    page.keyboard.press("Control+Enter")


def wait_for_kind(page: Any, kind: str) -> None:
    """Waits for a task of that kind, ready and old enough to be submitted."""
    page.wait_for_selector(f".form[data-kind='{kind}'][data-state='ready']")
    page.wait_for_timeout(DWELL_MS)


def press(page: Any, keys: str) -> None:
    """Presses keys one after the other, named as Playwright names them, with spaces between."""
    for key in keys.split():
        page.keyboard.press(key)


def wait_for_words(page: Any, words: str) -> None:
    """Waits until the words are seen."""
    page.wait_for_selector(f"text={words}")


def click_settled(page: Any, locator: Any) -> None:
    """Clicks once the page has been drawn to its end.

    While a run draws, what the last one showed may stand beside its successor, and one button is found twice.
    """
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_function("() => !document.querySelector('[data-stale=true]')")
    locator.click()
