"""A shipped model is the tuned one, loads without us, stops, tells where it comes from, and is never half there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_json, verify_run
from pitchpipe.training.shipping.golden import read_golden
from pitchpipe.training.shipping.ship_request import ShipRequest, create_ship_folder, read_ship


@pytest.fixture(scope="module")
def sealed_run(tiny_model: Path, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose adapter changes what the model says."""
    from pitchpipe.training.__main__ import run_folder

    dials = {"precision": "fp32", "max_steps": 8, "batch_size": 4, "learning_rate": 0.05, "lora_rank": 4, "threads": 1}
    plan = with_dials(TrainPlan(), model=str(tiny_model), snapshot=str(snapshot), **dials)
    folder = create_run_folder(tmp_path_factory.mktemp("shipped") / "runs", plan)
    run_folder(folder)
    return folder


@pytest.fixture
def run(sealed_run: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    return Path(shutil.copytree(sealed_run, tmp_path / "runs" / sealed_run.name))


def ship(run: Path, ships: Path, **asked: Any) -> Path:
    from pitchpipe.training.__main__ import ship_folder

    folder = create_ship_folder(ships, ShipRequest(run=str(run), max_new_tokens=12, **asked))
    ship_folder(folder)
    return folder


def test_a_shipped_model_loads_in_plain_transformers_and_answers_as_the_tuned_one(
    run: Path, snapshot: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = ship(run, tmp_path / "ships", snapshot=str(snapshot))
    place = folder / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(place), AutoTokenizer.from_pretrained(place)
    base = AutoModelForCausalLM.from_pretrained(read_json(run / "inputs.json")["base_model"])
    tuned = PeftModel.from_pretrained(base, run / "model").eval()
    golden, facts = read_golden(place)
    assert len({answer.answer for answer in golden}) > 1
    for answer in golden:
        prompt = tokenizer.apply_chat_template(
            answer.messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        assert prompt["input_ids"][0].tolist() == answer.prompt_ids
        said = model.generate(**prompt, max_new_tokens=facts["max_new_tokens"], do_sample=False)
        assert said[0, len(answer.prompt_ids) :].tolist() == answer.answer_ids
        with torch.no_grad():
            ours, theirs = (each(prompt["input_ids"]).logits for each in (model, tuned))
        assert torch.allclose(ours, theirs, atol=1e-4)
    with torch.no_grad(), tuned.disable_adapter():
        untuned = tuned(prompt["input_ids"]).logits
    assert not torch.allclose(ours, untuned, atol=0.1)
    proof = read_json(folder / "proof.json")
    assert proof["rows"] == 16 and proof["golden"]["equal"] == proof["golden"]["prompts"] == 5
    assert abs(proof["nll"]["shipped"] - proof["nll"]["tuned"]) < 1e-4


def test_a_shipped_model_can_stop_and_is_padded_with_a_token_of_its_own(run: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    place = ship(run, tmp_path / "ships") / "model"
    saved, tokenizer = read_json(place / "generation_config.json"), AutoTokenizer.from_pretrained(place)
    ends = saved["eos_token_id"] if isinstance(saved["eos_token_id"], list) else [saved["eos_token_id"]]
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in ends
    assert saved["pad_token_id"] == tokenizer.pad_token_id and saved["pad_token_id"] not in ends
    assert {path.suffix for path in place.iterdir()} <= {".json", ".safetensors", ".jinja", ".md"}


def test_the_card_tells_data_settings_and_lineage_and_names_neither_people_nor_places(
    run: Path, snapshot: Path, tmp_path: Path
) -> None:
    place = ship(run, tmp_path / "ships", snapshot=str(snapshot)) / "model"
    card, inputs = (place / "README.md").read_text(), read_json(run / "inputs.json")
    for fact in (inputs["snapshot_id"], inputs["snapshot_rows_sha256"], inputs["base_model_hash"], run.name):
        assert fact in card
    assert "rows learned | 18 of" in card and "lora_rank = 4" in card
    everything = "".join(path.read_text(errors="replace") for path in place.glob("*.[jm]*"))
    assert str(tmp_path.parent) not in everything and str(snapshot) not in everything
    assert inputs["base_model"] not in everything
    assert "where is my parcel" not in everything  # nothing of the rows


def test_an_unfinished_or_altered_run_and_one_that_answers_nothing_are_not_shipped(
    run: Path, sft_plan: TrainPlan, tmp_path: Path
) -> None:
    waiting = create_run_folder(tmp_path / "runs", sft_plan)
    with pytest.raises(RunError, match="waiting, not finished"):
        ship(waiting, tmp_path / "ships")
    weights = run / "model" / "adapter_model.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(RunError, match=r"adapter_model\.safetensors was altered"):
        ship(run, tmp_path / "ships")
    weights.write_bytes(sound)
    manifest = read_json(run / "manifest.json")
    (run / "manifest.json").write_text(json.dumps({**manifest, "method": "reward"}))
    with pytest.raises(RunError, match="answers none"):
        ship(run, tmp_path / "ships")
    assert not list(tmp_path.glob("ships/*/model"))


def test_a_model_that_changed_in_merging_is_not_shipped(
    run: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pitchpipe.training.shipping import shipping

    def merge_badly(model: Any) -> Any:
        merged = model.merge_and_unload()
        with torch.no_grad():
            merged.model.layers[0].mlp.down_proj.weight.mul_(1.5)
        return merged

    monkeypatch.setattr(shipping, "merge", merge_badly)
    place = tmp_path / "out" / "shipped"
    with pytest.raises(RunError, match="nats a token"):
        ship(run, tmp_path / "ships", snapshot=str(snapshot), to=str(place))
    with pytest.raises(RunError, match="golden prompts otherwise"):
        ship(run, tmp_path / "ships", to=str(place))
    assert list((tmp_path / "out").iterdir()) == []
    (failed,) = {read_ship(path).status.value for path in (tmp_path / "ships").iterdir()}
    assert failed == "failed"


def test_the_place_is_whole_or_empty_and_never_shared(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    folder = ship(run, tmp_path / "ships", to=str(place))
    manifest = read_json(place / "manifest.json")
    assert verify_run(place) == verify_run(folder) == [] and manifest["run_id"] == run.name
    assert read_ship(folder).summary["model"] == str(place)
    with pytest.raises(UsageError, match="holds something already"):
        ship(run, tmp_path / "ships", to=str(place))
    # A process that died between placing the model and saying so finds it placed.
    (folder / "manifest.json").unlink()
    from pitchpipe.training.__main__ import ship_folder

    before = (place / "manifest.json").stat().st_mtime_ns
    ship_folder(folder)
    assert (place / "manifest.json").stat().st_mtime_ns == before and read_ship(folder).status == "finished"


def test_a_run_that_trained_all_weights_is_shipped_and_measured_too(
    tiny_model: Path, snapshot: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from pitchpipe.training.__main__ import run_folder
    from pitchpipe.training.measuring.arms import Arms

    dials = {"precision": "fp32", "max_steps": 2, "batch_size": 4, "learning_rate": 0.01, "threads": 1, "samples": 0}
    plan = with_dials(TrainPlan(), model=str(tiny_model), snapshot=str(snapshot), weights="full", **dials)
    run = create_run_folder(tmp_path / "runs", plan)
    run_folder(run)
    place = ship(run, tmp_path / "ships", snapshot=str(snapshot)) / "model"
    one, two = (load_file(folder / "model.safetensors") for folder in (run / "model", place))
    assert one.keys() == two.keys() and all(one[name].equal(two[name]) for name in one)
    card = (place / "README.md").read_text()
    assert "all of its weights were trained" in card and read_json(run / "inputs.json")["base_model_hash"] in card
    arms = Arms(str(run), "fp32", "eager")
    with arms.enter("base") as base:
        weight = base.get_output_embeddings().weight.detach().clone()
    with arms.enter("tuned") as tuned:
        assert not weight.equal(tuned.get_output_embeddings().weight)
    assert (arms.name_of("base"), arms.name_of("tuned")) == (str(tiny_model), run.name)


@pytest.mark.parametrize(("method", "is_rounded"), [("dpo", False), ("sft", True)])
def test_pairs_and_a_base_in_bf16_are_shipped_in_their_own_precision(
    method: str, is_rounded: bool, tiny_model: Path, snapshot: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from pitchpipe.training.__main__ import run_folder

    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    if is_rounded:
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    dials = {"precision": "fp32", "max_steps": 2, "batch_size": 4, "learning_rate": 0.01, "threads": 1, "samples": 0}
    plan = with_dials(TrainPlan(), method=method, model=str(base), snapshot=str(snapshot), lora_rank=4, **dials)
    run = create_run_folder(tmp_path / "runs", plan)
    run_folder(run)
    folder = ship(run, tmp_path / "ships", snapshot=str(snapshot), gguf=is_rounded)
    proof = read_json(folder / "proof.json")
    assert proof["precision"] == ("bfloat16" if is_rounded else "float32") and proof["rows"] > 5
    assert abs(proof["nll"]["shipped"] - proof["nll"]["tuned"]) < proof["tolerance"]
    assert read_json(folder / "model" / "config.json")["dtype"] == proof["precision"]
