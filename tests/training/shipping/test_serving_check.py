"""A server that serves the shipped folder passes; other weights and another chat template are told apart from it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.measuring.endpoints import Endpoint
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder
from pitchpipe.training.shipping.serving_check import check_server
from pitchpipe.training.shipping.ship_request import ShipRequest, create_ship_folder
from tests.training.measuring.served import Behave, Handler, serve


@pytest.fixture(scope="module")
def shipped(tiny_model: Path, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from pitchpipe.training.__main__ import run_folder, ship_folder

    dials = {"precision": "fp32", "max_steps": 4, "batch_size": 4, "learning_rate": 0.05, "lora_rank": 4, "threads": 1}
    plan = with_dials(TrainPlan(), model=str(tiny_model), snapshot=str(snapshot), samples=0, **dials)
    place = tmp_path_factory.mktemp("served")
    run = create_run_folder(place / "runs", plan)
    run_folder(run)
    folder = create_ship_folder(place / "ships", ShipRequest(run=str(run), max_new_tokens=12))
    ship_folder(folder)
    return folder / "model"


def serve_with_transformers(folder: Path) -> Behave:
    """Serves a model folder as any server does: its own template, tokenizer, weights and generation settings."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    one_at_a_time = threading.Lock()

    def behave(it: Handler, body: dict[str, Any], n: int) -> None:
        with one_at_a_time:
            prompt = tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            said = model.generate(**prompt, max_new_tokens=body["max_tokens"], do_sample=False)
        width = prompt["input_ids"].shape[1]
        it.reply(tokenizer.decode(said[0, width:], skip_special_tokens=True), prompt_tokens=width)

    return behave


def test_a_server_of_the_shipped_folder_gives_every_golden_answer(shipped: Path) -> None:
    with serve(serve_with_transformers(shipped)) as server:
        told = check_server(shipped, Endpoint(server.url, "m"))
    assert (told["is_same"], told["equal"], told["asked"], told["template"]) == (True, 5, 5, "same")


def test_a_server_of_the_base_model_is_not_taken_for_it(shipped: Path, tiny_model: Path) -> None:
    with serve(serve_with_transformers(tiny_model)) as server:
        told = check_server(shipped, Endpoint(server.url, "m"))
    assert told["is_same"] is False and told["equal"] < 5 and told["template"] == "same"


def test_another_chat_template_is_told_by_the_number_of_tokens(shipped: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(shipped, tmp_path / "other"))
    template = other / "chat_template.jinja"
    template.write_text("{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}" + template.read_text())
    with serve(serve_with_transformers(other)) as server:
        told = check_server(shipped, Endpoint(server.url, "m"))
    assert told["is_same"] is False and told["template"] == "different"


def test_a_folder_that_was_not_shipped_has_nothing_to_compare(tiny_model: Path) -> None:
    with pytest.raises(RunError, match="is no shipped model"):
        check_server(tiny_model, Endpoint("http://127.0.0.1:9", "m"))
