"""Counts tokens of conversations as training would, with the tokenizer and the chat template of a model. Free of torch.

The template is rendered once for each order of roles, and whole conversations are encoded in batches: the count is that
of `tokenizing.ChatEncoder`, but for texts in which somebody typed a control token.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.models.embedded_model import find_embedded_folder
from pitchpipe.training.runs.run_folders import read_json
from pitchpipe.training.tokens.chat_shapes import Wish, fill_shape, render_shapes

_BATCH = 1000
_PREPARE = "from pitchpipe.training.models.embedded_model import prepare_embedded_model; prepare_embedded_model()"
_TOKEN_NAMES = ("bos_token", "eos_token", "pad_token", "unk_token")
Conversation = Sequence[tuple[str, str]]
"""Turns as (role, text)."""


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Called with conversations, it gives the tokens of each: up to the end of its last answer, or, where it has none,
    to where the answer would begin."""

    name: str
    tokenizer: Any
    template: str
    control_tokens: dict[str, str]

    def __call__(self, conversations: Sequence[Conversation]) -> list[int]:
        return [count for batch in self._render(conversations) for count in self._count(batch)]

    def _count(self, texts: list[str]) -> list[int]:
        return [len(found.ids) for found in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def _render(self, conversations: Sequence[Conversation]) -> Iterator[list[str]]:
        wishes = [_wish(conversation) for conversation in conversations]
        shapes = render_shapes(self.template, self.control_tokens, wishes)
        for start in range(0, len(conversations), _BATCH):
            batch = zip(wishes[start : start + _BATCH], conversations[start : start + _BATCH], strict=True)
            yield [self._fill(shapes[wish], wish[1], conversation) for wish, conversation in batch]

    def _fill(self, shape: str, is_open: bool, conversation: Conversation) -> str:
        text = fill_shape(shape, [text for _, text in conversation])
        # Training ends with the token that ends the turn; what a template writes behind it is not learned.
        return text if is_open else text.rstrip()


def load_token_counter(model: str) -> TokenCounter:
    """The counter for a model: `embedded`, a folder, a run folder, or a Hugging Face id that is in the local cache.

    Raises:
        RunError: there is no such model here, or it has no fast tokenizer or no chat template.
    """
    from tokenizers import Tokenizer

    folder = find_tokenizer_folder(model)
    settings = read_json(folder / "tokenizer_config.json") or {}
    beside = folder / "chat_template.jinja"
    template = beside.read_text(encoding="utf-8") if beside.is_file() else settings.get("chat_template")
    if not isinstance(template, str):
        raise RunError(f"The model {model!r} has no chat template.", "Name an instruction-tuned model.")
    controls = {name: _read_token(settings.get(name)) for name in _TOKEN_NAMES}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(model, tokenizer, template, {name: token for name, token in controls.items() if token})


def _wish(conversation: Conversation) -> Wish:
    is_answered = bool(conversation) and conversation[-1][0] == "assistant"
    return tuple(role for role, _ in conversation), not is_answered


def _read_token(token: Any) -> str:
    """A control token, which some files describe by its properties."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def find_tokenizer_folder(model: str) -> Path:
    """The folder that holds the tokenizer of a model."""
    path = Path(model).expanduser()
    if model == "embedded":
        folder = _find_embedded()
    elif (path / "plan.toml").is_file():
        base = json.loads((path / "inputs.json").read_text(encoding="utf-8"))["base_model"]
        return find_tokenizer_folder(base)
    else:
        folder = path if path.is_dir() else _find_cached(model)
    if not (folder / "tokenizer.json").is_file():
        raise RunError(
            f"The model {model!r} has no tokenizer.json, so its tokens cannot be counted here.",
            "Save its tokenizer with transformers' save_pretrained(), or name another model.",
        )
    return folder


def _find_embedded() -> Path:
    folder = find_embedded_folder()
    if folder is None:
        # Converting it takes torch, which must not come into this process.
        done = subprocess.run([sys.executable, "-c", _PREPARE], check=False, capture_output=True, text=True)
        folder = find_embedded_folder()
        if folder is None:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RunError(f"The embedded model could not be prepared: {last}", "Run `pitchpipe doctor`.")
    return folder


def _find_cached(model: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.jinja"], local_files_only=True))
    except (OSError, HFValidationError) as error:
        raise RunError(
            f"There is no model {model!r} on this machine.",
            "Say `embedded`, a folder with a tokenizer, a training run's folder, or the id of a cached model.",
        ) from error
