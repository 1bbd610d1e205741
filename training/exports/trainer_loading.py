"""Trainer loading: lets a plain trainer of TRL load an exported file with its own preprocessing, and counts its rows.

No step is trained, so the weights play no part: a model of one tiny layer with the tokenizer's vocabulary stands in.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitchpipe.training.exports.export_check import CheckRequest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_in_trainer(
    path: Path, request: CheckRequest, tokenizer: PreTrainedTokenizerBase, fates: dict[str, int], tokens: int
) -> dict[str, Any]:
    """What the trainer made of the file: its rows and tokens beside those that the ledger expects.

    Args:
        fates: rows by fate, as the ledger counts them.
        tokens: tokens that the ledger expects the trainer to hold.
    """
    expected = fates["kept"] + fates["truncated"]
    told: dict[str, Any] = {"trainer": _TRAINERS[request.form][0], "rows_expected": expected, "tokens_expected": tokens}
    if not expected:
        # TRL stumbles over a file without a row that it can learn from; there is nothing to compare.
        return {**told, "rows": 0, "tokens": 0, "agrees": True}
    with tempfile.TemporaryDirectory() as scratch:
        rows = _prepare(path, request, tokenizer, scratch)
        held = sum(len(ids) for name in _TRAINERS[request.form][2] if name in rows.column_names for ids in rows[name])
    return {**told, "rows": len(rows), "tokens": held, "agrees": (len(rows), held) == (expected, tokens)}


_TRAINERS = {
    "sft": ("SFTTrainer", "SFTConfig", ("input_ids",)),
    "dpo": ("DPOTrainer", "DPOConfig", ("prompt_ids", "chosen_ids", "rejected_ids")),
    "kto": ("KTOTrainer", "KTOConfig", ("prompt_ids", "completion_ids")),
    "reward": ("RewardTrainer", "RewardConfig", ("chosen_ids", "rejected_ids")),
}
"""By form: the trainer, its configuration, and the columns of the rows it prepares that hold token ids."""


def _prepare(path: Path, request: CheckRequest, tokenizer: PreTrainedTokenizerBase, scratch: str) -> Any:
    import trl
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=f"{scratch}/cache")
    trainer, config, _ = _TRAINERS[request.form]
    settings = getattr(trl, config)(
        output_dir=f"{scratch}/out",
        max_length=request.max_length,
        per_device_train_batch_size=min(8, max(2, len(rows))),
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
    )
    built = getattr(trl, trainer)(
        model=_stand_in(request.form, tokenizer, Path(scratch) / "model"),
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
    )
    return built.train_dataset


def _stand_in(form: str, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        num_labels=1,
    )
    kind = LlamaForSequenceClassification if form == "reward" else LlamaForCausalLM
    # DPO reads its reference from where the model came from, so the stand-in must have come from somewhere.
    kind(config).save_pretrained(folder)
    return kind.from_pretrained(folder)
