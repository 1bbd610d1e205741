"""Stored text made fit to be seen: plain with its hidden characters visible, or as Markdown without images and traps.

The text in the store is never changed; this is about one look at it.
"""

from __future__ import annotations

import re

_SPLITTER = "\u200b"
"""A zero-width space: it breaks a piece of markup in prose and in code alike, and a reader does not see it."""
# Characters that turn the reading direction make a text look like another; control characters show as nothing at all.
_DECEIVING = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_IMAGE = re.compile(r"!(?=\[)")
_UNSAFE_LINK = re.compile(r"\](?=\((?!\s*<?https?://))|\](?=:)")
_AUTOLINK = re.compile(r"<(?=[a-zA-Z][a-zA-Z0-9+.-]*:)(?!https?:)")
# Streamlit reads :red[words], :material/name: and :smile: as its own.
_DIRECTIVE = re.compile(r":(?=[a-zA-Z_-]+[\[/:])")
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_PRICE = re.compile(r"\$(?=\d)")


def reveal_hidden(text: str) -> str:
    """The text with characters that deceive the eye written out.

    >>> reveal_hidden("abc\u202edef")
    'abc⟨U+202E⟩def'
    """
    return _DECEIVING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def make_safe_markdown(text: str) -> str:
    """Markdown that shows no image, links to http and https alone, and means nothing special to Streamlit.

    An image or an unsafe link is left as the words that it was written with. Raw HTML is shown as text by the page.

    >>> make_safe_markdown("![a](http://x) [b](javascript:c)").replace("\u200b", "|")
    '!|[a](http://x) [b]|(javascript:c)'
    """
    safe = reveal_hidden(text)
    safe = _IMAGE.sub(f"!{_SPLITTER}", safe)
    safe = _UNSAFE_LINK.sub(f"]{_SPLITTER}", safe)
    safe = _AUTOLINK.sub(f"<{_SPLITTER}", safe)
    safe = _DIRECTIVE.sub(f":{_SPLITTER}", safe)
    # In prose a dollar before a digit is a price, not the begin of a formula; in code it stays as it is.
    pieces = _CODE.split(safe)
    return "".join(piece if place % 2 else _PRICE.sub(r"\\$", piece) for place, piece in enumerate(pieces))
