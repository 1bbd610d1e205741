"""What the Checks view found: counts and a chart, then rule by rule every hit with the place in the text."""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from pitchpipe.store.curation.checking import Preview, describe_hit, read_request
from pitchpipe.store.database import Store
from pitchpipe.store.rules.reading import Span, list_answers, list_spans, read_field
from pitchpipe.store.rules.rule import Hit
from pitchpipe.studio.app_pages.data import checks_actions
from pitchpipe.studio.app_pages.rendering import reveal_hidden
from pitchpipe.studio.app_pages.showing import plain, show_constant

_MOST_ROWS = 2000
"""Hits in the table; a longer list nobody reads, and the browser would have to hold it."""
_MOST_CHARACTERS = 6000
_SIDES = {"train": "training", "holdout": "sealed"}
_COLOURS = ["#15897e", "#c9741c"]
"""Legible on both themes."""
_LINK = re.compile(r"@|www(?=\\\.)|https?(?=\\:)")
"""Where Markdown would make a link of plain words; a zero-width space behind it leaves them words."""
_ROWS = "Rows as a snapshot would hold them: each answer and each pair is one, so an example can make several."
_DONE = {"drop": "left out", "mask": "masked", "mark": "listed"}


def show_results(store: Store, project: str, curator: str, preview: Preview) -> None:
    """The whole first, then one rule."""
    with st.container(key="card_checks_found"):
        _show_counts(preview)
        hit_rules = [count for count in preview.rules if count.hits]
        if not hit_rules:
            st.text("No rule found anything.")
            return
        _draw_counts(preview)
        if quiet := [count.title for count in preview.rules if not count.hits]:
            st.caption(plain(f"Nothing found by: {', '.join(quiet)}."))
    with st.container(key="card_checks_hits"):
        titles = {step: f"{count.title} · {count.hits:,}" for step, count in enumerate(preview.rules) if count.hits}
        step = st.pills(
            "Rule", list(titles), format_func=lambda step: titles[step], default=next(iter(titles)), required=True,
            key=f"checks_rule_{'_'.join(map(str, titles))}", label_visibility="collapsed",
        )  # fmt: skip
        _show_rule(store, project, curator, preview, int(step))


def _show_counts(preview: Preview) -> None:
    dropped = preview.considered - preview.kept
    masked = len({hit.place for hit in preview.hits if hit.action == "mask"})
    facts = {"Rows": preview.considered, "Would stay": preview.kept, "Left out": dropped, "Masked": masked}
    with st.container(horizontal=True, gap="large"):
        for name, count in facts.items():
            share = f"{count / preview.considered:.1%}" if preview.considered and name != "Rows" else None
            st.metric(name, f"{count:,}", share, delta_color="off", delta_arrow="off", width="content",
                      help=_ROWS if name == "Rows" else None)  # fmt: skip


def _draw_counts(preview: Preview) -> None:
    """Hits by rule, split by the side of the seal."""
    rows = [
        {"rule": count.title, "side": word, "hits": hits, "of": f"{hits / count.seen:.1%} of {count.seen:,} rows seen"}
        for count in preview.rules
        for side, word in _SIDES.items()
        if (hits := sum(n for part, n in count.by_part.items() if part.endswith(f"_{side}")))
    ]
    frame = pd.DataFrame(rows)
    order = list(dict.fromkeys(row["rule"] for row in rows))
    chart = alt.Chart(frame).mark_bar(height=12).encode(
        y=alt.Y("rule:N", sort=order, title=None,
                axis=alt.Axis(ticks=False, domain=False, labelLimit=180, labelOverlap=False)),
        x=alt.X("hits:Q", title=None, axis=alt.Axis(format="d", tickCount=5, tickMinStep=1, domain=False)),
        color=alt.Color("side:N", title=None, scale=alt.Scale(domain=list(_SIDES.values()), range=_COLOURS),
                        legend=alt.Legend(orient="top", symbolType="square")),
        tooltip=["rule:N", "side:N", alt.Tooltip("hits:Q", format=","), "of:N"],
    )  # fmt: skip
    height = 27 * len(order) + 96
    st.altair_chart(chart.properties(height=height).configure(background="transparent"), width="stretch")


