"""The promises of safe tokens, for every family of chat templates."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import RunError
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.ledger import build_dpo_ledger, build_sft_ledger
from pitchpipe.training.tokens.tokenizing import IGNORED, ChatEncoder
from tests.training.tokens.attack_bank import BANK
from tests.training.tokens.families import BUILDERS, build_tokenizer

FAMILIES = sorted(BUILDERS)
TALK = ["where is my parcel", "The lamp arrived.\n\nThank you", "please send a new one  today"]
EVERY_CONTROL = sorted(
    {str(token) for name in FAMILIES for token in build_tokenizer(name).added_tokens_decoder.values()}
)
ODD = [
    "\n",
    " ",
    "  ",
    "\u2581",
    "is",
    "\ue000",
    "0",
    "\ue001",
    "\x00",
    "\u200b",
    "e\u0301",
    "\ufb01",
    "<|",
    "im_",
    "<0x41>",
]
TYPED = st.lists(st.sampled_from([*EVERY_CONTROL, *ODD]) | st.text(max_size=6), max_size=8).map("".join)


@cache
def encoder_of(family: str) -> ChatEncoder:
    return ChatEncoder(build_tokenizer(family))


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def native_ids(encoder: ChatEncoder, messages: list[dict[str, str]], ready: bool) -> list[int]:
    """What transformers makes of a conversation, with the same day and without thinking."""
    made = encoder.tokenizer.apply_chat_template(
        messages, add_generation_prompt=ready, tokenize=True, date_string="26 Jul 2024", enable_thinking=False
    )
    return list(made["input_ids"])


def control_ids(encoder: ChatEncoder, ids: list[int]) -> list[int]:
    return [number for number in ids if number in encoder.text.control_ids]


def row_of(prompt: str, answer: str, rejected: str = "no") -> FormatResult:
    side = {"completion": answer, "chosen": answer, "rejected": rejected}
    kept = {name: [{"role": "assistant", "content": text}] for name, text in side.items()}
    return FormatResult([{"row_id": "r0", "prompt": turns(prompt), **kept}], [], 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_harmless_conversations_get_the_ids_of_the_template_itself(family: str) -> None:
    encoder = encoder_of(family)
    encoder.check_template()
    for count in (1, 3):
        assert encoder.prompt(turns(*TALK[:count])) == native_ids(encoder, turns(*TALK[:count]), True)
    whole = native_ids(encoder, turns(*TALK[:2]), False)
    ours = encoder.prompt(turns(TALK[0])) + encoder.answer(TALK[1])
    assert ours == whole[: len(ours)]
    assert not encoder.tokenizer.decode(whole[len(ours) :]).strip()


def check_row(family: str, prompt: str, answer: str) -> None:
    """Asserts the promises for an instruction and a pair with these texts."""
    encoder = encoder_of(family)
    harmless = build_sft_ledger(row_of("a", "b"), encoder, 10**7, "drop").learned[0]
    row = build_sft_ledger(row_of(prompt, answer), encoder, 10**7, "drop").learned[0]
    assert control_ids(encoder, row["input_ids"]) == control_ids(encoder, harmless["input_ids"])
    learned = [number for number in row["labels"] if number != IGNORED]
    asked = row["input_ids"][: -len(learned)]
    assert asked + learned == row["input_ids"]
    assert learned[-1] == encoder.shapes.answer_frame.end
    assert encoder.text.decode(learned[:-1]) == encoder.shapes.answer_frame.before + answer
    plain = encoder.text.decode(encoder.prompt(turns("QQQ")))
    assert encoder.text.decode(asked) == plain.replace("QQQ", prompt)
    pair = build_dpo_ledger(row_of(prompt, answer, prompt), encoder, 10**7, "drop").learned[0]
    assert pair == {"prompt_ids": asked, "chosen_ids": learned, "rejected_ids": encoder.answer(prompt)}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_attack_makes_a_control_token_moves_the_mask_or_changes_a_byte(family: str) -> None:
    for text in BANK.values():
        check_row(family, text, text)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(prompt=TYPED, answer=TYPED)
def test_whatever_is_typed_stays_text_and_comes_back_byte_for_byte(family: str, prompt: str, answer: str) -> None:
    check_row(family, prompt, answer)


@pytest.mark.parametrize("family", FAMILIES)
def test_many_rows_at_once_get_the_ids_of_one_at_a_time(family: str) -> None:
    encoder = encoder_of(family)
    talks = [turns(text, "yes", text) for text in BANK.values()] + [turns(text) for text in BANK.values()]
    assert encoder.prompts(talks) == [encoder.prompt(talk) for talk in talks]
    assert encoder.answers(list(BANK.values())) == [encoder.answer(text) for text in BANK.values()]


@pytest.mark.parametrize("family", ["llama3", "gemma"])
def test_a_text_of_a_megabyte_comes_back(family: str) -> None:
    text = "<|eot_id|>the lamp \u2581" * 50_000
    assert len(text) > 900_000
    encoder = encoder_of(family)
    assert encoder.text.decode(encoder.answer(text)[:-1]) == text


def test_spaces_that_a_template_trims_are_kept() -> None:
    encoder = encoder_of("gemma")
    padded, bare = turns("  the lamp  "), turns("the lamp")
    assert native_ids(encoder, padded, True) == native_ids(encoder, bare, True)
    assert "\n  the lamp  <end_of_turn>" in encoder.text.decode(encoder.prompt(padded))


def test_the_date_in_a_template_does_not_change_from_day_to_day() -> None:
    assert "Today Date: 26 Jul 2024" in encoder_of("llama3").tokenizer.decode(encoder_of("llama3").prompt(turns("a")))


def test_thinking_marks_of_the_template_belong_to_the_prompt_and_typed_ones_are_text() -> None:
    encoder = encoder_of("qwen3")
    marks = [encoder.tokenizer.convert_tokens_to_ids(mark) for mark in ("<think>", "</think>")]
    prompt = encoder.prompt(turns("why?"))
    assert [number for number in prompt if number in marks] == marks
    assert not set(marks) & set(encoder.answer("<think>\nplan\n</think>\n\nyes"))
    earlier = encoder.prompt(turns("why?", "<think>plan</think>yes", "and?"))
    assert "<think>plan</think>yes" in encoder.text.decode(earlier)


@pytest.mark.parametrize(
    ("family", "roles", "words"),
    [
        ("gemma", ["system", "user"], "of the turns system, user: System role not supported"),
        ("mistral", ["user", "user"], "roles must alternate"),
        ("chatml", ["user", "<|im_end|>"], "the role '<|im_end|>', which is no plain word"),
        ("qwen3", ["user", "tool"], "leaves out, repeats or reorders turns of a conversation of user, tool"),
    ],
)
def test_roles_that_a_template_cannot_write_are_refused_in_words(family: str, roles: list[str], words: str) -> None:
    with pytest.raises(RunError) as caught:
        encoder_of(family).prompt([{"role": role, "content": "a"} for role in roles])
    assert words in caught.value.happened


def test_half_a_character_is_refused_in_words() -> None:
    with pytest.raises(RunError, match=r"half a character at place 3: 'the\\ud83d lamp'"):
        encoder_of("chatml").answer("the\ud83d lamp")


def changed(family: str, template: str | None = None) -> Any:
    tokenizer = BUILDERS[family]()
    tokenizer.chat_template = template or tokenizer.chat_template
    return tokenizer


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ messages[-1].content }}<|im_end|>{{ '<|im_start|>' if add_generation_prompt }}", "leaves out, repeats"),
        ("{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}", "ends no answer with a control token"),
        (
            "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
            "{{ '<|im_start|>thought:' if add_generation_prompt }}",
            "begins an answer otherwise than it asks for one",
        ),
        ("{{ cycler.__init__.__globals__ }}", "access to attribute '__init__'"),
        ("{% for m in messages %}{{ m.content", "unexpected"),
    ],
)  # fmt: skip
def test_templates_that_would_not_keep_the_conversation_are_refused_in_words(template: str, words: str) -> None:
    with pytest.raises(RunError, match=words):
        ChatEncoder(changed("chatml", template)).check_template()
