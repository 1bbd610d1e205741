"""The routes beside the pages: signing in on this machine only, and keeping drafts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pitchpipe.store.database import Store
from pitchpipe.store.queue import queueing
from pitchpipe.store.team import people
from pitchpipe.studio import drafts, session, sign_in

URL = "http://127.0.0.1:8501"
HERE = {"Origin": URL}


@pytest.fixture
def desk(fill_workspace: Callable[..., Store], tmp_path: Path) -> Iterator[Store]:
    store = fill_workspace(tmp_path / "workspace", count=2)
    session.set_store(store)
    yield store
    session.set_store(None)
    store.close()


def browse(url: str = URL, address: str = "127.0.0.1") -> TestClient:
    app = Starlette(routes=[*sign_in.routes, *drafts.routes])
    return TestClient(app, base_url=url, client=(address, 50000), follow_redirects=False)


def sign_in_as(browser: TestClient, name: str) -> Any:
    return browser.post("/login", data={"name": name, "next": "annotate"}, headers=HERE)


def test_signing_in_sets_a_cookie_that_only_the_store_can_read(desk: Store) -> None:
    browser = browse()
    answer = sign_in_as(browser, "Ana María")
    assert (answer.status_code, answer.headers["location"]) == (303, "/annotate")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Ana" not in cookie
    assert people.find_annotator(desk, browser.cookies[session.COOKIE_NAME]) == "Ana María"


def test_signing_out_ends_the_session_for_every_page(desk: Store) -> None:
    browser = browse()
    sign_in_as(browser, "ana")
    session_id = browser.cookies[session.COOKIE_NAME]
    assert browser.get("/logout").status_code == 200
    assert people.find_annotator(desk, session_id) == "ana", "a link on a foreign page must only get the question"
    browser.post("/logout", headers=HERE)
    assert people.find_annotator(desk, session_id) is None


@pytest.mark.parametrize(
    ("url", "address", "origin"),
    [
        (URL, "192.168.1.20", URL),
        ("http://rebound.example:8501", "127.0.0.1", "http://rebound.example:8501"),
        (URL, "127.0.0.1", "http://evil.example"),
        (URL, "127.0.0.1", "null"),
    ],
    ids=["another machine", "a foreign name for this machine", "a form on a foreign page", "a sandboxed page"],
)
def test_a_name_is_taken_from_this_machine_and_our_own_form_only(
    desk: Store, url: str, address: str, origin: str
) -> None:
    answer = browse(url, address).post("/login", data={"name": "mallory"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert desk.read("SELECT count(*) FROM sessions") == [(0,)]


def test_a_name_that_cannot_be_used_is_shown_again_as_text(desk: Store) -> None:
    answer = sign_in_as(browse(), "<script>alert(1)</script>" * 4)
    assert answer.status_code == 422
    assert "<script>alert(1)" not in answer.text
    assert "Use 1 to 60 printable characters." in answer.text


def test_the_way_back_is_one_of_our_pages(desk: Store) -> None:
    answer = browse().post("/login", data={"name": "ana", "next": "//evil.example"}, headers=HERE)
    assert answer.headers["location"] == "/"


def test_a_draft_is_kept_under_its_lease_and_refused_without_it(desk: Store, project_name: str) -> None:
    browser = browse()
    sign_in_as(browser, "ana")
    task = queueing.claim_next_task(desk, project_name, "ana")
    assert task is not None
    draft = {"task_id": task.task_id, "token": task.token, "body": {"value": {}, "reason": "half a thought"}}
    assert browser.post("/api/v1/drafts", json=draft, headers=HERE).status_code == 200
    again = queueing.claim_next_task(desk, project_name, "ana")
    assert again is not None and again.draft == {"value": {}, "reason": "half a thought"}
    assert browser.post("/api/v1/drafts", json={**draft, "token": "older"}, headers=HERE).status_code == 409


@pytest.mark.parametrize(
    ("payload", "headers", "status"),
    [
        (b'{"task_id": "t", "token": "k", "body": {}}', {"Origin": "http://evil.example"}, 403),
        (b'{"task_id": "t", "token": "k", "body": {}}', {**HERE, "Content-Type": "text/plain"}, 403),
        (b'{"task_id": "t", "token"', HERE, 400),
        (b'{"task_id": "t", "token": "k", "body": "text"}', HERE, 400),
        (b'{"task_id": "t", "token": "k", "body": {"reason": "\\ud800"}}', HERE, 400),
        (b'{"task_id": "t", "token": "k", "body": {"seconds": NaN}}', HERE, 400),
        (b'{"task_id": "t", "token": "k", "body": ' + b'{"a":' * 100_000 + b"}" * 100_001, HERE, 400),
        (b'{"task_id": "t", "token": "k", "body": {"reason": "' + b"x" * 300_000 + b'"}}', HERE, 413),
        (b" " * (5 << 20), HERE, 413),
    ],
    ids=["foreign page", "form content", "torn", "no object", "half a character", "NaN", "deep", "long", "huge"],
)
def test_a_draft_that_is_not_in_order_is_refused(
    desk: Store, payload: bytes, headers: dict[str, str], status: int
) -> None:
    browser = browse()
    sign_in_as(browser, "ana")
    answer = browser.post("/api/v1/drafts", content=payload, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status
    assert answer.json()["saved"] is False


def test_a_draft_of_somebody_who_is_signed_out_is_not_even_read(desk: Store) -> None:
    answer = browse().post(
        "/api/v1/drafts", content=b" " * (5 << 20), headers={"Content-Type": "application/json", **HERE}
    )
    assert (answer.status_code, answer.json()["saved"]) == (401, False)


@pytest.mark.parametrize("host", ["[::1", "evil.example", "127.0.0.1.evil.example:8501"])
def test_an_address_that_is_not_this_machines_gets_no_form(desk: Store, host: str) -> None:
    assert browse().get("/login", headers={"Host": host}).status_code == 403
