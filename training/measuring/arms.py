"""Arms: the base and the tuned model, one after the other.

Of an adapter both are one model, loaded once: the base arm is that with the adapter switched off, the tuned arm that
with the adapter folded into the weights, which is faster than running it beside them. Folding cannot be undone exactly,
so the base arm goes first. Where all weights were trained the arms are two models, and only one is held at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.measuring.generation import Answer, generate_answers
from pitchpipe.training.measuring.generation_cache import GenerationCache
from pitchpipe.training.models.loading import (
    ResolvedModel,
    choose_precision,
    has_accelerator,
    load_model,
    load_tokenizer,
    resolve_base,
    resolve_model,
)
from pitchpipe.training.tokens.tokenizing import ChatEncoder

ARMS = ("base", "tuned")


class Arms:
    """A tuned model and its base; the weights are loaded when an arm is first entered."""

    def __init__(self, run: str, precision: str, attention: str) -> None:
        if not (Path(run) / "plan.toml").is_file():
            raise RunError(f"{run!r} is no run folder.", "Name the folder of a finished training run.")
        self.resolved: ResolvedModel = resolve_model(run)
        self.base: ResolvedModel = resolve_base(Path(run)) if self.resolved.is_whole else self.resolved
        self.encoder = ChatEncoder(load_tokenizer(self.resolved.folder))
        # On a CPU bf16 rounds by the shape of the batch, so that answers would depend on who else is in it.
        exact = precision == "auto" and not has_accelerator()
        self._precision, self._attention = "fp32" if exact else choose_precision(precision), attention
        self._model: Any = None
        self._is_folded = False
        self._held = ""

    @contextmanager
    def enter(self, arm: str) -> Iterator[Any]:
        """The model as this arm; enter `base` before `tuned`."""
        if arm not in ARMS:
            raise UsageError(f"There is no arm {arm!r}.", f"The arms are: {', '.join(ARMS)}.")
        if self.resolved.is_whole:
            yield self._load(arm)
            return
        if self._model is None:
            self._model = load_model(self.resolved, self._precision, self._attention)
        if arm == "base":
            if self._is_folded:
                raise AssertionError("the base arm must come before the tuned arm")
            with self._model.disable_adapter():
                yield self._model
        else:
            if not self._is_folded:
                self._model.merge_adapter()
                self._is_folded = True
            yield self._model

    def _load(self, arm: str) -> Any:
        """The whole model of an arm; the other one is let go."""
        if self._held != arm:
            self._model = None
            resolved = self.base if arm == "base" else self.resolved
            self._model, self._held = load_model(resolved, self._precision, self._attention), arm
        return self._model

    def name_of(self, arm: str) -> str:
        """What people may call the model of an arm: the base's name, or the run that tuned it."""
        return self.base.name if arm == "base" else str(self.resolved.run_id)

    def answer(
        self,
        arm: str,
        prompts: list[list[int]],
        max_new_tokens: int,
        batch_size: int,
        cache_folder: str,
        tell: Callable[[int], None],
    ) -> list[Answer]:
        """The arm's answers to tokenised prompts; those in the cache are not generated again."""
        if self.resolved.head != "words":
            raise RunError(
                f"The run {self.resolved.run_id} made a model that scores answers and writes none.",
                "Evaluate it on the pairs of the holdout, or name a run of a method that writes.",
            )
        settings = {
            "base": (self.base if arm == "base" else self.resolved).base_hash,
            "adapter": self.resolved.adapter_hash if arm == "tuned" else None,
            "template": self.encoder.template_hash,
            "precision": self._precision,
            "max_new_tokens": max_new_tokens,
        }
        cache = GenerationCache(Path(cache_folder) if cache_folder else None, settings)
        found = [cache.find(prompt) for prompt in prompts]
        missing = [prompt for prompt, answer in zip(prompts, found, strict=True) if answer is None]
        if missing:
            with self.enter(arm) as model:
                new = generate_answers(model, self.encoder, missing, max_new_tokens, batch_size, tell)
            cache.keep(missing, new)
            fresh = iter(new)
            found = [next(fresh) if answer is None else answer for answer in found]
        return [answer for answer in found if answer is not None]
