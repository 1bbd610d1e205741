"""Classifiers: pretrained models with a head of one number a class, found, loaded and asked.

Texts become tokens in which nothing that people typed is a control token, and answers do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pitchpipe.store.errors import RunError
from pitchpipe.training.models.encoder_launch import find_encoder
from pitchpipe.training.models.encoding import batch_by_length
from pitchpipe.training.models.loading import WEIGHTS, ResolvedModel, has_accelerator, hash_weights, resolve_model
from pitchpipe.training.runs.run_folders import MANIFEST, read_json, read_manifest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CLASSES = "classes.json"
"""File of a classify run that lists its classes, in the order of the head's numbers."""
_ANY_LENGTH = 1_000_000


def resolve_classifier(name: str) -> ResolvedModel:
    """Finds the pretrained model that a classify plan names; `embedded` is the embedded encoder here."""
    path = Path(name).expanduser()
    if name == "embedded":
        folder = find_encoder()
        return ResolvedModel(name, folder, hash_weights(folder))
    if not (path / "plan.toml").is_file():
        return resolve_model(name)
    manifest = read_manifest(path)
    if manifest.get("method") != "classify":
        raise RunError(
            f"The run {manifest.get('run_id')} is of the method {manifest.get('method')!r} and made no classifier.",
            "Start from the base model instead, or from a finished classify run.",
        )
    model, run_id = path / WEIGHTS, str(manifest["run_id"])
    if not (model / "adapter_config.json").is_file():
        return ResolvedModel(str(path), model, hash_weights(model), run_id=run_id, base_run=run_id, head="classes")
    inputs = read_json(path / "inputs.json")
    beside = path.parent / str(inputs.get("base_run"))  # workspaces move, and a run is then found by its id
    base = resolve_classifier(str(beside) if is_classifier(beside) else inputs["base_model"])
    if base.base_hash != inputs["base_model_hash"]:
        raise RunError(
            f"The base model {inputs['base_model']!r} is not the one that the run {run_id} was tuned on.",
            f"Restore the weights with the hash {inputs['base_model_hash']}, or tune again.",
        )
    hashes = (base.base_hash, model, hash_weights(model))
    return ResolvedModel(base.name, base.folder, *hashes, run_id, base.base_run, "classes")


def is_classifier(run_folder: Path) -> bool:
    """Whether the folder is that of a finished classify run."""
    return read_json(run_folder / MANIFEST).get("method") == "classify"


def read_classes(run_folder: Path) -> list[str]:
    """The classes of a classify run, in the order of its head."""
    classes: list[str] = read_json(run_folder / CLASSES).get("classes", [])
    return classes


@dataclass(frozen=True)
class TextEncoder:
    """Turns texts into token ids for a classifier."""

    tokenizer: PreTrainedTokenizerBase
    longest: int
    """Tokens that the model can read at most."""
    classes: tuple[str, ...] = ()
    """What a model that is a classifier already tells apart."""

    def encode(self, text: str) -> list[int]:
        """All ids of a text with what the model wants around it; a typed control token stays text."""
        ids: list[int] = self.tokenizer(text, split_special_tokens=True, truncation=False, verbose=False)["input_ids"]
        return ids

    def cut(self, text: str, longest: int) -> list[int]:
        """The same, with the end of the text cut so that all fits."""
        ids: list[int] = self.tokenizer(text, split_special_tokens=True, truncation=True, max_length=longest)[
            "input_ids"
        ]
        return ids


def load_text_encoder(resolved: ResolvedModel, classes: Sequence[str] = ()) -> TextEncoder:
    """The tokenizer of a model, which need have no chat template."""
    from transformers import AutoConfig, AutoTokenizer

    folder = resolved.folder
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise RunError("The tokenizer of the model has no padding token.", "Use another encoder, or add one to it.")
    longest = tokenizer.model_max_length
    if longest > _ANY_LENGTH:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        longest = getattr(config, "max_position_embeddings", _ANY_LENGTH)
    return TextEncoder(tokenizer, int(longest), tuple(classes))


def load_classifier(
    resolved: ResolvedModel, classes: Sequence[str], pad: int, attention: str = "auto", trainable: bool = False
) -> Any:
    """The model with a head for these classes, in fp32 and evaluation mode; a run's model brings its head.

    Args:
        pad: id of the padding token, by which a decoder finds the end of a text.
    """
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    kernel = attention if attention != "auto" else ("sdpa" if has_accelerator() else "eager")
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        resolved.folder,
        num_labels=len(classes),
        id2label=dict(enumerate(classes)),
        label2id={label: place for place, label in enumerate(classes)},
        dtype=torch.float32,
        attn_implementation=kernel,
        use_safetensors=True,
        trust_remote_code=False,
    )
    model.config.pad_token_id = pad
    model.config.problem_type = "single_label_classification"
    if has_accelerator():
        model = model.to("cuda")
    if resolved.adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, resolved.adapter, is_trainable=trainable)
    model.eval()
    return model


def predict(
    model: Any, encoder: TextEncoder, rows: Sequence[list[int]], tell: Callable[[int], None] | None = None
) -> np.ndarray:
    """The probability of each class for tokenised texts: float64, shape (rows, classes)."""
    import torch

    device = next(model.parameters()).device
    found: list[np.ndarray] = [np.zeros(0)] * len(rows)
    done = 0
    for places in batch_by_length([len(ids) for ids in rows]):
        batch = encoder.tokenizer.pad({"input_ids": [rows[place] for place in places]}, return_tensors="pt").to(device)
        with torch.inference_mode():
            logits = model(**batch).logits
        chances = torch.softmax(logits.double(), -1).cpu().numpy()
        for place, chance in zip(places, chances, strict=True):
            found[place] = chance
        done += len(places)
        if tell is not None:
            tell(done)
    return np.stack(found)
