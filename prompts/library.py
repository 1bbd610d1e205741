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
QUESTION_TYPES = ("likert", "yes_no", "choice", "text")
SCREEN_KINDS = ("compare", "rank", "rate", "tag", "edit")
"""Kinds of task that can stand together on a screen."""
_ASKING_KINDS = ("compare", "rate", "tag")
_YES_NO = ["no", "yes"]


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
    type: str = "likert"
    """`likert` and `yes_no` are whole numbers on a scale, `choice` one of several names, `text` words of one's own."""
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Rubric:
    """What is asked of an annotator. `kind` is `rate`, `compare`, `tag`, `span` or `turns`."""

    name: str
    kind: str
    title: str
    questions: tuple[Question, ...]
    hash: str
    is_multiple: bool = False
    """Of tags: whether a text can have several."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a screen asks: its kind, and the rubric where the kind has one."""

    kind: str
    rubric: Rubric | None
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything asked of an annotator at once, in the order shown. A plain task is a screen of one part."""

    name: str
    title: str
    parts: tuple[Part, ...]
    hash: str | None
    """Of the screen's file and its rubrics; of a plain task, its rubric's hash."""


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
    is_multiple = bool(document.get("multiple", False))
    return Rubric(name, kind, str(document.get("title", name)), questions, _hash(text), is_multiple)


def load_screen(name: str, folder: Path | None = None) -> Screen:
    """The screen `screens/<name>.toml` with its rubrics.

    Raises:
        PromptError: no such screen or rubric, or its parts cannot stand together on one screen.
    """
    text = _read("screens", name, ".toml", folder)
    try:
        document = tomllib.loads(text)
        parts = tuple(_load_part(part, folder) for part in document["parts"])
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise PromptError(
            f"The screen '{name}' is malformed: {type(error).__name__} {error}.",
            "A screen needs [[parts]], each with a kind and, where the kind asks questions, a rubric; see "
            "screens/compare_rate_correct.toml.",
        ) from error
    kinds = [part.kind for part in parts]
    if len(set(kinds)) != len(kinds) or {"compare", "rank"} <= set(kinds) or not kinds:
        raise PromptError(
            f"The screen '{name}' has the parts {', '.join(kinds) or 'none'}.",
            "Give each kind once, and either compare or rank.",
        )
    hashes = [part.rubric.hash for part in parts if part.rubric]
    return Screen(name, str(document.get("title", name)), parts, _hash("\n".join([text, *hashes])))


def make_screen(kind: str, rubric: Rubric | None) -> Screen:
    """The screen of a plain task: one part."""
    title = rubric.title if rubric else kind.capitalize()
    return Screen(rubric.name if rubric else kind, title, (Part(kind, rubric),), rubric.hash if rubric else None)


def load_guideline(name: str, folder: Path | None = None) -> Guideline:
    """The guideline `guidelines/<name>.md`. Raises PromptError when there is none."""
    text = _read("guidelines", name, ".md", folder)
    return Guideline(name, text, _hash(text))


def load_template(name: str, folder: Path | None = None) -> Template:
    """The instruction template `templates/<name>.jinja`. Raises PromptError when there is none."""
    text = _read("templates", name, ".jinja", folder)
    return Template(name, text, _hash(text))


def list_prompts(folder: Path | None = None) -> dict[str, list[str]]:
    """The names of all rubrics, screens, guidelines and templates, the workspace's own included."""
    endings = {"rubrics": ".toml", "screens": ".toml", "guidelines": ".md", "templates": ".jinja"}
    return {
        shelf: sorted({path.stem for root in _roots(folder) for path in (root / shelf).glob(f"*{ending}")})
        for shelf, ending in endings.items()
    }


def _load_part(document: dict[str, Any], folder: Path | None) -> Part:
    kind, rubric_name = str(document["kind"]), document.get("rubric")
    if kind not in SCREEN_KINDS:
        raise ValueError(f"a part of the kind {kind!r}, where {', '.join(SCREEN_KINDS)} are possible")
    if (kind in _ASKING_KINDS) != (rubric_name is not None):
        raise ValueError(f"the part {kind!r} {'lacks its' if rubric_name is None else 'takes no'} rubric")
    rubric = load_rubric(str(rubric_name), folder) if rubric_name is not None else None
    if rubric is not None and rubric.kind != kind:
        raise ValueError(f"the rubric {rubric.name!r} is for {rubric.kind!r}, the part is {kind!r}")
    return Part(kind, rubric, bool(document.get("optional", False)))


def _parse_question(document: dict[str, Any]) -> Question:
    """A question. A plain list of labels gets the values 0, 1, 2 … (a choice: its labels) and digit keys."""
    name, kind = str(document["name"]), str(document.get("type", "likert"))
    if kind not in QUESTION_TYPES:
        raise ValueError(f"question {name!r} has the type {kind!r}, where {', '.join(QUESTION_TYPES)} are possible")
    given = document.get("options", _YES_NO if kind == "yes_no" else [])
    options = tuple(_parse_option(position, option, kind) for position, option in enumerate(given))
    if bool(options) == (kind == "text"):
        raise ValueError(f"question {name!r} of the type {kind!r} has {len(options)} options")
    help_words, is_optional = str(document.get("help", "")), bool(document.get("optional", False))
    return Question(name, str(document["label"]), help_words, options, kind, is_optional)


def _parse_option(position: int, option: Any, kind: str) -> Option:
    if not isinstance(option, str):
        return Option(option["value"], str(option["key"]), str(option["label"]))
    if kind == "choice":  # digits from 1 as people count, with 0 for the tenth; more are reached by arrow keys
        return Option(option, str((position + 1) % 10) if position < 10 else "", option)
    return Option(position, str(position), option)


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
