"""The leak gate: what is taught shares no group and no nearly equal request with what is sealed, and that is proved.

Training examples whose request nearly equals a sealed one are left out when a snapshot is made; the proof is then
derived anew from the finished rows, written into the manifest, and derived again by `verify`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pitchpipe.store.freezing.knowledge import Knowledge
from pitchpipe.store.freezing.splitting import NORMAL_FORM_VERSION, find_near_duplicates, normalise_text

Row = Mapping[str, Any]
_FEWEST_WORDS = 8
"""With fewer, a later request of a sealed conversation ("Say more?") or an answer is nobody's in particular."""
_METHOD = (
    f"exact Jaccard similarity of runs of 5 words (8 characters below 8 words) of the normal form {NORMAL_FORM_VERSION}"
)
_ANSWERS = ("answer", "answer_a", "answer_b")
_MOST_COPIES = 20
_HEAD = 16


def find_leaks(known: Knowledge, threshold: float) -> dict[str, tuple[str, float]]:
    """Training examples with a request that nearly equals a sealed one, with the sealed example and the similarity.

    Of a sealed conversation the first request counts, and later ones of 8 words or more.
    """
    if not any(example["split"] == "holdout" for example in known.examples.values()):
        return {}
    sealed: list[tuple[str, str]] = []
    taught: list[tuple[str, str]] = []
    for example_id, example in known.examples.items():
        if example["split"] == "holdout":
            sealed += [(example_id, text) for text in list_sealed_requests(example["messages"])]
        else:
            taught += [(example_id, text) for text in list_requests(example["messages"])]
    return find_near_duplicates(taught, sealed, threshold)


def list_requests(messages: str) -> list[str]:
    """What the user says in a conversation, given as JSON.

    >>> list_requests('[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes?"}]')
    ['Hi']
    """
    return [message["content"] for message in json.loads(messages) if message["role"] == "user"]


def list_sealed_requests(messages: str) -> list[str]:
    """Of a sealed conversation, the requests that nothing taught may nearly equal: the first, and later long ones."""
    asked = list_requests(messages)
    return [text for turn, text in enumerate(asked) if turn == 0 or len(text.split()) >= _FEWEST_WORDS]


def collect_requests(rows: Iterable[Row]) -> tuple[dict[str, str], dict[str, str]]:
    """The distinct requests of the training and of the sealed rows, each with an example that makes it."""
    taught: dict[str, str] = {}
    sealed: dict[str, str] = {}
    conversations = {(row["messages"], row["split"]): row["example_id"] for row in rows}
    for (messages, split), example_id in conversations.items():
        if split == "holdout":
            sealed.update(dict.fromkeys(list_sealed_requests(messages), example_id))
        else:
            taught.update(dict.fromkeys(list_requests(messages), example_id))
    return taught, sealed


def find_row_leaks(rows: Sequence[Row], threshold: float) -> dict[int, str]:
    """The places of the training rows with a request that nearly equals a sealed one, each with the reason.

    For rows whose text was changed after `find_leaks`: two requests that differ in a masked name may now be equal.
    """
    taught, sealed = collect_requests(rows)
    leaks = find_near_duplicates(
        [(text, text) for text in taught], [(id, text) for text, id in sealed.items()], threshold
    )
    found: dict[int, str] = {}
    for place, row in enumerate(rows):
        if leaks and row["split"] != "holdout":
            hit = next((leaks[text] for text in list_requests(row["messages"]) if text in leaks), None)
            if hit is not None:
                found[place] = f"{hit[1]:.2f} similar to the sealed example {hit[0]}"
    return found


def prove_separation(rows: Sequence[Row], threshold: float, left_out: int) -> dict[str, Any]:
    """What the manifest says of the seal, derived from the rows of a snapshot alone.

    Args:
        left_out: units that were dropped because their request nearly equals a sealed one.

    Returns:
        `groups_on_both_sides` and `near_duplicate_pairs_across` (training requests that nearly equal a sealed one): 0
        in a snapshot that may be frozen; `compared`: distinct requests on the training and on the sealed side;
        `answers_copied_from_sealed`: training rows with an answer of 8 words or more that a sealed row has too.
        Those are told, not dropped: "Thank you for asking; your parcel is on its way today." is said to many.
    """
    sides: dict[str, set[str]] = {"train": set(), "holdout": set()}
    for row in rows:
        sides.setdefault(row["split"], set()).add(row["group_id"])
    taught, sealed = collect_requests(rows)
    references = [(id, text) for text, id in sealed.items()]
    across = find_near_duplicates([(text, text) for text in taught], references, threshold) if sealed else {}
    copies = find_copied_answers(rows) if sealed else []
    return {
        "groups_on_both_sides": len(sides["train"] & sides["holdout"]),
        "near_duplicate_pairs_across": len(across),
        "threshold": threshold,
        "compared": [len(taught), len(sealed)],
        "method": _METHOD,
        "left_out": left_out,
        "answers_copied_from_sealed": len(copies),
        "copied_answers": [list(pair) for pair in copies[:_MOST_COPIES]],
    }


def find_copied_answers(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Training rows with an answer of 8 words or more that a sealed row has too: (row id, sealed row id), sorted."""
    answers = [(row, row[column]) for row in rows for column in _ANSWERS if row[column]]
    sealed: dict[str, str] = {}
    for row, text in answers:
        if row["split"] == "holdout" and len(text.split()) >= _FEWEST_WORDS:
            normal = normalise_text(text)
            sealed[normal] = min(row["row_id"], sealed.get(normal, row["row_id"]))
    if not sealed:
        return []
    heads = {normal[:_HEAD] for normal in sealed}
    known: dict[str, str | None] = {}  # a text is often the answer of a row and of its pairs
    found: dict[str, str] = {}
    for row, text in answers:
        if row["split"] != "holdout":
            if text not in known:
                known[text] = sealed.get(normalise_text(text)) if _may_begin(text, heads) else None
            copied = known[text]
            if copied is not None:
                found[row["row_id"]] = copied
    return sorted(found.items())


def _may_begin(text: str, heads: set[str]) -> bool:
    """False only where the normal form of a text cannot begin like one of those: cheaper than the whole of it."""
    # The cut may fall into a word or a character of several parts, so the last few letters are not trusted.
    head = normalise_text(text[: 4 * _HEAD])
    return len(head) < _HEAD + 8 or head[:_HEAD] in heads


def list_breaches(proof: Mapping[str, Any]) -> list[str]:
    """Why a snapshot with that proof may not be frozen; empty when the seal holds."""
    breaches = []
    if proof["groups_on_both_sides"]:
        breaches.append(f"{proof['groups_on_both_sides']} groups lie on both sides of the seal")
    if proof["near_duplicate_pairs_across"]:
        count, threshold = proof["near_duplicate_pairs_across"], proof["threshold"]
        breaches.append(f"{count} training requests are at least {threshold} similar to a sealed one")
    return breaches
