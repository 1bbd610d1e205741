"""The ledger of labelled texts: what became of each, counted in tokens, before a classifier's trainer sees any."""

from __future__ import annotations

from collections import Counter

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.models.classifiers import TextEncoder
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.ledger import Ledger


def list_classes(result: FormatResult, known: tuple[str, ...] = ()) -> list[str]:
    """The classes that the rows name, in order of name; a run that is trained further keeps its own, `known`.

    Raises:
        RunError: there are fewer than two, or one that the run does not know.
    """
    found = sorted({row["label"] for row in result.kept})
    if len(found) < 2:
        dropped = dict(Counter(row.rule for row in result.dropped))
        raise RunError(
            f"The rows of the training side name {len(found)} classes: {found}. Left out by rule: {dropped}.",
            "A classifier needs texts of at least two classes; judge more tag tasks, and make a new snapshot.",
        )
    strange = sorted(set(found) - set(known)) if known else []
    if strange:
        raise RunError(
            f"The run that this one continues from does not know the classes {strange}; it knows {list(known)}.",
            "Start from the base model instead, which learns all of them.",
        )
    return list(known) or found


def build_label_ledger(
    result: FormatResult, encoder: TextEncoder, max_length: int, over_length: str, columns: tuple[str, ...] = ()
) -> Ledger:
    """Tokenises labelled texts: input_ids, labels (places in `list_classes`), and the further columns of the rows.

    A text that is cut keeps what the model wants at its end.
    """
    if max_length > encoder.longest:
        raise UsageError(
            f"The plan allows {max_length} tokens, but this model reads at most {encoder.longest}.",
            f"Set `max_length` to {encoder.longest} or less.",
        )
    places = {label: place for place, label in enumerate(list_classes(result, encoder.classes))}
    ledger = Ledger(max_length, over_length)
    ledger.add_dropped(result.dropped)
    for row in result.kept:
        ids = encoder.encode(row["text"])
        if ledger.place(row["row_id"], [], ids):
            kept = ids if len(ids) <= max_length else encoder.cut(row["text"], max_length)
            further = {name: row[name] for name in columns}
            ledger.learned.append({"input_ids": kept, "labels": places[row["label"]], **further})
    ledger.check(result.considered)
    return ledger
