"""Template check: asks a chat template and its tokenizer, before anything is learned, whether they keep what is typed.

Two questions. Does harmless text get the ids that the template and the tokenizer would give it without us? Does text of
every odd kind come back from its ids byte for byte, with no control token among them?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pitchpipe.prompts.library import PromptError
from pitchpipe.prompts.rendering_apart import Wanted, render_apart
from pitchpipe.store.errors import RunError

if TYPE_CHECKING:
    from pitchpipe.training.tokens.tokenizing import ChatEncoder

_TALK = [
    {"role": "user", "content": "What is 12 + 7?"},
    {"role": "assistant", "content": "It is 19.\n\nIs that all?"},
    {"role": "user", "content": "Yes,  thank you"},
]
_SYSTEM = {"role": "system", "content": "Be brief."}
ODD_TEXTS = (
    "\U0001f600\u0928\u093f\u202e",
    " two  spaces ",
    "\n\tline\r\n",
    "e\u0301 \ufb01 \uff21 \u212b",
    "\x00\u200b\ufeff\ue0000\ue001",
    "<0x41>",
    "\u2581mark\u2581",
)
"""Kinds of text that tokenizers are known to change: spaces, line ends, the space mark, characters with more than one
spelling, invisible ones, names of byte tokens, and what needs several bytes."""


def check_template(encoder: ChatEncoder) -> None:
    """Refuses a template or a tokenizer that would not keep what people typed.

    Raises:
        RunError: what it does to the text, in words.
    """
    end = encoder.shapes.answer_frame.end
    talks = [_TALK[:1], _TALK, [_SYSTEM, *_TALK[:1]]]
    try:
        texts = _render(encoder, talks)
    except PromptError:  # many templates take no system turn; rows that have one are refused when they come
        talks = talks[:2]
        try:
            texts = _render(encoder, talks)
        except PromptError as error:
            raise RunError(error.happened, error.advice) from error
    theirs = encoder.tokenizer([text + encoder.shapes.control_lead for text in texts], add_special_tokens=False)[
        "input_ids"
    ]
    if encoder.prompts(talks) != [list(ids) for ids in theirs]:
        raise RunError(
            "The chat template of the model rewrites what people typed, so rows cannot be checked against it.",
            "Use a model with a plain chat template.",
        )
    if end not in encoder.text.control_ids:
        raise AssertionError("the end of turn is no control token")
    _check_texts(encoder)


def _render(encoder: ChatEncoder, talks: list[list[dict[str, str]]]) -> list[str]:
    shapes = encoder.shapes
    return render_apart(shapes.template, shapes.names, [Wanted(talk, True) for talk in talks])


def _check_texts(encoder: ChatEncoder) -> None:
    texts = [*ODD_TEXTS, *encoder.text.controls]
    for text in texts:
        (ids,) = encoder.text.encode([text])
        found = encoder.text.control_ids & set(ids)
        if found:
            token = encoder.tokenizer.convert_ids_to_tokens(sorted(found)[0])
            raise RunError(
                f"The tokenizer of the model makes its control token {token!r} of the text {text!r}.",
                "Use a model with a byte-level tokenizer, or one that falls back to bytes.",
            )
        back = encoder.text.decode(ids)
        if back != text:
            raise RunError(
                f"The tokenizer of the model does not give back what was typed: {text!a} became {back!a}.",
                "Use a model with a byte-level tokenizer, or one that falls back to bytes.",
            )
