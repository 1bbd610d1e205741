"""The tables of the Consensus view, and the words around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pitchpipe.store.consensus.consensus_preview import Preview, StrategyPreview
from pitchpipe.store.measures.model_ranking import ModelRanking, ModelStanding
from pitchpipe.store.measures.raters import Share

NAMES = {
    "mean": "mean",
    "median": "median",
    "majority": "majority",
    "closest_three": "closest three",
    "dawid_skene": "Dawid-Skene",
}
"""What people call a strategy."""
MEANINGS = {
    "mean": "The mean of all ratings. Every rater counts the same, and one outlier moves it.",
    "median": "The middle rating. An outlier does not move it.",
    "majority": "What most raters said; where several come first there is no consensus (of verdicts: a tie).",
    "closest_three": "The mean of the three ratings that lie closest together, as HelpSteer2 did.",
    "dawid_skene": "How good each rater is, and what each unit probably is, found together from all ratings of the "
    "question. It helps most where raters differ in care and each judged much. Of ratings it takes the expected value.",
}
_NOTHING = "–"


def show_strategies(preview: Preview) -> None:
    """One row a strategy with its figures."""
    st.dataframe(
        pd.DataFrame([make_row(one, preview) for one in preview.strategies]), hide_index=True, width="stretch"
    )  # fmt: skip


def make_row(one: StrategyPreview, preview: Preview) -> dict[str, str]:
    """The figures of a strategy as cells."""
    is_current = one.strategy == preview.current
    return {
        "Strategy": NAMES[one.strategy] + (" (now)" if is_current else ""),
        "Changes": _NOTHING if is_current else count_of(one.changed, preview.units),
        "Tied": f"{one.tied:,}",
        "No consensus": f"{one.undecided:,}",
        "Over 2 apart": f"{one.disputed:,}",
        "Support": _percent(one.mean_support),
        "Confidence": _percent(one.mean_confidence) if one.model else _NOTHING,
        "Right on known answers": describe_share(one.right),
    }


def count_of(count: int, total: int) -> str:
    """A count with its share.

    >>> count_of(36, 1000), count_of(0, 0)
    ('36 (3.6%)', '0')
    """
    return f"{count:,} ({count / total:.1%})" if total else f"{count:,}"


def describe_share(share: Share) -> str:
    """A share with its interval and how many it is of; a dash of nothing."""
    if share.share is None or share.low is None or share.high is None:
        return _NOTHING
    return f"{share.share:.1%} ({share.low:.1%} to {share.high:.1%}) of {share.total:,}"


def describe_model(one: StrategyPreview) -> str:
    """What was fitted for Dawid-Skene, in words; empty for other strategies."""
    if one.undefined_because:
        return f"Dawid-Skene has nothing to go by here ({one.undefined_because}), so the majority stands."
    if one.model == "one_coin":
        return (
            "Most raters have fewer than 10 labels, so Dawid-Skene gives each one chance of being right "
            "instead of a table of errors."
        )
    return ""


def show_changes(one: StrategyPreview, current: str, requests: Mapping[str, str]) -> None:
    """What moves where, and the first units that change with what each rater said."""
    moves = ", ".join(f"{count:,} from {old} to {new}" for old, new, count in one.moves[:8])
    more = f", and {len(one.moves) - 8} more kinds of change" if len(one.moves) > 8 else ""
    st.text(f"Against {NAMES[current]}: {moves}{more}.")
    rows = [
        {
            "Request": requests.get(change.example_id, ""),
            f"By {NAMES[current]}": change.before,
            f"By {NAMES[one.strategy]}": change.after,
            "What raters said": " · ".join(f"{rater}: {said}" for rater, said in change.answers),
        }
        for change in one.changes
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", height=min(390, 36 * (len(rows) + 1) + 3),
        column_config={"Request": st.column_config.TextColumn(width="large"),
                       "What raters said": st.column_config.TextColumn(width="large")},
    )  # fmt: skip
    if one.changed > len(rows):
        st.caption(f"The first {len(rows)} of {one.changed:,}.")


def describe_drops(drops: Mapping[str, int], units: int) -> str:
    """What the rules leave out of a question, in words.

    >>> describe_drops({"tie": 2, "spread": 0, "support": 1}, 10)
    'Leaves out 3 of 10: 2 tied, 1 with too little support. 7 stay.'
    """
    names = {"tie": "tied", "spread": "too far apart", "support": "with too little support"}
    told = [f"{count:,} {names[rule]}" for rule, count in drops.items() if count]
    if not told:
        return f"Leaves nothing out: all {units:,} stay."
    left = sum(drops.values())
    return f"Leaves out {left:,} of {units:,}: {', '.join(told)}. {units - left:,} stay."


def describe_ranking(ranking: ModelRanking) -> str:
    """What the ranking rests on, in words."""
    words = f"{ranking.comparisons:,} comparisons on {ranking.prompts:,} prompts"
    if ranking.components > 1:
        words += f". No comparison links them all: there are {ranking.components} sets, which do not compare"
    return f"{words}."


def show_standings(standings: Sequence[ModelStanding]) -> None:
    """Wins, losses and ties of each model, and what to beware of."""
    rows = [
        {
            "Model": one.model, "Won": f"{one.wins:,.4g}", "Lost": f"{one.losses:,.4g}", "Tied": f"{one.ties:,.4g}",
            "Against an average model": f"{one.win_share:.0%}"
            + ("" if one.low is None or one.high is None else f" ({one.low:.0%} to {one.high:.0%})"),
            "Note": one.note,
        }
        for one in standings
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    if not any(one.note for one in standings):
        frame = frame.drop(columns="Note")
    st.dataframe(frame, hide_index=True, width="stretch")


def _percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{share:.1%}"
