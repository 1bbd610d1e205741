"""One rater in words: the row of the table, and the card that opens on selection."""

from __future__ import annotations

import streamlit as st

from pitchpipe.store.measures.pace import describe_trend
from pitchpipe.store.measures.raters import Share, describe_lean
from pitchpipe.store.team.people import Person
from pitchpipe.store.team.quality_reading import QuestionQuality
from pitchpipe.store.team.rater_reading import RaterCard
from pitchpipe.studio.app_pages import people_charts
from pitchpipe.studio.app_pages.showing import plain, show_constant

_NOTHING = "–"


def show_table(cards: list[RaterCard]) -> None:
    """All raters by name, one row each, with intervals where they matter."""
    st.table([make_row(card) for card in cards])
    show_constant(
        '<div class="pp-quiet">With the others: the same answer as each of the others, and beyond chance in brackets. '
        "Likely right: how often an answer is the likely true one (Dawid-Skene). Left: share of picks on the left, 95% "
        "interval. A dash means that it cannot be told yet; the card below says why.</div>"
    )


def make_row(card: RaterCard) -> dict[str, str]:
    """The figures of a rater as cells."""
    rest = show_share(card.rest)
    return {
        "Person": plain(card.name),
        "Judged": f"{card.judged:,}",
        "With the others": rest if card.kappa is None else f"{rest} ({card.kappa:.2f})",
        "Likely right": _NOTHING if card.quality is None else f"{card.quality:.0%}",
        "Known answers": show_share(card.gold),
        "Own repeats": show_share(pool(card.repeats, card.swapped)),
        "Left": show_interval(card.left),
        "Seconds": _NOTHING if card.seconds is None else f"{card.seconds:.0f}",
        "Now": plain(describe_now(card)),
    }


def describe_now(card: RaterCard) -> str:
    """Whether somebody can work now, in one or two words."""
    if card.person is not None and card.person.is_revoked:
        return "access taken"
    if card.paused_reason:
        return "paused"
    return "from a file" if card.person is None else card.person.role


def pool(one: Share, other: Share) -> Share:
    """Two shares as one; the interval is left to the cards, which show them apart."""
    total = one.total + other.total
    hits = one.hits + other.hits
    return Share(hits, total, hits / total if total else None, None, None, one.undefined_because)


def show_share(share: Share) -> str:
    """A share as a percentage, or a dash."""
    return _NOTHING if share.share is None else f"{share.share:.0%}"


def show_interval(share: Share) -> str:
    """A share with its interval, such as `52% (41–63)`.

    >>> show_interval(Share(52, 100, 0.52, 0.42, 0.62))
    '52% (42–62)'
    """
    if share.share is None or share.low is None or share.high is None:
        return _NOTHING
    return f"{share.share:.0%} ({share.low * 100:.0f}–{share.high * 100:.0f})"


def tell_hours(hours: float) -> str:
    """Hours as people say them.

    >>> tell_hours(0.2), tell_hours(1.04), tell_hours(12.3)
    ('12 minutes', '1 hour', '12 hours')
    """
    if hours < 1:
        return f"{max(1, round(hours * 60))} minutes"
    rounded = round(hours) if hours >= 10 else round(hours, 1)
    return f"{rounded:g} hour{'' if rounded == 1 else 's'}"


def describe_standing(card: RaterCard | None, person: Person | None) -> str:
    """Role, skills and what stops somebody from working, in one line."""
    words = [person.role if person else "never signed in; the judgements came with a file"]
    if person and person.skills:
        words.append("skills: " + ", ".join(person.skills))
    if card:
        words.append(f"{card.judged:,} judged, {card.skipped:,} skipped")
        if card.paused_reason:
            words.append(f"paused: {card.paused_reason}")
    if person and person.is_revoked:
        words.append("access taken away")
    return " · ".join(words)


def show_question(question: QuestionQuality) -> None:
    """What the agreement on one question means, and what one more rater would buy."""
    st.markdown(f"**{plain(question.question)}**")
    st.text(f"{question.meaning} {question.one_more}" if question.agreement.alpha is not None else question.meaning)


def show_card(card: RaterCard) -> None:
    """The figures of one rater as pictures and sentences."""
    left, right = st.columns(2, gap="large")
    with left:
        show_constant('<div class="pp-who">Same answer as the others, by question</div>')
        people_charts.draw_rest(card)
    with right:
        hours = [hour for hour in card.drift if hour.share is not None]
        show_constant('<div class="pp-who">Same answer as the others, by hour of a session</div>')
        if len(hours) > 1:
            people_charts.draw_drift(card.drift)
        else:
            st.text("Sessions of more than an hour show here whether agreement holds.")
    one, two = st.columns(2, gap="large")
    for place, (title, words) in enumerate(describe_card(card)):
        with one if place % 2 == 0 else two, st.container(gap="xsmall"):
            show_constant('<div class="pp-who">{title}</div>', title=title)
            st.text(words)


def describe_card(card: RaterCard) -> list[tuple[str, str]]:
    """What the figures say about one rater: titles and sentences."""
    return [
        ("With the others", _describe_rest(card)),
        ("Likely right", _describe_quality(card)),
        ("Known answers", _describe(card.gold, "right", "known answers")),
        ("Side", describe_lean(card.left)),
        ("Asked again", _describe(card.repeats, "the same", "answers asked again")),
        ("Asked again, sides swapped", _describe(card.swapped, "the same", "answers asked again")),
        ("Speed", _describe_speed(card)),
        ("Suggestions", _describe_suggestions(card)),
    ]


def _describe_rest(card: RaterCard) -> str:
    if card.rest.share is None:
        return f"Cannot be told: {card.rest.undefined_because}."
    words = f"The same answer as each of the others {show_interval(card.rest)} of the time"
    words += f", over {card.rest.total:,} answers."
    near = [question.rest.near for question in card.questions if question.rest.near is not None]
    total = sum(share.total for share in near)
    if total:
        words += f" On scales {sum(share.hits for share in near) / total:.0%} are within one step."
    if card.kappa is None:
        return words
    return f"{words} Beyond chance: {card.kappa:.2f}, where 0 is guessing and 1 is perfect."


def _describe_quality(card: RaterCard) -> str:
    if card.quality is None:
        return f"Cannot be told: {card.quality_undefined}."
    return (
        f"About {card.quality:.0%} of answers are the likely true one. This is a model's estimate from everybody's "
        "answers; a rater who sees what others miss looks worse than they are."
    )


def _describe(share: Share, right: str, what: str) -> str:
    if share.share is None:
        return f"Cannot be told: {share.undefined_because}."
    return f"{share.hits:.3g} of {share.total:,} {what} were {right}: {show_interval(share)}."


def _describe_speed(card: RaterCard) -> str:
    if card.seconds is None:
        return "Cannot be told: nothing was timed."
    kinds = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in card.seconds_by_kind.items())
    return f"Half of the judgements take less than {card.seconds:.0f} seconds ({kinds}). {describe_trend(card.trend)}"


def _describe_suggestions(card: RaterCard) -> str:
    if card.accepted.share is None:
        return f"Cannot be told: {card.accepted.undefined_because}."
    words = f"Took {show_interval(card.accepted)} of {card.accepted.total:,} suggestions as they were."
    if card.unprompted.share is None:
        return words
    return f"{words} Others, who saw none, gave that very answer {show_interval(card.unprompted)} of the time."
