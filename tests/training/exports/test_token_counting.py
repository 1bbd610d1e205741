"""Tokens counted without transformers are the tokens that training uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.exports.token_counting import load_token_counter
from pitchpipe.training.models.loading import load_tokenizer
from pitchpipe.training.tokens.tokenizing import ChatEncoder

CHATS = [
    (("user", "What is 12 + 7?"), ("assistant", "19.")),
    (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Ça va? 😀\n\n  ok"),
     ("assistant", "  Oui.\n\nBien.")),
    (("user", "def f(x):\n\treturn x"), ("assistant", "x" * 500)),
]  # fmt: skip


def test_the_count_is_that_of_the_encoder_that_training_uses(tiny_model: Path) -> None:
    encoder = ChatEncoder(load_tokenizer(tiny_model))
    expected = []
    for chat in CHATS:
        *asked, (_, answer) = chat
        prompt = encoder.prompt([{"role": role, "content": text} for role, text in asked])
        expected.append(len(prompt) + len(encoder.answer(answer)))
    assert load_token_counter(str(tiny_model))(CHATS) == expected


def test_a_conversation_without_an_answer_counts_to_where_it_would_begin(tiny_model: Path) -> None:
    encoder = ChatEncoder(load_tokenizer(tiny_model))
    asked = encoder.prompt([{"role": "user", "content": "Why?"}])
    assert load_token_counter(str(tiny_model))([(("user", "Why?"),)]) == [len(asked)]


def test_a_run_folder_counts_by_its_base_model(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("")
    (tmp_path / "inputs.json").write_text(json.dumps({"base_model": str(tiny_model)}))
    assert load_token_counter(str(tmp_path))(CHATS) == load_token_counter(str(tiny_model))(CHATS)


def test_a_model_that_is_not_here_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no model 'no/such-model'"):
        load_token_counter("no/such-model")
    with pytest.raises(RunError, match=r"has no tokenizer\.json"):
        load_token_counter(str(tmp_path))


def test_a_template_that_refuses_a_role_says_so(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tiny_model / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no system turn') }}")
    with pytest.raises(RunError, match=r"does not take .* system.*: no system turn"):
        load_token_counter(str(tmp_path))([(("system", "x"), ("assistant", "y"))])


def test_counting_loads_neither_torch_nor_transformers(tiny_model: Path) -> None:
    program = (
        "import sys; from pitchpipe.training.exports.token_counting import load_token_counter\n"
        f"print(load_token_counter({str(tiny_model)!r})([(('user', 'a'), ('assistant', 'b'))]))\n"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
