"""The generation cache: answers already given, by model, prompt and decoding settings.

One JSONL file holds the answers of one model under one setting; its name is the hash of both, so a changed adapter,
chat template or limit asks a different file. A line torn by a crash is skipped and generated again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pitchpipe.store.identity import hash_value
from pitchpipe.training.measuring.generation import Answer


@dataclass
class GenerationCache:
    """The known answers of one model under one setting; `folder` None remembers nothing."""

    folder: Path | None
    settings: dict[str, Any]
    """Whatever decides the text: hashes of base, adapter and template, precision, token limit."""
    _known: dict[str, Answer] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self._path is None or not self._path.is_file():
            return
        for line in self._path.read_bytes().split(b"\n")[:-1]:
            try:
                entry = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError):
                continue
            prompt = entry.pop("prompt")
            self._known[prompt] = Answer(**entry)

    @property
    def _path(self) -> Path | None:
        return self.folder / f"{hash_value(self.settings)[7:33]}.jsonl" if self.folder else None

    def find(self, prompt: list[int]) -> Answer | None:
        """The answer to these token ids, when it is known."""
        return self._known.get(hash_value(prompt))

    def keep(self, prompts: list[list[int]], answers: list[Answer]) -> None:
        """Remembers answers for the next run."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"prompt": hash_value(prompt), **asdict(answer)}, ensure_ascii=False) + "\n"
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
