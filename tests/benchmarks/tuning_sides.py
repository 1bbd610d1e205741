"""The two sides of the tuning benchmark, each carried out in the process that measures it."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.tuning_speed import LONGEST, write_rows


class Stopwatch:
    """Processor and clock seconds of the calls that it wraps."""

    def __init__(self) -> None:
        self.processor = self.clock = 0.0

    def wrap(self, call: Any) -> Any:
        """The call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            processor, clock = time.process_time(), time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.processor += time.process_time() - processor
                self.clock += time.perf_counter() - clock

        return timed


def work(request: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Carries out one side and returns tokens a second, the losses of its steps and the peak of its memory."""
    from transformers import Trainer

    watch = Stopwatch()
    Trainer.train = watch.wrap(Trainer.train)
    snapshot = write_rows(request["method"], request["rows"], scratch / "snapshot")
    carry_out = _tune_plainly if request["side"] == "plain" else _tune
    losses, tokens = carry_out(request, snapshot, scratch, watch)
    return {
        "tokens": tokens,
        "steps": len(losses),
        "processor_seconds": round(watch.processor, 1),
        "clock_seconds": round(watch.clock, 1),
        "tokens_per_processor_second": round(tokens / watch.processor, 1),
        "tokens_per_second": round(tokens / watch.clock, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "losses": losses,
    }


def _plan(request: dict[str, Any], snapshot: Path) -> Any:
    from pitchpipe.training.plans.plan_files import with_dials
    from pitchpipe.training.plans.train_plan import TrainPlan

    dials = {"layout": "shuffled", "precision": "fp32"} if request["exact"] else {}
    dials |= {"method": request["method"], "snapshot": str(snapshot), "epochs": 1.0, "samples": 0, "seed": 42}
    dials |= {"learning_rate": 2e-4, "schedule": "linear", "warmup": 0.0, "max_length": LONGEST}
    return with_dials(TrainPlan(), **(dials | request["dials"]))


def _count(learned: list[dict[str, Any]]) -> int:
    """Real tokens of the rows; a pair counts its prompt with each of its answers."""
    if "input_ids" in learned[0]:
        return sum(len(row["input_ids"]) for row in learned)
    return sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in learned)


def _ledger(plan: Any, snapshot: Path) -> Any:
    from pitchpipe.training.exports.exporting import read_snapshot
    from pitchpipe.training.models.loading import load_tokenizer, resolve_model
    from pitchpipe.training.rows.formats import FormatPolicy, build_rows
    from pitchpipe.training.tokens.tokenizing import ChatEncoder
    from pitchpipe.training.tuning.methods import build_ledger

    _, rows = read_snapshot(snapshot)
    encoder = ChatEncoder(load_tokenizer(resolve_model("embedded").folder))
    return build_ledger(plan, build_rows(plan.method, rows, FormatPolicy()), encoder)


def _tune(request: dict[str, Any], snapshot: Path, scratch: Path, watch: Stopwatch) -> tuple[list[float], int]:
    """A run folder of ours; what is computed once before the first step counts too."""
    from pitchpipe.training.__main__ import run_folder
    from pitchpipe.training.runs.run_folders import create_run_folder, read_metrics

    pass

    plan = _plan(request, snapshot)
    tokens = _count(_ledger(plan, snapshot).learned)
    folder = create_run_folder(scratch / "runs", plan)
    run_folder(folder)
    return [metric["loss"] for metric in read_metrics(folder)], tokens


def _tune_plainly(request: dict[str, Any], snapshot: Path, scratch: Path, watch: Stopwatch) -> tuple[list[float], int]:
    """TRL as anyone would use it, on our token ids; `watch` times its `train`."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    from pitchpipe.training.models.loading import load_tokenizer, resolve_model

    plan = _plan(request, snapshot)
    learned = _ledger(plan, snapshot).learned
    folder = resolve_model("embedded").folder
    config = {"sft": SFTConfig, "dpo": DPOConfig}[plan.method](
        output_dir=str(scratch / "plain"),
        use_cpu=True,
        learning_rate=plan.learning_rate,
        num_train_epochs=1,
        logging_steps=1,
        save_strategy="no",
        disable_tqdm=True,
        **({"bf16": False} if request["exact"] else {}),
    )
    # DPOTrainer has no way to take token ids but this.
    tokenised = type("TokenisedDPOTrainer", (DPOTrainer,), {"_prepare_dataset": lambda self, rows, *_: rows})
    trainer = {"sft": SFTTrainer, "dpo": tokenised}[plan.method](
        model=str(folder),
        args=config,
        train_dataset=Dataset.from_list(learned),
        processing_class=load_tokenizer(folder),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry], _count(learned)
