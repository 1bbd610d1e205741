"""Checking of what comes from elsewhere: model folders, adapters and run folders, before anything in them is loaded.

A model can carry code in many ways: as pickled weights, as Python files, as `auto_map` in any of its JSON files, as a
Python module that an adapter's settings name, or as a chat template that reaches into Python. A torn file crashes the
loader late, a link can point anywhere. All of it is refused here, in words. Free of torch and transformers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pitchpipe.prompts.library import PromptError
from pitchpipe.prompts.rendering_apart import Wanted, render_apart
from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.runs.run_folders import PLAN, read_json

ADAPTER_CONFIG = "adapter_config.json"
_PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5", ".keras"}
_CODE = {".py", ".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib"}
_CODE_KEYS = ("auto_map", "auto_mapping", "custom_pipelines", "megatron_config", "trust_remote_code")
"""Settings by which transformers or peft would import a module that a file names."""
_WIDEST_HEADER = 100_000_000
_LARGEST_JSON = 256 << 20
_WIDTHS = {"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32}
_WIDTHS |= {"U64": 64, "I64": 64, "F64": 64, "C64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4}
_WIDTHS |= {"F6_E2M3": 6, "F6_E3M2": 6, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8}
"""Bits of a number, by its kind."""
_SAFE = "Convert the weights with save_pretrained(); pickled weights can run code and are refused."
_AGAIN = "Copy or download the model again; if it stays so, use another one."


def check_model_folder(name: str, folder: Path) -> None:
    """Refuses a model folder that could run code or cannot be read whole.

    Args:
        name: what the plan calls the model.

    Raises:
        RunError: what was found and where.
    """
    if not (folder / "config.json").is_file():
        raise RunError(f"The folder of the model {name!r} has no config.json.", "Name a folder that holds a model.")
    _check_files(name, folder)
    if not list(folder.glob("*.safetensors")):
        raise RunError(f"The model {name!r} has no weights in safetensors.", _SAFE)
    template = _read_template(folder)
    if template:
        _check_template(name, template)


def check_adapter(run: Path, folder: Path) -> None:
    """Refuses an adapter that is no plain LoRA of its run's base, or that was altered after the run finished.

    Raises:
        RunError: what was found and where.
    """
    name = f"{run.name}/{folder.name}"
    _check_files(name, folder)
    if not (folder / "adapter_model.safetensors").is_file():
        raise RunError(f"The adapter {name} has no weights in safetensors.", _SAFE)
    config = _read_settings(name, folder / ADAPTER_CONFIG)
    if config.get("peft_type") != "LORA":
        raise RunError(
            f"The adapter {name} is of the kind {config.get('peft_type')!r}.", "Use a run that trained a LoRA adapter."
        )
    base = read_json(run / "inputs.json").get("base_model")
    if config.get("base_model_name_or_path") != base:
        raise RunError(
            f"The adapter {name} names the base {config.get('base_model_name_or_path')!r}, its run {base!r}.",
            "Restore the run folder from a copy; the two are written together.",
        )
    listed = read_json(run / "manifest.json").get("files", {})
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        facts = listed.get(path.relative_to(run).as_posix())
        if facts is None or facts.get("sha256") != hash_file(path):
            raise RunError(
                f"{path.name} of the adapter {name} is not as it was when its run finished.",
                "Restore the run folder from a copy, or tune again.",
            )


def check_base_of_run(run: Path, place: str, inputs: dict[str, Any]) -> None:
    """Refuses a run whose record names no base, or as its base a run that has no weights of its own (itself, perhaps).

    Raises:
        RunError: what the record says.
    """
    if not isinstance(inputs.get("base_model"), str) or not isinstance(inputs.get("base_model_hash"), str):
        raise RunError(
            f"inputs.json of the run {run.name} does not name the model that it was tuned on.",
            "Restore the run folder from a copy.",
        )
    base = Path(place).expanduser()
    if (base / PLAN).is_file() and (base / "model" / ADAPTER_CONFIG).is_file():
        raise RunError(
            f"The run {run.name} names as its base the run {base.name}, which has no weights of its own.",
            "Restore the run folder from a copy.",
        )


def _check_files(name: str, folder: Path) -> None:
    homes = [folder.resolve()]
    if folder.parent.name == "snapshots":  # the cache of Hugging Face: its snapshots are links into its blobs
        homes.append(folder.parent.parent.resolve() / "blobs")
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        target = path.resolve()
        if not any(target.is_relative_to(home) for home in homes):
            raise RunError(f"{place} of the model {name!r} is a link to {target}, outside its folder.", _AGAIN)
        if path.is_dir():
            continue
        if not path.is_file():
            raise RunError(f"{place} of the model {name!r} is no ordinary file.", _AGAIN)
        kind = path.suffix.lower()
        if kind in _CODE:
            _refuse_code(name, f"the file {place}")
        if kind in _PICKLED:
            raise RunError(f"The model {name!r} has no weights in safetensors alone: there is {place}.", _SAFE)
        if kind == ".safetensors":
            check_safetensors(path)
        if kind == ".json":
            _check_settings(name, path)


def _refuse_code(name: str, where: str) -> None:
    raise RunError(
        f"The model {name!r} brings its own program code ({where}), which would have to be run to load it.",
        "Use a model of an architecture that transformers knows; code from models is never run.",
    )


def _check_settings(name: str, path: Path) -> None:
    if path.name in ("tokenizer.json", "vocab.json"):  # read by a parser that knows no code; large
        return
    settings = _read_settings(name, path)
    for key, value in _pairs(settings):
        if key in _CODE_KEYS and value:
            _refuse_code(name, f"{key!r} in {path.name}")
    shards = settings.get("weight_map") if path.name.endswith(".index.json") else None
    for shard in sorted({str(shard) for shard in shards.values()}) if isinstance(shards, dict) else ():
        if Path(shard).name != shard or not (path.parent / shard).is_file():
            raise RunError(f"{path.name} of the model {name!r} names the file {shard!r}, which is not there.", _AGAIN)


def _read_settings(name: str, path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RunError(f"{path.name} of the model {name!r} cannot be read: {reason}", _AGAIN) from error
    return found if isinstance(found, dict) else {}


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a document with its value, at any depth.

    >>> list(_pairs({"a": [{"b": 1}]}))
    [('a', [{'b': 1}]), ('b', 1)]
    """
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield from found.items()
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def check_safetensors(path: Path) -> None:
    """Refuses a file of weights whose header is absurd or does not fit its size.

    The format: eight bytes with the length of a JSON header, the header, and the numbers without gaps
    (https://huggingface.co/docs/safetensors).

    Raises:
        RunError: what does not fit.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = struct.unpack("<Q", first)[0] if len(first) == 8 else 0
        if not 2 <= length <= min(_WIDEST_HEADER, size - 8):
            raise _torn(path, f"its header would have {length} bytes, the file has {size}")
        try:
            header = json.loads(file.read(length).decode("utf-8"))
            spans = sorted(_span(name, facts) for name, facts in header.items() if name != "__metadata__")
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise _torn(path, f"its header cannot be read ({type(error).__name__})") from error
    end = 0
    for begin, stop, tensor in spans:
        if begin != end:
            raise _torn(path, f"the numbers of {tensor!r} begin at {begin} instead of {end}")
        end = stop
    if end != size - 8 - length:
        raise _torn(path, f"{end} bytes of numbers are announced, {size - 8 - length} are there")


def _span(name: str, facts: dict[str, Any]) -> tuple[int, int, str]:
    """Where the numbers of a tensor begin and end, if that fits its shape."""
    begin, stop = facts["data_offsets"]
    bits = _WIDTHS[facts["dtype"]]
    for side in facts["shape"]:
        if not isinstance(side, int) or side < 0:
            raise ValueError(name)
        bits *= side
    if not 0 <= begin <= stop or (stop - begin) * 8 != bits:
        raise ValueError(name)
    return begin, stop, name


def _torn(path: Path, why: str) -> RunError:
    return RunError(f"The weights {path.name} are damaged: {why}.", _AGAIN)


def _read_template(folder: Path) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text(encoding="utf-8", errors="replace")
    template = read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):  # several by name, as older files have it
        named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _check_template(name: str, template: str) -> None:
    trouble = _try_template(template)
    if trouble:
        raise RunError(f"The model {name!r} cannot be used. {trouble[0]}", trouble[1])


@cache
def _try_template(template: str) -> tuple[str, str] | None:
    """What is wrong with a template that renders one short question, in a process apart."""
    tokens = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), "")
    try:
        render_apart(template, tokens, [Wanted([{"role": "user", "content": "a"}], True)])
    except PromptError as error:
        return error.happened, error.advice
    return None
