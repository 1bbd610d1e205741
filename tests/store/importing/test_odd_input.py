"""Whatever a file holds, importing gives rows, rejections or an error of ours; and what is parsed can be stored."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.importing import FORMATS, read_examples
from pitchpipe.store.records import ParsedRow, RejectedRow

COLUMNS = {
    *("instruction", "input", "output", "system", "conversations", "messages", "prompt", "completion", "label"),
    *("chosen", "rejected", "rater", "message_tree_id", "model", "chosen_model", "deleted", "replies", "rank"),
    *("role", "from", "value", "content", "text", "type", "message_id", "tree_state", "model_name"),
}
WORDS = [
    "",
    " ",
    "user",
    "assistant",
    "prompter",
    "gpt",
    "a",
    "3",
    "true",
    "\n\nHuman: a\n\nAssistant: b",
    "<|im_end|>",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(COLUMNS)), inner, max_size=4),
    max_leaves=12,
)
rows = st.dictionaries(st.sampled_from(sorted(COLUMNS)), values, max_size=6)

turn = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]), "content": scalars})
likely_rows = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(turn, max_size=4),
        "prompt": values | st.lists(turn, max_size=3),
        "completion": values | st.lists(turn, max_size=3),
        "chosen": values | st.lists(turn, max_size=3),
        "rejected": values | st.lists(turn, max_size=3),
        "instruction": scalars,
        "output": scalars,
        "label": scalars,
    },
)

MAPPING = """
kind = "compare"
messages = "{messages}"
answer_a = "{chosen}"
answer_b = "{rejected} {prompt[0].text}"
split = "{label}"
id = "{message_id}"
[[judgements]]
rater = "{rater}"
value = "{value}"
strength = "{rank}"
[[judgements]]
rater = "{model}"
value = "{label}"
values = { "3" = "a", "true" = "tie" }
"""
RATE_MAPPING = """
kind = "rate"
prompt = "{prompt}\\n{input}"
answer = "{output}"
[[judgements]]
rater = "{rater}"
question = "{role}"
value = "{value}"
[[judgements]]
value = "{label}"
"""

suffixes = st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet"])
relaxed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def import_bytes(content: bytes, suffix: str, format: str | None = None, mapping: str | None = None) -> int:
    """How many answers a file of these bytes gets: its rows, its rejections, and one where it is refused in words.

    Checks whatever comes out; only errors of ours may stop it. No answer at all would be a silent loss.
    """
    answers = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        path.write_bytes(content)
        mapping_path = None
        if mapping is not None:
            mapping_path = Path(folder) / "map.toml"
            mapping_path.write_text(mapping, encoding="utf-8")
        try:
            for row in read_examples(path, format, mapping_path):
                check_result(row)
                answers += 1
        except PitchpipeError as problem:
            assert problem.happened
            assert problem.advice
            answers += 1
    return answers


def check_result(row: ParsedRow | RejectedRow) -> None:
    assert row.line >= 1
    if isinstance(row, RejectedRow):
        assert row.reason
        (row.column + row.reason).encode()
        return
    assert row.messages[-1].role == "user"
    assert row.messages[-1].content.strip()
    texts = [message.content for message in row.messages] + [candidate.text for candidate in row.candidates]
    for text in texts:
        text.encode()
        assert "\x00" not in text
    for judgement in row.judgements:
        canonical_json(judgement.value)
        assert judgement.rater.strip()
        assert all(place in range(len(row.candidates)) for place in judgement.candidates)
    canonical_json(row.metadata)


def write_json(values: list[dict[str, Any]], suffix: str) -> bytes:
    if suffix == ".json":
        return json.dumps(values).encode()
    return "\n".join(json.dumps(value) for value in values).encode()


@relaxed
@given(st.binary(max_size=200), suffixes, st.sampled_from([None, *FORMATS]))
@example(b"\x00", ".csv", None)
@example(b'["', ".json", None)
@example(b'a\n"', ".csv", "alpaca")
@example(b"PAR1PAR1", ".parquet", None)
def test_random_bytes_never_crash(content: bytes, suffix: str, format: str | None) -> None:
    assert import_bytes(content, suffix, format) >= 1


@relaxed
@given(st.lists(rows | likely_rows, min_size=1, max_size=3), st.sampled_from([".jsonl", ".json"]))
@pytest.mark.parametrize("format", [None, *FORMATS])
def test_odd_values_never_crash_a_format(format: str | None, values: list[dict[str, Any]], suffix: str) -> None:
    assert import_bytes(write_json(values, suffix), suffix, format) >= 1


@relaxed
@given(st.lists(rows | likely_rows, min_size=1, max_size=3))
@pytest.mark.parametrize("mapping", [MAPPING, RATE_MAPPING, 'kind = "tag"\ntext = "{text}"\nlabel = "{label}"'])
def test_odd_values_never_crash_a_mapping(mapping: str, values: list[dict[str, Any]]) -> None:
    whole = [{**dict.fromkeys(COLUMNS), **value} for value in values]
    assert import_bytes(write_json(whole, ".jsonl"), ".jsonl", None, mapping) >= 1


@relaxed
@given(st.lists(likely_rows, min_size=1, max_size=3), st.data(), st.sampled_from([".jsonl", ".json"]))
def test_a_sound_file_with_bytes_put_in_or_cut_off_never_crashes(
    values: list[dict[str, Any]], data: st.DataObject, suffix: str
) -> None:
    content = bytearray(write_json(values, suffix))
    place = data.draw(st.integers(0, len(content)))
    content[place:place] = data.draw(st.binary(max_size=4))
    del content[data.draw(st.integers(0, len(content))) :]
    assert import_bytes(bytes(content), suffix, "trl-preference") >= 1


@relaxed
@given(st.text(max_size=120))
def test_any_text_as_a_mapping_file_never_crashes(text: str) -> None:
    assert import_bytes(b'{"a": 1}', ".jsonl", None, text.encode("utf-8", "replace").decode()) >= 1


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["kind", "prompt", "answer", "answer_a", "answer_b", "text", "label", "judgements", "columns"]),
        st.sampled_from(['"rate"', '"compare"', '"tag"', '"write"', '"{a}"', '"{"', "3", "[]", "[{}]", "[{value=1}]"]),
    )
)
def test_any_value_under_a_known_key_never_crashes(document: dict[str, str]) -> None:
    text = "\n".join(f"{key} = {value}" for key, value in document.items())
    assert import_bytes(b'{"a": 1}', ".jsonl", None, text) >= 1


@relaxed
@given(st.lists(rows, min_size=1, max_size=3), st.integers(0, 2))
def test_a_row_parses_the_same_on_whatever_line_it_stands(values: list[dict[str, Any]], blank: int) -> None:
    def parse(content: bytes) -> list[object]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            path.write_bytes(content)
            return [
                tuple(getattr(row, name) for name in type(row).__slots__ if name != "line")
                for row in read_examples(path, "openai")
            ]

    content = write_json(values, ".jsonl")
    assert parse(content) == parse(b"\n" * blank + content)
