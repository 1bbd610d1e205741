"""Serves the pages over a workspace on a port, as the studio's server does, and nothing else: `serve.py FOLDER PORT`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import uvicorn
from streamlit.starlette import App

from pitchpipe.store.database import open_store
from pitchpipe.studio import drafts, session, sign_in


def build_app(workspace: Path) -> App:
    @contextlib.asynccontextmanager
    async def hold_store(_app: App) -> AsyncIterator[None]:
        store = open_store(workspace)
        session.set_store(store)
        yield
        session.set_store(None)
        store.close()

    script = Path(str(files("pitchpipe.studio") / "app.py"))
    return App(script, lifespan=hold_store, routes=[*sign_in.routes, *drafts.routes])


if __name__ == "__main__":
    uvicorn.run(build_app(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
