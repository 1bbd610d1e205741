"""The studio's server: one process that owns the store and serves pages and API on one local port."""

from __future__ import annotations

import gc
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit
import uvicorn
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from pitchpipe.store.database import open_store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.studio import drafts, sign_in
from pitchpipe.studio.api import build_api
from pitchpipe.studio.gateway import STUDIO_FILE, find_postgres
from pitchpipe.studio.session import set_store

_APP = Path(__file__).parent / "app.py"


def serve(
    workspace: Path, host: str = "127.0.0.1", port: int = 8501, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serves the studio until it is stopped; `on_ready` hears its address once nothing stands in the way.

    Raises:
        PitchpipeError: the port is taken. StoreLockedError: another process owns the store.
    """
    _check_port(host, port)
    # Opened once here so that a lock or a damaged store is told as an error of the command, not as a server's trace.
    open_store(workspace, find_postgres()).close()
    url = f"http://{host}:{port}"
    if on_ready is not None:
        on_ready(url)
    uvicorn.run(build_app(workspace, url), host=host, port=port, log_level="warning", access_log=False)


def build_app(workspace: Path, url: str) -> streamlit.App:
    """The application: pages, sign-in, drafts and API over the store of a workspace."""
    token = secrets.token_urlsafe(32)

    @asynccontextmanager
    async def hold_store(_app: Any) -> AsyncIterator[None]:
        store = open_store(workspace, find_postgres())
        set_store(store)
        spare_collections()
        _write_studio_file(workspace, {"url": url, "pid": os.getpid(), "token": token})
        try:
            yield
        finally:
            (workspace / STUDIO_FILE).unlink(missing_ok=True)
            set_store(None)
            store.close()

    # Streamlit knows its first page by no other address than the bare one.
    home = Route("/home", lambda _: RedirectResponse("/"))
    routes = [home, *sign_in.routes, *drafts.routes, Mount("/api", build_api(token))]
    return streamlit.App(_APP, lifespan=hold_store, routes=routes)


def spare_collections() -> None:
    """Takes what is loaded now out of the garbage collector's sight.

    Streamlit collects all garbage after every run of a page. With some half a million objects of loaded packages that
    took 113 ms of processor time each, more than drawing the page; frozen, a collection looks at what is new only.
    """
    # The pages load their packages on first use, which would come too late.
    from pitchpipe.studio.app_pages import annotate, history, home, people, review  # noqa: F401
    from pitchpipe.studio.app_pages.rounds import page  # noqa: F401

    gc.collect()
    gc.freeze()


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PitchpipeError(
                f"The port {port} on {host} cannot be used: {error.strerror}.",
                "Stop what listens there, or choose another: pitchpipe up --port 8502.",
            ) from error


def _write_studio_file(workspace: Path, content: dict[str, Any]) -> None:
    path = workspace / STUDIO_FILE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
