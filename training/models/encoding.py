"""Encoding: texts to vectors by the embedded sentence model, all-MiniLM-L6-v2, which a package carries.

Mean of the last layer over the tokens, of unit length, as the model was trained (Reimers and Gurevych 2019). Texts are
cut at 256 tokens. They are run in batches of about one length, so that little is padding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from pitchpipe.training.models.encoder_launch import find_encoder

LONGEST = 256
"""Tokens of a text that are read; the model was trained on no more."""
_BATCH_TOKENS = 8192


def encode_file(source: Path, target: Path, tell: Callable[[int, int], None]) -> None:
    """Reads the column `text` of a Parquet file and writes one with the column `vector`, in the same order.

    Args:
        tell: told how many texts are done, of how many, after every batch.
    """
    texts = pl.read_parquet(source)["text"].to_list()
    vectors = encode_texts(texts, tell)
    frame = pl.DataFrame({"vector": vectors}, schema={"vector": pl.Array(pl.Float32, vectors.shape[1])})
    frame.write_parquet(target)


def encode_texts(texts: Sequence[str], tell: Callable[[int, int], None]) -> np.ndarray:
    """float32, shape (texts, 384), rows of unit length."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(find_encoder())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    tokens = [tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"] for text in texts]
    vectors = np.zeros((len(texts), model.config.hidden_size), np.float32)
    done = 0
    for places in batch_by_length([len(ids) for ids in tokens]):
        padded = tokenizer.pad({"input_ids": [tokens[place] for place in places]}, return_tensors="pt").to(device)
        with torch.inference_mode():
            states = model(**padded).last_hidden_state
        mask = padded["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)
        vectors[places] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        done += len(places)
        tell(done, len(texts))
    return vectors


def batch_by_length(lengths: Sequence[int], most_tokens: int = _BATCH_TOKENS) -> list[list[int]]:
    """Places in batches, the longest first, each of at most so many tokens with its padding (or of one text).

    >>> batch_by_length([2, 9, 3], most_tokens=10)
    [[1], [2, 0]]
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        # The first of a batch is its longest, to which the others are padded.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= most_tokens:
            batches[-1].append(place)
        else:
            batches.append([place])
    return batches
