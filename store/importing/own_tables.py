"""CSV files that Pitchpipe exported, read back as what was exported.

An export neutralises cells that could run as a formula with an apostrophe in front, and writes messages as JSON text.
Whether a file is ours is told by its header, which begins with `row_id,example_id`: a file is often passed on without
the manifest beside it. In a file of anybody else an apostrophe is the author's own and stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pitchpipe.store.importing.raw_values import check_row, decode_json
from pitchpipe.store.importing.rows import RawRow, RowProblem
from pitchpipe.store.records import RejectedRow

_FIRST = ["row_id", "example_id"]
_MESSAGES = ("prompt", "completion", "chosen", "rejected", "messages")
_NEUTRALISED = re.compile(r"''*[=+\-@\t\r]")


def is_own_table(names: Sequence[str]) -> bool:
    """Whether a header is one of our exports'."""
    return list(names[:2]) == _FIRST or ("row_id" in names and "example_id" in names and "row_kind" in names)


def restore_row(result: tuple[int, RawRow] | RejectedRow) -> tuple[int, RawRow] | RejectedRow:
    """A row of our own CSV with its cells as they were before the export, an empty one as null.

    >>> restore_row((2, {"prompt": '[{"role":"user","content":"hi"}]', "weight": "", "answer": "'=1"}))
    (2, {'prompt': [{'role': 'user', 'content': 'hi'}], 'weight': None, 'answer': '=1'})
    """
    if isinstance(result, RejectedRow):
        return result
    line, cells = result
    row: RawRow = {}
    for name, cell in cells.items():
        try:
            row[name] = _restore(name, cell)
        except RowProblem as problem:
            return RejectedRow(line, name, problem.reason)
    try:
        check_row(row)
    except RowProblem as problem:
        return RejectedRow(line, problem.column, problem.reason)
    return line, row


def _restore(name: str, cell: str) -> Any:
    text = restore_cell(cell)
    if name in _MESSAGES and text.startswith("["):
        return decode_json(text)
    return text if text else None


def restore_cell(cell: str) -> str:
    """The text that an export neutralised; the inverse of `neutralise_cell` of `pitchpipe.training.exports.exporting`.

    >>> restore_cell("'=1+1"), restore_cell("''=1+1"), restore_cell("it's")
    ('=1+1', "'=1+1", "it's")
    """
    return cell[1:] if _NEUTRALISED.match(cell) else cell
