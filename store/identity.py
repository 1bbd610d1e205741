"""Identity: canonical JSON, tagged content hashes, and ids that sort by time.

`canonical_json` is part of the contract: changing it changes every hash, so it never changes without a new tag.
Hashes carry their algorithm (`sha256:`) wherever they stand alone; ids derived from content are the first 26
characters of the hash behind a short prefix that names the kind of thing (`ex_`, `cand_`, `task_` …).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _CROCKFORD.encode())
# One encoder for all: `json.dumps` and `JSONEncoder.encode` make a new one at each call, which takes thrice as long as
# the encoding itself. In order: no check for circles, what is no JSON, strings as they are, no indent, both separators,
# keys sorted, none skipped, no NaN.
_encode = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", True, False, False
)
_lock = threading.Lock()
_last_stamp = 0


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN, characters as they are.

    >>> canonical_json({"b": 1, "a": "é"})
    '{"a":"é","b":1}'
    """
    return "".join(_encode(value, 0))


def hash_text(text: str) -> str:
    """The tagged SHA-256 of a text's UTF-8 bytes; lone surrogates are hashed as they stand.

    >>> hash_text("a")[:15]
    'sha256:ca978112'
    """
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hash_value(value: Any) -> str:
    """The tagged SHA-256 of a value's canonical JSON.

    >>> hash_value({"a": 1}) == hash_text('{"a":1}')
    True
    """
    return hash_text(canonical_json(value))


def hash_file(path: Path) -> str:
    """The tagged SHA-256 of a file's bytes, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()


def content_id(prefix: str, value: Any) -> str:
    """An id that the same content always gets: `prefix_` and 26 hexadecimal digits (104 bits).

    >>> content_id("ex", "a")
    'ex_ac8d8342bbb2362d13f0a559a3'
    """
    return f"{prefix}_{hash_value(value)[7:33]}"


def new_id(prefix: str = "") -> str:
    """A new id that sorts by time of making, also within one millisecond: 48 bits of time, 12 of order, 68 of chance.

    Within one process ids are strictly increasing, even when the clock steps back.
    """
    global _last_stamp
    with _lock:
        stamp = max(int(time.time() * 1000) << 12, _last_stamp + 1)
        _last_stamp = stamp
    number = (stamp << 70) | int.from_bytes(os.urandom(9), "big") >> 2
    # 130 bits are 26 digits of five; thirty more bits fill whole bytes, and their six digits are cut off.
    text = base64.b32encode((number << 30).to_bytes(20, "big")).translate(_DIGITS)[:26].decode()
    return f"{prefix}_{text}" if prefix else text


def continue_after(id: str) -> None:
    """Makes all ids from now on sort after `id`, one of ours without a prefix, even if the clock was set back since."""
    global _last_stamp
    number = 0
    for digit in id:
        number = number << 5 | _CROCKFORD.index(digit)
    with _lock:
        _last_stamp = max(_last_stamp, number >> 70)
