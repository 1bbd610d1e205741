"""How models stand against each other, from comparisons of their answers: Bradley-Terry with ties, by evalica.

A model of strength p beats one of strength q with chance p / (p + q + 2 v sqrt(p q)) and ties with chance
2 v sqrt(p q) / (the same); v is fitted (Davidson's model in Newman's form). So that a model that never lost stays
finite, each is taken to have won and lost half a comparison against an average one. Models that no chain of comparisons
links cannot be ranked together; each linked set is fitted apart. Intervals come from drawing prompts, not judgements,
for judgements of one prompt hang together.

Sources:
    Bradley & Terry, Biometrika 39 (1952), 324-345; Davidson, JASA 65 (1970), 317-328, for ties.
    Newman, "Efficient computation of rankings from pairwise comparisons", JMLR 24 (2023), for the fit and the prior.
    Miller, "Adding error bars to evals" (arXiv 2411.00640), for resampling prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pitchpipe.store.measures.patterns import Floats, Integers

OUTCOMES = ("tie", "a", "b")
"""Also evalica's numbers for a draw, a win of the first and of the second."""
_PRIOR = 0.5
_AVERAGE = -1
_FEWEST_PROMPTS = 2


@dataclass(frozen=True, slots=True)
class ModelStanding:
    """One model among those it can be compared with."""

    model: str
    component: int
    """The linked set it belongs to, the largest first, from 0; standings of different sets do not compare."""
    strength: float
    """The logarithm of p; 0 is the average of the set."""
    win_share: float
    """The expected share of comparisons won against an average model, ties as half, 0 to 1."""
    low: float | None
    high: float | None
    """The 95% interval of the win share; None of a single prompt."""
    wins: float
    losses: float
    ties: float
    """Weights of comparisons; a ranking of K answers counts 1 in all its pairs together."""
    prompts: int
    note: str
    """What to beware of, or empty."""


@dataclass(frozen=True, slots=True)
class ModelRanking:
    """The standings of all models, set by set, the strongest first."""

    standings: list[ModelStanding]
    components: int
    comparisons: int
    prompts: int
    resamples: int
    undefined_because: str | None
    """Why there is no ranking, in words."""


