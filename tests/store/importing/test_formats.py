"""The known formats, one row at a time."""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.store.importing.formats import PARSERS
from pitchpipe.store.importing.rows import RowProblem
from pitchpipe.store.records import Message, ParsedJudgement, ParsedRow, RejectedRow, TaskKind

USER, ASSISTANT = "user", "assistant"


def parse(name: str, row: dict[str, Any]) -> ParsedRow:
    (parsed,) = PARSERS[name](7, row)
    assert isinstance(parsed, ParsedRow)
    assert parsed.line == 7
    return parsed


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_alpaca_joins_instruction_and_input_and_leaves_no_tail_for_an_empty_input() -> None:
    with_input = parse("alpaca", {"instruction": "Add.", "input": "1+1", "output": " 2\n"})
    without = parse("alpaca", {"instruction": "Greet.", "input": " ", "output": "Hi"})
    assert with_input.messages == (Message(USER, "Add.\n\n1+1"),)
    assert without.messages == (Message(USER, "Greet."),)
    assert with_input.kind is TaskKind.WRITE
    assert with_input.candidates[0].is_demonstration
    assert with_input.candidates[0].text == " 2\n"  # an answer is kept to the letter


def test_sharegpt_names_its_roles_otherwise() -> None:
    turns = [{"from": "system", "value": "Be kind."}, {"from": "human", "value": "hi"}, {"from": "gpt", "value": "yo"}]
    parsed = parse("sharegpt", {"conversations": turns})
    assert parsed.messages == (Message("system", "Be kind."), Message(USER, "hi"))
    assert parsed.candidates[0].text == "yo"


def test_openai_takes_the_last_assistant_turn_and_counts_what_it_cuts() -> None:
    turns = [turn(USER, "1"), turn(ASSISTANT, "2"), turn(USER, "3"), turn(ASSISTANT, "4"), turn(USER, "5")]
    parsed = parse("openai", {"messages": turns})
    assert [message.content for message in parsed.messages] == ["1", "2", "3"]
    assert parsed.candidates[0].text == "4"
    assert parsed.metadata == {"turns_after_answer": 1}


def test_a_conversation_without_an_answer_awaits_one() -> None:
    parsed = parse("openai", {"messages": [turn(USER, "hi")]})
    assert (parsed.kind, parsed.candidates) == (TaskKind.WRITE, ())


def test_text_parts_are_joined_and_other_parts_refused() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert parse("openai", {"messages": [{"role": USER, "content": parts}]}).messages[0].content == "ab"
    with pytest.raises(RowProblem, match="not text"):
        parse("openai", {"messages": [{"role": USER, "content": [{"type": "image_url", "image_url": {}}]}]})


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([], "should be a list of turns"),
        ("hi", "should be a list of turns"),
        ([turn("tool", "x")], "role 'tool' is none of"),
        ([{"content": "x"}], "role null is none of"),
        ([turn(ASSISTANT, "x")], "must end with a user turn"),
        ([turn(USER, "x"), turn("system", "y"), turn(USER, "z")], "system turn may only come first"),
        ([turn(USER, " ")], "the last user turn is empty"),
        ([turn(USER, "x"), turn(ASSISTANT, " ")], "the answer is empty"),
        ([{"role": USER, "content": None}], "content should be text but is null"),
        (["x"], "should be an object with role and content"),
    ],
)
def test_a_conversation_that_is_none_is_refused_with_its_place(turns: object, reason: str) -> None:
    with pytest.raises(RowProblem) as caught:
        parse("openai", {"messages": turns})
    assert reason in caught.value.reason
    assert caught.value.column.startswith("messages")


def test_prompt_and_completion_may_be_texts_or_turns() -> None:
    texts = parse("trl-prompt-completion", {"prompt": "hi", "completion": "yo"})
    turns = parse("trl-prompt-completion", {"prompt": [turn(USER, "hi")], "completion": [turn(ASSISTANT, "yo")]})
    assert texts == turns


