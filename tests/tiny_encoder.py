"""A tiny encoder with a vocabulary of whole words, so that classifiers train for real in seconds and offline."""

from __future__ import annotations

from pathlib import Path

from tests.tiny_model import WORDS

CONTROLS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def build_tiny_encoder(folder: Path) -> None:
    """Fills the folder with a random BERT of two layers that reads at most 32 tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = sorted({*WORDS, "[", "]", "sep", "mask", "##s"})
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join([*CONTROLS, *words]) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 32
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
