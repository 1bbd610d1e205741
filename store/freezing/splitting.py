"""Which side of the seal a conversation lies on: the group it belongs to, and the salted hash of that group.

Two examples are of one group when their conversations begin with the same request (in normal form), or when a file says
that they are of one conversation tree. The first assignment of a group is stored and stands for good (`group_splits`);
a file may declare a side, which counts only for a group not yet assigned. Requests that nearly equal a sealed one are
found when a snapshot is made.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from pitchpipe.store.records import Message, Split

NORMAL_FORM_VERSION = "norm_v1"
_NOT_WORD = re.compile(r"[\W_]+")
_ROUNDING = 1e-9
"""0.55 * 20 is a little above 11."""
_INSIDE_WORD = re.compile(r"(?<=\w)['’‐‑-](?=\w)")


def normalise_text(text: str) -> str:
    """The normal form `norm_v1`: NFKC, case folded, invisible characters gone, "e-mail" as "email", "don't" as "dont",
    other punctuation and white space folded to one space.

    Digits stay: two sums with other numbers are two requests. Letters of another script that look alike stay apart.

    >>> normalise_text("  Where IS my _e-mail_ #12?! ")
    'where is my email 12'
    """
    visible = text
    if not text.isascii():  # ASCII has none of these, and most text is ASCII
        visible = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return _NOT_WORD.sub(" ", _INSIDE_WORD.sub("", visible.casefold())).strip()


def find_group(messages: Sequence[Message]) -> str:
    """The id of the group that a conversation belongs to, from its first user turn.

    >>> asked = Message("user", "hello")
    >>> find_group([Message("user", "Hello?")]) == find_group([Message("system", "Be brief."), asked])
    True
    """
    first = next((m.content for m in messages if m.role == "user"), "")
    # Text without a single letter or digit has an empty normal form; it groups by itself, not with all such texts.
    normal = normalise_text(first) or first
    return "grp_" + hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()[:26]


def assign_split(group_id: str, salt: str, holdout_share: float) -> Split:
    """The side that the salted hash gives a group: about `holdout_share` of all groups are sealed.

    >>> assign_split("grp_1", "salt", 0.0)
    <Split.TRAIN: 'train'>
    """
    number = int.from_bytes(hashlib.sha256(f"{salt}|{group_id}".encode()).digest()[:8], "big")
    return Split.HOLDOUT if number < holdout_share * 2**64 else Split.TRAIN


def shingle_text(text: str, length: int = 5) -> frozenset[str]:
    """The set that near-duplicates are measured on: runs of `length` words, or of 8 characters below 8 words.

    >>> sorted(shingle_text("short text"))
    ['hort tex', 'ort text', 'short te']
    """
    normal = normalise_text(text) or text
    words = normal.split()
    if len(words) >= 8:
        return frozenset(" ".join(words[start : start + length]) for start in range(len(words) - length + 1))
    return frozenset(normal[start : start + 8] for start in range(max(1, len(normal) - 7)))


def find_near_duplicates(
    texts: Iterable[tuple[str, str]], references: Iterable[tuple[str, str]], threshold: float = 0.8
) -> dict[str, tuple[str, float]]:
    """For each text that is nearly one of the references: the reference's key and the exact Jaccard similarity.

    Args:
        texts: (key, text) pairs to look at.
        references: (key, text) pairs to compare with, such as the sealed prompts.
        threshold: similarity of the shingle sets from which two texts count as nearly equal, 0 to 1.

    >>> find_near_duplicates([("a", "one two three")], [("b", "One, two, three!")])
    {'a': ('b', 1.0)}
    """
    known = [(key, shingle_text(text)) for key, text in references]
    index: dict[str, list[int]] = {}
    for place, (_, shingles) in enumerate(known):
        for shingle in shingles:
            index.setdefault(shingle, []).append(place)
    found: dict[str, tuple[str, float]] = {}
    for key, text in texts:
        best = max(_compare(shingle_text(text), known, index, threshold), default=(0.0, ""))
        if best[0] >= threshold and best[0] >= found.get(key, ("", 0.0))[1]:
            found[key] = (best[1], best[0])
    return found


def _compare(
    shingles: frozenset[str], known: list[tuple[str, frozenset[str]]], index: dict[str, list[int]], threshold: float
) -> Iterator[tuple[float, str]]:
    """The exact similarity to every reference that can reach the threshold, with its key.

    Prefix filtering (Chaudhuri et al. 2006): two sets as similar as that share at least one of the rarest
    `n - ceil(threshold * n) + 1` elements of either, so only those are looked up, not the preamble all have in common.
    """
    shared = sum(shingle in index for shingle in shingles)
    if shared < threshold * len(shingles) - _ROUNDING:  # no reference can share enough
        return
    rarest = sorted(shingles, key=lambda shingle: len(index.get(shingle, ())))
    probes = rarest[: len(rarest) - ceil(threshold * len(rarest) - _ROUNDING) + 1]
    for place in {place for shingle in probes for place in index.get(shingle, ())}:
        key, other = known[place]
        yield len(shingles & other) / len(shingles | other), key
