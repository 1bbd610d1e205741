"""What an agreement means in plain words, and what one more rater would buy.

Sources:
    Krippendorff, Content Analysis, 4th ed. (2018), ch. 12: rely on values from .80, draw tentative conclusions from
    .667, and on nothing below.
    Spearman, and Brown, both in British Journal of Psychology 3 (1910): the reliability of the mean of k raters from
    that of one. It holds for raters who err independently and equally; alpha stands for the reliability of one rater
    (for two values kappa is an intraclass correlation: Fleiss & Cuzick, Applied Psychological Measurement 3, 1979).
"""

from __future__ import annotations

from math import ceil

FIRM = 0.80
TENTATIVE = 0.667
_MOST_RATERS = 50


def name_band(alpha: float | None) -> str:
    """`firm`, `tentative`, `not yet` or `unknown`.

    >>> [name_band(alpha) for alpha in (0.8, 0.7, 0.61, None)]
    ['firm', 'tentative', 'not yet', 'unknown']
    """
    if alpha is None:
        return "unknown"
    return "firm" if alpha >= FIRM else "tentative" if alpha >= TENTATIVE else "not yet"


def explain_agreement(alpha: float | None, raw: float | None, undefined_because: str | None, is_nominal: bool) -> str:
    """What an alpha means, with the raw share beside it, because the raw share alone flatters.

    With balanced answers 72.6% raw agreement is an alpha of only about 0.45.

    >>> explain_agreement(0.45, 0.726, None, is_nominal=True)
    'Not yet: 0.45 is too little to rely on. Two give the same answer 73% of the time; chance alone would bring 50%.'
    """
    if alpha is None:
        return f"Cannot be told: {undefined_because}."
    meaning = {
        "firm": f"Firm: {alpha:.2f} is enough to rely on.",
        "tentative": f"Tentative: {alpha:.2f} supports cautious conclusions; check what hangs on single judgements.",
        "not yet": f"Not yet: {alpha:.2f} is too little to rely on.",
    }[name_band(alpha)]
    if alpha <= 0:
        meaning = f"Not yet: {alpha:.2f} is no better than chance."
    if raw is None:
        return meaning
    meaning += f" Two give the same answer {raw:.0%} of the time"
    if is_nominal and alpha < 1:
        return f"{meaning}; chance alone would bring {max(0.0, 1 - (1 - raw) / (1 - alpha)):.0%}."
    return f"{meaning}, and where they differ the distance counts."


def predict_reliability(single: float, raters: float) -> float:
    """The reliability of the mean of so many raters, from that of one (Spearman-Brown).

    Worked: k r / (1 + (k - 1) r) = 3 * 0.61 / (1 + 2 * 0.61) = 1.83 / 2.22 = 0.824.

    >>> round(predict_reliability(0.61, 3), 3)
    0.824
    """
    return raters * single / (1 + (raters - 1) * single)


def count_raters_needed(single: float, target: float = FIRM) -> int | None:
    """Raters whose mean reaches the target; None where one rater is no better than chance or 50 are not enough.

    Worked: R (1 - r) / (r (1 - R)) = 0.8 * 0.39 / (0.61 * 0.2) = 2.56, so 3.

    >>> count_raters_needed(0.61), count_raters_needed(0.0)
    (3, None)
    """
    if single <= 0:
        return None
    if single >= target:
        return 1
    needed = ceil(target * (1 - single) / (single * (1 - target)) - 1e-9)
    return needed if needed <= _MOST_RATERS else None


def explain_one_more(single: float | None, raters: float) -> str:
    """What one more rater a task would buy.

    Args:
        single: the reliability of one rater (alpha).
        raters: raters a task now, 1 or more.

    >>> explain_one_more(0.61, 3)
    'With 3 raters a task their mean reaches 0.82; one more would bring 0.86, and 3 are needed for 0.80.'
    """
    if single is None:
        return "What one more rater would buy cannot be told."
    if single <= 0:
        return "More raters would not help: their mean stays noise until the question is clearer."
    now, more = predict_reliability(single, raters), predict_reliability(single, raters + 1)
    needed = count_raters_needed(single)
    if needed is None:
        goal = f"more than {_MOST_RATERS} would be needed for {FIRM:.2f}, so sharpen the question instead"
    else:
        goal = f"{needed} {'is' if needed == 1 else 'are'} needed for {FIRM:.2f}"
    people = f"{raters:.2g} rater{'' if raters == 1 else 's'}"
    return f"With {people} a task their mean reaches {now:.2f}; one more would bring {more:.2f}, and {goal}."