def test_a_kto_label_is_a_rating_at_one_end_of_the_scale() -> None:
    for label, value in ((True, 4), (False, 0), ("True", 4), ("0", 0), (1, 4)):
        parsed = parse("trl-kto", {"prompt": "hi", "completion": "yo", "label": label})
        assert parsed.kind is TaskKind.RATE
        assert parsed.judgements == (ParsedJudgement("dataset", TaskKind.RATE, {"helpfulness": value}, (0,)),)
    with pytest.raises(RowProblem, match="should be true or false but is 'good'"):
        parse("trl-kto", {"prompt": "hi", "completion": "yo", "label": "good"})


def test_a_preference_becomes_a_pair_with_the_verdict_of_its_rater() -> None:
    row = {"prompt": "hi", "chosen": "Hello.", "rejected": "", "rater": "ana", "chosen_model": "m1"}
    parsed = parse("trl-preference", row)
    assert parsed.kind is TaskKind.COMPARE
    assert [(candidate.text, candidate.model) for candidate in parsed.candidates] == [("Hello.", "m1"), ("", None)]
    assert parsed.judgements == (ParsedJudgement("ana", TaskKind.COMPARE, {"verdict": "a", "strength": None}, (0, 1)),)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [turn(USER, "q")], "chosen": [turn(ASSISTANT, "x y")], "rejected": [turn(ASSISTANT, "x z")]},
        {"chosen": [turn(USER, "q"), turn(ASSISTANT, "x y")], "rejected": [turn(USER, "q"), turn(ASSISTANT, "x z")]},
        {
            "prompt": "q",
            "chosen": [turn(USER, "q"), turn(ASSISTANT, "x y")],
            "rejected": [turn(USER, "q"), turn(ASSISTANT, "x z")],
        },
        {"prompt": "q", "chosen": "x y", "rejected": "x z"},
    ],
    ids=["explicit turns", "implicit turns", "repeated prompt", "explicit texts"],
)
def test_every_spelling_of_a_trl_preference_gives_the_same_example(row: dict[str, Any]) -> None:
    parsed = parse("trl-preference", row)
    assert parsed.messages == (Message(USER, "q"),)
    assert [candidate.text for candidate in parsed.candidates] == ["x y", "x z"]
    assert parsed.judgements[0].rater == "dataset"


def test_an_implicit_text_prompt_ends_at_a_word() -> None:
    parsed = parse("trl-preference", {"chosen": "The sky is blue.", "rejected": "The sky is black."})
    assert parsed.messages[0].content == "The sky is"
    assert [candidate.text for candidate in parsed.candidates] == ["blue.", "black."]


def test_hh_rlhf_transcripts_share_all_but_the_last_answer() -> None:
    start = "\n\nHuman: hi\n\nAssistant: Hello.\n\nHuman: how?\n\nAssistant:"
    parsed = parse("hh-rlhf", {"chosen": start + " Well.", "rejected": start + " Why do you ask?\nSay."})
    assert parsed.messages == (Message(USER, "hi"), Message(ASSISTANT, "Hello."), Message(USER, "how?"))
    assert [candidate.text for candidate in parsed.candidates] == ["Well.", "Why do you ask?\nSay."]


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: x\n\nAssistant: c", "part before their last answer"),
        ("\n\nHuman: a", "\n\nHuman: a\n\nAssistant: c", "should end with an assistant turn"),
        ("no transcript", "\n\nHuman: a\n\nAssistant: c", "should be a transcript"),
        ("\n\nAssistant: b", "\n\nAssistant: c", "there is no turn"),
    ],
)
def test_transcripts_that_do_not_fit_together_are_refused(chosen: str, rejected: str, reason: str) -> None:
    with pytest.raises(RowProblem, match=reason):
        parse("hh-rlhf", {"chosen": chosen, "rejected": rejected})


def message(name: str, role: str, replies: tuple[Any, ...] = (), **more: Any) -> dict[str, Any]:
    return {"message_id": name, "text": f"text of {name}", "role": role, "replies": list(replies), **more}


