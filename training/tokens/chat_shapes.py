"""Chat shapes: what a chat template writes around the turns of a conversation, by the order of their roles.

A template sees placeholders, never what people typed, so one rendering serves every conversation with the same roles,
and no typed text can make a template do something else. It is rendered in a process apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pitchpipe.prompts.library import PromptError
from pitchpipe.prompts.rendering_apart import Wanted, render_apart
from pitchpipe.store.errors import RunError
from pitchpipe.training.tokens.plain_text import Start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = re.compile("\ue000([0-9]+)\ue001")
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
OPEN, CLOSED = True, False
"""Whether a rendering ends where the answer would begin."""
Wish = tuple[tuple[str, ...], bool]
"""The roles of a conversation, and whether its answer is to come."""
PROBES: tuple[Wish, Wish] = ((("user",), OPEN), (("user", "assistant"), CLOSED))
_rendered: dict[tuple[str, tuple[tuple[str, str], ...], Wish], str] = {}
"""Renderings of this process; a template writes the same every time."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of a turn's text."""

    place: int


Atom = str | int | Turn
"""Text of the template, the id of a control token of the template, or a turn."""


@dataclass(frozen=True, slots=True)
class AnswerFrame:
    """What the template writes around an answer."""

    before: str
    """Text between the prompt and the answer, which a model has to say; a space in some templates."""
    after: str
    end: int
    """The control token that ends the turn."""
    start: Start
    """What stands before the answer."""


class ChatShapes:
    """The shapes of one tokenizer's chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, controls: dict[str, Any]) -> None:
        self.template = str(tokenizer.chat_template)
        self.names = {
            name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)
        }
        self._ids = {content: int(tokenizer.convert_tokens_to_ids(content)) for content in controls}
        longest_first = sorted(controls, key=len, reverse=True)
        # Some control tokens take the spaces beside them along; only those of the template do so here.
        parts = [
            (r"\s*" if token.lstrip else "") + f"({re.escape(token.content)})" + (r"\s*" if token.rstrip else "")
            for token in (controls[content] for content in longest_first)
        ]
        self._pattern = re.compile("|".join(parts) or r"(?!)")

    def find(self, wishes: Sequence[Wish]) -> dict[Wish, list[Atom]]:
        """The shape of each order of roles.

        Raises:
            RunError: the template refuses an order of roles, or leaves out a turn.
        """
        texts = self._render(wishes)
        lead = self.control_lead
        return {wish: [*self._cut(texts[wish]), *(self._cut(lead) if wish[1] else ())] for wish in wishes}

    @cached_property
    def answer_frame(self) -> AnswerFrame:
        """What stands around an answer, learned from the first turn of a conversation."""
        lead = self._lead[len(self.control_lead) :]
        tail = self._probe[1].split(_place(1))[1]
        found = self._pattern.search(tail)
        if found is None:
            raise RunError(
                "The chat template ends no answer with a control token, so a model could not learn to stop.",
                "Use a model whose chat template closes the assistant's turn.",
            )
        is_after_control = isinstance(self._cut(self._probe[0] + self.control_lead)[-1], int)
        start: Start = "inner" if is_after_control else "bare"
        return AnswerFrame(lead, tail[: found.start()], self._ids[str(found[found.lastindex or 0])], start)

    @cached_property
    def _probe(self) -> tuple[str, str]:
        """A question that waits for its answer, and the same with one."""
        texts = self._render(PROBES)
        return texts[PROBES[0]], texts[PROBES[1]]

    @cached_property
    def _lead(self) -> str:
        """What the template writes between the prompt and the answer."""
        asked, answered = self._probe
        if not answered.startswith(asked):
            raise RunError(
                "The chat template begins an answer otherwise than it asks for one, so what is learned would not be "
                "what the model is asked for.",
                "Use a model whose chat template goes on where its generation prompt ends.",
            )
        return answered[len(asked) :].split(_place(1))[0]

    @cached_property
    def control_lead(self) -> str:
        """What of that belongs to the prompt: all up to its last control token, which no answer says."""
        end = 0
        for found in self._pattern.finditer(self._lead):
            end = found.end()
        return self._lead[:end]

    def _cut(self, text: str) -> list[Atom]:
        """A rendering as atoms; empty texts are left out."""
        return [atom for atom in self._atoms(text) if atom != ""]

    def _atoms(self, text: str) -> Iterator[Atom]:
        for number, piece in enumerate(_MARK.split(text)):
            if number % 2:  # the number of a placeholder
                yield Turn(int(piece))
                continue
            end = 0
            for found in self._pattern.finditer(piece):
                yield piece[end : found.start()]
                yield self._ids[str(found[found.lastindex or 0])]
                end = found.end()
            yield piece[end:]

    def _render(self, wishes: Iterable[Wish]) -> dict[Wish, str]:
        return render_shapes(self.template, self.names, [*PROBES, *wishes])


def render_shapes(template: str, names: Mapping[str, str], wishes: Iterable[Wish]) -> dict[Wish, str]:
    """What a template writes for each order of roles, with placeholders where the texts go (`fill_shape`).

    Args:
        names: control tokens that the template may name, such as bos_token and eos_token.

    Raises:
        RunError: the template refuses an order of roles, leaves out a turn, or uses too much time or memory.
    """
    known = (template, tuple(sorted(names.items())))
    wishes = list(dict.fromkeys(wishes))
    new = [wish for wish in wishes if (*known, wish) not in _rendered]
    for wish, text in zip(new, _render_apart(template, names, new) if new else (), strict=True):
        _check_turns(wish, text)
        _rendered[*known, wish] = text
    return {wish: _rendered[*known, wish] for wish in wishes}


def fill_shape(shape: str, texts: Sequence[str]) -> str:
    """A rendering with its texts in place.

    >>> fill_shape("<user> \ue0000\ue001 <end>", ["hi"])
    '<user> hi <end>'
    """
    return _MARK.sub(lambda found: texts[int(found[1])], shape)


def _render_apart(template: str, names: Mapping[str, str], wishes: Sequence[Wish]) -> list[str]:
    for roles, _ in wishes:
        _check_roles(roles)
    wanted = [
        Wanted([{"role": role, "content": _place(number)} for number, role in enumerate(roles)], is_open)
        for roles, is_open in wishes
    ]
    try:
        return render_apart(template, names, wanted)
    except PromptError as error:
        raise RunError(error.happened, error.advice) from error


def _place(number: int) -> str:
    return f"\ue000{number}\ue001"


def _check_roles(roles: Sequence[str]) -> None:
    """A role is written between control tokens, so it must be a plain word."""
    for role in roles:
        if not _ROLE.fullmatch(role):
            raise RunError(
                f"A turn has the role {role!a}, which is no plain word.",
                "Give every turn the role system, user or assistant.",
            )


def _check_turns(wish: Wish, text: str) -> None:
    roles, _ = wish
    if [int(number) for number in _MARK.findall(text)] != list(range(len(roles))):
        raise RunError(
            f"The chat template leaves out, repeats or reorders turns of a conversation of {', '.join(roles)}.",
            "Use a model whose template writes every turn once, whatever its role.",
        )
