"""Loads what we ask: instruction templates, rubrics and guidelines, each with the hash of its file's text.

A judgement stores the hash of the rubric and guideline that were on the screen, so a changed sentence never silently
re-interprets old answers. Files in a workspace's own `prompts/` folder win over the ones that come with the package.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

PACKAGE_FOLDER = Path(__file__).parent


class PromptError(Exception):
    """A prompt file is missing or malformed: what happened, then what to do."""

    def __init__(self, happened: str, advice: str) -> None:
        super().__init__(f"{happened}\n{advice}")
        self.happened = happened
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer a question. `key` is the keyboard key that picks it."""

    value: int | str
    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a rubric, with its options in the order shown."""

    name: str
    label: str
    help: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Rubric:
    """What is asked of an annotator. `kind` is `rate` or `compare`."""

    name: str
    kind: str
    title: str
    questions: tuple[Question, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class Guideline:
    """How to judge, in Markdown."""

    name: str
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Template:
    """An instruction template; `render` fills it in a sandbox."""

    name: str
    text: str
    hash: str

    def render(self, **values: Any) -> str:
        """The template with its blanks filled.

        Raises:
            PromptError: a value that the template names is missing, or the template does something it may not.
        """
        environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)
        try:
            return environment.from_string(self.text).render(**values).strip()
        except TemplateError as error:
            raise PromptError(
                f"The template '{self.name}' cannot be filled: {error}.",
                f"Given were: {', '.join(sorted(values)) or 'no values'}. Correct the template or the values.",
            ) from error


def load_rubric(name: str, folder: Path | None = None) -> Rubric:
    """The rubric `rubrics/<name>.toml`, from `folder` if it is there, else from the package.

    Raises:
        PromptError: no such rubric, or one of its questions lacks a name or options.
    """
    text = _read("rubrics", name, ".toml", folder)
    try:
        document = tomllib.loads(text)
        questions = tuple(_parse_question(question) for question in document["questions"])
        kind = str(document["kind"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise PromptError(
            f"The rubric '{name}' is malformed: {type(error).__name__} {error}.",
            "A rubric needs kind and [[questions]] with name, label and options; see rubrics/helpfulness.toml.",
        ) from error
    return Rubric(name, kind, str(document.get("title", name)), questions, _hash(text))


def load_guideline(name: str, folder: Path | None = None) -> Guideline:
    """The guideline `guidelines/<name>.md`. Raises PromptError when there is none."""
    text = _read("guidelines", name, ".md", folder)
    return Guideline(name, text, _hash(text))


def load_template(name: str, folder: Path | None = None) -> Template:
    """The instruction template `templates/<name>.jinja`. Raises PromptError when there is none."""
    text = _read("templates", name, ".jinja", folder)
    return Template(name, text, _hash(text))


def list_prompts(folder: Path | None = None) -> dict[str, list[str]]:
    """The names of all rubrics, guidelines and templates, the workspace's own included."""
    endings = {"rubrics": ".toml", "guidelines": ".md", "templates": ".jinja"}
    return {
        shelf: sorted({path.stem for root in _roots(folder) for path in (root / shelf).glob(f"*{ending}")})
        for shelf, ending in endings.items()
    }


def _parse_question(document: dict[str, Any]) -> Question:
    """A question; options given as a plain list of labels get the values and keys 0, 1, 2 …"""
    options = tuple(
        Option(position, str(position), option)
        if isinstance(option, str)
        else Option(option["value"], str(option["key"]), str(option["label"]))
        for position, option in enumerate(document["options"])
    )
    if not options:
        raise ValueError(f"question {document['name']!r} has no options")
    return Question(document["name"], document["label"], document.get("help", ""), options)


def _roots(folder: Path | None) -> list[Path]:
    return [root for root in (folder, PACKAGE_FOLDER) if root is not None]


def _read(shelf: str, name: str, ending: str, folder: Path | None) -> str:
    # A name is a file's stem, never a path: "../../etc/x" must not leave the folder.
    if name == Path(name).name:
        for root in _roots(folder):
            path = root / shelf / f"{name}{ending}"
            if path.is_file():
                return path.read_text(encoding="utf-8")
    available = ", ".join(list_prompts(folder)[shelf]) or "none"
    raise PromptError(f"There is no file '{name}{ending}' among the {shelf}.", f"Available: {available}.")


def _hash(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()
