"""Planned rows: every row of a plan as the tokens that its run would see, and what would become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import VERSION, DroppedRow, FormatPolicy, FormatResult, build_rows
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tokens.token_cache import TokenCache
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.dev_rows import hold_back
from pitchpipe.training.tuning.methods import find_method

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerBase

SIDES = {
    "sft": ("completion",),
    "kto": ("completion",),
    "dpo": ("chosen", "rejected"),
    "reward": ("chosen", "rejected"),
    "rloo": (),
    "grpo": (),
    "classify": ("text",),
}
"""What follows the prompt of a row, by method; a text to classify has no prompt."""
REFINING = ("rloo", "grpo")
"""Methods whose answers the model writes itself."""
_AT_ONCE, _TELL_EVERY = 5000, 500


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """The tokens of a row and its fate."""

    row: dict[str, Any]
    """As the formats built it."""
    prompt: list[int]
    sides: dict[str, list[int]]
    fate: str
    """`kept`, `truncated` or `too_long`, as in the ledger."""

    @property
    def row_id(self) -> str:
        return str(self.row["row_id"])

    def measure(self, max_length: int) -> list[int]:
        """Tokens of each sequence that the model reads of it."""
        answers = list(self.sides.values()) or [[]]
        return [min(len(self.prompt) + len(answer), max_length) for answer in answers]


@dataclass
class PlannedRows:
    """All rows that the method considers."""

    ledger: Ledger
    result: FormatResult
    tokenised: list[PlannedRow] = field(default_factory=list)

    @property
    def learned(self) -> list[PlannedRow]:
        """Those that the run would learn from."""
        return [row for row in self.tokenised if row.fate != "too_long"]


def build_format(plan: TrainPlan, rows: pl.DataFrame) -> FormatResult:
    """The rows that the plan's method would learn from, before any is tokenised; those held back are listed."""
    policy = FormatPolicy(plan.minimum_rating, minimum_support=plan.minimum_support, soft_labels=plan.soft_labels)
    result = build_rows(find_method(plan.method).form, rows, policy)
    if plan.method != "classify":  # whose runs hold none back
        result, _ = hold_back(result, rows, plan.dev_share)
    return keep_first(result, plan.max_rows)


def keep_first(result: FormatResult, count: int) -> FormatResult:
    """The first `count` rows in id order (0 takes all); the others are listed as dropped, as the run lists them."""
    if not count or len(result.kept) <= count:
        return result
    reason = f"the plan asks for {count} rows"
    beyond = [DroppedRow(row["row_id"], "beyond_max_rows", VERSION, reason) for row in result.kept[count:]]
    return FormatResult(result.kept[:count], result.dropped + beyond, result.considered)


def tokenise_rows(
    plan: TrainPlan, result: FormatResult, tokenizer: PreTrainedTokenizerBase, tell: Callable[[int, int], None]
) -> PlannedRows:
    """Tokenises every row as the run would and gives each its fate, by the ledger's own rule."""
    is_cut = plan.over_length == "truncate" and plan.method not in REFINING  # half a prompt asks something else
    policy = "drop" if plan.over_length == "truncate" and not is_cut else plan.over_length
    room = plan.max_length - (plan.max_new_tokens if plan.method in REFINING else 0)
    planned = PlannedRows(Ledger(room, policy), result)
    planned.ledger.add_dropped(result.dropped)
    for number, (row, prompt, sides) in enumerate(_tokenise(plan, result, tokenizer)):
        answers = list(sides.values())
        planned.ledger.place(row["row_id"], prompt, answers[0] if answers else [], *answers[1:])
        planned.tokenised.append(PlannedRow(row, prompt, sides, planned.ledger.rows[-1]["status"]))
        if number % _TELL_EVERY == 0:
            tell(number, len(result.kept))
    return planned


def _tokenise(
    plan: TrainPlan, result: FormatResult, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[dict[str, Any], list[int], dict[str, list[int]]]]:
    if plan.method == "classify":
        for row in result.kept:
            ids = tokenizer(row["text"], split_special_tokens=True, truncation=False, verbose=False)["input_ids"]
            yield row, [], {"text": ids}
        return
    encoder = ChatEncoder(tokenizer, TokenCache())  # the run will find there what is encoded here
    for at in range(0, len(result.kept), _AT_ONCE):
        rows = result.kept[at : at + _AT_ONCE]
        prompts = encoder.prompts([row["prompt"] for row in rows])
        sides = {side: encoder.answers([row[side][0]["content"] for row in rows]) for side in SIDES[plan.method]}
        for place, row in enumerate(rows):
            yield row, prompts[place], {side: answers[place] for side, answers in sides.items()}


def show_tokens(
    row: PlannedRow, max_length: int, tokenizer: PreTrainedTokenizerBase, method: str
) -> list[dict[str, Any]]:
    """The sides of a row token by token: `{"side", "tokens": [[text, id, use]]}`, as `read_masks` gives them."""
    sides = row.sides or {"prompt": []}
    shown = []
    for side, answer in sides.items():
        ids = [*row.prompt, *answer]
        tokens = []
        for place, number in enumerate(ids):
            is_learned = place >= len(row.prompt) and method != "classify"
            if method == "reward":  # the score is read at the last token; nothing else carries a loss
                is_learned = place == len(ids) - 1
            use = "cut" if place >= max_length else "loss" if is_learned else "context"
            tokens.append([_say(number, tokenizer), number, use])
        shown.append({"side": side, "tokens": tokens})
    return shown


def _say(number: int, tokenizer: PreTrainedTokenizerBase) -> str:
    text: str = tokenizer.decode([number], clean_up_tokenization_spaces=False)
    # Part of a character: its own spelling in the vocabulary says more than a replacement sign.
    return str(tokenizer.convert_ids_to_tokens(number)) if "\ufffd" in text else text


def choose_shown(rows: list[PlannedRow], count: int) -> list[PlannedRow]:
    """Rows to show: of each fate the longest, then the rest spread evenly over the set, in order of id."""
    longest: dict[str, PlannedRow] = {}
    for row in sorted(rows, key=lambda row: len(row.prompt) + max(map(len, row.sides.values()), default=0)):
        longest[row.fate] = row
    chosen = {row.row_id: row for row in list(longest.values())[:count]}
    for row in rows[:: max(1, len(rows) // max(1, count))]:
        if len(chosen) >= count:
            break
        chosen[row.row_id] = row
    return [row for row in rows if row.row_id in chosen]
