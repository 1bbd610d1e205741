"""GGUF: a shipped model of the llama architecture as the file that llama.cpp reads, proven by reading it back.

The file is written with the `gguf` package of llama.cpp. The names, the order of the rotated halves of queries and
keys, and the fields are those of its converter (github.com/ggml-org/llama.cpp, convert_hf_to_gguf.py, MIT), which its
authors publish as a script, not as a package. Architectures and tokenizers whose layout is not known here are refused
rather than guessed. The proof: transformers' GGUF loader reads the file, and its logits on the golden prompts are those
of the shipped model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.runs.run_folders import read_json
from pitchpipe.training.shipping.golden import PROMPTS
from pitchpipe.training.tokens.tokenizing import ChatEncoder

GGUF = "model.gguf"
_LIMITS = {"float32": 1e-3, "bfloat16": 0.5, "float16": 0.1}
"""Largest difference of a logit that reading back may bring, by the precision of the weights."""
_ADVICE = "Ship without --gguf, and convert the shipped folder with llama.cpp's convert_hf_to_gguf.py."


def write_gguf(folder: Path, encoder: ChatEncoder) -> dict[str, Any]:
    """Writes model.gguf beside the weights of a shipped model and reads it back.

    Returns:
        `{"file", "largest_difference"}`: of the logits of the golden prompts.

    Raises:
        RunError: the model's architecture or tokenizer has no known layout, or what is read back differs.
    """
    from pitchpipe.training.shipping.merging import load_plain

    config = read_json(folder / "config.json")
    pre = _find_pre_tokenizer(encoder)
    model = load_plain(folder)
    _check_architecture(config, model)
    _write(folder / GGUF, config, model, encoder, pre)
    difference = _read_back(folder, model, encoder)
    precision = str(model.dtype).removeprefix("torch.")
    if not difference <= _LIMITS.get(precision, 0.0):
        raise RunError(f"The GGUF file, read back, gives logits that differ by {difference:.3g}.", _ADVICE)
    return {"file": GGUF, "largest_difference": difference}


def _check_architecture(config: dict[str, Any], model: Any) -> None:
    architecture = (config.get("architectures") or ["unknown"])[0]
    heads = config.get("num_attention_heads", 1)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    odd = {
        f"the architecture {architecture}": architecture != "LlamaForCausalLM",
        "biases": bool(config.get("attention_bias") or config.get("mlp_bias")),
        "scaled rotary positions": rope.get("rope_type", "default") != "default",
        "heads of an unusual width": config.get("head_dim", config["hidden_size"] // heads) * heads
        != config["hidden_size"],
        f"the precision {model.dtype}": str(model.dtype).removeprefix("torch.") not in _LIMITS,
    }
    found = [name for name, is_odd in odd.items() if is_odd]
    if found:
        raise RunError(f"GGUF export does not know {', '.join(found)}.", _ADVICE)


def _find_pre_tokenizer(encoder: ChatEncoder) -> str:
    """llama.cpp's name of how the tokenizer splits a text before it merges bytes."""
    told = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    step = told.get("pre_tokenizer") or {}
    steps = [entry["type"] for entry in step.get("pretokenizers", [step]) if entry]
    known = {("ByteLevel",): "gpt-2", ("Digits", "ByteLevel"): "smollm"}
    if told["model"]["type"] != "BPE" or tuple(steps) not in known or told.get("normalizer"):
        raise RunError(f"GGUF export does not know a tokenizer that splits by {steps}.", _ADVICE)
    return known[tuple(steps)]


def _write(path: Path, config: dict[str, Any], model: Any, encoder: ChatEncoder, pre: str) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    rope = config.get("rope_parameters") or {}
    writer.add_type("model")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))))
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])
    _add_tokenizer(writer, encoder, config["vocab_size"], pre)
    _add_weights(writer, config, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: Any, encoder: ChatEncoder, size: int, pre: str) -> None:
    from gguf import TokenType

    tokenizer = encoder.tokenizer
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    names = {number: token for token, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    # A model may have more rows than its tokenizer has tokens; llama.cpp wants a name for each.
    tokens = [names.get(number, f"[PAD{number}]") for number in range(size)]
    types = [_type_of(number, names, added, TokenType) for number in range(size)]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in told["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(encoder.end_of_turn[-1])
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(False)  # the chat template writes it where it belongs
    writer.add_add_space_prefix(False)
    writer.add_chat_template(str(tokenizer.chat_template))


def _type_of(number: int, names: dict[int, str], added: dict[int, Any], kinds: Any) -> int:
    if number not in names:
        return int(kinds.UNUSED)
    if number in added:
        return int(kinds.CONTROL if added[number].special else kinds.USER_DEFINED)
    return int(kinds.NORMAL)


def _add_weights(writer: Any, config: dict[str, Any], model: Any) -> None:
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    kinds = gguf.GGMLQuantizationType
    kind = {"torch.bfloat16": kinds.BF16, "torch.float16": kinds.F16}.get(str(model.dtype), kinds.F32)
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise RunError(f"GGUF export does not know the weights {name!r}.", _ADVICE)
        array = tensor.detach().float().cpu().numpy()
        projection = name.split(".")[-2]
        if projection in heads:
            array = _pair_halves(array, heads[projection])
        own = kind if array.ndim > 1 else kinds.F32  # norms stay exact, as in llama.cpp's converter
        writer.add_tensor(found, gguf.quants.quantize(array, own), raw_dtype=own)


def _pair_halves(array: Any, heads: int) -> Any:
    """The rows of queries or keys in GGUF's order: the two halves that are rotated together lie beside each other.

    >>> import numpy
    >>> _pair_halves(numpy.arange(4).reshape(4, 1), 1).ravel().tolist()
    [0, 2, 1, 3]
    """
    rows = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return rows.swapaxes(1, 2).reshape(array.shape)


def _read_back(folder: Path, model: Any, encoder: ChatEncoder) -> float:
    """The largest difference of a logit on the golden prompts between the shipped model and its GGUF file."""
    import torch
    from transformers import AutoModelForCausalLM

    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF, dtype=torch.float32).to(model.device).eval()
    worst = 0.0
    with torch.inference_mode():
        for messages in PROMPTS:
            ids = torch.tensor([encoder.prompt(messages)], device=model.device)
            worst = max(worst, float((model(ids).logits.float() - read(ids).logits.float()).abs().max()))
    return worst
