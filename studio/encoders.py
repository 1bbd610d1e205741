"""The encoders of texts that the studio can run, the sentence model in a process of its own among them."""

from __future__ import annotations

from pitchpipe.store.database import Store
from pitchpipe.store.encoding import load_encoders
from pitchpipe.store.rules.rule import Encode
from pitchpipe.training.encoder_launch import has_encoder, run_encoder


def load_all_encoders(store: Store) -> dict[str, Encode]:
    """By name: `tfidf`, and `minilm` where its package is installed."""
    return load_encoders(store.workspace, run_encoder if has_encoder() else None)
