"""The loop as a picture: a fixed drawing whose numbers are set as text (a component, since `st.html` takes no SVG)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import streamlit as st


def _read_text(name: str) -> str:
    return (files("pitchpipe.studio.app_pages.loop_picture") / name).read_text(encoding="utf-8")


_mount: Callable[..., Any] = st.components.v2.component(
    "pitchpipe.loop_picture", html=_read_text("loop.svg"), css=_read_text("loop.css"), js=_read_text("loop.js")
)


def show_loop(stations: dict[str, str]) -> None:
    """Draws the loop. `stations` gives the line under each station by its name, and `here` the one to mark."""
    _mount(key="loop_picture", data=stations)
