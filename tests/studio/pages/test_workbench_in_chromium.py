"""Every kind of task in a real browser, by keys alone, and what surrounds them: undo, flags, looks, history, traps."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.queue import gold, suggesting
from pitchpipe.store.records import QueueRules
from pitchpipe.studio.gateway import call_verb
from tests.studio.pages.cutting_proxy import CuttingProxy
from tests.studio.pages.driving import (
    DWELL_MS,
    READY,
    press,
    show_question,
    submit,
    type_reason,
    wait_for_kind,
    wait_for_question,
    wait_for_words,
)

pytestmark = pytest.mark.browser

_FIND_UNNAMED = """() => {
  const root = [...document.querySelectorAll("*")].find(one => one.shadowRoot?.querySelector(".form")).shadowRoot;
  const label = one => one.id && root.querySelector(`label[for=${one.id}]`)?.textContent.trim();
  const name = one => one.getAttribute("aria-label") || one.textContent.trim() || label(one);
  const isAsked = one => one.checkVisibility() && !["none", "status"].includes(one.getAttribute("role"));
  return [...root.querySelectorAll("button, input, textarea, [role]")]
    .filter(one => isAsked(one) && !name(one)).map(one => one.outerHTML.slice(0, 90));
}"""
_DESCRIBE_FOCUS = """() => {
  let one = document.activeElement;
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const style = getComputedStyle(one), isActiveRow = one.closest?.(".row, .scale")?.classList.contains("active");
  const isSeen = style.outlineStyle !== "none" || style.boxShadow !== "none" || Boolean(isActiveRow);
  return { name: one.className || one.id || one.tagName, isSeen: isSeen || !one.closest?.(".form") };
}"""
_COUNT_POINTERS = """
globalThis.pointers = 0;
for (const kind of ["pointerdown", "mousedown", "touchstart"]) addEventListener(kind, () => { pointers += 1; }, true);
"""


def test_every_kind_of_task_is_done_by_keys_alone(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(kind="mixed")
    page = open_page(server)
    page.evaluate(_COUNT_POINTERS)
    wait_for_kind(page, "screen")
    press(page, "2 3 4 4 1 0 2 e")
    page.keyboard.type(" Thanks.")
    press(page, "Escape t")
    page.keyboard.type("clear and correct; r c s f u y 1 2 3")
    submit(page)
    wait_for_kind(page, "rate")
    press(page, "3 1 2 ArrowDown")
    page.keyboard.type("says 5 of 7")
    press(page, "Escape f")  # out of the line of words a letter is a key again
    page.wait_for_selector("#say:focus")
    press(page, "Escape")
    submit(page)
    wait_for_kind(page, "rank")
    press(page, "2 1 2")
    submit(page)
    wait_for_kind(page, "edit")
    press(page, "t")
    page.keyboard.type(" Bye.")
    submit(page)
    wait_for_kind(page, "write")
    press(page, "t")
    page.keyboard.type("My own answer.")
    submit(page)
    wait_for_kind(page, "tag")
    press(page, "2 5 2 3")
    submit(page)
    wait_for_kind(page, "span")
    marked_text = page.locator(".marking").text_content()
    press(page, "ArrowRight Shift+ArrowRight 1")
    submit(page)
    wait_for_kind(page, "turns")
    press(page, "4 ArrowDown 1")
    submit(page)
    wait_for_words(page, "Nothing waits for you here")
    assert page.evaluate("pointers") == 0
    values = {row["kind"]: row for row in server.read_judgements()}
    assert len(values) == 8
    screen, is_swapped = values["screen"]["value"], values["screen"]["is_swapped"]
    ratings = [
        {"helpfulness": 3, "correctness": 4, "coherence": 4},
        {"helpfulness": 1, "correctness": 0, "coherence": 2},
    ]
    assert screen["compare"] == {"verdict": "b" if is_swapped else "a", "strength": 2 if is_swapped else -2}
    assert screen["rate"] == (ratings[::-1] if is_swapped else ratings)
    # The key opened the answer that was preferred, which is the first on the screen.
    assert screen["edit"]["answer"] == (1 if is_swapped else 0)
    assert screen["edit"]["text"].endswith(" Thanks.")
    assert values["screen"]["reason"] == "clear and correct; r c s f u y 1 2 3"
    assert values["rate"]["value"] == {"helpfulness": 3, "follows": 1, "tone": "neutral", "note": "says 5 of 7"}
    shown, own = json.loads(values["rank"]["shown"]), json.loads(values["rank"]["candidate_ids"])
    assert values["rank"]["value"]["ranks"] == [[1, 0, 1][shown.index(candidate)] for candidate in own]
    assert values["edit"]["value"]["text"].endswith(" Bye.")
    assert values["write"]["value"] == {"text": "My own answer."}
    # Digit 2 was pressed twice: picked, then put back.
    assert sorted(values["tag"]["value"]["labels"]) == ["account", "complaint"]
    # The second and third word are characters 5 to 14 of "Look next door first", 8 to 14 of "Parcels can be late".
    start = {"Look next": 5, "Parcels c": 8}[marked_text[:9]]
    assert values["span"]["value"] == {"spans": [{"start": start, "end": 14, "label": "false"}]}
    assert values["turns"]["value"] == {"turns": {"1": {"helpfulness": 4}, "3": {"helpfulness": 1}}}


def test_undo_and_redo_reach_submit_skip_and_flag_in_their_order(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=4)
    page = open_page(server)
    wait_for_question(page, 1)
    press(page, "2")
    type_reason(page, "first")
    submit(page)
    wait_for_question(page, 2)
    press(page, "s")
    page.keyboard.type("wrong language")
    press(page, "Enter")
    wait_for_question(page, 3)
    press(page, "6 f")
    page.keyboard.type("two questions in one")
    press(page, "Enter")
    wait_for_words(page, "Flagged. The task stays with you.")
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "2"
    press(page, "u")
    wait_for_words(page, "Your flag is taken back.")
    press(page, "u")
    wait_for_question(page, 2)
    press(page, "u")
    wait_for_question(page, 1)
    assert page.input_value("#reason") == "first"
    press(page, "u")
    wait_for_words(page, "There is nothing to undo.")
    press(page, "y")
    wait_for_question(page, 2)
    press(page, "y")
    wait_for_question(page, 3)
    press(page, "y")
    wait_for_words(page, "Flagged again.")
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "2"
    judgements = server.read_judgements()
    latest = {row["question"][:10]: (row["status"], row["reason"]) for row in judgements}
    assert latest == {"Question 1": ("submitted", "first"), "Question 2": ("skipped", "wrong language")}
    assert len(judgements) == 6  # two done, two taken back, two done again: nothing was ever deleted


def test_typing_reaches_neither_our_keys_nor_streamlits(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    words = "r c recur s f u y ? d m 1234"
    type_reason(page, words)
    page.wait_for_timeout(500)
    assert page.input_value("#reason") == words
    assert page.locator("[role=dialog]:visible").count() == 0
    assert page.locator(".option[aria-checked=true]").count() == 0
    # Out of the text a key is a key again.
    press(page, "Escape ?")
    page.wait_for_selector(".overlay:not([hidden])")
    assert "submit and next" in page.locator(".keys").inner_text()
    press(page, "Escape")
    assert page.locator(".overlay").is_hidden()


def test_a_ranking_with_a_gap_is_told_in_place_and_chips_can_be_dragged(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(kind="mixed")
    page = open_page(server)
    for kind in ("screen", "rate"):
        wait_for_kind(page, kind)
        press(page, "s")
        page.keyboard.type("later")
        press(page, "Enter")
    wait_for_kind(page, "rank")
    press(page, "1 2")
    submit(page)
    wait_for_words(page, '"Answer C" has no answer yet.')
    press(page, "ArrowUp ArrowUp 3 3 3")
    submit(page)
    wait_for_words(page, "Nobody has place 1. Close the gap")
    chip = page.locator(".chip", has_text="B").bounding_box()
    first = page.locator(".rung[data-place='0']").bounding_box()
    page.mouse.move(chip["x"] + 5, chip["y"] + 5)
    page.mouse.down()
    page.mouse.move(first["x"] + 20, first["y"] + 20, steps=4)
    page.mouse.up()
    assert page.locator(".rung[data-place='0'] .chip").all_inner_texts() == ["B"]
    page.evaluate("document.activeElement?.blur()")
    submit(page)
    wait_for_words(page, "Nobody has place 2. Close the gap")
    assert [row["status"] for row in server.read_judgements()] == ["skipped", "skipped"]


def test_an_empty_answer_and_a_correction_that_changes_nothing_are_told_in_place(
    serve_pages: Any, open_page: Any
) -> None:
    server = serve_pages(kind="edit", count=1)
    page = open_page(server)
    wait_for_question(page, 1)
    submit(page)
    wait_for_words(page, "Nothing is changed yet.")
    page.fill("#answer", "  ")
    submit(page)
    wait_for_words(page, "Write the text first, or skip the task.")
    page.fill("#answer", "Look two doors down first (1).")
    page.wait_for_selector(".changes ins >> text=two")
    submit(page)
    wait_for_words(page, "Nothing waits for you here")
    assert [row["value"] for row in server.read_judgements()] == [{"text": "Look two doors down first (1)."}]


def test_a_cut_wire_loses_no_text_and_records_once(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    proxy = CuttingProxy(server.port)
    try:
        page = open_page(server, url=f"http://127.0.0.1:{proxy.port}")
        wait_for_question(page, 1)
        press(page, "2")
        type_reason(page, "before the cut")
        proxy.cut()
        # Streamlit's own message takes the focus when it notices; what is typed until then is kept.
        page.keyboard.type(", during it")
        submit(page)
        page.wait_for_selector("text=Connection error")
        proxy.mend()
        page.wait_for_selector("text=Connection error", state="detached")
        page.wait_for_selector(READY)
        if show_question(page).startswith("Question 1"):
            assert page.input_value("#reason") == "before the cut, during it"
            submit(page)
        wait_for_question(page, 2)
        assert [row["reason"] for row in server.read_judgements()] == ["before the cut, during it"]
    finally:
        proxy.close()


def test_ten_double_clicks_record_ten_judgements(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=11)
    page = open_page(server)
    for number in range(1, 11):
        wait_for_question(page, number)
        press(page, "3")
        page.locator(".go").dblclick()
    wait_for_question(page, 11)
    page.wait_for_timeout(500)
    assert [row["question"].split(":")[0] for row in server.read_judgements()] == [
        f"Question {n}" for n in range(1, 11)
    ]


def test_a_rubric_that_changes_under_an_open_task_is_told_and_the_words_are_kept(
    serve_pages: Any, open_page: Any
) -> None:
    server = serve_pages(kind="rate", count=1)
    page = open_page(server)
    wait_for_question(page, 1)
    page.keyboard.type("32101")
    type_reason(page, "before the change")
    rubrics = server.workspace / "prompts" / "rubrics"
    rubrics.mkdir(parents=True)
    (rubrics / "helpfulness.toml").write_text(
        'kind = "rate"\n[[questions]]\nname = "helpfulness"\nlabel = "Helpfulness"\noptions = ["no", "some", "yes"]\n'
        '[[questions]]\nname = "safety"\nlabel = "Safety"\noptions = ["unsafe", "safe"]\n'
    )
    submit(page)
    wait_for_words(page, "the questions have changed since this task was opened")
    page.wait_for_selector("text=Safety")
    page.wait_for_selector(READY)
    assert page.input_value("#reason") == "before the change"
    page.evaluate("document.activeElement?.blur()")
    press(page, "Tab Shift+Tab")
    page.locator(".row").first.focus()
    page.keyboard.type("21")
    page.wait_for_timeout(DWELL_MS)
    submit(page)
    wait_for_words(page, "Nothing waits for you here")
    (found,) = server.read_judgements()
    assert (found["value"], found["reason"]) == ({"helpfulness": 2, "safety": 1}, "before the change")


def test_a_lease_that_ran_out_hands_the_text_back(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2, overlap=1, lease_seconds=1)
    slow = open_page(server, "ana")
    wait_for_question(slow, 1)
    press(slow, "2")
    type_reason(slow, "thought about for long")
    slow.wait_for_timeout(1200)
    quick = open_page(server, "ben")
    wait_for_question(quick, 1)
    slow.bring_to_front()
    submit(slow)
    slow.wait_for_selector(".handed-back:not([hidden])")
    assert "thought about for long" in slow.locator(".handed-back").inner_text()
    assert server.read_judgements() == []


def test_a_screen_that_ran_out_hands_back_every_word_and_one_correction_is_recorded(
    serve_pages: Any, open_page: Any
) -> None:
    server = serve_pages(kind="mixed", overlap=1, lease_seconds=2)
    slow = open_page(server, "ana")
    wait_for_kind(slow, "screen")
    press(slow, "2 3 4 4 1 0 2 e")
    slow.keyboard.type(" Corrected A.")
    press(slow, "Escape e")
    slow.keyboard.type(" Corrected B.")
    submit(slow)
    wait_for_words(slow, "Several answers are corrected")
    slow.get_by_text("as it was").click()
    press(slow, "Escape t")
    slow.keyboard.type("why it is so")
    slow.wait_for_timeout(2100)
    quick = open_page(server, "ben")
    wait_for_kind(quick, "screen")
    slow.bring_to_front()
    submit(slow)
    slow.wait_for_selector(".handed-back:not([hidden])")
    handed_back = slow.locator(".handed-back").inner_text()
    assert "Corrected A." in handed_back and "why it is so" in handed_back and "Corrected B." not in handed_back
    assert server.read_judgements() == []


def test_a_revoked_person_is_told_and_finds_their_text_when_they_are_back(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    open_page(server, "lena")  # the first who signs in is lead
    page = open_page(server, "ana")
    wait_for_question(page, 1)
    press(page, "2")
    type_reason(page, "half a thought")
    page.wait_for_selector("text=/Draft kept ·/")
    call_verb(server.workspace, "people", {"name": "ana", "access": "revoke"})
    submit(page)
    page.wait_for_selector("text=taken away")
    call_verb(server.workspace, "people", {"name": "ana", "access": "restore"})
    page.goto(f"{server.url}/login?next=annotate")
    page.fill("#name", "ana")
    page.keyboard.press("Enter")
    page.wait_for_selector(READY)
    assert page.input_value("#reason") == "half a thought"
    assert server.read_judgements() == []


def test_nothing_on_the_wire_tells_who_wrote_an_answer_or_which_comes_first(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=2)
    sent: list[bytes] = []

    def keep(payload: Any) -> None:
        sent.append(payload if isinstance(payload, bytes) else str(payload).encode())

    page = open_page(
        server,
        watch=lambda page: (
            page.on("websocket", lambda socket: socket.on("framereceived", keep)),
            page.on("response", lambda answer: keep(answer.body()) if "/api/" in answer.url else None),
        ),
    )
    wait_for_question(page, 1)
    press(page, "2 d")
    submit(page)
    wait_for_question(page, 2)
    everything = b"".join(sent) + page.content().encode()
    assert b"Question 2" in everything, "the frames of the page were not seen, so this test would prove nothing"
    server.stop()
    store = open_store(server.workspace)
    secrets = [*server.hidden_names, *(row[0] for row in store.read("SELECT id FROM candidates"))]
    store.close()
    assert [secret for secret in secrets if secret.encode() in everything] == []


def test_the_rendered_view_shows_markdown_and_fetches_nothing(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=1)
    page = open_page(server)
    wait_for_question(page, 1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    press(page, "2 m")
    page.wait_for_selector(".st-key-sides strong >> text=wait")
    page.wait_for_timeout(300)
    assert page.locator(".st-key-sides img").count() == 0
    assert [url for url in asked if not url.startswith(server.url)] == []
    assert page.locator(".option[aria-checked=true]").get_attribute("data-value") == "-2"  # nothing was lost by it
    press(page, "m")
    page.wait_for_selector(".st-key-sides >> text=**wait**")


def test_the_clause_that_changed_since_the_last_visit_is_marked(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=1)
    first = open_page(server)
    assert first.locator(".st-key-changed").count() == 0
    guidelines = server.workspace / "prompts" / "guidelines"
    guidelines.mkdir(parents=True)
    (guidelines / "helpfulness.md").write_text("# What counts\n\n- An answer without a next step gets at most 2.\n")
    again = open_page(server)
    again.wait_for_selector(".st-key-changed >> text=An answer without a next step gets at most 2.")
    assert "Changed since your last visit" in again.locator(".st-key-changed").inner_text()


def test_the_history_is_filtered_and_an_entry_is_opened_again_by_key(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(count=3)
    page = open_page(server)
    for number, (key, words) in enumerate([("2", "tidy"), ("6", "untidy")], 1):
        wait_for_question(page, number)
        press(page, key)
        type_reason(page, words)
        submit(page)
    wait_for_question(page, 3)
    press(page, "h")
    page.wait_for_selector("text=My history")
    page.wait_for_selector(".st-key-card_entry_1")
    assert "A better" in page.locator(".st-key-card_entry_1").inner_text()
    assert "B better" in page.locator(".st-key-card_entry_0").inner_text()
    page.get_by_role("button", name="Open again").nth(1).wait_for()
    page.wait_for_timeout(300)  # Streamlit listens for a button's key a moment after it has drawn the button
    page.keyboard.press("2")
    wait_for_question(page, 1)
    wait_for_words(page, "Reopened.")
    assert page.input_value("#reason") == "tidy"
    press(page, "3")
    submit(page)
    wait_for_question(page, 3)
    statuses = [(row["question"][:10], row["status"]) for row in server.read_judgements()]
    assert statuses[2:] == [("Question 1", "retracted"), ("Question 1", "submitted")]


def _suggest(store: Store) -> None:
    (task_id, *_) = store.read("SELECT id FROM tasks ORDER BY position LIMIT 1")[0]
    value = {"helpfulness": 3, "correctness": 2, "coherence": 4, "complexity": 1, "verbosity": 2}
    suggesting.add_suggestions(
        store, "Help desk", [{"task_id": task_id, "value": value, "score": 0.91}], "judge-model", "lena"
    )


def test_a_suggestion_is_shown_with_its_score_and_its_acceptance_kept(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(kind="rate", count=2, prepare=_suggest, rules=QueueRules(suggestions=True))
    page = open_page(server)
    wait_for_question(page, 1)
    shown = page.locator(".suggestion").inner_text()
    assert "score 0.91" in shown and "Helpfulness: mostly" in shown and "judge-model" not in page.content()
    assert page.locator(".option[aria-checked=true]").count() == 0  # a suggestion is never an answer by itself
    press(page, "a")
    submit(page)
    wait_for_question(page, 2)
    assert page.locator(".suggestion").is_hidden()
    (found,) = server.read_judgements()
    assert found["value"]["helpfulness"] == 3
    assert json.loads(found["detail"])["suggestion"]["is_accepted"] is True


def _know_the_first(store: Store) -> None:
    (task_id, *_) = store.read("SELECT id FROM tasks ORDER BY position LIMIT 1")[0]
    gold.set_gold(store, "Help desk", task_id, {"verdict": "a", "strength": -2}, "North is right.", "lena")


def test_after_a_known_answer_the_annotator_hears_whether_it_was_found(serve_pages: Any, open_page: Any) -> None:
    rules = QueueRules(calibration_tasks=1, gold_feedback=True)
    server = serve_pages(count=3, prepare=_know_the_first, rules=rules)
    page = open_page(server)
    wait_for_question(page, 1)
    wait_for_words(page, "calibration round")
    press(page, "4")  # a tie, which is wrong whichever side stands left
    submit(page)
    wait_for_question(page, 2)
    assert "was known, and yours differs. North is right." in page.locator(".form").inner_text()
    assert page.locator("text=calibration round").count() == 0


def test_the_clock_rests_when_nobody_moves_and_a_break_is_proposed_after_long_work(
    serve_pages: Any, open_page: Any
) -> None:
    server = serve_pages(count=2)
    page = open_page(server)
    wait_for_question(page, 1)
    page.evaluate("""() => {
      const long = Date.now() - 51 * 60000;
      sessionStorage.setItem("pitchpipe:work:ana", JSON.stringify({ since: long, last: Date.now() }));
    }""")
    page.wait_for_selector(".break:not([hidden])")
    assert "51 minutes without a break" in page.locator(".break").inner_text()
    press(page, "Escape")
    assert page.locator(".break").is_hidden()
    # Two minutes in which nothing happened: the clock shows that it rests, and the time is not counted.
    page.evaluate("() => { const now = performance.now.bind(performance); performance.now = () => now() + 120000; }")
    page.wait_for_selector("text=/ s, paused/")
    press(page, "2")
    submit(page)
    wait_for_question(page, 2)
    (found,) = server.read_judgements()
    assert 0 < found["seconds"] < 60


def test_every_control_has_a_name_and_a_visible_focus(serve_pages: Any, open_page: Any) -> None:
    server = serve_pages(kind="mixed")
    page = open_page(server)
    wait_for_kind(page, "screen")
    unnamed = page.evaluate(_FIND_UNNAMED)
    assert unnamed == []
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(_DESCRIBE_FOCUS))
    assert [stop["name"] for stop in reached if not stop["isSeen"]] == []
    assert {"go", "skip", "flag", "undo", "help"} <= {stop["name"] for stop in reached}


def test_the_look_of_long_texts_is_changed_by_key_and_kept(serve_pages: Any, open_page: Callable[..., Any]) -> None:
    server = serve_pages(count=1)
    page = open_page(server)
    wait_for_question(page, 1)
    left, right = (page.locator(f".st-key-card_answer_{place}").bounding_box() for place in (0, 1))
    assert left["y"] == right["y"]
    press(page, "v")
    left, right = (page.locator(f".st-key-card_answer_{place}").bounding_box() for place in (0, 1))
    assert right["y"] > left["y"] + left["height"] - 1
    page.reload()
    wait_for_question(page, 1)
    assert page.evaluate("document.documentElement.hasAttribute('data-pp-stacked')")
    assert show_question(page).startswith("Question 1")
