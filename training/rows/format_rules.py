"""Format rules: which rows of a snapshot may teach, which answer of an example is best, and why others are left out.

A refusal is (rule, reason): the rule is counted and filtered by, the reason is read. Pure and free of torch.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any, Literal

VERSION = "1"
"""Version of the rules; it goes onto every dropped row."""

Row = dict[str, Any]
Split = Literal["train", "holdout"]
Refusal = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FormatPolicy:
    """Where the builders draw their lines."""

    minimum_rating: float = 3.0
    """Answers whose consensus rating is lower are not imitated; 0 to 4."""
    rating_question: str = "helpfulness"
    """The rubric question that ratings are read from."""
    minimum_support: float = 0.0
    """Pairs on which a smaller share of raters agrees are left out; 0 to 1."""
    soft_labels: bool = False
    """Adds `label_smoothing` to pairs: the chance that the label is the wrong way round."""
    confidence_weights: bool = False
    """Multiplies `weight` by how sure people are."""


def write_policy(policy: FormatPolicy) -> dict[str, Any]:
    """The policy as an export's manifest records it: dials newer than the first exports only where they are on.

    >>> write_policy(FormatPolicy(soft_labels=True))
    {'minimum_rating': 3.0, 'rating_question': 'helpfulness', 'minimum_support': 0.0, 'soft_labels': True}
    """
    return {
        name: value
        for name, value in asdict(policy).items()
        if value or name not in ("soft_labels", "confidence_weights")
    }


def seal(row: Row, side: Split = "train") -> Refusal | None:
    """Refuses a row that is not plainly on the side: what teaches is of the train side, what measures of the other."""
    if row["split"] == side:
        return None
    if side == "holdout":
        return ("not_holdout", f"its group is on the {row['split']} side, and measuring asks for the holdout")
    return ("sealed_holdout", f"its group is on the {row['split']} side and is kept for measuring")


def empty(*answers: str | None) -> Refusal | None:
    """Refuses answers of which one has no text."""
    if all((answer or "").strip() for answer in answers):
        return None
    return ("empty_answer", "an answer has no text")


def standing_of(pairs: list[Row]) -> dict[str, int]:
    """Wins minus losses of each candidate that any pair judged; a tie counts 0, both bad counts as a loss of both."""
    standing: dict[str, int] = defaultdict(int)
    gains = {"a": (1, -1), "b": (-1, 1), "tie": (0, 0), "both_bad": (-1, -1)}
    for pair in pairs:
        if pair["verdict"] in gains:
            for side, gain in zip(("a", "b"), gains[pair["verdict"]], strict=True):
                candidate = pair.get(f"candidate_{side}")
                if candidate:
                    standing[candidate] += gain
    return standing


def _rating(row: Row, policy: FormatPolicy) -> float | None:
    scores = json.loads(row["scores"]) if row.get("scores") else {}
    rating = scores.get(policy.rating_question)
    # An option of a choice is no point on a scale.
    return float(rating) if isinstance(rating, int | float) else None


def rate_candidates(answers: list[Row], policy: FormatPolicy) -> dict[str, float]:
    """The consensus rating of each answer that has one."""
    ratings = {row["candidate_id"]: _rating(row, policy) for row in answers if row.get("candidate_id")}
    return {candidate: rating for candidate, rating in ratings.items() if rating is not None}


def measure_gap(pair: Row, ratings: dict[str, float]) -> float | None:
    """By how much the winner of a pair is rated above the loser, at least 0; None where one has no rating."""
    winner, loser = ("a", "b") if pair["verdict"] == "a" else ("b", "a")
    first, second = (
        ratings.get(pair.get(f"candidate_{winner}") or ""),
        ratings.get(pair.get(f"candidate_{loser}") or ""),
    )
    return None if first is None or second is None else max(0.0, first - second)


def refuse_answer(row: Row, standing: dict[str, int], policy: FormatPolicy) -> Refusal | None:
    """Why an answer cannot be imitated, or None when it can."""
    return seal(row) or empty(row["answer"]) or _refuse_by_judgement(row, standing, policy)


def refuse_reference(row: Row, standing: dict[str, int], policy: FormatPolicy) -> Refusal | None:
    """Why an answer cannot be what models are measured against, or None when it can.

    A model's answer never can, whatever a review said of it: the model that wrote it would be surprised least by it.
    """
    refusal = seal(row, "holdout") or empty(row["answer"])
    if refusal is None and row.get("turn") is not None:
        return ("inner_turn", "it is a turn inside a conversation, and models are measured on the last")
    if refusal or row["origin"] in ("person", "demonstration"):
        return refusal
    if row["origin"] != "import":
        return ("written_by_model", "a model wrote it, and models are not measured against their own words")
    return _refuse_by_judgement(row, standing, policy)


def _refuse_by_judgement(row: Row, standing: dict[str, int], policy: FormatPolicy) -> Refusal | None:
    rating = _rating(row, policy)
    if rating is not None:
        if rating >= policy.minimum_rating:
            return None
        return ("rated_below_minimum", f"{policy.rating_question} {rating:.2f} is below {policy.minimum_rating:g}")
    if row["origin"] == "person":
        return None
    candidate = row["candidate_id"]
    if standing.get(candidate, 0) < 0:
        return ("lost_comparison", "it was preferred less often than not, and nobody rated it")
    if candidate not in standing and row["origin"] != "demonstration":
        return ("not_judged", "nobody rated or compared it, and it is no demonstration")
    return None


def preference(row: Row, standing: dict[str, int], policy: FormatPolicy) -> tuple[bool, int, float, bool, str]:
    """Sorts the best answer first."""
    rating = _rating(row, policy)
    return (
        row["origin"] != "person",
        -standing.get(row["candidate_id"], 0),
        -(-1.0 if rating is None else rating),
        row["origin"] != "demonstration",
        row["row_id"],
    )


def reference_preference(
    row: Row, standing: dict[str, int], policy: FormatPolicy
) -> tuple[bool, bool, int, float, str]:
    """Sorts the best reference first: a person's answer, then the house's demonstration, then the best import."""
    rating = _rating(row, policy)
    return (
        row["origin"] != "person",
        row["origin"] != "demonstration",
        -standing.get(row["candidate_id"], 0),
        -(-1.0 if rating is None else rating),
        row["row_id"],
    )


def thumb(row: Row, standing: dict[str, int], policy: FormatPolicy) -> bool | None:
    """Whether people approve of an answer; None when nobody said."""
    rating = _rating(row, policy)
    if rating is not None:
        return rating >= policy.minimum_rating
    net = standing.get(row["candidate_id"], 0)
    if net:
        return net > 0
    return True if row["origin"] in ("person", "demonstration") else None


def refuse_pair(row: Row, policy: FormatPolicy) -> Refusal | None:
    """Why a pair cannot teach a preference, or None when it can."""
    refusal = seal(row)
    if refusal:
        return refusal
    undecided = {
        "tie": ("tie", "people found the two equal"),
        "both_bad": ("both_bad", "people found both bad"),
        "cannot_judge": ("cannot_judge", "people could not judge it"),
    }
    if row["verdict"] in undecided:
        return undecided[row["verdict"]]
    if row["verdict"] not in ("a", "b"):
        return ("not_judged", "nobody compared the two")
    refusal = empty(row["answer_a"], row["answer_b"])
    if refusal:
        return refusal
    if row["answer_a"] == row["answer_b"]:
        return ("identical_answers", "the two answers are the same text")
    support = row.get("support")
    if support is not None and support < policy.minimum_support:
        return ("weak_support", f"{support:.2f} of the raters agree, below {policy.minimum_support:g}")
    return None


def text_of(row: Row) -> str:
    """What was labelled: a single request as it is, else every turn as a paragraph with its role.

    >>> text_of({"messages": '[{"role": "user", "content": "Hi"}]', "answer": "Hello."})
    'user: Hi\\n\\nassistant: Hello.'
    """
    turns = json.loads(row["messages"])
    if row.get("answer"):
        turns = [*turns, {"role": "assistant", "content": row["answer"]}]
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)


def refuse_label(row: Row, policy: FormatPolicy, side: Split = "train") -> Refusal | None:
    """Why a labelled text cannot teach a classifier (or measure one, on the side of the holdout), or None."""
    refusal = seal(row, side) or empty(text_of(row))
    if refusal:
        return refusal
    labels = json.loads(row["labels"]) if row.get("labels") else []
    if len(labels) != 1:
        return ("several_labels", f"it has {len(labels)} labels, and a class is one") if labels else _NO_LABEL
    support = row.get("support")
    if support is not None and support < policy.minimum_support:
        return ("weak_support", f"{support:.2f} of the raters agree, below {policy.minimum_support:g}")
    return None


_NO_LABEL = ("not_judged", "nobody labelled it")
