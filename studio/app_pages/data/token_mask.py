"""The tokens of a row, coloured by what they are for. A component that sets text, so that no token is ever markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import streamlit as st


def _read_text(name: str) -> str:
    return (files("pitchpipe.studio.app_pages.data") / name).read_text(encoding="utf-8")


_mount: Callable[..., Any] = st.components.v2.component(
    "pitchpipe.token_mask",
    html='<p class="legend"></p><div class="tokens"></div>',
    css=_read_text("token_mask.css"),
    js=_read_text("token_mask.js"),
)


def show_tokens(tokens: Sequence[Sequence[Any]], key: str) -> None:
    """Shows tokens, each `[text, id, use]` with the use `context`, `loss` or `cut`."""
    _mount(key=key, data={"tokens": [list(token) for token in tokens]})
