"""Keeps what an annotator is typing: one route that the answer form calls shortly after the last key.

A plain request instead of a widget's value, because it causes no rerun of the page. It carries the browser's session
cookie, names the task and the lease, and is taken from our own page only.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pitchpipe.store.errors import PitchpipeError, UsageError
from pitchpipe.store.judging import annotating
from pitchpipe.store.team import people
from pitchpipe.studio.session import COOKIE_NAME, current_store
from pitchpipe.studio.sign_in import is_own_origin, read_body

_LARGEST_DRAFT_BYTES = 4 << 20


async def _save_draft(request: Request) -> Response:
    """200 when kept, 409 when the lease is gone, 401 when signed out, 400 or 413 when malformed."""
    if not is_own_origin(request) or not request.headers.get("content-type", "").startswith("application/json"):
        return _answer(403, "The draft did not come from a page of this studio.", "Open the studio's own address.")
    store = current_store()
    annotator = await run_in_threadpool(people.find_annotator, store, request.cookies.get(COOKIE_NAME))
    if annotator is None:
        return _answer(401, "You are signed out.", "Sign in again; the text is still in the browser.")
    payload = await read_body(request, _LARGEST_DRAFT_BYTES)
    if payload is None:
        return _answer(413, "The draft is larger than 4 MiB.", "Shorten it; it is still in the browser.")
    try:
        task_id, token, body = _parse(payload)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return _answer(400, f"The draft cannot be read: {error}.", 'Send {"task_id", "token", "body": {...}}.')
    try:
        is_saved = await run_in_threadpool(annotating.save_draft, store, task_id, annotator, token, body)
    except UsageError as error:
        return _answer(413, error.happened, error.advice)
    except PitchpipeError as error:
        return _answer(503, error.happened, error.advice)
    if not is_saved:
        return _answer(409, "The task is no longer yours.", "Copy the text if you need it, then reload the page.")
    return JSONResponse({"saved": True})


def _parse(payload: bytes) -> tuple[str, str, dict[str, Any]]:
    """The task, the lease token and the draft of a request body.

    >>> _parse(b'{"task_id": "task_1", "token": "t", "body": {"reason": "clear"}}')
    ('task_1', 't', {'reason': 'clear'})
    """
    document = json.loads(payload)
    body = document["body"]
    if not isinstance(body, dict):
        raise TypeError("body is not an object")
    # A lone surrogate is legal JSON but no text that a database could hold.
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return str(document["task_id"]), str(document["token"]), body


def _answer(status_code: int, happened: str, advice: str) -> JSONResponse:
    return JSONResponse({"saved": False, "happened": happened, "advice": advice}, status_code=status_code)


routes: list[Route] = [Route("/api/v1/drafts", _save_draft, methods=["POST"])]
