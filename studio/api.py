"""The API under /api/v1: one POST route a verb, with the verb's own parameters. Needs the token of `studio.json`.

It exists for the command line and for scripts on the same machine: requests from other sites' pages (by their Origin)
and for other host names are refused. Its documentation page at /api/docs works offline.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast, get_type_hints

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, create_model

from pitchpipe.prompts.library import PromptError
from pitchpipe.store.errors import NotFoundError, PitchpipeError, UsageError
from pitchpipe.store.opening import explain_error
from pitchpipe.studio.gateway import list_verbs
from pitchpipe.studio.session import current_store

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_STATUS = {UsageError: 422, NotFoundError: 404}
_bearer = HTTPBearer(auto_error=False)


def build_api(token: str) -> FastAPI:
    """The API application; every route asks for `token`."""
    # The plain class would load its documentation page's script from a public server; this one carries it.
    api: FastAPI = FastAPIOffline(title="Pitchpipe", version="1", docs_url="/docs", redoc_url=None)

    def check_token(given: HTTPAuthorizationCredentials | None = Depends(_bearer)) -> None:  # noqa: B008
        if given is None or not secrets.compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(401, "The token of this studio is missing or wrong; it stands in studio.json.")

    for name, function in list_verbs().items():
        api.add_api_route(
            f"/v1/{name}",
            _make_route(name, function),
            methods=["POST"],
            name=name,
            description=inspect.getdoc(function),
            dependencies=[Depends(check_token)],
        )
    api.middleware("http")(_refuse_strangers)
    for kind in (PitchpipeError, PromptError, OSError):
        api.add_exception_handler(kind, _tell_error)
    return api


def _make_route(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    hints = get_type_hints(function)
    fields: dict[str, Any] = {
        parameter.name: (
            hints[parameter.name],
            ... if parameter.default is inspect.Parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("store", "on_progress")
    }
    values_type: type[BaseModel] = create_model(f"{name}_values", __config__={"extra": "forbid"}, **fields)

    # A plain function: FastAPI runs it on a thread of its own, so a long import does not stop the pages.
    def run_verb(values: Any) -> Any:
        return function(current_store(), **values.model_dump())

    run_verb.__annotations__ = {"values": values_type, "return": Any}
    return run_verb


async def _refuse_strangers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if host.rsplit(":", 1)[0] not in _LOCAL_HOSTS or (origin and origin.partition("://")[2] != host):
        return JSONResponse(
            {"error": {"happened": "This API answers local programs only.", "advice": "Use the pages."}}, 403
        )
    return await call_next(request)


def _tell_error(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OSError):
        return _tell_error(_request, cast(PitchpipeError, explain_error(error)))
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    happened, advice = error.args[0].split("\n", 1)
    return JSONResponse(
        {"error": {"type": type(error).__name__, "happened": happened, "advice": advice}}, status_code=status
    )
