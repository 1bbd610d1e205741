"""Models: what a plan's `model` means, and how it is loaded. Weights are safetensors only; no code of a model runs.

`embedded`, a Hugging Face model id, a local folder, or the folder of a finished training run, whose adapter then comes
along. `resolve_model` finds the files and hashes them before torch is imported; `load_model` loads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_file, hash_value
from pitchpipe.training.models.checking import check_adapter, check_base_of_run, check_model_folder
from pitchpipe.training.models.embedded_model import prepare_embedded_model, read_origin
from pitchpipe.training.runs.run_folders import read_json, read_manifest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WEIGHTS = "model"
"""Folder of a training run that holds its adapter, or all of its weights."""
_HEADS = {"reward": "score", "classify": "classes"}
"""What the model of a method ends in, where it is no language model."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """Where a model's files are and what they are."""

    name: str
    """What the plan called the base: `embedded`, an id or a path."""
    folder: Path
    base_hash: str
    adapter: Path | None = None
    adapter_hash: str | None = None
    run_id: str | None = None
    """The training run that made the adapter, or all the weights where there is none."""
    base_run: str | None = None
    """The training run that made the weights of the base, where one trained them all."""
    head: str = "words"
    """What it ends in: `words` (a language model), `score` (a reward model) or `classes`."""

    @property
    def is_whole(self) -> bool:
        """It is a tuned model without an adapter: the run trained all of its weights."""
        return self.run_id is not None and self.adapter is None

    @property
    def licence(self) -> str:
        return read_origin(self.folder).get("licence", "that of the base model")


def resolve_model(name: str) -> ResolvedModel:
    """Finds the model that a plan names."""
    path = Path(name).expanduser()
    if name == "embedded":
        folder = prepare_embedded_model()
        return ResolvedModel(name, folder, read_origin(folder)["weights_sha256"])
    if (path / "plan.toml").is_file():
        return _resolve_run(path)
    folder = path if path.is_dir() else _fetch(name)
    check_model_folder(name, folder)
    return ResolvedModel(name, folder, hash_weights(folder))


def _resolve_run(folder: Path) -> ResolvedModel:
    manifest = read_manifest(folder)
    if manifest.get("kind") != "train":
        raise RunError(
            f"The run {manifest.get('run_id')} is of kind {manifest.get('kind')!r} and made no model.",
            "Name a finished training run.",
        )
    run_id, weights = str(manifest["run_id"]), folder / WEIGHTS
    head = _HEADS.get(manifest.get("method", ""), "words")
    if not (weights / "adapter_config.json").is_file():
        check_model_folder(str(folder), weights)
        return ResolvedModel(str(folder), weights, hash_weights(weights), run_id=run_id, base_run=run_id, head=head)
    base = resolve_base(folder)
    check_adapter(folder, weights)
    return ResolvedModel(
        base.name, base.folder, base.base_hash, weights, hash_weights(weights), run_id, base.base_run, head
    )


def resolve_base(folder: Path) -> ResolvedModel:
    """The model that a finished run was tuned on: what its base arm answers with."""
    inputs = read_json(folder / "inputs.json")
    beside = folder.parent / str(inputs.get("base_run"))  # workspaces move, and a run is then found by its id
    place = str(beside if (beside / "plan.toml").is_file() else inputs.get("base_model"))
    check_base_of_run(folder, place, inputs)
    base = resolve_model(place)
    if base.base_hash != inputs["base_model_hash"]:
        raise RunError(
            f"The base model {inputs['base_model']!r} is not the one that the run {folder.name} was tuned on.",
            f"Restore the weights with the hash {inputs['base_model_hash']}, or tune again.",
        )
    return base


def _fetch(name: str) -> Path:
    """The local copy of a Hugging Face model; the network is asked only when there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    wanted = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
    except (OSError, HFValidationError):
        pass
    advice = "Say `embedded`, a local folder with safetensors, a training run's folder, or the id of a reachable model."
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, etag_timeout=5))
    except HFValidationError:
        raise RunError(f"There is no model {name!r}: it is no folder and cannot be a model id.", advice) from None
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"There is no model {name!r} here, and it could not be fetched: {reason}", advice) from None


def hash_weights(folder: Path) -> str:
    """One hash over all weight files of a folder and the config beside them."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*config.json")])
    return hash_value({file.name: hash_file(file) for file in files})


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder, with a padding token that is not its end token."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if not tokenizer.chat_template:
        raise RunError(f"The model in {folder} has no chat template.", "Use an instruction-tuned model.")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.pad_token = _spare_token(tokenizer)
    tokenizer.padding_side = "left"
    return tokenizer


def _spare_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """A control token that texts never hold and that is not the end token."""
    taken = {tokenizer.eos_token, tokenizer.bos_token}
    spare = [str(token) for token in tokenizer.all_special_tokens if str(token) not in taken]
    spare += [
        str(token) for token in tokenizer.added_tokens_decoder.values() if token.special and str(token) not in taken
    ]
    for word in ("pad", "empty", "reserved", "unused", "endoftext", "unk", ""):
        for token in spare:
            if word in token.lower():
                return token
    raise RunError(
        "The tokenizer has no padding token, and no spare control token that could serve as one.",
        "Add a padding token to the tokenizer of the model.",
    )


def has_accelerator() -> bool:
    """True where tuning runs on a GPU."""
    import torch

    return bool(torch.cuda.is_available())


def choose_precision(wanted: str) -> str:
    """`bf16` or `fp32`: what the plan wants, and for `auto` bf16 where the processor multiplies it natively."""
    import torch

    if wanted != "auto":
        return wanted
    native = has_accelerator() or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def load_model(resolved: ResolvedModel, precision: str, attention: str, trainable: bool = False) -> PreTrainedModel:
    """The model with its adapter, if any, in evaluation mode."""
    model: Any = load_plain_model(resolved, precision, attention, resolved.head)
    if resolved.adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, resolved.adapter, is_trainable=trainable)
    model.eval()
    return model


def _choose_kernel(folder: Path) -> str:
    """The attention that is the fastest here for the model of a folder."""
    from pitchpipe.training.models.grouped_attention import fits_grouped_attention, register_grouped_attention

    if has_accelerator():
        return "sdpa"
    return register_grouped_attention() if fits_grouped_attention(read_json(folder / "config.json")) else "eager"


def load_plain_model(resolved: ResolvedModel, precision: str, attention: str, head: str = "words") -> PreTrainedModel:
    """The model without any adapter, ending in words or in one score; a new head is drawn at random."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    kernel = attention if attention != "auto" else _choose_kernel(resolved.folder)
    dtype = torch.float32 if choose_precision(precision) == "fp32" else torch.bfloat16
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": kernel, "use_safetensors": True}
    if head == "score":
        loader, options["num_labels"] = AutoModelForSequenceClassification, 1
    else:
        loader = AutoModelForCausalLM
    model: Any = loader.from_pretrained(resolved.folder, trust_remote_code=False, **options)
    if head == "score":
        # The score is read at the last token that is no padding.
        model.config.get_text_config().pad_token_id = load_tokenizer(resolved.folder).pad_token_id
    return model.to("cuda") if has_accelerator() else model
