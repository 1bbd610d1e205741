"""Small tokenizers of the families of chat models, built on the spot: their kind, their control tokens, their template.

The templates are our own wording of what the families' templates do: what they trim, refuse, add and drop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.tiny_model import CHATML, TEXT

GPT_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = [f"<0x{number:02X}>" for number in range(256)]
LLAMA3 = (
    "{{- bos_token }}"
    "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}"
    "{%- endif %}{%- endif %}"
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] | trim %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + '\n\n' }}"
    "{{- system }}{{- '<|eot_id|>' }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{{- message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
GEMMA = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] | trim + eos_token }}{% endif %}{% endfor %}"
)
QWEN3 = (
    "{%- if messages[0].role == 'system' %}"
    "{{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{%- endif %}"
    "{%- set ns = namespace(last=messages|length - 1) %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}"
    "{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- elif message.role == 'assistant' %}"
    "{%- set content = message.content %}{%- set thought = '' %}"
    "{%- if '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{%- if loop.index0 == ns.last %}"
    "{{- '<|im_start|>assistant\n<think>\n' + thought + '\n</think>\n\n' + content.lstrip('\n') + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>assistant\n' + content + '<|im_end|>\n' }}{%- endif %}{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
QWEN2_5 = CHATML.replace(
    "{% for message in messages %}",
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}",
    1,
)


def _byte_level(controls: list[str], plain_added: list[str], normalizer: Any = None) -> Tokenizer:
    """Like GPT-2: words cut by a pattern, every byte a letter; control tokens beyond the vocabulary."""
    core = Tokenizer(models.BPE(ignore_merges=True))
    core.normalizer = normalizer
    split = pre_tokenizers.Split(_regex(GPT_WORDS), "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator([TEXT] * 20, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    core.add_tokens([AddedToken(token, special=True) for token in controls])
    core.add_tokens([AddedToken(token, special=False) for token in plain_added])
    return core


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)


def _sentence_piece(controls: list[str], plain_added: list[str], prefix: str) -> Tokenizer:
    """Like SentencePiece: a space is a letter, no cutting into words, unknown letters as bytes; control tokens and
    marks are words of the vocabulary itself."""
    first = [*controls, *BYTES, *plain_added]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
    trainer = trainers.BpeTrainer(vocab_size=len(first) + 200, special_tokens=first)
    trained.train_from_iterator([TEXT, "Be brief. Hi <|>/[]{}=:;!?\n"] * 20, trainer)
    core = Tokenizer.from_str(trained.to_str())
    decoder: list[Any] = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    if prefix == "none":  # Gemma
        core.normalizer = normalizers.Replace(" ", "\u2581")
        core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    elif prefix == "prepend":  # Llama 2
        core.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        core.pre_tokenizer = None  # type: ignore[assignment]
        decoder.append(decoders.Strip(" ", 1, 0))
    else:  # Mistral
        core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        decoder.append(decoders.Strip(" ", 1, 0))
    core.decoder = decoders.Sequence(decoder)
    return _demote(core, [*BYTES, *plain_added], plain_added)


def _demote(core: Tokenizer, words: list[str], added: list[str]) -> Tokenizer:
    """Makes words of the vocabulary no special tokens; `added` stay added ones."""
    import json

    spec = json.loads(core.to_str())
    kept = [token for token in spec["added_tokens"] if token["content"] not in words or token["content"] in added]
    for token in kept:
        token["special"] = token["content"] not in added
    return Tokenizer.from_str(json.dumps({**spec, "added_tokens": kept}))


def _wrap(core: Tokenizer, template: str, **names: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    tokenizer.chat_template = template
    return tokenizer


def _build_chatml() -> Any:
    core = _byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>"], [])
    return _wrap(core, CHATML, eos_token="<|im_end|>", pad_token="<pad>")


def _build_qwen2_5() -> Any:
    core = _byte_level(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<tool_call>", "</tool_call>"], normalizers.NFC()
    )
    return _wrap(core, QWEN2_5, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _build_qwen3() -> Any:
    marks = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<|fim_prefix|>"]
    core = _byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], marks, normalizers.NFC())
    return _wrap(core, QWEN3, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def _build_llama3() -> Any:
    controls = [
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|finetune_right_pad_id|>",
    ]
    core = _byte_level(controls, [])
    names = {"bos_token": controls[0], "eos_token": "<|eot_id|>", "pad_token": controls[4]}
    return _wrap(core, LLAMA3, **names)


def _build_gemma() -> Any:
    controls = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    core = _sentence_piece(controls, ["\n\n", "\n\n\n", "\u2581\u2581", "<table>", "<image>"], "none")
    return _wrap(core, GEMMA, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def _build_mistral() -> Any:
    core = _sentence_piece(["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[PAD]"], [], "first")
    return _wrap(core, MISTRAL, bos_token="<s>", eos_token="</s>", pad_token="[PAD]", unk_token="<unk>")


def _build_llama2() -> Any:
    core = _sentence_piece(["<unk>", "<s>", "</s>", "<pad>"], [], "prepend")
    return _wrap(core, MISTRAL, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


BUILDERS: dict[str, Callable[[], Any]] = {
    "chatml": _build_chatml,
    "llama3": _build_llama3,
    "gemma": _build_gemma,
    "mistral": _build_mistral,
    "qwen3": _build_qwen3,
    "qwen2.5": _build_qwen2_5,
    "llama2": _build_llama2,
}
"""By family. The last two vary the others: a default system turn, and control marks that are written as text."""


@cache
def build_tokenizer(family: str) -> Any:
    """The tokenizer of a family; do not change it."""
    return BUILDERS[family]()
