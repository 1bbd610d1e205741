"""What comes from elsewhere is refused in words before anything in it runs; a marker file would show that it had."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.models.loading import resolve_model
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan

MARKER = "marker"


class Bomb:
    """Unpickled, it writes the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A whole model folder to spoil."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / MARKER


def set_json(path: Path, **changes: Any) -> None:
    before = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**before, **changes}))


def spoil_weights(path: Path, header: bytes, length: int | None = None, numbers: bytes = b"") -> None:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + numbers)


def write_code(folder: Path, marker: Path) -> None:
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w')\nclass Model: pass\n")


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}).encode()


Spoil = Callable[[Path, Path], object]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "pickled weights beside others": (
        lambda model, marker: (model / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker))),
        r"there is pytorch_model\.bin",
    ),
    "a pickle in a folder within": (
        lambda model, marker: (
            (model / "more").mkdir(),
            (model / "more" / "x.PT").write_bytes(pickle.dumps(Bomb(marker))),
        ),
        r"there is more/x\.PT",
    ),
    "a pickle that calls itself safetensors": (
        lambda model, marker: (model / "model.safetensors").write_bytes(pickle.dumps(Bomb(marker))),
        r"model\.safetensors are damaged",
    ),
    "code named in config.json": (
        lambda model, marker: (
            set_json(model / "config.json", auto_map={"AutoModelForCausalLM": "elsewhere/repo--code.Model"}),
        ),
        "own program code .'auto_map' in config.json",
    ),
    "code named in the tokenizer's settings": (
        lambda model, marker: set_json(model / "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.T", None]}),
        "'auto_map' in tokenizer_config.json",
    ),
    "code named in a processor's settings": (
        lambda model, marker: set_json(model / "processor_config.json", auto_map={"AutoProcessor": "code.P"}),
        "'auto_map' in processor_config.json",
    ),
    "code named deep within": (
        lambda model, marker: set_json(model / "config.json", text_config={"auto_map": {"AutoConfig": "code.C"}}),
        "'auto_map' in config.json",
    ),
    "a setting that allows code": (
        lambda model, marker: set_json(model / "config.json", trust_remote_code=True),
        "'trust_remote_code' in config.json",
    ),
    "a Python file": (write_code, r"the file code\.py"),
    "custom generation": (
        lambda model, marker: ((model / "custom_generate").mkdir(), write_code(model / "custom_generate", marker)),
        r"the file custom_generate/code\.py",
    ),
    "a template that reaches into Python": (
        lambda model, marker: (model / "chat_template.jinja").write_text(
            "{{ cycler.__init__.__globals__.os.popen('touch " + str(marker) + "').read() }}"
        ),
        "access to attribute '__init__' of 'type' object is unsafe",
    ),
    "a template that fills the memory": (
        lambda model, marker: (model / "chat_template.jinja").write_text("{{ 'a' * 10 ** 11 }}"),
        "uses more memory than it may",
    ),
    "a template that writes without end": (
        lambda model, marker: (model / "chat_template.jinja").write_text("{{ 'a' * 10 ** 7 }}"),
        "writes 10000000 characters around a short text",
    ),
    "a link out of the folder": (
        lambda model, marker: (model / "added.json").symlink_to("/etc/hostname"),
        "added.json of the model .* is a link to /etc/hostname",
    ),
    "a pipe": (lambda model, marker: os.mkfifo(model / "pipe.json"), "is no ordinary file"),
    "settings that are no JSON": (
        lambda model, marker: (model / "generation_config.json").write_text("{"),
        r"generation_config\.json of the model .* cannot be read",
    ),
    "settings nested without end": (
        lambda model, marker: (model / "generation_config.json").write_text("[" * 200_000),
        "nested too deeply",
    ),
    "an index that names a file elsewhere": (
        lambda model, marker: set_json(model / "model.safetensors.index.json", weight_map={"a": "../x.safetensors"}),
        r"names the file '\.\./x\.safetensors', which is not there",
    ),
    "half a file": (
        lambda model, marker: os.truncate(model / "model.safetensors", 20_000),
        r"bytes of numbers are announced|its header would have",
    ),
    "an empty file": (lambda model, marker: os.truncate(model / "model.safetensors", 0), "0 bytes, the file has 0"),
    "a header of many gigabytes": (
        lambda model, marker: spoil_weights(model / "model.safetensors", b"{}", 2**63),
        "its header would have 9223372036854775808 bytes, the file has 10",
    ),
    "a header that is no JSON": (
        lambda model, marker: spoil_weights(model / "model.safetensors", b"\x80\x04rce"),
        "its header cannot be read",
    ),
    "numbers that overlap": (
        lambda model, marker: spoil_weights(model / "model.safetensors", tensor([2], 4, 12), None, b"1" * 12),
        "'a' begin at 4 instead of 0",
    ),
    "a shape that does not fit": (
        lambda model, marker: spoil_weights(model / "model.safetensors", tensor([2**40, 2**40], 0, 4), None, b"1234"),
        "its header cannot be read",
    ),
    "a kind of number that is none": (
        lambda model, marker: spoil_weights(model / "model.safetensors", tensor([1], 0, 4, "PY"), None, b"1234"),
        "its header cannot be read",
    ),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_a_spoiled_model_is_refused_before_anything_of_it_runs(model: Path, marker: Path, spoiled: str) -> None:
    resolve_model(str(model))  # whole, it is taken
    spoil, words = SPOILED[spoiled]
    spoil(model, marker)
    with pytest.raises(RunError, match=words):
        resolve_model(str(model))
    assert not marker.exists()


