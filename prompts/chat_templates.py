"""Renders the chat template of a model without transformers, in a sandbox: templates come with models, not from us."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from pitchpipe.prompts.library import PromptError

_SOME_DAY = "26 Jul 2024"
"""What templates get that ask for the date: as long as any, and the same every day."""
_CONTEXT = {"tools": None, "documents": None, "enable_thinking": False}
"""What transformers gives every template, and that an answer begins at once: our rows hold no thinking before it."""


def render_chat(
    template: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str], is_open: bool = False
) -> str:
    """A conversation as the text that a model reads, control tokens written out.

    Args:
        template: jinja, as transformers keeps it in `chat_template`.
        messages: turns with role and content.
        tokens: control tokens that the template may name, such as bos_token and eos_token.
        is_open: ends where the answer would begin.

    Raises:
        PromptError: the template cannot be read, or refuses these turns.

    >>> turns = [{"role": "user", "content": "hi"}]
    >>> render_chat("{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}", turns, {})
    'user: hi'
    """
    try:
        return _compile(template).render(messages=messages, add_generation_prompt=is_open, **_CONTEXT, **tokens)
    except (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        roles = ", ".join(turn["role"] for turn in messages)
        raise PromptError(
            f"The chat template does not take a conversation of the turns {roles}: {error}",
            "Use a model whose template takes these roles in this order.",
        ) from error


@lru_cache(maxsize=8)
def _compile(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda _: _SOME_DAY
    environment.globals["namespace"] = _PlainNamespace
    return environment.from_string(template)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


class _Generation(Extension):
    """Takes `{% generation %}`, with which some templates mark what a model says; it writes nothing itself."""

    tags = {"generation"}  # noqa: RUF012 (jinja declares it so)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The statements between the two tags, as if the tags were not there."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _PlainNamespace(Namespace):
    """Refuses names with a leading underscore, by which a template could reach into Python."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        for name in {**dict(*args[1:]), **kwargs}:
            _refuse_private(name)
        Namespace.__init__(*args, **kwargs)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_private(name)
        super().__setitem__(name, value)


def _refuse_private(name: str) -> None:
    if name.startswith("_"):
        raise SecurityError(f"it may not name {name!r}")
