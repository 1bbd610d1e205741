"""The mapping as a form: what the columns of a file mean, and the TOML that says so."""

from __future__ import annotations

import tomllib
from typing import Any

import streamlit as st

from pitchpipe.store.importing.looking import Column, FileLook
from pitchpipe.store.importing.mapping_writing import suggest_mapping, write_mapping
from pitchpipe.studio.app_pages.showing import show_problem

KEY = "imports_mapping"
"""Where the mapping is kept, apart from the widgets that edit it: they forget when they are not shown."""
_KINDS = {"compare": "Two answers", "rate": "One answer", "write": "To imitate", "tag": "Labels"}
_ANSWERS = {
    "compare": {"answer_a": "First answer", "answer_b": "Second answer"},
    "rate": {"answer": "Answer"},
    "write": {"answer": "Answer"},
    "tag": {},
}
_MORE = {
    "compare": ("model_a", "model_b"), "rate": ("model",), "write": ("model",), "tag": (),
}  # fmt: skip
_ALWAYS_MORE = ("system", "id", "category", "split", "tree")
_PARTS = {
    "compare": {"rater": "Rater", "value": "Says", "strength": "Strength", "reason": "Reason"},
    "rate": {"rater": "Rater", "question": "Question", "value": "Says", "reason": "Reason"},
    "tag": {"rater": "Rater", "value": "Says", "reason": "Reason"},
}
_SKIPPED = "did not judge"
_VERDICTS = ("a", "b", "tie", "both_bad", "cannot_judge", _SKIPPED)
_VERDICT_WORDS = {
    "a": "the first is better", "b": "the second is better", "tie": "a tie", "both_bad": "both are bad",
    "cannot_judge": "cannot judge", _SKIPPED: _SKIPPED,
}  # fmt: skip
_MOST_WORDS = 12


def edit_mapping(look: FileLook) -> str:
    """The form; returns the TOML of what it says."""
    mapping: dict[str, Any] = st.session_state.setdefault(KEY, suggest_mapping(look.columns))
    _take_file(mapping)
    kind = st.segmented_control(
        "What a row holds", list(_KINDS), format_func=_KINDS.__getitem__, default=mapping.get("kind", "write"),
        required=True, key=_version("kind"), width="stretch",
    )  # fmt: skip
    mapping["kind"] = kind
    st.text("Columns stand in braces: " + "  ".join("{" + column.name + "}" for column in look.columns[:40]))
    _edit_opening(mapping, kind)
    for key, title in _ANSWERS[kind].items():
        mapping[key] = _edit_text(mapping, key, title)
    if kind in _PARTS:
        _edit_judgements(mapping, kind, look.columns)
    with st.expander("More: models, ids, splits"):
        for key in (*_MORE[kind], *_ALWAYS_MORE):
            mapping[key] = _edit_text(mapping, key, key.replace("_", " ").capitalize())
    text = write_mapping(_keep_known(mapping, kind))
    with st.expander("The mapping as a file, for `pitchpipe import --map`"):
        st.code(text, language="toml")
        st.download_button("Download", text, "mapping.toml", key="imports_toml", on_click="ignore")
    return text


def _version(key: str) -> str:
    """The key of a widget; it changes when a file or a button replaces what the form holds."""
    return f"imports_map_{key}_{st.session_state.get('imports_map_version', 0)}"


def _renew() -> None:
    st.session_state["imports_map_version"] = st.session_state.get("imports_map_version", 0) + 1


