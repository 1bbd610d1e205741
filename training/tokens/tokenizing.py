"""Tokenizing: conversations as token ids in which typed text can never become a control token.

A chat template is text with control tokens in it (`<|im_start|>`), and a person may type the very same characters. So
the template is rendered with placeholders where the typed texts go, once for each order of roles; control tokens are
looked for only between the placeholders, in the template's own text; and everything from one control token to the next,
typed text included, is encoded as plain text (`plain_text`). Harmless text gets exactly the ids that the template and
the tokenizer would give it; hostile text stays text, and decodes to the very bytes that were typed. Nothing is deleted,
not even the spaces at its ends that some templates trim.

A row is prompt + answer + end of turn. Only the answer and its end-of-turn token are learned, so a tuned model learns
to stop; the prompt's ids are the same in training, scoring and generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pitchpipe.store.identity import hash_text
from pitchpipe.training.tokens.chat_shapes import OPEN, Atom, ChatShapes, Turn
from pitchpipe.training.tokens.plain_text import PlainText, Start
from pitchpipe.training.tokens.template_check import check_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from pitchpipe.training.tokens.token_cache import TokenCache

Messages = list[dict[str, str]]
IGNORED = -100
"""The label of a token that is not learned."""


@dataclass
class ChatEncoder:
    """Turns conversations into token ids with one tokenizer and its chat template."""

    tokenizer: PreTrainedTokenizerBase
    cache: TokenCache | None = None
    """Where ids are kept from one run to the next."""
    text: PlainText = field(init=False)
    shapes: ChatShapes = field(init=False)

    def __post_init__(self) -> None:
        self.text = PlainText(self.tokenizer)
        self.shapes = ChatShapes(self.tokenizer, self.text.controls)

    @cached_property
    def template_hash(self) -> str:
        """Names the chat template; training and serving must agree on it."""
        return hash_text(str(self.tokenizer.chat_template))

    @cached_property
    def hash(self) -> str:
        """Names everything that decides the ids of a conversation but for our own code."""
        return hash_text(f"{self.template_hash} {self.text.hash} {sorted(self.shapes.names.items())}")

    @cached_property
    def end_of_turn(self) -> list[int]:
        """What follows an answer in the template, up to its first control token; the last one of it ends generation."""
        frame = self.shapes.answer_frame
        return [*(self.text.encode([frame.after])[0] if frame.after else []), frame.end]

    def plain(self, text: str) -> list[int]:
        """The ids of a text in which nothing is a control token."""
        return self.text.encode([text], "inner")[0]

    def prompt(self, messages: Messages) -> list[int]:
        """The ids of a conversation up to where the answer begins."""
        return self.prompts([messages])[0]

    def prompts(self, conversations: Sequence[Messages]) -> list[list[int]]:
        """The ids of each conversation up to where the answer begins; many at once are much faster than one by one.

        Raises:
            RunError: the template refuses the roles of a conversation, or does not write every turn.
        """
        if self.cache is None:
            return self._encode_prompts(conversations)
        return self.cache.find_or_make("prompts", self.hash, conversations, self._encode_prompts)

    def answer(self, text: str) -> list[int]:
        """The ids of an answer with its end of turn."""
        return self.answers([text])[0]

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each answer with its end of turn."""
        if self.cache is None:
            return self._encode_answers(texts)
        return self.cache.find_or_make("answers", self.hash, texts, self._encode_answers)

    def check_template(self) -> None:
        """Refuses a template or a tokenizer that would not keep what people typed.

        Raises:
            RunError: what it does to the text, in words.
        """
        check_template(self)

    def _encode_prompts(self, conversations: Sequence[Messages]) -> list[list[int]]:
        roles = [tuple(turn["role"] for turn in messages) for messages in conversations]
        shapes = self.shapes.find([(found, OPEN) for found in dict.fromkeys(roles)])
        laid = [_lay_out(shapes[found, OPEN], turns) for found, turns in zip(roles, conversations, strict=True)]
        ids: dict[tuple[str, Start], list[int]] = {}
        for start in ("opening", "inner"):
            # Templates write much the same between turns again and again.
            texts = list({text: None for row in laid for text, how, _ in row if how == start and text})
            ids |= {(text, start): found for text, found in zip(texts, self.text.encode(texts, start), strict=True)}
        rows = []
        for row in laid:
            made: list[int] = []
            for text, start, control in row:
                made += ids[text, start] if text else []
                made += [] if control is None else [control]
            rows.append(made)
        return rows

    def _encode_answers(self, texts: Sequence[str]) -> list[list[int]]:
        frame = self.shapes.answer_frame
        whole = [f"{frame.before}{text}{frame.after}" for text in texts]
        return [[*ids, frame.end] for ids in self.text.encode(whole, frame.start)]


_Section = tuple[str, Start, int | None]
"""Text from one control token to the next, what stands before it, and the control token behind it."""


def _lay_out(shape: Sequence[Atom], messages: Messages) -> list[_Section]:
    """A conversation as sections of plain text, each closed by a control token of the template.

    >>> _lay_out(["user: ", Turn(0), 2, "bot: "], [{"role": "user", "content": "hi"}])
    [('user: hi', 'opening', 2), ('bot: ', 'inner', None)]
    """
    sections: list[_Section] = []
    waiting = ""
    start: Start = "opening"
    for atom in shape:
        if isinstance(atom, int):
            sections.append((waiting, start, atom))
            waiting, start = "", "inner"
        else:
            waiting += messages[atom.place]["content"] if isinstance(atom, Turn) else atom
    return [*sections, (waiting, start, None)]
