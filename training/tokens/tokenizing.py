"""Tokenizing: conversations as token ids in which typed text can never become a control token.

A chat template is text with control tokens in it (`<|im_start|>`), and a person may type the very same characters. So
the template is rendered with placeholders where the typed texts go; control tokens are looked for only between the
placeholders, in the template's own text; and everything from one control token to the next, typed text included, is
encoded as plain text. Harmless text gets exactly the ids that the template and the tokenizer would give it; hostile
text stays text, and decodes to the very bytes that were typed. Nothing is deleted.

A row is prompt + answer + end of turn. Only the answer and its end-of-turn token are learned, so a tuned model learns
to stop; the prompt's ids are the same in training, scoring and generation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = list[dict[str, str]]
IGNORED = -100
"""The label of a token that is not learned."""
_MARK = re.compile("\ue000([0-9]+)\ue001")


@dataclass
class ChatEncoder:
    """Turns conversations into token ids with one tokenizer and its chat template."""

    tokenizer: PreTrainedTokenizerBase
    _controls: dict[str, int] = field(init=False)
    _pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        added = self.tokenizer.added_tokens_decoder
        self._controls = {str(token): number for number, token in added.items()}
        longest_first = sorted(self._controls, key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(token) for token in longest_first) or r"(?!)")

    @cached_property
    def template_hash(self) -> str:
        """Names the chat template; training and serving must agree on it."""
        return hash_text(str(self.tokenizer.chat_template))

    @cached_property
    def end_of_turn(self) -> list[int]:
        """What follows an answer in the template, up to its first control token; the last one of it ends generation."""
        tail = _MARK.split(self._render([*_PROBE, {"role": "assistant", "content": "b"}], False))[-1]
        found = self._pattern.search(tail)
        if found is None:
            raise RunError(
                "The chat template ends no answer with a control token, so a model could not learn to stop.",
                "Use a model whose chat template closes the assistant's turn.",
            )
        return [*self.plain(tail[: found.start()]), self._controls[found.group()]]

    def plain(self, text: str) -> list[int]:
        """The ids of a text in which nothing is a control token."""
        if not text:
            return []
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def prompt(self, messages: Messages) -> list[int]:
        """The ids of a conversation up to where the answer begins."""
        rendered = self._render(messages, True)
        ids: list[int] = []
        waiting = ""
        for number, piece in enumerate(_MARK.split(rendered)):
            if number % 2:  # the number of a placeholder
                waiting += messages[int(piece)]["content"]
                continue
            end = 0
            for found in self._pattern.finditer(piece):
                ids += self.plain(waiting + piece[end : found.start()])
                ids.append(self._controls[found.group()])
                waiting, end = "", found.end()
            waiting += piece[end:]
        return ids + self.plain(waiting)

    def answer(self, text: str) -> list[int]:
        """The ids of an answer with its end of turn."""
        return self.plain(text) + self.end_of_turn

    def check_template(self) -> None:
        """Refuses a template that would not render harmless text as this class does."""
        ours = self.prompt(_PROBE)
        theirs = self.tokenizer.apply_chat_template(_PROBE, add_generation_prompt=True, tokenize=True)
        if ours != list(theirs["input_ids"]):
            raise RunError(
                "The chat template of the model rewrites what people typed, so rows cannot be checked against it.",
                "Use a model with a plain chat template.",
            )

    def _render(self, messages: Messages, ready: bool) -> str:
        marked = [{**turn, "content": f"\ue000{number}\ue001"} for number, turn in enumerate(messages)]
        text: str = self.tokenizer.apply_chat_template(marked, add_generation_prompt=ready, tokenize=False)
        found = [int(number) for number in _MARK.findall(text)]
        if found != list(range(len(messages))):
            raise RunError(
                f"The chat template leaves out or reorders turns of a conversation of {len(messages)} turns.",
                "Use a model whose template accepts these roles (some refuse a system turn).",
            )
        return text


_PROBE: Messages = [{"role": "user", "content": "a"}]
