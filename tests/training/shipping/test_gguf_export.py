"""A GGUF file holds the shipped model: read back it gives the same logits and tokens; unknown layouts are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError


@pytest.fixture
def shipped(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_the_file_read_back_gives_the_logits_and_tokens_of_the_model(shipped: Path, encoder: Any) -> None:
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM

    from pitchpipe.training.shipping.gguf_export import write_gguf

    told = write_gguf(shipped, encoder)
    assert told["largest_difference"] < 1e-4
    ids = torch.tensor([encoder.prompt([{"role": "user", "content": "where is my lamp"}])])
    read = AutoModelForCausalLM.from_pretrained(shipped, gguf_file=told["file"], dtype=torch.float32).eval()
    plain = AutoModelForCausalLM.from_pretrained(shipped).eval()
    with torch.no_grad():
        assert torch.allclose(read(ids).logits, plain(ids).logits, atol=1e-4)
        assert plain(ids).logits.std() > 0.1
    fields = GGUFReader(shipped / told["file"]).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    assert tokens == encoder.tokenizer.convert_ids_to_tokens(range(len(tokens)))
    kinds = fields["tokenizer.ggml.token_type"].contents()
    assert {token for token, kind in zip(tokens, kinds, strict=True) if kind == 3} == {
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<spare>",
    }
    assert fields["tokenizer.ggml.eos_token_id"].contents() == encoder.end_of_turn[-1]
    assert fields["tokenizer.ggml.padding_token_id"].contents() != encoder.end_of_turn[-1]
    assert fields["tokenizer.chat_template"].contents() == encoder.tokenizer.chat_template


def test_weights_in_the_wrong_order_are_noticed_when_the_file_is_read_back(
    shipped: Path, encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.shipping import gguf_export

    monkeypatch.setattr(gguf_export, "_pair_halves", lambda array, heads: array)
    with pytest.raises(RunError, match="logits that differ"):
        gguf_export.write_gguf(shipped, encoder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"attention_bias": True}, "biases"),
        ({"architectures": ["MistralForCausalLM"]}, "architecture MistralForCausalLM"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "scaled rotary"),
    ],
)
def test_what_has_no_known_layout_is_refused(shipped: Path, change: dict[str, Any], told: str) -> None:
    from pitchpipe.training.shipping.gguf_export import _check_architecture
    from pitchpipe.training.shipping.merging import load_plain

    config = json.loads((shipped / "config.json").read_text())
    with pytest.raises(RunError, match=told):
        _check_architecture({**config, **change}, load_plain(shipped))
