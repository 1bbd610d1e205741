"""The ledger of prompts: which of them leave room for an answer."""

from __future__ import annotations

from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder


def build_prompt_ledger(
    result: FormatResult,
    encoder: ChatEncoder,
    max_length: int,
    over_length: str,
    columns: tuple[str, ...] = (),  # noqa: ARG001 (all ledgers are called alike)
) -> Ledger:
    """Measures prompts, of which none is cut: row_id and prompt, a conversation, which the trainer has us tokenise."""
    ledger = Ledger(max_length, "drop" if over_length == "truncate" else over_length)
    ledger.add_dropped(result.dropped)
    for row in result.kept:
        if ledger.place(row["row_id"], encoder.prompt(row["prompt"]), []):
            ledger.learned.append({"row_id": row["row_id"], "prompt": row["prompt"]})
    ledger.check(result.considered)
    return ledger