def test_a_round_on_a_spoiled_model_fails_in_words(
    model: Path, marker: Path, sft_plan: TrainPlan, carry_out: Callable[..., Path]
) -> None:
    write_code(model, marker)
    set_json(model / "config.json", auto_map={"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"})
    with pytest.raises(RunError, match="code from models is never run"):
        carry_out(with_dials(sft_plan, model=str(model)))
    assert not marker.exists()


def test_links_within_a_snapshot_of_the_hub_cache_are_taken(model: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "0"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in model.iterdir():
        path.rename(blobs / path.name)
        (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
    assert resolve_model(str(snapshot)).folder == snapshot


def test_the_sandbox_of_transformers_itself_stops_such_a_template(tiny_model: Path, marker: Path) -> None:
    from jinja2.exceptions import SecurityError
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    template = "{{ cycler.__init__.__globals__.os.popen('touch " + str(marker) + "').read() }}"
    with pytest.raises(SecurityError, match="__init__"):
        tokenizer.apply_chat_template([{"role": "user", "content": "a"}], chat_template=template)
    assert not marker.exists()


@pytest.fixture
def run(sft_plan: TrainPlan, carry_out: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> Path:
    """A finished run with an adapter, to spoil."""
    return carry_out(with_dials(sft_plan, max_steps=1, samples=0))


def test_a_spoiled_adapter_or_record_of_a_run_is_refused(run: Path, marker: Path, tmp_path: Path) -> None:
    assert resolve_model(str(run)).run_id == run.name
    sibling = shutil.copytree(run, tmp_path / "sibling" / run.name)
    config, weights = "model/adapter_config.json", "model/adapter_model.safetensors"
    cases: list[tuple[Callable[[Path], object], str]] = [
        (lambda run: set_json(run / config, auto_mapping={"parent_library": "code"}), "'auto_mapping' in adapter_con"),
        (lambda run: set_json(run / config, megatron_config={"a": 1}, megatron_core="code"), "'megatron_config'"),
        (lambda run: set_json(run / config, base_model_name_or_path="evil/model"), "names the base 'evil/model'"),
        (lambda run: set_json(run / config, peft_type="PROMPT_TUNING"), "of the kind 'PROMPT_TUNING'"),
        (lambda run: set_json(run / config, r=5), "adapter_config.json of the adapter .* is not as it was"),
        (lambda run: os.truncate(run / weights, 200), "adapter_model.safetensors are damaged"),
        (lambda run: (run / weights).rename(run / "model" / "adapter_model.bin"), "there is adapter_model.bin"),
        (lambda run: (run / weights).unlink(), "has no weights in safetensors"),
        (lambda run: (run / "model" / "more.json").symlink_to("/etc/hostname"), "is a link to /etc/hostname"),
        (lambda run: set_json(run / "inputs.json", base_model="/nowhere/model"), "no model '/nowhere/model'"),
        (lambda run: set_json(run / "inputs.json", base_model=str(sibling)), "which has no weights of its own"),
        (lambda run: set_json(run / "inputs.json", base_run=run.name), "which has no weights of its own"),
        (lambda run: (run / "inputs.json").write_text("{}"), "does not name the model"),
    ]  # fmt: skip
    for number, (spoil, words) in enumerate(cases):
        copy = shutil.copytree(run, tmp_path / f"copy{number}" / run.name)
        spoil(copy)
        with pytest.raises(RunError, match=words):
            resolve_model(str(copy))
    assert not marker.exists()


def test_a_program_beside_the_rows_of_a_snapshot_is_not_run(
    sft_plan: TrainPlan, carry_out: Callable[..., Path], marker: Path, tmp_path: Path
) -> None:
    from datasets import load_dataset

    folder = Path(shutil.copytree(sft_plan.snapshot, tmp_path / "snap_test"))
    for name in ("snap_test.py", "rows.py", "dataset.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'w')\n")
    carry_out(with_dials(sft_plan, snapshot=str(folder), max_steps=1, samples=0))
    (tmp_path / "scripted").mkdir()
    (folder / "rows.py").rename(tmp_path / "scripted" / "scripted.py")
    with pytest.raises((RuntimeError, OSError, ValueError)):
        load_dataset(str(tmp_path / "scripted"))
    assert not marker.exists()
