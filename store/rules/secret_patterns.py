"""How keys, tokens and passwords look. Our own list after the documented formats of their makers.

The package detect-secrets was looked at and left out: it reads files and lines under settings that are global to the
process, and asks for `requests`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterator

Found = tuple[int, int, str]
"""Start, end and kind."""

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_/+-]) (?:
        (?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}                                  # AWS access key
      | gh[pousr]_[A-Za-z0-9]{36,251} | github_pat_[A-Za-z0-9_]{60,90}       # GitHub
      | glpat-[A-Za-z0-9_-]{20,}                                             # GitLab
      | xox[abeoprs]-(?:[A-Za-z0-9]{8,}-){1,4}[A-Za-z0-9]{8,} | xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}   # Slack
      | sk-(?:proj-|svcacct-|admin-|ant-(?:api|admin)\d\d-|or-v1-)?[A-Za-z0-9_-]{32,200}    # OpenAI, Anthropic, others
      | AIza[A-Za-z0-9_-]{35} | ya29\.[A-Za-z0-9_-]{30,}                     # Google
      | (?:sk|rk)_live_[A-Za-z0-9]{20,} | whsec_[A-Za-z0-9+/]{30,}           # Stripe
      | hf_[A-Za-z]{30,40} | npm_[A-Za-z0-9]{36} | pypi-AgE[A-Za-z0-9_-]{50,}
      | SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43} | dop_v1_[a-f0-9]{64} | \d{8,10}:AA[A-Za-z0-9_-]{33}
    ) (?![A-Za-z0-9_-])""",
    re.VERBOSE,
)
_TOKEN_HINTS = ("AKIA", "ASIA", "ABIA", "ACCA", "gh", "glpat-", "xox", "xapp-", "sk-", "AIza", "ya29", "_live_",
                "whsec_", "hf_", "npm_", "pypi-", "SG.", "dop_v1_", ":AA")  # fmt: skip
_WEBHOOK = re.compile(r"https://hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{20,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")
_URL_PASSWORD = re.compile(r"\b[a-z][a-z0-9+.-]{2,20}://[^\s:/@'\"]{1,64}:([^\s/@'\"<>{}$*]{6,})@[\w.-]+")
_NAMED = re.compile(
    r"""(?ix)
    (?: pass(?:word|wd|phrase)? | pwd | secret(?:[_-]?(?:access)?[_-]?key)? | private[_-]?key | token
      | (?:auth|access|api|bearer|refresh)[_-]?(?:token|key) | api[_-]?secret | client[_-]?secret )
    ["']? \s* (?: [:=]=? | \bis\b:? ) \s* (["'`]?) ([^\s"'`,;<>(){}\[\]]{8,200}) (\1)"""
)
_NO_SECRET = re.compile(
    r"(?i)your|example|sample|change|dummy|placeholder|xxx|\*\*\*|\.\.\.|redacted|secret|passw|token|test|12345|abcdef|qwerty"
    r"|environ|getenv|process\.|config|self\.|this\.|none$|null$|true$|false$|^\$|^%|^https?:|^/|^\w+\.\w+(?:\.\w+)*$"
)
_LEAST_ENTROPY = 3.0
"""Bits a character, of a string that people did not choose as a word."""


def find_secrets(text: str) -> Iterator[Found]:
    """Private keys, tokens of well-known makers, signed tokens, passwords in addresses and after their names.

    >>> list(find_secrets("AWS_KEY=AKIA" + "Q7WXN3J5RTZ2LMPD"))
    [(8, 28, 'token')]
    """
    if "PRIVATE KEY" in text:
        yield from ((*found.span(), "private_key") for found in _PRIVATE_KEY.finditer(text))
    if any(hint in text for hint in _TOKEN_HINTS):
        for found in _TOKEN.finditer(text):
            # A word with hyphens, such as the name of a class in a style sheet, is no token.
            if any(c.isdigit() or c.isupper() for c in found[0][4:]) and measure_entropy(found[0]) >= _LEAST_ENTROPY:
                yield (*found.span(), "token")
    if "hooks.slack.com" in text:
        yield from ((*found.span(), "token") for found in _WEBHOOK.finditer(text))
    if "eyJ" in text:
        yield from ((*found.span(), "token") for found in _JWT.finditer(text) if _is_signed_token(found[0]))
    if "://" in text:
        for found in _URL_PASSWORD.finditer(text):
            if not _NO_SECRET.search(found[1]):
                yield (*found.span(1), "password")
    small = text.lower()
    if any(name in small for name in ("pass", "pwd", "secret", "token", "key")):
        yield from _find_named(text)


def _find_named(text: str) -> Iterator[Found]:
    for found in _NAMED.finditer(text):
        value = found[2].rstrip(".!?:")
        is_mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if is_mixed and not _NO_SECRET.search(value) and measure_entropy(value) >= _LEAST_ENTROPY:
            yield found.start(2), found.start(2) + len(value), "password"


def _is_signed_token(text: str) -> bool:
    """True where the first part is the header of a JSON web token (RFC 7519)."""
    head = text.split(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(header, dict) and "alg" in header


def measure_entropy(text: str) -> float:
    """Shannon's entropy in bits a character.

    >>> measure_entropy("abab"), measure_entropy("abcdefgh")
    (1.0, 3.0)
    """
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
