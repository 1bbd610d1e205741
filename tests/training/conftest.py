"""A tiny model with a tokenizer trained on the spot, so that TRL runs for real in seconds and without a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read when torch is loaded; waiting threads that spin starve each other on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).parent))

from snapshots import answer_row, pair_row, write_snapshot

from pitchpipe.training.plans import Plan, TrainPlan, with_dials
from pitchpipe.training.run_folders import create_run_folder

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<spare>"]
TEXT = "where is my parcel the lamp arrived broken please send a new one today thank you next step open the page"
WORDS = TEXT.split()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Llama of two layers and a byte-level tokenizer with ChatML."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=CONTROLS, initial_alphabet=alphabet)
    core.train_from_iterator([" ".join(WORDS)] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token="<|im_end|>", bos_token="<|im_start|>", pad_token="<|im_end|>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<spare>"]})
    tokenizer.chat_template = CHATML
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        initializer_range=0.2,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("tiny-model")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(tiny_model: Path) -> Any:
    """The tiny model's tokenizer in our chat encoder."""
    from pitchpipe.training.models import load_tokenizer
    from pitchpipe.training.tokenizing import ChatEncoder

    return ChatEncoder(load_tokenizer(tiny_model))


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four examples, every fourth of them holdout, each with an answer and every second with a pair."""
    rows = []
    for number in range(24):
        side = {"split": "holdout" if number % 4 == 0 else "train"}
        prompt = " ".join(WORDS[number % 7 : number % 7 + 3 + number % 5])
        answer = f"{' '.join(WORDS[number % 11 :][: 4 + number % 6])}.\nnext step: {WORDS[number % 13]}"
        rows.append(answer_row(number, prompt, answer, **side))
        if number % 2:
            rows.append(pair_row(number, prompt, answer, "thank you", **side))
    return write_snapshot(tmp_path_factory.mktemp("snapshots") / "snap_test", rows)


@pytest.fixture
def sft_plan(tiny_model: Path, snapshot: Path) -> TrainPlan:
    """Four steps of instruction tuning in exact fp32."""
    return with_dials(
        TrainPlan(),
        model=str(tiny_model),
        snapshot=str(snapshot),
        precision="fp32",
        max_steps=4,
        batch_size=4,
        learning_rate=0.05,
        schedule="constant_with_warmup",
        warmup=0.0,
        lora_rank=4,
        samples=1,
        threads=1,
    )


@pytest.fixture
def carry_out(tmp_path: Path) -> Callable[..., Path]:
    """Carries out a plan in this process and returns its run folder."""
    from pitchpipe.training.__main__ import run_folder

    def carry_out(plan: Plan, folder: Path | None = None) -> Path:
        folder = folder or create_run_folder(tmp_path / "runs", plan)
        run_folder(folder)
        return folder

    return carry_out


@pytest.fixture(autouse=True)
def forget_stop() -> Iterator[None]:
    """A test that asks a run to stop leaves the request behind in this process, and signal handlers of a run too."""
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    if "pitchpipe.training.monitor" in sys.modules:
        sys.modules["pitchpipe.training.monitor"]._stop.clear()
