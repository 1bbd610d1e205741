"""How people's data look: a shape, and where there is one a check digit, so that order numbers stay order numbers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

Found = tuple[int, int, str]
"""Start, end and kind."""

NUMBER = re.compile(r"(?:\d[\s().:/\u2010-\u2015-]{0,3}){5}|\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]")
"""What every text has that holds any of these but an e-mail address or an IP address of the sixth version: five digits
close together, or the shape of a codice fiscale."""
_EMAIL = re.compile(
    r"(?<![\w.+/-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b"
)
_RESERVED = re.compile(r"(?i)@(?:.*\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost|local)$|^git@")
"""Domains that are set aside for examples (RFC 2606), and the user name of code hosts."""
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 "
        "RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20",
    )
}
"""Characters by country, of the IBAN registry."""
_CARD = re.compile(r"(?<![\w.,-])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}|3\d{3}([ -]?)\d{6}\2\d{4,5})(?![\w-]|[.,]\d)")
_CARD_BEGINNINGS = re.compile(
    r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|30[0-5]|3[68]|6(?:011|5|4[4-9])|35(?:2[89]|[3-8])"
)
_IP4 = re.compile(r"(?<![\w.-])(?<![vV] )(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IP6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{1,4}:){2,7}(?::|[0-9a-fA-F]{1,4})(?::?[0-9a-fA-F]{1,4}){0,6}(?![\w:])")
_VERSION_BEFORE = re.compile(r"(?i)(?:version|release|build|section|v\.?|ver\.?|firmware|driver)\s*$")
_PHONE = re.compile(r"(?<![\w.#/=-])(?:\+|\(\+?)?\d[\d \t\u00a0().\-/\u2010-\u2015]{5,22}\d(?![\w]|[.,]\d)")
_FEWEST_DIGITS = 8
"""Of a number without its country code; shorter ones are rooms, years and scores far more often."""
_DIGITS = re.compile(r"\D*\d+")
_LONE_DIGIT = re.compile(r"(?<!\d)\d(?!\d)")
_MOST_LONE_DIGITS = 3
"""No plan writes a number in more groups of one digit: such a row is a table or a list."""
_NUMBER_OF_A_THING = re.compile(
    r"(?i)(?:order|invoice|ticket|case|ref(?:erence)?|account|serial|model|part|item|tracking|isbn|issn|id|no|nr|number|sku|code"
    r"|batch|patent|policy|flight|page|pages|pp)\s*(?:number|no|nr|id|code)?\s*[.:#=]*\s*$"
)
_PHONE_BEFORE = re.compile(
    r"(?i)(?:phone|call|tel|telephone|mobile|cell|fax|whatsapp|text|sms|dial|contact)\b[^\n]{0,25}$"
)
_FICTION = re.compile(r"555\D?01\d\d$")
"""555-0100 to 555-0199 are set aside for stories."""
_SSN = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_SSN_SAMPLES = ("123-45-6789", "078-05-1120", "219-09-9999", "111-11-1111")
_CPF = re.compile(r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])")
_CODICE = re.compile(r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b")
_NIR = re.compile(r"(?<![\w.])[12][ ]?\d{2}[ ]?(?:0[1-9]|1[0-2])[ ]?\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{2}(?![\w.])")
_DNI = re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-Z]\b")


def find_emails(text: str) -> Iterator[Found]:
    """E-mail addresses outside of the domains that are set aside for examples.

    >>> list(find_emails("to a.b@mail.org, not to me@example.com"))
    [(3, 13, 'email')]
    """
    if "@" in text:
        for found in _EMAIL.finditer(text):
            if not _RESERVED.search(found[0]):
                yield (*found.span(), "email")


def find_ibans(text: str) -> Iterator[Found]:
    """Bank accounts whose country, length and check digits (ISO 13616, mod 97) are right.

    >>> list(find_ibans("GB82 WEST 1234 5698 7654 32"))
    [(0, 27, 'iban')]
    """
    for found in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(found[0][:2], 0)
        # The shape is greedy and may take the next word along: only as many characters as the country has count.
        places = [place for place, character in enumerate(found[0]) if character != " "]
        if length and len(places) >= length:
            end = places[length - 1] + 1
            whole = found[0][:end].replace(" ", "")
            is_end = end == len(found[0]) or found[0][end] == " "
            if is_end and int("".join(str(int(c, 36)) for c in whole[4:] + whole[:4])) % 97 == 1:
                yield found.start(), found.start() + end, "iban"


def find_cards(text: str) -> Iterator[Found]:
    """Payment cards: the beginning of an issuer, the right grouping, and the check digit of Luhn.

    >>> list(find_cards("4111 1111 1111 1111 and 4111 1111 1111 1112"))
    [(0, 19, 'card')]
    """
    for found in _CARD.finditer(text):
        digits = [int(character) for character in found[0] if character.isdigit()]
        total = sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits[::-1]))
        if total % 10 == 0 and len(set(digits)) > 1 and _CARD_BEGINNINGS.match("".join(map(str, digits))):
            yield (*found.span(), "card")


def find_addresses(text: str) -> Iterator[Found]:
    """Addresses of machines on the public internet; private ones, samples and version numbers are none.

    >>> list(find_addresses("10.0.0.1, 81.2.69.142 and version 1.2.3.4"))
    [(10, 21, 'ip')]
    """
    for found in (*_IP4.finditer(text), *_IP6.finditer(text)):
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            continue
        small = address.version == 4 and all(int(part) < 20 for part in found[0].split("."))
        if (
            address.is_global
            and not small
            and not _VERSION_BEFORE.search(text[max(0, found.start() - 20) : found.start()])
        ):
            yield (*found.span(), "ip")


def find_phones(text: str, region: str) -> Iterator[Found]:
    """Telephone numbers that exist in the plan of their country (libphonenumber), written as numbers to call are.

    Without a country code the number must be grouped and valid in `region` (two letters; "" looks for none of those),
    or stand after a word such as "call"; after "order", "invoice" and the like it is no number to call.

    >>> list(find_phones("call (415) 555-2671, order 4155552671", "US"))
    [(5, 19, 'phone')]
    """
    position = 0
    while shape := _PHONE.search(text, position):
        found = _match_phone(shape, text, region)
        if found is not None:
            yield (*found, "phone")
        # Numbers may stand in a row: go on behind this one, or behind the first digits of what was none.
        position = found[1] if found is not None else shape.start() + _DIGITS.match(shape[0]).end()  # type: ignore[union-attr]


def _match_phone(shape: re.Match[str], text: str, region: str) -> tuple[int, int] | None:
    """Where in a run of digits a number to call stands."""
    written, before = shape[0], text[max(0, shape.start() - 40) : shape.start()]
    is_international = written.lstrip("(").startswith("+")
    is_grouped = not written.isdigit() and sum(map(str.isdigit, written)) >= _FEWEST_DIGITS
    is_written_so = is_international or is_grouped or _PHONE_BEFORE.search(before)
    if not is_written_so or not (is_international or region):
        return None
    if len(_LONE_DIGIT.findall(written)) > _MOST_LONE_DIGITS or _NUMBER_OF_A_THING.search(before):
        return None
    found = _find_valid(written, region)
    return None if found is None else (shape.start() + found[0], shape.start() + found[1])


@lru_cache(maxsize=20_000)
def _find_valid(written: str, region: str) -> tuple[int, int] | None:
    """Where in what is written a number stands that exists. Kept: it takes 0.2 ms, and texts repeat themselves."""
    import phonenumbers

    leniency = phonenumbers.Leniency.STRICT_GROUPING
    match = next(iter(phonenumbers.PhoneNumberMatcher(written, region or None, leniency=leniency)), None)
    return None if match is None or _FICTION.search(match.raw_string) else (match.start, match.end)


@cache
def list_regions() -> frozenset[str]:
    """The regions whose telephone plans are known, by their two letters."""
    import phonenumbers

    return frozenset(phonenumbers.SUPPORTED_REGIONS)


def find_national_ids(text: str) -> Iterator[Found]:
    """Numbers that a state gives to a person, where shape and check digits make it sure: US social security (by its
    hyphens), Brazilian CPF, Italian codice fiscale, French NIR, Spanish DNI and NIE.

    >>> list(find_national_ids("CPF 529.982.247-25"))
    [(4, 18, 'national_id')]
    """
    for pattern, is_right in _NATIONAL:
        for found in pattern.finditer(text):
            if is_right(found[0]):
                yield (*found.span(), "national_id")


def _is_cpf(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()]
    for length in (9, 10):
        rest = sum(digit * (length + 1 - place) for place, digit in enumerate(digits[:length])) * 10 % 11 % 10
        if rest != digits[length]:
            return False
    return len(set(digits)) > 1


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)
"""What a character in an odd place of a codice fiscale counts (decree of 23 December 1976)."""


def _is_codice(text: str) -> bool:
    even = sum(int(c, 36) - (10 if c.isalpha() else 0) for c in text[1:15:2])
    return chr(ord("A") + (even + sum(_ODD[c] for c in text[0:15:2])) % 26) == text[15]


def _is_nir(text: str) -> bool:
    digits = text.replace(" ", "")
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def _is_dni(text: str) -> bool:
    digits = text.replace("-", "")
    number = int(digits[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == digits[-1] and digits != "12345678Z" and number > 0


_NATIONAL: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (_SSN, lambda text: text not in _SSN_SAMPLES),
    (_CPF, _is_cpf),
    (_CODICE, _is_codice),
    (_NIR, _is_nir),
    (_DNI, _is_dni),
)
