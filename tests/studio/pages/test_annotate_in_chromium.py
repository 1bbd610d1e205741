"""The Annotate page in a real browser, by keyboard: what is typed is recorded, exactly once, or given back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.studio.pages.driving import DWELL_MS, READY, show_question, submit, type_reason, wait_for_question

pytestmark = pytest.mark.browser


def test_three_tasks_are_labelled_by_keyboard_alone(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=3)
    page = open_page(server)
    for number, (key, reason) in enumerate([("2", "first is clearer"), ("7", "scores 5 of 7"), ("9", "no idea")], 1):
        wait_for_question(page, number)
        page.keyboard.press(key)
        type_reason(page, reason)
        submit(page)
    page.wait_for_selector("text=Nothing waits for you here")
    found = server.read_judgements()
    assert [row["question"][:10] for row in found] == ["Question 1", "Question 2", "Question 3"]
    assert [row["reason"] for row in found] == ["first is clearer", "scores 5 of 7", "no idea"]
    first, second, third = found
    # Key 2 is "A better": the answer shown first, which is the task's own b exactly when the sides were swapped.
    assert first["value"] == (
        {"verdict": "b", "strength": 2} if first["is_swapped"] else {"verdict": "a", "strength": -2}
    )
    assert second["value"] == (
        {"verdict": "a", "strength": -3} if second["is_swapped"] else {"verdict": "b", "strength": 3}
    )
    assert third["value"] == {"verdict": "cannot_judge", "strength": None}
    assert all(0.3 <= row["seconds"] < 60 for row in found)


def test_text_typed_before_a_reload_is_there_after_it(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    page.keyboard.press("6")
    type_reason(page, "half a thou")
    page.reload()
    page.wait_for_selector(READY)
    assert page.input_value("#reason") == "half a thou"
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "2"
    type_reason(page, "ght")
    page.wait_for_timeout(DWELL_MS)
    submit(page)
    wait_for_question(page, 2)
    assert page.input_value("#reason") == ""
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('pitchpipe:draft')).length") == 0
    assert [row["reason"] for row in server.read_judgements()] == ["half a thought"]


def test_a_draft_follows_the_annotator_to_another_browser(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    page.keyboard.press("1")
    # An earlier, shorter draft says "kept" too; the one meant carries the last word.
    with page.expect_request_finished(lambda sent: "/drafts" in sent.url and "begun here" in (sent.post_data or "")):
        type_reason(page, "begun here")
    page.wait_for_selector("text=/Draft kept ·/")
    elsewhere = open_page(server)
    assert elsewhere.input_value("#reason") == "begun here"
    assert elsewhere.locator(".option[aria-checked=true]").get_attribute("data-value") == "-3"


@pytest.mark.parametrize("pause_ms", [0, 50, 200])
def test_pressing_twice_records_once_and_only_what_was_seen(serve_pages: Any, open_page: Any, pause_ms: int) -> None:
    server = serve_pages(count=3)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.press("3")
    submit(page)
    page.wait_for_timeout(pause_ms)
    submit(page)
    wait_for_question(page, 2)
    page.wait_for_timeout(600)
    assert show_question(page).startswith("Question 2")
    assert [row["question"][:10] for row in server.read_judgements()] == ["Question 1"]


def test_a_second_tab_gets_the_text_of_a_finished_task_back(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=3)
    first = open_page(server)
    second = open_page(server, context=first.context)
    assert show_question(first) == show_question(second)
    first.bring_to_front()
    wait_for_question(first, 1)
    first.keyboard.press("5")
    type_reason(first, "typed in the first tab")
    second.bring_to_front()
    wait_for_question(second, 1)
    second.keyboard.press("1")
    second.fill("#reason", "typed in the second tab")
    submit(second)
    wait_for_question(second, 2)
    first.bring_to_front()
    first.wait_for_selector("text=You finished this task in another tab")
    submit(first)
    wait_for_question(first, 2)
    assert "typed in the first tab" in first.locator(".handed-back").inner_text()
    first.reload()
    first.wait_for_selector(READY)
    assert "typed in the first tab" in first.locator(".handed-back").inner_text()
    first.get_by_role("button", name="Discard").click()
    assert first.locator(".handed-back").is_hidden()
    assert [row["reason"] for row in server.read_judgements()] == ["typed in the second tab"]


def test_nothing_is_lost_when_the_server_is_killed_and_started_again(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    page.keyboard.press("2")
    type_reason(page, "before the crash")
    server.kill()
    page.wait_for_selector("text=Connection error")
    server.start()
    page.wait_for_selector("text=Connection error", state="detached")
    assert page.input_value("#reason") == "before the crash"
    type_reason(page, ", after it")
    submit(page)
    wait_for_question(page, 2)
    assert [row["reason"] for row in server.read_judgements()] == ["before the crash, after it"]


def test_a_submit_that_was_never_answered_is_sent_again_after_a_reload(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.press("4")
    type_reason(page, "sent into the dark")
    # The reload comes before any answer can: whether the submit arrived or not, it must count exactly once.
    submit(page)
    page.reload()
    page.wait_for_selector(READY)
    page.wait_for_timeout(DWELL_MS)
    if show_question(page).startswith("Question 1"):
        submit(page)
    wait_for_question(page, 2)
    page.wait_for_function("!Object.keys(localStorage).some(key => key.startsWith('pitchpipe:draft'))")
    assert [row["reason"] for row in server.read_judgements()] == ["sent into the dark"]


def test_undo_brings_the_last_task_back_as_it_was_and_skip_asks_for_a_reason(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=3)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.press("2")
    type_reason(page, "too hasty")
    submit(page)
    wait_for_question(page, 2)
    page.keyboard.press("u")
    wait_for_question(page, 1)
    assert page.input_value("#reason") == "too hasty"
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "-2"
    page.keyboard.press("8")
    submit(page)
    wait_for_question(page, 2)
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Say in a few words why")
    page.keyboard.type("wrong language")
    page.keyboard.press("Enter")
    wait_for_question(page, 3)
    found = [(row["question"][:10], row["status"], row["reason"]) for row in server.read_judgements()]
    assert found == [
        ("Question 1", "submitted", "too hasty"),
        ("Question 1", "retracted", "undo"),
        ("Question 1", "submitted", "too hasty"),
        ("Question 2", "skipped", "wrong language"),
    ]


def test_an_undo_pressed_before_the_submit_is_answered_is_not_lost(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.press("2")
    submit(page)
    page.keyboard.press("u")
    page.wait_for_selector("text=Reopened")
    wait_for_question(page, 1)
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "-2"
    assert [row["status"] for row in server.read_judgements()] == ["submitted", "retracted"]


def test_digits_rate_one_question_after_the_other(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(kind="rate", count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.type("301")
    submit(page)
    page.wait_for_selector('text="Complexity" has no answer yet.')
    page.keyboard.type("24")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    page.keyboard.type("0")
    submit(page)
    wait_for_question(page, 2)
    (found,) = server.read_judgements()
    assert found["value"] == {"helpfulness": 3, "correctness": 0, "coherence": 1, "complexity": 0, "verbosity": 3}


def test_a_corrected_answer_starts_from_the_one_shown_and_undo_works_at_the_end(
    serve_pages: Any, open_page: Any
) -> None:
    server = serve_pages(kind="edit", count=1)
    page = open_page(server)
    wait_for_question(page, 1)
    assert page.input_value("#answer") == "Look next door first (1).\n\nNext step: reply resend."
    page.keyboard.press("t")
    page.keyboard.type(" Thank you.")
    submit(page)
    page.wait_for_selector("text=Nothing waits for you here")
    page.wait_for_selector(READY)
    page.keyboard.press("u")
    wait_for_question(page, 1)
    assert page.input_value("#answer").endswith("reply resend. Thank you.")
    statuses = [(row["status"], row["value"].get("text", "")[-10:]) for row in server.read_judgements()]
    assert statuses == [("submitted", "Thank you."), ("retracted", "")]


def test_the_page_shows_no_model_name_and_runs_no_markup_of_an_answer(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    shown = page.locator(".st-key-sides").inner_text()
    assert "<img src=x onerror=alert(1)> **wait**" in shown
    everything = page.content() + page.evaluate("JSON.stringify(localStorage)")
    assert not any(name in everything for name in server.hidden_names)
    assert not alerts


def test_a_page_that_was_open_is_signed_out_with_the_session(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.press("2")
    type_reason(page, "left behind")
    other = page.context.new_page()
    other.goto(f"{server.url}/logout")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_selector("text=You are signed out")
    assert other.evaluate("Object.keys(localStorage).filter(key => key.startsWith('pitchpipe:')).length") == 0
    page.bring_to_front()
    submit(page)
    page.wait_for_selector(".st-key-card_sign_in")
    assert not re.search("Question 1", page.locator("[data-testid=stMain]").inner_text())
    assert server.read_judgements() == []
