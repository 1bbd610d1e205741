"""A mapping made by a form reads back as what the form said."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.importing.looking import Column
from pitchpipe.store.importing.mapping_writing import suggest_mapping, write_mapping

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
tables = st.fixed_dictionaries(
    {"rater": texts, "value": texts}, optional={"values": st.dictionaries(texts, texts | st.integers(0, 9), min_size=1)}
)


@settings(max_examples=100, deadline=None)
@given(texts, st.lists(texts, min_size=1, max_size=3), st.lists(tables, min_size=1, max_size=3))
def test_whatever_is_typed_is_read_back(prompt: str, columns: list[str], judgements: list[dict[str, Any]]) -> None:
    document = {"kind": "compare", "prompt": prompt, "columns": columns, "judgements": judgements}
    assert tomllib.loads(write_mapping(document)) == document


def test_columns_of_turns_and_ratings_suggest_a_rate_mapping() -> None:
    columns = [
        Column("messages", "turns", 5, [], []),
        Column("response", "text", 5, [], []),
        Column("rater", "text", 5, [], ["ana", "ben"]),
        Column("score", "number", 5, [], ["1", "4"]),
        Column("split", "text", 5, [], ["train"]),
    ]
    assert suggest_mapping(columns) == {
        "kind": "rate", "messages": "{messages}", "answer": "{response}", "split": "{split}",
        "judgements": [{"rater": "{rater}", "question": "score", "value": "{score}"}],
    }  # fmt: skip