def parse_tree(prompt: Any) -> list[ParsedRow | RejectedRow]:
    return list(PARSERS["oasst"](1, {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": prompt}))


def test_a_tree_gives_an_example_for_every_answered_prompter_message() -> None:
    below = message("p2", "prompter", (message("a3", ASSISTANT),))
    rows = parse_tree(
        message("p1", "prompter", (message("a1", ASSISTANT, (below,), rank=1), message("a2", ASSISTANT, rank=0)))
    )
    first, second = rows
    assert isinstance(first, ParsedRow)
    assert isinstance(second, ParsedRow)
    assert (first.external_id, first.tree, first.kind) == ("p1", "t", TaskKind.COMPARE)
    # The second reply has the better rank.
    assert first.judgements == (ParsedJudgement("oasst", TaskKind.COMPARE, {"verdict": "b", "strength": None}, (0, 1)),)
    assert not any(candidate.is_demonstration for candidate in first.candidates)
    assert [part.content for part in second.messages] == ["text of p1", "text of a1", "text of p2"]
    assert (second.kind, second.candidates[0].is_demonstration, second.judgements) == (TaskKind.WRITE, True, ())


def test_three_ranked_replies_give_ranks_over_the_ranked_ones_alone() -> None:
    replies = [message(f"a{i}", ASSISTANT, rank=rank) for i, rank in enumerate([5, None, 0, 2])]
    (row,) = parse_tree(message("p", "prompter", tuple(replies)))
    assert isinstance(row, ParsedRow)
    assert (row.kind, len(row.candidates)) == (TaskKind.RANK, 4)
    assert row.judgements == (ParsedJudgement("oasst", TaskKind.RANK, {"ranks": [2, 0, 1]}, (0, 2, 3)),)


def test_equal_ranks_are_ties_and_replies_without_ranks_await_judgement() -> None:
    (tied,) = parse_tree(message("p", "prompter", (message("a", ASSISTANT, rank=0), message("b", ASSISTANT, rank=0))))
    (unranked,) = parse_tree(message("p", "prompter", (message("a", ASSISTANT), message("b", ASSISTANT))))
    assert isinstance(tied, ParsedRow)
    assert isinstance(unranked, ParsedRow)
    assert tied.judgements[0].value == {"verdict": "tie", "strength": None}
    assert (unranked.kind, unranked.judgements) == (TaskKind.COMPARE, ())


def test_deleted_and_empty_messages_are_reported_with_what_hangs_below_them() -> None:
    deleted = message("d", ASSISTANT, (message("p2", "prompter", (message("x", ASSISTANT),)),), deleted=True)
    empty = {**message("e", ASSISTANT), "text": "  "}
    rows = parse_tree(message("p", "prompter", (deleted, empty, message("a", ASSISTANT))))
    assert rows[0] == RejectedRow(1, "prompt.replies[0]", "the message 'd' is deleted, and 2 below it go with it")
    assert rows[1] == RejectedRow(1, "prompt.replies[1]", "the message 'e' is empty")
    assert isinstance(rows[2], ParsedRow)
    assert len(rows) == 3


def test_a_tree_far_deeper_than_the_stack_is_read() -> None:
    tree = message("leaf", ASSISTANT)
    for depth in range(3000):
        tree = message(str(depth), ASSISTANT if depth % 2 else "prompter", (tree,))
    rows = parse_tree(message("root", "prompter", (tree,)) if tree["role"] == ASSISTANT else tree)
    assert len(rows) == 1501
    assert isinstance(rows[-1], ParsedRow)
    assert len(rows[-1].messages) == 3001


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"role": "prompter"}, "should have the role assistant"),
        ({"rank": "first"}, "not a whole number"),
        ({"rank": True}, "not a whole number"),
        ({"text": 5}, "has a text that is 5"),
        ({"replies": "none"}, "not a list"),
    ],
)
def test_a_malformed_reply_is_reported_and_the_others_are_kept(change: dict[str, Any], reason: str) -> None:
    rows = parse_tree(message("p", "prompter", ({**message("x", ASSISTANT), **change}, message("a", ASSISTANT))))
    assert isinstance(rows[0], RejectedRow)
    assert reason in rows[0].reason
    assert isinstance(rows[1], ParsedRow)


def test_a_tree_without_a_sound_root_is_refused() -> None:
    with pytest.raises(RowProblem, match="is deleted"):
        parse_tree(message("p", "prompter", deleted=True))
    with pytest.raises(RowProblem, match="should be a message but is null"):
        parse_tree(None)
