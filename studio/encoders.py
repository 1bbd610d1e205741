"""The encoders of texts that the studio can run, the sentence model in a process of its own among them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pitchpipe.store.curation.encoding import load_encoders
from pitchpipe.store.database import Store
from pitchpipe.store.rules.rule import Encode
from pitchpipe.training.models.encoder_launch import has_encoder, run_encoder


def load_all_encoders(store: Store, on_encoded: Callable[[int, int], None] | None = None) -> dict[str, Encode]:
    """By name: `tfidf`, and `minilm` where its package is installed.

    Args:
        on_encoded: told how many texts the sentence model has encoded, of how many.
    """
    run = partial(run_encoder, on_progress=on_encoded)
    return load_encoders(store.workspace, run if has_encoder() else None)
