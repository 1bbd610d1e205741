"""People's data and secrets: found by check digits and shapes, not by looking like a number; and masked."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.applying import apply_rules
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.rule import Background, RuleChoice
from tests.store.rules.made_rows import answer, find, make_row, pair

# Split, so that nobody's scanner takes them for real ones.
AWS = "AKIA" + "Q7WXN3J5RTZ2LMPD"
GITHUB = "ghp_" + "a8Kd02jfLs9QwErTyUiOpZxCvBnM1234AbCd"
OPENAI = "sk-" + "proj-Ab3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow" + "\n-----END RSA " + "PRIVATE KEY-----"


def read_found(text: str, rule: str = "personal_data", **dials: object) -> list[tuple[str, str]]:
    return [
        (text[start:end], kind)
        for hit in find(rule, [answer(text)], **dials)
        for start, end, kind in hit.evidence["fields"]["answer"]
    ]


@pytest.mark.parametrize(
    ("text", "found", "kind"),
    [
        ("Write to jane.doe+x@mail.co.uk today.", "jane.doe+x@mail.co.uk", "email"),
        ("Call (415) 555-2671 now", "(415) 555-2671", "phone"),
        ("Call +49 30 901820 now", "+49 30 901820", "phone"),
        ("tel: 4155552671", "4155552671", "phone"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "DE89 3704 0044 0532 0130 00", "iban"),
        ("GB82WEST12345698765432", "GB82WEST12345698765432", "iban"),
        ("card 5555-5555-5555-4444.", "5555-5555-5555-4444", "card"),
        ("amex 3782 822463 10005", "3782 822463 10005", "card"),
        ("from 81.2.69.142, he said", "81.2.69.142", "ip"),
        ("at 2a02:26f0:6d00:5a9::2add now", "2a02:26f0:6d00:5a9::2add", "ip"),
        ("SSN 536-22-1234", "536-22-1234", "national_id"),
        ("codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S", "national_id"),
        ("NIR 2 55 08 14 168 025 38", "2 55 08 14 168 025 38", "national_id"),
        ("DNI 53472918B", "53472918B", "national_id"),
    ],
)
def test_what_belongs_to_a_person_is_found_with_its_place(text: str, found: str, kind: str) -> None:
    assert read_found(text) == [(found, kind)]


@pytest.mark.parametrize(
    "text",
    [
        "me@example.com and git@github.com:a/b.git",
        "order number 415-555-2671",
        "Invoice 4155552671",
        "The actors call 555-0123 in the film.",
        "ISBN 978-3-16-148410-0",
        "pi is 3.14159265358979323846",
        "2023-10-12 14:30:00",
        "1,234,567,890 people",
        "In 1914-1918 and 1939-1945 there was war.",
        "192.168.0.1, 127.0.0.1 and 10.1.2.3",
        "version 81.2.69.142 of the driver",
        "Section 1.2.3.4",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "DE89 3704 0044 0532 0130 01",
        "123-45-6789",
        "SHA 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "123e4567-e89b-12d3-a456-426614174000",
        "| 10 | 20 | 30 | 40 |\n|---|---|---|---|\n| 11 | 22 | 33 | 44 |",
        "x = 1234567890123456\ny = 2 ** 64 = 18446744073709551616",
        "#5551234567 and 100000000000",
        "@app.route('/a') def f(): pass",
        "the ratio 16:9:4:2 and 12:30:45",
        "5 - 3 + 2 - 1 + 100 - 20 + 7",
        "1 2 3 4 5 6 7 8 9 10 11 12",
    ],
)
def test_numbers_that_are_nobodys_are_left_alone(text: str) -> None:
    assert read_found(text) == []


def test_a_national_number_counts_in_its_region_alone() -> None:
    text = "Ruf an: 030 901820"
    assert read_found(text, phone_region="DE") == [("030 901820", "phone")]
    assert read_found(text, phone_region="") == []
    with pytest.raises(UsageError, match="of the region 'XX'"):
        read_found(text, phone_region="xx")


@pytest.mark.parametrize(
    ("text", "found", "kind"),
    [
        (f"key={AWS};", AWS, "token"),
        (f"use {GITHUB} here", GITHUB, "token"),
        (f"OPENAI_API_KEY={OPENAI}", OPENAI, "token"),
        (f"Bearer {JWT}", JWT, "token"),
        (f"it is {KEY} .", KEY, "private_key"),
        ('password = "Tr0ub4dor&3x"', "Tr0ub4dor&3x", "password"),
        ("The password is hG7dk2Lq9z.", "hG7dk2Lq9z", "password"),
        ("postgres://bob:s3cr9tK2x@db.mail.org/x", "s3cr9tK2x", "password"),
    ],
)
def test_secrets_are_found_with_their_place(text: str, found: str, kind: str) -> None:
    assert read_found(text, "secrets") == [(found, kind)]


@pytest.mark.parametrize(
    "text",
    [
        'password = "your_password1"',
        "password = os.environ['DB_PASSWORD1']",
        "token = response.data.token1",
        "PASSWORD=changeme123",
        "api_key = <YOUR-KEY-123>",
        "password: ${DB_PASSWORD1}",
        "The secret is patience2 and practice.",
        "sk-button-primary-large-rounded-outlined-disabled",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "postgres://user:password@localhost/db",
        "Choose a strong password: at least 8 characters, 2 digits.",
        "the token: 12345678",
        "eyJrbm90IGpzb24x.eyJrbm90IGpzb24x.aaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_placeholders_and_talk_about_secrets_are_left_alone(text: str) -> None:
    assert read_found(text, "secrets") == []


def mask(row: dict[str, object]) -> tuple[dict[str, object], dict[str, int]]:
    counts: Counter[str] = Counter()
    for rule in ("personal_data", "secrets"):  # each on what the one before left
        row, found = mask_row(row, apply_rules([row], [RuleChoice(rule, "mask")], Background()).hits)
        counts.update(found)
    return row, dict(counts)


def test_masking_replaces_in_requests_and_both_answers_and_counts_by_kind() -> None:
    row = pair("Mail a@mail.org or b@mail.org", f"Key {AWS}!", messages=json.dumps([
        {"role": "user", "content": "I am c@mail.org"}, {"role": "assistant", "content": "Hm"},
        {"role": "user", "content": "ssn 536-22-1234"}]))  # fmt: skip
    masked, counts = mask(row)
    assert (masked["answer_a"], masked["answer_b"]) == ("Mail [EMAIL] or [EMAIL]", "Key [SECRET]!")
    turns = [turn["content"] for turn in json.loads(str(masked["messages"]))]
    assert turns == ["I am [EMAIL]", "Hm", "ssn [NATIONAL_ID]"]
    assert counts == {"email": 3, "national_id": 1, "token": 1}
    assert row["answer_a"] == "Mail a@mail.org or b@mail.org", "the row that was given has changed"


def test_masking_twice_is_masking_once() -> None:
    row = answer("Mail a@mail.org, not b@mail.org")
    hits = apply_rules([row], [RuleChoice("personal_data", "mask")], Background()).hits
    once, _ = mask_row(row, hits)
    assert mask_row(once, hits) == (once, {})
    assert mask(once) == (once, {})


def test_only_hits_that_mask_change_a_row() -> None:
    row = answer("Mail a@mail.org")
    hits = apply_rules([row], [RuleChoice("personal_data", "mark")], Background()).hits
    assert len(hits) == 1
    assert mask_row(row, hits) == (row, {})


def test_what_two_rules_find_in_one_place_is_masked_once() -> None:
    # The password and what reads like an address overlap: s3cr9tK2x@mail.org.
    masked, counts = mask(answer("postgres://bob:s3cr9tK2x@mail.org/x"))
    assert (masked["answer"], counts) == ("postgres://bob:[EMAIL]/x", {"email": 1})


def test_marked_stretches_move_with_the_text() -> None:
    text = "ask a@mail.org about it"
    marks = [{"start": 0, "end": 3, "label": "x"}, {"start": 4, "end": 14, "label": "y"},
             {"start": 6, "end": 20, "label": "z"}, {"start": 15, "end": 23, "label": "w"}]  # fmt: skip
    masked, _ = mask(make_row("span", answer=text, spans=json.dumps(marks)))
    after = str(masked["answer"])
    assert after == "ask [EMAIL] about it"
    moved = [after[mark["start"] : mark["end"]] for mark in json.loads(str(masked["spans"]))]
    assert moved == ["ask", "[EMAIL]", "[EMAIL] about", "about it"]


_PIECES = st.sampled_from(
    ["a@mail.org", "(415) 555-2671", AWS, "\n", " so ", "555", "é", "[EMAIL]", "x" * 30, "::", "@"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=12), st.lists(_PIECES, max_size=6))
def test_nothing_that_the_rules_find_is_left_after_masking(texts: list[str], asked: list[str]) -> None:
    row = answer("".join(texts), " ".join(asked))
    masked, counts = mask(row)
    assert sum(counts.values()) == 0 or masked != row
    assert mask(masked) == (masked, {})
