"""Mapping files: filled strings, judgements of named raters, and refusals that list the valid choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import ImportFileError, NotFoundError, UsageError
from pitchpipe.store.importing.mapping import Mapping
from pitchpipe.store.importing.mapping_file import load_mapping
from pitchpipe.store.importing.reading import read_examples
from pitchpipe.store.importing.rows import RowProblem
from pitchpipe.store.importing.templates import TemplateProblem, compile_template
from pitchpipe.store.records import Message, ParsedJudgement, ParsedRow, RejectedRow, Split, TaskKind

COMPARE = """
kind = "compare"
prompt = "{instruction}\\n\\n{input}"
answer_a = "{response1}"
answer_b = "{response2}"
model_a = "{cmp_key}"
[[judgements]]
rater = "annotator1"
value = "{annotator1}"
values = { "1" = "a", "2" = "b", "0" = "tie" }
[[judgements]]
rater = "annotator2"
value = "{annotator2}"
values = { "1" = "a", "2" = "b", "0" = "tie" }
"""
PAIR = {
    "instruction": "Shorten.",
    "input": "",
    "response1": "  indented",
    "response2": "b",
    "cmp_key": "m1_m2",
    "annotator1": 2,
    "annotator2": 0,
}


def load(folder: Path, text: str) -> Mapping:
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path)


def parse(folder: Path, text: str, row: dict[str, Any]) -> ParsedRow:
    (parsed,) = load(folder, text).parse(3, row)
    return parsed


def test_the_example_of_a_comparison_reads_as_it_says(tmp_path: Path) -> None:
    parsed = parse(tmp_path, COMPARE, PAIR)
    assert parsed.kind is TaskKind.COMPARE
    assert parsed.messages == (Message("user", "Shorten."),)  # the empty input leaves no tail
    assert [candidate.text for candidate in parsed.candidates] == ["  indented", "b"]  # answers stay as they are
    assert parsed.candidates[0].model == "m1_m2"
    assert parsed.judgements == (
        ParsedJudgement("annotator1", TaskKind.COMPARE, {"verdict": "b", "strength": None}, (0, 1)),
        ParsedJudgement("annotator2", TaskKind.COMPARE, {"verdict": "tie", "strength": None}, (0, 1)),
    )


def test_a_value_that_the_mapping_does_not_know_names_it_and_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RowProblem) as caught:
        parse(tmp_path, COMPARE, {**PAIR, "annotator2": 3})
    assert caught.value.column == "annotator2"
    assert caught.value.reason == "the value '3' is not in values, which has '1', '2', '0'"


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_a_rater_without_a_value_did_not_judge(tmp_path: Path, nothing: object) -> None:
    assert [found.rater for found in parse(tmp_path, COMPARE, {**PAIR, "annotator1": nothing}).judgements] == [
        "annotator2"
    ]


def test_skip_values_name_further_words_for_not_judged(tmp_path: Path) -> None:
    text = COMPARE + 'skip_values = ["NA", -1]\n'
    for word in ("NA", -1, None):
        assert len(parse(tmp_path, text, {**PAIR, "annotator2": word}).judgements) == 1


def test_strength_and_reason_come_with_a_verdict(tmp_path: Path) -> None:
    text = """
    kind = "compare"
    prompt = "{q}"
    answer_a = "{a}"
    answer_b = "{b}"
    rater = "{who}"
    [[judgements]]
    value = "{v}"
    strength = "{s}"
    reason = "{why}"
    """
    row = {"q": "?", "a": "x", "b": "y", "who": "ana", "v": "a", "s": "-2.0", "why": " clear "}
    (judgement,) = parse(tmp_path, text, row).judgements
    assert judgement == ParsedJudgement("ana", TaskKind.COMPARE, {"verdict": "a", "strength": -2}, (0, 1), "clear")
    assert parse(tmp_path, text, {**row, "s": None}).judgements[0].value["strength"] is None
    for change, reason in (
        ({"s": 4}, "a strength should be -3 to 3 but is '4'"),
        ({"v": "left"}, "the verdict 'left' is none of a, b, tie"),
        ({"who": " "}, "rater's name is empty"),
    ):
        with pytest.raises(RowProblem, match=reason):
            parse(tmp_path, text, {**row, **change})


RATE = """
kind = "rate"
prompt = "{prompt}"
answer = "{response}"
model = "{model}"
[[judgements]]
rater = "ana"
question = "helpfulness"
value = "{helpfulness}"
reason = "{note}"
[[judgements]]
rater = "ana"
question = "correctness"
value = "{correctness}"
values = { "good" = 4, "bad" = 0 }
[[judgements]]
rater = "{second}"
value = "{other}"
"""
RATED = {
    "prompt": "q",
    "response": "",
    "model": None,
    "helpfulness": "3",
    "correctness": "good",
    "note": "fine",
    "second": "ben",
    "other": 2.0,
}


def test_several_questions_of_one_rater_become_one_judgement(tmp_path: Path) -> None:
    parsed = parse(tmp_path, RATE, RATED)
    assert parsed.kind is TaskKind.RATE
    assert parsed.candidates[0].model is None
    assert parsed.judgements == (
        ParsedJudgement("ana", TaskKind.RATE, {"helpfulness": 3, "correctness": 4}, (0,), "fine"),
        ParsedJudgement("ben", TaskKind.RATE, {"helpfulness": 2}, (0,)),
    )


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"helpfulness": "3.5"}, "helpfulness", "should be a whole number but is '3.5'"),
        ({"helpfulness": True}, "helpfulness", "should be a whole number but is 'true'"),
        ({"helpfulness": [3]}, "helpfulness", "should be a whole number but is '[3]'"),
        ({"second": "ana"}, "question", "'helpfulness' is answered twice by 'ana'"),
    ],
)
def test_a_rating_that_is_none_is_refused(tmp_path: Path, change: dict[str, Any], column: str, reason: str) -> None:
    with pytest.raises(RowProblem) as caught:
        parse(tmp_path, RATE, {**RATED, **change})
    assert (caught.value.column, reason in caught.value.reason) == (column, True)


def test_a_plain_worker_item_label_table_imports(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(
        'kind = "tag"\ncolumns = ["rater", "item", "label"]\n'
        'id = "{item}"\ntext = "{item}"\nlabel = "{label}"\nrater = "{rater}"\n'
    )
    (tmp_path / "labels.txt").write_text("ann\t201\t0\nben\t201\t1\nann\t202\t\n")
    first, second, third = read_examples(tmp_path / "labels.txt", mapping=tmp_path / "map.toml")
    assert isinstance(first, ParsedRow)
    assert isinstance(second, ParsedRow)
    assert isinstance(third, ParsedRow)
    assert (first.kind, first.external_id, first.messages) == (TaskKind.TAG, "201", (Message("user", "201"),))
    assert first.judgements == (ParsedJudgement("ann", TaskKind.TAG, {"labels": ["0"]}, ()),)
    assert second.judgements[0].rater == "ben"
    assert third.judgements == ()


def test_a_list_of_labels_is_one_judgement(tmp_path: Path) -> None:
    parsed = parse(tmp_path, 'kind = "tag"\ntext = "{t}"\nlabel = "{l}"\n', {"t": "x", "l": ["b", "a", "b"]})
    assert parsed.judgements == (ParsedJudgement("dataset", TaskKind.TAG, {"labels": ["b", "a"]}, ()),)


def test_a_written_answer_is_a_demonstration_and_paths_reach_nested_values(tmp_path: Path) -> None:
    text = """
    kind = "write"
    prompt = "{task.text}: {items[1].input}"
    answer = "{items[0].output}"
    system = "You are {{helpful}}."
    id = "{id}"
    tree = "{tree}"
    category = "{task.kind}"
    split = "{split}"
    """
    row = {"task": {"text": "Add", "kind": "maths"}, "items": [{"output": "2"}, {"input": "1+1"}], "id": 7}
    parsed = parse(tmp_path, text, {**row, "tree": "", "split": "Test"})
    assert parsed.messages == (Message("system", "You are {helpful}."), Message("user", "Add: 1+1"))
    assert parsed.candidates[0].is_demonstration
    assert (parsed.external_id, parsed.tree, parsed.category, parsed.split) == ("7", None, "maths", Split.HOLDOUT)
    with pytest.raises(RowProblem, match="the split 'left' is none of train"):
        parse(tmp_path, text, {**row, "tree": "", "split": "left"})


def test_messages_may_hold_the_conversation_and_its_answer(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]
    parsed = parse(tmp_path, 'kind = "write"\nmessages = "{turns}"\n', {"turns": turns})
    assert (parsed.messages, parsed.candidates[0].text) == ((Message("user", "hi"),), "yo")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("{b}", "is missing; the row has a, c"),
        ("{a.x}", "has no 'x'; there is y"),
        ("{c[2]}", "has no item [2]; there is a list of 1"),
        ("{c.x}", "has no 'x'; there is a list of 1"),
        ("{a[0]}", "has no item [0]; there is an object of 1"),
    ],
)
def test_a_place_that_a_row_lacks_is_named_with_what_is_there(path: str, reason: str) -> None:
    with pytest.raises(RowProblem) as caught:
        compile_template(path).fill({"a": {"y": 1}, "c": [1]})
    assert (caught.value.column, caught.value.reason) == (path[1:-1], reason)


def test_an_empty_last_field_leaves_no_tail_and_a_lone_field_is_an_answer_to_the_letter() -> None:
    row = {"a": " x", "b": ""}
    assert compile_template("{a}\n\n{b}").fill(row) == "x"
    assert compile_template("{a}\n\n{b}").fill_exactly(row) == "x"
    assert compile_template("{a}").fill(row) == "x"
    assert compile_template("{a}").fill_exactly(row) == " x"


def test_a_column_whose_own_name_holds_dots_is_found() -> None:
    assert compile_template("{meta.id}").fill({"meta.id": "flat"}) == "flat"


@pytest.mark.parametrize("source", ["{", "}", "{}", "{a", "a}", "{a[x]}", "{a..b}", "{a[]}"])
def test_a_template_that_cannot_be_understood_is_refused(source: str) -> None:
    with pytest.raises(TemplateProblem):
        compile_template(source)


@pytest.mark.parametrize(
    ("text", "happened", "advice"),
    [
        ("prompt = 'x'", "it has no kind", "compare, rate, write, tag"),
        ("kind = 'rank'", "the kind 'rank' is unknown", "compare, rate, write, tag"),
        ("kind = 'write'\nprompt = 'x'\nanser = 'y'", "the key 'anser' is unknown for kind write", "answer"),
        ("kind = 'compare'\nprompt = 'x'\nanswer_a = 'y'", "kind compare needs answer_b", "answer_b"),
        ("kind = 'write'\nanswer = 'x'", "exactly one of prompt, messages but has none", "Say what asks: prompt"),
        ("kind = 'write'\nprompt = 3", "prompt should be a string but is 3", "{column}"),
        ("kind = 'write'\nprompt = '{a'", "prompt has a lone {", "braces"),
        ("kind = 'write'\nmessages = 'x {a}'", "not one column", "messages ="),
        ("kind = 'tag'\ntext = 'x'\ncolumns = ['a', 'a']", "columns should be different names", "columns ="),
        ("kind = 'tag'\ntext = 'x'\njudgements = 'x'", "judgements is 'x', not tables", "[[judgements]]"),
        ("kind = 'tag'\ntext = 'x'\n[[judgements]]\nrater = 'x'", "has no value", "value ="),
        ("kind = 'tag'\ntext = 'x'\n[[judgements]]\nvalu = 'x'", "the key 'valu' in [[judgements]]", "value, values"),
        (COMPARE.replace('"a"', '"left"'), "the verdict 'left'", "a, b, tie, both_bad, cannot_judge"),
        (COMPARE.replace('"a"', "[1]"), "the verdict a list of 1", "a, b, tie"),
        (RATE.replace("= 4", '= "x"'), "the rating 'x'", "whole numbers"),
        (RATE + "skip_values = 'x'\n", "skip_values is 'x', not a list", "skip_values ="),
    ],
)
def test_a_mapping_file_that_says_something_unknown_is_refused_with_the_choices(
    tmp_path: Path, text: str, happened: str, advice: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    assert happened in caught.value.happened
    assert advice in caught.value.advice


def test_a_mapping_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_mapping(tmp_path / "gone.toml")
    for content in (b"kind = ", b"\xff\xfe", b"a = " + b"[" * 50_000):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ImportFileError, match=r"bad\.toml cannot be read"):
            load_mapping(tmp_path / "bad.toml")


def test_a_column_that_no_row_has_stops_the_import_at_once(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("question,answer\n" + "a,b\n" * 1000)
    (tmp_path / "map.toml").write_text('kind = "write"\nprompt = "{qestion}"\nanswer = "{answer}"\n')
    with pytest.raises(ImportFileError, match="names the column 'qestion', which none of the first 50 rows") as caught:
        read_examples(tmp_path / "rows.csv", mapping=tmp_path / "map.toml")
    assert "question, answer" in caught.value.advice


def test_a_column_that_one_row_lacks_rejects_that_row_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "1"}\n{"q": "1", "a": "2"}\n')
    (tmp_path / "map.toml").write_text('kind = "write"\nprompt = "{q}"\nanswer = "{a}"\n')
    rejected, parsed = read_examples(tmp_path / "rows.jsonl", mapping=tmp_path / "map.toml")
    assert rejected == RejectedRow(1, "a", "is missing; the row has q")
    assert isinstance(parsed, ParsedRow)


def test_columns_are_only_for_tables_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"q": "1"}\n')
    (tmp_path / "map.toml").write_text('kind = "write"\ncolumns = ["q"]\nprompt = "{q}"\n')
    with pytest.raises(UsageError, match="whose columns have names of their own"):
        read_examples(tmp_path / "rows.jsonl", mapping=tmp_path / "map.toml")