def _show_rule(store: Store, project: str, curator: str, preview: Preview, step: int) -> None:
    count = preview.rules[step]
    hits = [hit for hit in preview.hits if hit.step == step]
    kept = sum(hit.is_protected for hit in hits)
    words = f"{count.hits:,} of {count.seen:,} rows ({count.hits / count.seen:.1%}) would be {_DONE[count.action]}."
    st.markdown(words + (f" {kept:,} of them stay: a curator decided to keep them." if kept else ""))
    listed = hits[:_MOST_ROWS]
    chosen = st.dataframe(
        pd.DataFrame([_make_row(hit) for hit in listed]),
        hide_index=True, height=min(320, 38 + 35 * len(listed)), on_select="rerun", selection_mode="multi-row",
        key=f"checks_table_{step}_{count.rule}", column_config=_COLUMNS,
    )  # fmt: skip
    if len(hits) > _MOST_ROWS:
        st.caption(f"The first {_MOST_ROWS:,} are shown; `pitchpipe check --json --limit {len(hits)}` lists all.")
    places = [place for place in chosen["selection"]["rows"] if place < len(listed)]
    checks_actions.show_actions(store, project, curator, [listed[place] for place in places], count)
    _show_hit(preview, listed[places[-1] if places else 0])


_COLUMNS = {
    "Reason": st.column_config.TextColumn(width=310),
    "Found in": st.column_config.TextColumn(width=235),
    "Score": st.column_config.NumberColumn(format="%.2f", width=60),
    "Side": st.column_config.TextColumn(width=65),
    "Kind": st.column_config.TextColumn(width=60),
}


def _make_row(hit: Hit) -> dict[str, Any]:
    told = describe_hit(hit)
    row = {
        "Reason": told["reason"], "Found in": " ".join(told["excerpt"].split()), "Kind": told["row_kind"],
        "Side": _SIDES.get(told["split"], told["split"]), "Example": told["example_id"],
    }  # fmt: skip
    if "score" in hit.evidence:
        row["Score"] = hit.evidence["score"]
    return row


def _show_hit(preview: Preview, hit: Hit) -> None:
    """The row behind a hit: its request, its answers with what was found, and beside them what it repeats."""
    row, spans = hit.row, dict(list_spans(hit.evidence))
    show_constant('<div class="pp-who">{reason}</div>', reason=hit.reason)
    other = preview.others.get(str(hit.evidence.get("other")))
    here, there = st.columns(2) if other is not None else (st.container(), None)
    with here:
        asked = {field: marks for field, marks in spans.items() if field.startswith("messages")}
        if not asked:
            _show_text("here_messages", "Request", read_request(row), [])
        for field, marks in asked.items():
            _show_text(f"here_{field}", "Request", read_field(row, field) or "", marks)
        for field, text in list_answers(row):
            _show_text(f"here_{field}", _name_answer(row, field), text, spans.get(field, []))
    if there is not None and other is not None:
        with there:
            title = f"Request of {other['example_id']}, which stays" if _stays(hit) else f"Of {other['example_id']}"
            _show_text("there_messages", title, read_request(other), [])
            for field, text in list_answers(other):
                _show_text(f"there_{field}", _name_answer(other, field), text, [])


def _name_answer(row: dict[str, Any], field: str) -> str:
    if row["row_kind"] != "pair":
        return "Answer"
    side = field[-1]
    won = {"a": "a", "b": "b"}.get(row["verdict"] or "")
    outcome = "" if won is None else ", chosen" if won == side else ", rejected"
    return f"Answer {side.upper()}{outcome}"


def _stays(hit: Hit) -> bool:
    """Whether the other example is the one that a duplicate repeats, and not merely named."""
    return "compared" in hit.evidence


def _show_text(key: str, title: str, text: str, spans: list[Span]) -> None:
    with st.container(key=f"checks_text_{key}"):
        show_constant('<div class="pp-quiet">{title}</div>', title=title)
        st.markdown(mark_spans(text, spans) or "*empty*")


def mark_spans(text: str, spans: list[Span]) -> str:
    """Markdown that shows a stored text as it is, line by line, with stretches of it marked.

    >>> mark_spans("to a*b now", [[3, 6, "x"]])
    'to :orange-background[a\\\\*b] now'
    """
    first = max(0, min((start for start, _, _ in spans), default=0) - _MOST_CHARACTERS // 2)
    last, pieces = first, ["…"] if first else []
    end_of_look = min(len(text), first + _MOST_CHARACTERS)
    for start, end, _ in sorted(spans):
        if start < last or start >= end_of_look:
            continue
        pieces += [_escape(text[last:start], ""), _escape(text[start:end], ":orange-background")]
        last = end
    pieces.append(_escape(text[last : max(last, end_of_look)], ""))
    return "".join(pieces) + ("…" if max(last, end_of_look) < len(text) else "")


def _escape(piece: str, directive: str) -> str:
    """A piece with its markup escaped and its line ends kept; with a directive, each line in one of its own."""
    lines = []
    for line in reveal_hidden(piece).split("\n"):
        words = _LINK.sub("\\g<0>\u200b", plain(line))
        before = " " if line[:1].isspace() else ""
        after = " " if line[-1:].isspace() and words else ""
        lines.append(f"{before}{directive}[{words}]{after}" if directive and words else f"{before}{words}{after}")
    return re.sub(r"\n{2,}", "\n\n", "  \n".join(lines))
