"""Template checks: whether the model's chat template and tokenizer will teach the model to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.findings import Finding, block, fine, warn
from pitchpipe.training.preflight.planned_rows import SIDES, PlannedRow, PlannedRows
from pitchpipe.training.runs.run_folders import read_json
from pitchpipe.training.tokens.tokenizing import ChatEncoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_tokenizer(plan: TrainPlan, model: ResolvedModel, tokenizer: PreTrainedTokenizerBase) -> list[Finding]:
    """The chat template renders as we encode, padding is not the end, and the model is long enough.

    Raises:
        RunError: the template rewrites what people typed; the run would refuse it too.
    """
    found = _check_room(plan, model)
    if plan.method == "classify":
        return found
    encoder = ChatEncoder(tokenizer)
    encoder.check_template()
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        advice = "Give the tokenizer a padding token of its own: a padded end is not learned as an end."
        found.append(block("template", "The padding token is the end token.", advice))
    else:
        words = "The chat template renders as the rows are encoded; an answer ends in {end}, and padding is {pad}."
        end = tokenizer.convert_ids_to_tokens(encoder.end_of_turn[-1])
        found.append(fine("template", words.format(end=end, pad=tokenizer.pad_token)))
    before = _read_template_hash(model)
    if before and before != encoder.template_hash:
        found.append(
            warn(
                "template",
                f"The run {model.run_id} was tuned with another chat template than the model has now.",
                "Restore the template of that run, or start from the base model.",
            )
        )
    return found


def _read_template_hash(model: ResolvedModel) -> str | None:
    if model.adapter is None:
        return None
    found: str | None = read_json(model.adapter.parent / "inputs.json").get("chat_template_hash")
    return found


def _check_room(plan: TrainPlan, model: ResolvedModel) -> list[Finding]:
    room = read_json(model.folder / "config.json").get("max_position_embeddings")
    if not room or plan.max_length <= room:
        return []
    # A classifier's run refuses it; the others go on beyond what the model knows.
    tell = block if plan.method == "classify" else warn
    return [
        tell(
            "template",
            f"The model was made for {room:,} tokens, and `max_length` is {plan.max_length:,}.",
            f"Set `max_length` to {room:,} or less.",
        )
    ]


def check_stops(plan: TrainPlan, planned: PlannedRows, tokenizer: PreTrainedTokenizerBase) -> list[Finding]:
    """Whether the last token that is learned of each answer is one that ends generation."""
    if plan.method == "classify" or not SIDES[plan.method] or not planned.learned:
        return []
    ends = {ChatEncoder(tokenizer).end_of_turn[-1], tokenizer.eos_token_id}
    open_rows = [row for row in planned.learned if not _ends(row, ends, plan.max_length)]
    if not open_rows:
        return [fine("template", f"All {len(planned.learned):,} rows end in an end token, and it is learned.")]
    cut = [row for row in open_rows if row.fate == "truncated"]
    return [
        warn(
            "template",
            f"{len(open_rows):,} of {len(planned.learned):,} rows have no end token to learn, {len(cut):,} of them "
            "because their end is cut.",
            "Set `over_length` to drop, or raise `max_length`: a model taught on cut answers does not learn to stop.",
            [row.row_id for row in open_rows],
        )
    ]


def _ends(row: PlannedRow, ends: set[int], max_length: int) -> bool:
    return all([*row.prompt, *answer][:max_length][-1] in ends for answer in row.sides.values())
