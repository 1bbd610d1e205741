"""Signing in by name, on this machine only: three routes that set and take away a random session id.

There are no passwords yet, so a name is served to nobody but the machine itself: the connection must come from
loopback and the address bar must say so too (a foreign name that resolves to 127.0.0.1 is refused). A POST must come
from our own page. The cookie is HttpOnly and SameSite=Lax and says nothing by itself; the store knows whose it is.
"""

from __future__ import annotations

import ipaddress
from html import escape
from string import Template
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pitchpipe.store.errors import UsageError
from pitchpipe.store.team import people
from pitchpipe.studio.session import COOKIE_NAME, current_store

_LARGEST_FORM_BYTES = 4096
_SESSION_SECONDS = 30 * 24 * 3600
_PAGES = ("", "annotate", "history", "review", "data", "people", "rounds")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_PAGE = Template("""<!doctype html><html lang="en"><meta charset="utf-8"><title>$title · Pitchpipe</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
:root{color-scheme:light dark}*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:15px/1.55 "Source Sans","Source Sans 3","Noto Sans",
system-ui,sans-serif;color:light-dark(#1d2430,#e6e9ed);background:light-dark(#fbfaf7,#14181d)}
main{width:min(360px,92vw);background:light-dark(#fff,#1b2026);border:1px solid light-dark(#e3e6ea,#303842);
border-radius:12px;padding:26px 28px 28px}.logo{font-weight:700;font-size:20px;letter-spacing:-.01em;margin:0 0 14px}
.logo i{color:light-dark(#0f766e,#5cc9bd);font-style:normal}p{margin:0 0 14px;color:light-dark(#5b6675,#9aa5b3)}
label{display:block;font-weight:600;margin-bottom:5px}input{width:100%;font:inherit;color:inherit;padding:9px 11px;
border:1px solid light-dark(#cfd4da,#3b4550);border-radius:10px;background:light-dark(#fff,#14181d)}
:focus-visible{outline:2px solid light-dark(#0f766e,#5cc9bd);outline-offset:1px}
button{width:100%;margin-top:14px;border:0;border-radius:10px;padding:10px;font:inherit;font-weight:600;
color:#fff;background:#0f766e;cursor:pointer}.wrong{color:light-dark(#b42318,#ff9d91);font-weight:600}
</style><main><h1 class="logo">pitch<i>pipe</i></h1>$body</main></html>""")
_FORM = Template("""$wrong<p>Your name goes with everything you judge. It stays on this machine.</p>
<form method="post" action="/login"><input type="hidden" name="next" value="$next"><label for="name">Name</label>
<input id="name" name="name" value="$name" maxlength="60" required autofocus autocomplete="username">
<button>Sign in</button></form>""")
_LEAVE_FORM = """<p>Sign out of the studio on this computer?</p>
<form method="post" action="/logout"><button>Sign out</button></form>"""
# Unsent text lies in this browser under the name of the one who typed it; on a shared computer it must not stay. The
# store holds a copy of the draft, so nothing is lost.
_GOODBYE = """<p>You are signed out. Texts kept in this browser were removed; drafts are safe in the store.</p>
<form action="/login"><button autofocus>Sign in again</button></form>
<script>for (const key of Object.keys(localStorage)) if (key.startsWith("pitchpipe:")) localStorage.removeItem(key);
</script>"""


def is_own_origin(request: Request) -> bool:
    """Whether a request that changes something was sent by a page of this very server."""
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] == request.headers.get("host")


def is_loopback(request: Request) -> bool:
    """Whether both ends of the connection are this machine, by address and by the name in the address bar."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:  # not an address at all
        return False
    client = request.client.host if request.client else ""
    return _is_loopback_name(host) and _is_loopback_name(client)


async def read_body(request: Request, most_bytes: int) -> bytes | None:
    """The body of a request, or None as soon as it is larger than `most_bytes`, whatever its headers say."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            return None
    return bytes(body)


async def _show_form(request: Request) -> Response:
    if not is_loopback(request):
        return _refuse()
    wanted = request.query_params.get("next", "")
    return _page("Sign in", _FORM.substitute(wrong="", next=wanted if wanted in _PAGES else "", name=""))


async def _sign_in(request: Request) -> Response:
    if not (is_loopback(request) and is_own_origin(request)):
        return _refuse()
    body = await read_body(request, _LARGEST_FORM_BYTES) or b""
    form = parse_qs(body.decode("utf-8", "replace"))
    name, wanted = form.get("name", [""])[0], form.get("next", [""])[0]
    wanted = wanted if wanted in _PAGES else ""
    try:
        session_id = await run_in_threadpool(people.sign_in, current_store(), name)
    except UsageError as error:
        wrong = f'<p class="wrong">{escape(error.happened)} {escape(error.advice)}</p>'
        return _page("Sign in", _FORM.substitute(wrong=wrong, next=wanted, name=escape(name)), 422)
    answer = RedirectResponse(f"/{wanted}", status_code=303)
    answer.set_cookie(
        COOKIE_NAME,
        session_id,
        max_age=_SESSION_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


async def _ask_to_leave(request: Request) -> Response:
    # Our own link signs out at once; a link on a foreign page only gets the question.
    if request.headers.get("sec-fetch-site") == "same-origin":
        return await _end_session(request)
    return _page("Sign out", _LEAVE_FORM)


async def _sign_out(request: Request) -> Response:
    if not is_own_origin(request):
        return _refuse()
    return await _end_session(request)


async def _end_session(request: Request) -> Response:
    session_id = request.cookies.get(COOKIE_NAME)
    if session_id:
        await run_in_threadpool(people.sign_out, current_store(), session_id)
    answer = _page("Signed out", _GOODBYE)
    answer.delete_cookie(COOKIE_NAME, httponly=True, samesite="lax")
    return answer


def _page(title: str, body: str, status_code: int = 200) -> HTMLResponse:
    return HTMLResponse(_PAGE.substitute(title=title, body=body), status_code=status_code, headers=_HEADERS)


def _refuse() -> HTMLResponse:
    body = (
        '<p class="wrong">Signing in by name works on this machine only, from the studio\'s own page.</p>'
        "<p>Open the studio at http://127.0.0.1 with the port it was started on.</p>"
    )
    return _page("Refused", body, 403)


def _is_loopback_name(name: str) -> bool:
    """Whether a host name or address can only mean this machine.

    >>> [_is_loopback_name(name) for name in ("localhost", "127.0.0.1", "::1", "10.0.0.7", "pitchpipe.example")]
    [True, True, True, False, False]
    """
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


routes: list[Route] = [
    Route("/login", _show_form, methods=["GET"]),
    Route("/login", _sign_in, methods=["POST"]),
    Route("/logout", _ask_to_leave, methods=["GET"]),
    Route("/logout", _sign_out, methods=["POST"]),
]
