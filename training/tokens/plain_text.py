"""Plain text: a tokenizer in which nothing that is typed is a control token. Free of torch.

The libraries' own switch (`split_special_tokens`) leaves the added tokens that are not called special, `<think>` and
`<tool_call>` among them, and the vocabulary of some models holds `</s>` as a word like any other. So the tokenizer is
built again from its own description without its control tokens. What rewrites text (NFC, NFKC, lower case) goes too,
for what is learned is what was typed.

SentencePiece writes a space as `▁` and puts one before the first word. Where that happens depends on what stands before
a text, so there are three ways to begin: `opening` (nothing stands before), `inner` (a control token does), `bare`
(other text does). A typed `▁` would come back as a space, so it is written as its three bytes.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_value

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

Start = Literal["opening", "inner", "bare"]
_SPACE_MARK = "\u2581"
_SPACE_MARK_BYTES = ("<0xE2>", "<0x96>", "<0x81>")
_REWRITES = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents", "Nmt", "Precompiled", "BertNormalizer"}
_MARKER = re.compile(r"[<\[{|\uff5c].*[>\]}|\uff5c]", re.DOTALL)
_BATCH = 2048
"""Texts encoded at once."""


def find_controls(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """The added tokens that steer a model, by what they look like in a template.

    Special ones, and those in brackets of any kind, whatever the tokenizer calls them. Added tokens that are ordinary
    text, as runs of spaces are in some models, are not among them.
    """
    added = tokenizer.added_tokens_decoder.values()
    return {token.content: token for token in added if token.special or _MARKER.fullmatch(token.content)}


class PlainText:
    """Encodes texts with a tokenizer; no id of a control token can come out, and every text can be decoded again."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, is_exact: bool = True) -> None:
        """`is_exact` takes away what rewrites text; a classifier of lower-case text must keep it.

        Raises:
            RunError: the tokenizer has no description that it could be built again from (it is no fast tokenizer).
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None or not hasattr(backend, "to_str"):
            raise RunError(
                f"The tokenizer of the model ({type(tokenizer).__name__}) is no fast tokenizer, so typed text could "
                "not be kept apart from its control tokens.",
                "Use a model that has a tokenizer.json.",
            )
        self.controls = find_controls(tokenizer)
        self.control_ids = {int(backend.token_to_id(token)) for token in self.controls}
        self._backend = backend
        self._spec: dict[str, Any] = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
        if is_exact:
            self._spec["normalizer"] = _without(self._spec["normalizer"], _REWRITES)
        self._cores: dict[str, Tokenizer] = {}
        self._swaps: dict[int, int] = {}
        self._hides_mark = any(_writes_spaces(part) for part in _parts(self._spec))
        self._mark_ids = [backend.token_to_id(token) for token in _SPACE_MARK_BYTES]

    @cached_property
    def hash(self) -> str:
        """Names everything that decides the ids of a text."""
        return hash_value([self._spec, sorted(self.controls)])

    def encode(self, texts: Sequence[str], start: Start = "bare") -> list[list[int]]:
        """The ids of each text, in their order.

        Raises:
            RunError: a text holds half a character (a lone surrogate), which no bytes can stand for.
        """
        heads = [text.partition(_SPACE_MARK)[0] for text in texts] if self._hides_mark else list(texts)
        ids = self._encode(heads, self._core(start))
        for number, (text, head) in enumerate(zip(texts, heads, strict=True)):
            if len(head) < len(text):
                ids[number] += self._encode_marks(text[len(head) :])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text that ids stand for when other text is before them; decoders drop a space at the very beginning."""
        before = self.encode(["x"])[0]
        text: str = self._backend.decode([*before, *ids], skip_special_tokens=False)
        return text.removeprefix("x")

    def frame(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """The ids of each text between the control tokens that a classifier puts around it, `most` ids at most."""
        core = self._core("framed")
        core.enable_truncation(most)
        found = [encoding.ids for encoding in core.encode_batch_fast(list(texts), add_special_tokens=True)]
        return [[self._swaps.get(number, number) for number in ids] for ids in found] if self._swaps else found

    def _encode(self, texts: list[str], core: Tokenizer) -> list[list[int]]:
        found: list[list[int]] = []
        for first in range(0, len(texts), _BATCH):
            batch = texts[first : first + _BATCH]
            try:
                found += [encoding.ids for encoding in core.encode_batch_fast(batch, add_special_tokens=False)]
            except TypeError:
                _refuse_half_characters(batch)
                raise
        if self._swaps:
            found = [[self._swaps.get(number, number) for number in ids] for ids in found]
        return found

    def _encode_marks(self, text: str) -> list[int]:
        """The ids of a text that begins with a typed space mark."""
        if None in self._mark_ids:
            raise RunError(
                f"A text holds the character {_SPACE_MARK!r}, which the tokenizer takes for a space.",
                "Replace it in the text, or use a model whose tokenizer falls back to bytes.",
            )
        ids: list[int] = []
        _, *parts = text.split(_SPACE_MARK)
        for part in self._encode(parts, self._core("bare")):
            ids += [*self._mark_ids, *part]
        return ids

    def _core(self, start: str) -> Tokenizer:
        if start not in self._cores:
            from tokenizers import Tokenizer

            spec = self._describe(start)
            same = next((name for name in self._cores if self._describe(name) == spec), None)
            if same is None:
                core = Tokenizer.from_str(json.dumps(self._hide_controls(spec)))
                for token in self._spec["added_tokens"]:
                    given = core.token_to_id(token["content"])
                    if given is not None and given != token["id"]:
                        if core.model.id_to_token(given) is not None:
                            raise RunError(
                                "The tokenizer of the model numbers its tokens with gaps, which is not supported.",
                                "Use a model whose tokenizer.json numbers its vocabulary from 0 on.",
                            )
                        self._swaps[given] = token["id"]
                self._cores[start] = core
            else:
                self._cores[start] = self._cores[same]
        return self._cores[start]

    def _describe(self, start: str) -> dict[str, Any]:
        """The tokenizer's description, changed for what stands before a text; its vocabulary is shared, not copied."""
        spec = {name: part if name == "model" else copy.deepcopy(part) for name, part in self._spec.items()}
        if start != "framed":
            spec["post_processor"] = None
        for part in _parts(spec) if start in ("inner", "bare") else ():
            if part.get("prepend_scheme") == "first" or (start == "bare" and "prepend_scheme" in part):
                part["prepend_scheme"] = "never"
            if start == "bare" and part.get("type") == "ByteLevel" and "add_prefix_space" in part:
                part["add_prefix_space"] = False
        if start == "bare":
            spec["normalizer"] = _without(spec["normalizer"], {"Prepend"})
        return spec

    def _hide_controls(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Takes the control tokens out; their ids keep their places under names that nobody can type."""
        added = [token for token in spec["added_tokens"] if token["content"] not in self.controls]
        model = dict(spec["model"])
        unknown = model.get("unk_token")
        hidden = {name: f"\ufdd0{secrets.token_hex(16)}" for name in self.controls if name != unknown}
        vocabulary = model["vocab"]
        if isinstance(vocabulary, dict):
            model["vocab"] = {hidden.get(token, token): number for token, number in vocabulary.items()}
        else:
            kept = model.get("unk_id")
            model["vocab"] = [
                [token if place == kept else hidden.get(token, token), score]
                for place, (token, score) in enumerate(vocabulary)
            ]
        if "merges" in model:
            pairs = (pair if isinstance(pair, list) else pair.split(" ", 1) for pair in model["merges"])
            model["merges"] = [pair for pair in pairs if not hidden.keys() & {*pair, "".join(pair)}]
        return {**spec, "added_tokens": added, "model": model}


def _parts(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every normalizer and pre-tokenizer of a description, those within others too."""
    waiting = [spec.get("normalizer"), spec.get("pre_tokenizer")]
    while waiting:
        part = waiting.pop()
        if part:
            yield part
            waiting += [*part.get("normalizers", ()), *part.get("pretokenizers", ())]


def _without(part: dict[str, Any] | None, kinds: set[str]) -> dict[str, Any] | None:
    """A normalizer without those of some kinds.

    >>> _without({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend"}]}, {"NFC"})
    {'type': 'Sequence', 'normalizers': [{'type': 'Prepend'}]}
    """
    if part is None or part["type"] in kinds:
        return None
    if part["type"] != "Sequence":
        return part
    kept = [inner for inner in (_without(inner, kinds) for inner in part["normalizers"]) if inner]
    return {**part, "normalizers": kept} if kept else None


def _writes_spaces(part: dict[str, Any]) -> bool:
    return part.get("type") == "Metaspace" or (part.get("type") == "Replace" and part.get("content") == _SPACE_MARK)


def _refuse_half_characters(texts: Sequence[str]) -> None:
    for text in texts:
        found = re.search("[\ud800-\udfff]", text)
        if found:
            around = ascii(text[max(0, found.start() - 20) : found.end() + 20])
            raise RunError(
                f"A text holds half a character at place {found.start()}: {around}.",
                "Repair the text where it comes from; no file in UTF-8 can hold it.",
            )
