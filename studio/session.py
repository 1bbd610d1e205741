"""The one store of the studio process, and who is looking at the page.

The server's lifespan opens the store and hands it over with `set_store`; where no server did (a page run by a test),
the first call opens it from the environment. The browser's cookie holds a random session id only, and Streamlit keeps
the cookies with which a page connected, so the id is checked in the store at every run of a page: a tab that was open
before a sign-out elsewhere must not go on under the old name.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import streamlit as st

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import StoreError
from pitchpipe.store.team import people

COOKIE_NAME = "pitchpipe_session"
WORKSPACE_VARIABLE = "PITCHPIPE_WORKSPACE"

_lock = threading.Lock()
_store: Store | None = None


def set_store(store: Store | None) -> None:
    """Makes `store` the one that pages and routes use; None when the server has closed it."""
    global _store
    with _lock:
        _store = store


def current_store() -> Store:
    """The store of this process.

    Raises:
        StoreError: no server set one and the environment names no workspace.
    """
    global _store
    with _lock:
        if _store is None:
            workspace = os.environ.get(WORKSPACE_VARIABLE)
            if not workspace:
                raise StoreError(
                    "The page was started without a store.",
                    f"Start the studio with `pitchpipe up`, or name a workspace in {WORKSPACE_VARIABLE}.",
                )
            _store = open_store(Path(workspace))
        return _store


def read_session_id() -> str | None:
    """The session id that the browser sent when this page connected, or None."""
    value = st.context.cookies.get(COOKIE_NAME)
    return str(value) if value else None


def current_annotator(store: Store) -> str | None:
    """The name behind the browser's session, asked of the store anew each time; None when signed out."""
    return people.find_annotator(store, read_session_id())
