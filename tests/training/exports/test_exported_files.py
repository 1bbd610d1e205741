"""The exported files themselves, loaded and learned from with the plain tools of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitchpipe.training.exports.exporting import export_snapshot


@pytest.mark.parametrize("form", ["sft", "dpo"])
def test_an_exported_file_loads_with_datasets_and_trains_in_a_plain_trl_trainer(
    tiny_model: Path, snapshot: Path, tmp_path: Path, form: str
) -> None:
    import trl
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    report = export_snapshot(snapshot, form, tmp_path / "out")  # type: ignore[arg-type]
    rows = load_dataset("parquet", data_files=str(report.path), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(rows) == report.kept
    settings: dict[str, Any] = {
        "output_dir": str(tmp_path / "scratch"),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "logging_steps": 1,
        "learning_rate": 0.01,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
    }
    kinds: dict[str, Any] = {"sft": (trl.SFTTrainer, trl.SFTConfig), "dpo": (trl.DPOTrainer, trl.DPOConfig)}
    trainer_class, config_class = kinds[form]
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    trainer = trainer_class(model=model, args=config_class(**settings), train_dataset=rows, processing_class=tokenizer)
    assert len(trainer.train_dataset) == report.kept
    trainer.train()
    assert trainer.state.global_step == 2
    assert all(not weight.equal(before[name]) for name, weight in trainer.model.named_parameters())
