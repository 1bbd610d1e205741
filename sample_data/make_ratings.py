"""Derive the three fictional raters' numbers from the qualities set by hand: `python sample_data/make_ratings.py`.

Reads `helpdesk.jsonl` (texts) and `quality.jsonl` (what the author thinks of each answer, and the verdicts and reasons
written by hand) and writes `preferences.jsonl` and `ratings.jsonl` beside them. Same input, same bytes.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 20261122
QUESTIONS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
MODELS = {"house": "quillmarsh-desk", "rival": "generic-assistant"}
UNRATED_SHARE = 0.08  # compared but rated by nobody: real files have such gaps


@dataclass(frozen=True, slots=True)
class Rater:
    """A fictional person: what moves their judgement away from the quality that the author set."""

    name: str
    shift: float
    """Added to every helpfulness: below 0 is strict, above 0 lenient."""
    facts: float
    """Points lost for each point of correctness below 3."""
    words: float
    """Points lost for each word beyond 30."""
    noise: float
    tie_width: float
    """Answers closer than this are a tie."""
    bad_below: float
    """Where both answers stay below this, the verdict is that both are bad."""


RATERS = (
    Rater("amara", shift=-0.2, facts=0.35, words=0.0, noise=0.45, tie_width=0.5, bad_below=1.3),
    Rater("jonas", shift=0.0, facts=0.1, words=0.04, noise=0.6, tie_width=0.35, bad_below=1.2),
    Rater("mei", shift=0.4, facts=0.0, words=0.0, noise=0.65, tie_width=0.7, bad_below=0.9),
)


def main() -> None:
    """Write both files beside this script."""
    folder = Path(__file__).parent
    preferences, ratings = derive(folder)
    (folder / "preferences.jsonl").write_text(preferences, encoding="utf-8")
    (folder / "ratings.jsonl").write_text(ratings, encoding="utf-8")


def derive(folder: Path) -> tuple[str, str]:
    """The text of `preferences.jsonl` and of `ratings.jsonl`, from the two hand-written files in `folder`."""
    examples = _read(folder / "helpdesk.jsonl")
    qualities = {row["id"]: row for row in _read(folder / "quality.jsonl")}
    preferences: list[dict[str, Any]] = []
    ratings: list[dict[str, Any]] = []
    for example in examples:
        # One generator an example: adding an instruction never changes the numbers of another.
        rng = random.Random(f"{SEED}:{example['id']}")
        felt = {rater.name: _felt(rater, example, qualities[example["id"]], rng) for rater in RATERS}
        preferences.append(_preference_row(example, qualities[example["id"]], felt, rng))
        if example["split"] == "train" and rng.random() >= UNRATED_SHARE:
            ratings += [_rating_row(example, qualities[example["id"]], side, felt, rng) for side in MODELS]
    return _lines(preferences), _lines(ratings)


def _felt(rater: Rater, example: dict[str, Any], quality: dict[str, Any], rng: random.Random) -> dict[str, float]:
    """How helpful one rater finds both answers, before rounding."""
    felt = {}
    for side, text in (("house", example["answer"]), ("rival", example["rival"])):
        doubt = rater.facts * max(0, 3 - quality[f"{side}_correctness"])
        length = rater.words * max(0, len(text.split()) - 30)
        felt[side] = quality[f"{side}_helpfulness"] + rater.shift - doubt - length + rng.gauss(0, rater.noise)
    by_hand = [j for j in quality.get("judgements", ()) if j["rater"] == rater.name]
    return _bend(felt, by_hand[0]) if by_hand else felt


def _bend(felt: dict[str, float], by_hand: dict[str, Any]) -> dict[str, float]:
    """Move the two numbers so that the ratings do not contradict a verdict that was set by hand."""
    verdict, middle = by_hand["verdict"], sum(felt.values()) / 2
    if verdict not in MODELS:
        middle = min(middle, 0.8) if verdict == "both_bad" else middle
        return dict.fromkeys(felt, middle)
    loser = "rival" if verdict == "house" else "house"
    if felt[verdict] > felt[loser]:
        return felt
    gap = 0.4 * by_hand["strength"]
    return {verdict: middle + gap, loser: middle - gap}


def _verdict(rater: Rater, felt: dict[str, float], by_hand: dict[str, Any] | None) -> tuple[str, int]:
    """Which side wins, and by how much (0 to 3)."""
    if by_hand is not None:
        return by_hand["verdict"], by_hand["strength"]
    gap = felt["house"] - felt["rival"]
    if max(felt.values()) < rater.bad_below:
        return "both_bad", 0
    if abs(gap) < rater.tie_width:
        return "tie", 0
    return ("house" if gap > 0 else "rival"), min(3, max(1, round(abs(gap) * 0.9)))


def _preference_row(
    example: dict[str, Any], quality: dict[str, Any], felt: dict[str, dict[str, float]], rng: random.Random
) -> dict[str, Any]:
    first, second = rng.sample(["house", "rival"], 2)
    text = {"house": example["answer"], "rival": example["rival"]}
    row = {key: example[key] for key in ("id", "category", "split", "prompt")}
    row |= {"answer_a": text[first], "answer_b": text[second], "model_a": MODELS[first], "model_b": MODELS[second]}
    by_hand = {j["rater"]: j for j in quality.get("judgements", ())}
    for rater in RATERS:
        winner, strength = _verdict(rater, felt[rater.name], by_hand.get(rater.name))
        row[rater.name] = {first: "a", second: "b"}.get(winner, winner)
        row[f"{rater.name}_strength"] = -strength if winner == first else strength
        row[f"{rater.name}_reason"] = by_hand.get(rater.name, {}).get("reason", "")
    return row


def _rating_row(
    example: dict[str, Any], quality: dict[str, Any], side: str, felt: dict[str, dict[str, float]], rng: random.Random
) -> dict[str, Any]:
    text = example["answer" if side == "house" else "rival"]
    row = {key: example[key] for key in ("id", "category", "split", "prompt")} | {"answer": text, "model": MODELS[side]}
    coherence, complexity, verbosity = rng.gauss(3.3, 0.7), rng.gauss(1.2, 0.7), rng.gauss(0, 0.4)
    for rater in RATERS:
        centre = {
            "helpfulness": felt[rater.name][side],
            "correctness": quality[f"{side}_correctness"] + 0.5 * rater.shift + rng.gauss(0, rater.noise * 1.5),
            "coherence": coherence + rng.gauss(0, 0.45),
            "complexity": complexity + rng.gauss(0, 0.5),
            "verbosity": (len(text.split()) - 12) / 9 + verbosity + rng.gauss(0, 0.4),
        }
        for question in QUESTIONS:
            row[f"{rater.name}_{question}"] = min(4, max(0, round(centre[question])))
    return row


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    main()