def _take_file(mapping: dict[str, Any]) -> None:
    with st.popover("Take a mapping file"):
        given = st.file_uploader("A .toml file", type=["toml"], key="imports_map_file")
        if given is None or st.session_state.get("imports_map_taken") == given.file_id:
            return
        st.session_state["imports_map_taken"] = given.file_id
        try:
            document = tomllib.loads(given.getvalue().decode("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as problem:
            show_problem(f"{given.name} is no mapping file: {problem}.", "What the form holds is as it was.")
            return
        if document.get("kind") not in list(_KINDS):
            show_problem(
                f"{given.name} has no kind that is known.", f"Begin it with kind = one of {', '.join(_KINDS)}."
            )
            return
        mapping.clear()
        mapping.update(document)
        _renew()
        st.rerun()


def _edit_opening(mapping: dict[str, Any], kind: str) -> None:
    """The request: a template, or a column of turns."""
    if kind == "tag":
        opening = mapping.get("text") or mapping.get("prompt") or ""
        mapping["text"] = st.text_area("Text", opening, key=_version("text"), height=68)
        return
    is_turns = st.toggle("The request is a column of turns", bool(mapping.get("messages")), key=_version("turns"))
    if is_turns:
        mapping["prompt"] = ""
        mapping["messages"] = _edit_text(mapping, "messages", "Column of turns") or ""
    else:
        mapping["messages"] = ""
        opening = mapping.get("prompt") or mapping.get("text") or ""
        mapping["prompt"] = st.text_area("Request", opening, key=_version("prompt"), height=100)


def _edit_text(mapping: dict[str, Any], key: str, title: str, place: str = "") -> str:
    value = mapping.get(key)
    return str(st.text_input(title, value if isinstance(value, str) else "", key=_version(f"{place}{key}")) or "")


def _edit_judgements(mapping: dict[str, Any], kind: str, columns: list[Column]) -> None:
    tables: list[dict[str, Any]] = mapping.setdefault("judgements", [])
    st.markdown("**Who judged, and where it says so**")
    for number, table in enumerate(list(tables)):
        with st.container(border=True, gap="xsmall"):
            fields = [*st.columns(2), *st.columns(2)]
            for field, (key, title) in zip(fields, _PARTS[kind].items(), strict=False):
                with field:
                    table[key] = _edit_text(table, key, title, f"{number}_")
            if st.button("Drop this rater", key=_version(f"drop_{number}"), type="tertiary"):
                del tables[number]
                _renew()
                st.rerun()
    if st.button("Add a rater", key=_version("add")):
        tables.append({"rater": "dataset", "value": ""})
        _renew()
        st.rerun()
    if kind in ("compare", "rate") and tables:
        _edit_words(mapping, kind, columns)


def _edit_words(mapping: dict[str, Any], kind: str, columns: list[Column]) -> None:
    """What each word of the file means, once for all raters."""
    tables = mapping["judgements"]
    values = {column.name: column.values for column in columns}
    words = sorted({word for table in tables for word in values.get(str(table.get("value", "")).strip("{}"), ())})
    if kind == "rate":
        words = [word for word in words if not _is_own(kind, word)]
    known: dict[str, Any] = next((dict(table["values"]) for table in tables if table.get("values")), {})
    skipped = {word for table in tables for word in table.get("skip_values", ())}
    more = [word.strip() for word in str(mapping.get("more_words") or "").split(",")]
    words = sorted({*words, *skipped, *(word for word in (*known, *more) if word and not _is_own(kind, word))})
    if kind == "compare" and set(words) <= set(_VERDICTS):
        words = []
    st.markdown("**What its words mean**")
    fields = st.columns(2)
    for place, word in enumerate(words[:_MOST_WORDS]):
        with fields[place % 2]:
            known = _edit_word(kind, word, known, skipped)
    mapping["more_words"] = _edit_text(mapping, "more_words", "Words that stand further down, with commas between")
    for table in tables:
        table["values"] = {**known, **_own_numbers(kind, table, values)} if known else {}
        table["skip_values"] = sorted(skipped)


def _edit_word(kind: str, word: str, known: dict[str, Any], skipped: set[str]) -> dict[str, Any]:
    options: tuple[Any, ...] = _VERDICTS if kind == "compare" else (*range(11), _SKIPPED)
    current = _SKIPPED if word in skipped else known.get(word)
    index = options.index(current) if current in options else None
    meant = st.selectbox(
        f"“{word}” means", options, index=index, key=_version(f"word_{word}"), placeholder="say what",
        format_func=lambda option: _VERDICT_WORDS.get(str(option), str(option)),
    )  # fmt: skip
    rest = {key: value for key, value in known.items() if key != word}
    skipped.discard(word)
    if meant == _SKIPPED:
        skipped.add(word)
    return rest if meant in (None, _SKIPPED) else {**rest, word: meant}


def _own_numbers(kind: str, table: dict[str, Any], values: dict[str, list[str]]) -> dict[str, int]:
    """Ratings that are numbers already, which a table of words would otherwise refuse."""
    words = values.get(str(table.get("value", "")).strip("{}"), []) if kind == "rate" else []
    return {word: int(float(word)) for word in words if _is_own(kind, word)}


def _is_own(kind: str, word: str) -> bool:
    """Whether a word is a rating as it stands."""
    return kind == "rate" and word.lstrip("+-").removesuffix(".0").isdecimal()


def _keep_known(mapping: dict[str, Any], kind: str) -> dict[str, Any]:
    """What is valid for the kind; the rest of what was typed stays in the form for when the kind changes back."""
    opening = ("text",) if kind == "tag" else ("prompt", "messages")
    keys = ("kind", "columns", *opening, *_ANSWERS[kind], *_MORE[kind], *_ALWAYS_MORE)
    document = {key: mapping[key] for key in keys if mapping.get(key)}
    parts = (*_PARTS.get(kind, ()), "values", "skip_values")
    tables = mapping.get("judgements", []) if kind in _PARTS else []
    document["judgements"] = [{key: table[key] for key in parts if table.get(key)} for table in tables]
    return document
