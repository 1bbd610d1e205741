"""Merging: the adapter of a run folded into its base, as an ordinary model folder.

The base is loaded in its own precision, not in the one it was trained in, and never in four bits: an adapter folded
into rounded weights gives another model (peft#2321, transformers#31293).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.measuring.generation import stop_tokens
from pitchpipe.training.models.loading import ResolvedModel, has_accelerator
from pitchpipe.training.runs.run_folders import read_json
from pitchpipe.training.tokens.tokenizing import ChatEncoder


def load_own_precision(resolved: ResolvedModel) -> Any:
    """The tuned model in the precision that its base is kept in, adapter beside the weights.

    Raises:
        RunError: the base is quantised.
    """
    if "quantization_config" in read_json(resolved.folder / "config.json"):
        raise RunError(
            f"The base model {resolved.name!r} is quantised; an adapter folded into rounded weights is another model.",
            "Tune and ship from the unquantised weights of that model.",
        )
    model = load_plain(resolved.folder)
    if resolved.adapter is None:
        return model
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, resolved.adapter)
    return model.eval()


def load_plain(folder: Path) -> Any:
    """A model folder as transformers alone loads it, in the precision of its weights."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", use_safetensors=True, trust_remote_code=False
    )
    return (model.to("cuda") if has_accelerator() else model).eval()


def merge(model: Any) -> Any:
    """The model with its adapter folded in; one without an adapter is returned as it is."""
    if not hasattr(model, "merge_and_unload"):
        return model
    try:
        return model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise RunError(
            f"The adapter cannot be folded in: {error}", "The run has most likely diverged; tune again, more gently."
        ) from error


def save_model(model: Any, encoder: ChatEncoder, target: Path) -> None:
    """Writes weights, tokenizer, chat template and generation settings as an ordinary model folder.

    A padding token that is also an end token cost one model every answer (transformers#48016), and an end of turn that
    generation does not know makes answers run on (trl#1623); both are set right here, and checked.
    """
    ends = sorted(stop_tokens(model, encoder))
    tokenizer = encoder.tokenizer
    for settings in (model.config, model.generation_config):
        settings.pad_token_id = tokenizer.pad_token_id
        settings.eos_token_id = ends if len(ends) > 1 else ends[0]
    model.config._name_or_path = ""
    model.save_pretrained(target, safe_serialization=True)
    tokenizer.save_pretrained(target)
    check_ends(target, encoder)


def check_ends(folder: Path, encoder: ChatEncoder) -> None:
    """Asserts what a served model needs to stop: the saved settings know the end of turn, and padding is no end."""
    saved = read_json(folder / "generation_config.json")
    ends = saved["eos_token_id"] if isinstance(saved["eos_token_id"], list) else [saved["eos_token_id"]]
    if saved["pad_token_id"] in ends or encoder.end_of_turn[-1] not in ends:
        raise AssertionError(f"generation_config.json pads with {saved['pad_token_id']} and ends with {ends}")