def rank_models(comparisons: pl.DataFrame, resamples: int = 300, seed: int = 0) -> ModelRanking:
    """The ranking of the models of a table of comparisons; the order of its rows changes nothing.

    Args:
        comparisons: `prompt`, `model_a`, `model_b`, `outcome` (a, b or tie), `weight`. A model against itself is left
            out.
        resamples: of the bootstrap over prompts; 0 leaves intervals out.

    >>> rows = [("p1", "north", "south", "a", 1.0), ("p2", "north", "south", "b", 1.0)]
    >>> names = ["prompt", "model_a", "model_b", "outcome", "weight"]
    >>> [one.win_share for one in rank_models(pl.DataFrame(rows, names, orient="row")).standings]
    [0.5, 0.5]
    """
    table = comparisons.filter(pl.col("model_a") != pl.col("model_b")).sort(comparisons.columns)
    if table.is_empty():
        return ModelRanking([], 0, 0, 0, 0, "no answers of two named models were compared")
    models = sorted({*table["model_a"].to_list(), *table["model_b"].to_list()})
    sets = _link_models(models, table)
    standings = [
        standing
        for place, members in enumerate(sets)
        for standing in _rank_set(
            members, table.filter(pl.col("model_a").is_in(members)), place, resamples, np.random.default_rng(seed)
        )
    ]
    return ModelRanking(standings, len(sets), table.height, table["prompt"].n_unique(), resamples, None)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Comparisons of a set summed by who met whom and how it ended."""

    first: Integers
    second: Integers
    outcome: Integers
    prompt: Integers
    """Of each entry the prompt, and `cell` the place in the three above."""
    cell: Integers
    weight: Floats

    def weigh(self, drawn: Floats | Integers) -> Floats:
        """The weight of each cell where each prompt was drawn so often."""
        return np.bincount(self.cell, self.weight * drawn[self.prompt], len(self.first)).astype(np.float64)


def _rank_set(
    members: Sequence[str], table: pl.DataFrame, component: int, resamples: int, chance: np.random.Generator
) -> list[ModelStanding]:
    cells = _sum_cells(members, table)
    prompts = int(cells.prompt.max()) + 1
    whole = cells.weigh(np.ones(prompts))
    strengths, shares = _fit(cells, whole, len(members))
    low, high = None, None
    if resamples and prompts >= _FEWEST_PROMPTS:
        drawn = [
            _fit(
                cells, cells.weigh(np.bincount(chance.integers(0, prompts, prompts), minlength=prompts)), len(members)
            )[1]
            for _ in range(resamples)
        ]
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    won, lost, tied = _tally(cells, whole, len(members))
    seen = [table.filter((pl.col("model_a") == name) | (pl.col("model_b") == name))["prompt"].n_unique()
            for name in members]  # fmt: skip
    standings = [
        ModelStanding(
            name, component, float(strengths[place]), float(shares[place]),
            None if low is None else float(low[place]), None if high is None else float(high[place]),
            float(won[place]), float(lost[place]), float(tied[place]), seen[place],
            _warn(won[place], lost[place], tied[place]),
        )
        for place, name in enumerate(members)
    ]  # fmt: skip
    return sorted(standings, key=lambda one: (-one.strength, one.model))


def _sum_cells(members: Sequence[str], table: pl.DataFrame) -> _Cells:
    places = {name: place for place, name in enumerate(members)}
    summed = table.group_by("prompt", "model_a", "model_b", "outcome").agg(pl.col("weight").sum()).sort(
        "prompt", "model_a", "model_b", "outcome"
    )  # fmt: skip
    kinds = summed.select("model_a", "model_b", "outcome").unique().sort("model_a", "model_b", "outcome")
    cell = summed.join(kinds.with_row_index("cell"), on=kinds.columns, maintain_order="left")["cell"]
    return _Cells(
        np.array([places[name] for name in kinds["model_a"]]),
        np.array([places[name] for name in kinds["model_b"]]),
        np.array([OUTCOMES.index(name) for name in kinds["outcome"]]),
        summed["prompt"].rank("dense").to_numpy().astype(np.int64) - 1,
        cell.to_numpy().astype(np.int64),
        summed["weight"].to_numpy().astype(np.float64),
    )


def _fit(cells: _Cells, weights: Floats, count: int) -> tuple[Floats, Floats]:
    """Log strengths around a mean of 0, and expected shares against an average model."""
    import evalica  # takes most of a second to load, with pandas

    draw, first, second = evalica.Winner.Draw, evalica.Winner.X, evalica.Winner.Y
    met = np.flatnonzero(weights > 0)
    everybody = list(range(count))
    found = evalica.newman(
        [*cells.first[met].tolist(), *everybody, *everybody],
        [*cells.second[met].tolist(), *[_AVERAGE] * (2 * count)],
        [*((draw, first, second)[ending] for ending in cells.outcome[met]), *[first] * count, *[second] * count],
        weights=[*weights[met].tolist(), *[_PRIOR] * (2 * count)],
        limit=2000,
    )
    logs = np.log(np.array([found.scores[place] for place in everybody], dtype=np.float64))
    logs -= logs.mean()
    p, ties = np.exp(logs), found.v * np.exp(logs / 2)
    return logs, (p + ties) / (p + 1 + 2 * ties)


def _tally(cells: _Cells, weights: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    def add(where: Integers, ending: str) -> Floats:
        is_so = cells.outcome == OUTCOMES.index(ending)
        return np.bincount(where[is_so], weights[is_so], count).astype(np.float64)

    return (
        add(cells.first, "a") + add(cells.second, "b"),
        add(cells.second, "a") + add(cells.first, "b"),
        add(cells.first, "tie") + add(cells.second, "tie"),
    )


def _link_models(models: Sequence[str], table: pl.DataFrame) -> list[list[str]]:
    """The sets of models that a chain of comparisons links, the largest first."""
    home = {name: {name} for name in models}
    for one, other in table.select("model_a", "model_b").unique().sort("model_a", "model_b").iter_rows():
        if home[one] is not home[other]:
            joined = home[one] | home[other]
            home.update(dict.fromkeys(joined, joined))
    sets = {min(members): sorted(members) for members in home.values()}
    return sorted(sets.values(), key=lambda members: (-len(members), members[0]))


def _warn(won: float, lost: float, tied: float) -> str:
    if not lost and not tied:
        return "It never lost, so its strength rests on the prior."
    if not won and not tied:
        return "It never won, so its strength rests on the prior."
    return ""
