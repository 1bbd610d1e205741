"""Rules on what must not leave the house: people's data, keys and passwords. What is found can be masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules import personal_patterns as patterns
from pitchpipe.store.rules.reading import Span, hash_field, list_texts
from pitchpipe.store.rules.rule import Background, Finding, Parameter, Row, Rule
from pitchpipe.store.rules.secret_patterns import find_secrets

Find = Callable[[str], Iterable[tuple[int, int, str]]]
_NAMES = {
    "email": "e-mail address", "phone": "telephone number", "iban": "bank account", "card": "payment card",
    "ip": "IP address", "national_id": "national id", "private_key": "private key", "token": "key or token",
    "password": "password",
}  # fmt: skip
_LEAST_DIGITS = 7


def _find_personal(rows: Sequence[Row], parameters: Mapping[str, Any], _: Background) -> Iterator[Finding]:
    region = parameters["phone_region"].upper()
    if region and region not in patterns.list_regions():
        raise UsageError(
            f"The rule 'personal_data' knows no telephone numbers of the region {region!r}.",
            "Give the two letters of a country, such as US or DE, or nothing: then the country code must be written.",
        )
    finders: dict[str, Find] = {
        "email": patterns.find_emails, "iban": patterns.find_ibans, "card": patterns.find_cards,
        "national_id": patterns.find_national_ids, "ip": patterns.find_addresses,
        "phone": lambda text: patterns.find_phones(text, region),
    }  # fmt: skip
    wanted = [(kind, find) for kind, find in finders.items() if parameters[kind]]

    def find(text: str) -> Iterator[tuple[int, int, str]]:
        has_digits = sum(map(text.count, "0123456789")) >= _LEAST_DIGITS
        for kind, find_kind in wanted:
            # All but an e-mail address, and an IP address of the sixth version, are made of digits.
            if kind == "email" or has_digits or (kind == "ip" and ":" in text):
                yield from find_kind(text)

    yield from _find_in_rows(rows, find)


def _find_secrets(rows: Sequence[Row], _: Mapping[str, Any], __: Background) -> Iterator[Finding]:
    yield from _find_in_rows(rows, find_secrets)


def _find_in_rows(rows: Sequence[Row], find: Find) -> Iterator[Finding]:
    known: dict[str, list[Span]] = {}  # a request stands in the row of each of its answers
    for place, row in enumerate(rows):
        fields: dict[str, list[Span]] = {}
        hashes: dict[str, str] = {}
        for field, text in list_texts(row):
            spans = known.get(text)
            if spans is None:
                spans = known[text] = join_spans(find(text))
            if spans:
                fields[field], hashes[field] = spans, hash_field(text)
        if fields:
            counts = Counter(kind for spans in fields.values() for _, _, kind in spans)
            told = ", ".join(f"{n} {_NAMES[kind]}{_plural(kind, n)}" for kind, n in sorted(counts.items()))
            yield Finding(place, f"it holds {told}", {"fields": fields, "texts": hashes})


def _plural(kind: str, count: int) -> str:
    return "" if count == 1 else "es" if _NAMES[kind].endswith("ss") else "s"


def join_spans(found: Iterable[tuple[int, int, str]]) -> list[Span]:
    """Stretches in order of place; of those that overlap the one that begins first, and then the longer, stands.

    >>> join_spans([(5, 9, "ip"), (0, 7, "email"), (0, 4, "card")])
    [[0, 9, 'email']]
    """
    joined: list[Span] = []
    for start, end, kind in sorted(found, key=lambda span: (span[0], -span[1])):
        if joined and start < joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end, kind])
    return joined


PERSONAL_DATA = Rule(
    id="personal_data",
    version="1",
    title="Personal data",
    about="E-mail addresses, telephone numbers, bank accounts, payment cards, public IP addresses and national ids, by "
    "shape and check digit. Names, postal addresses and what only a reader understands it cannot see.",
    find=_find_personal,
    parameters=(
        *(
            Parameter(kind, True, f"Look for every {_NAMES[kind]}.")
            for kind in ("email", "phone", "iban", "card", "ip", "national_id")
        ),
        Parameter("phone_region", "US", "Whose telephone numbers count without a country code; empty for none."),
    ),
    actions=("mask", "drop", "mark"),
)
SECRETS = Rule(
    id="secrets",
    version="1",
    title="Keys and passwords",
    about="Private keys, tokens of well-known makers, signed tokens, passwords in addresses, and random strings after "
    '"password=" and the like. A password that is a word it cannot see.',
    find=_find_secrets,
    actions=("mask", "drop", "mark"),
)
