"""A run that is killed, inside a save too, goes on unaided and ends as one that was not.

The benchmark `kills` does the same twenty times; here a handful keeps the promise from breaking unseen.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.kills import Kill, Killer, plan_to_kill


def test_a_run_killed_at_random_moments_ends_with_the_weights_and_metrics_of_one_that_was_not(
    tiny_model: Path, snapshot: Path, tmp_path: Path
) -> None:
    killer = Killer(plan_to_kill(tiny_model, snapshot), tmp_path, seed=3)
    kills = [killer.kill_inside_save(), killer.kill_inside_save(), killer.kill_anywhere(), killer.kill_anywhere()]
    for kill in kills:
        assert kill == Kill(kill.moment, kill.step, kill.inside_save, True, True, True)
    assert sum(kill.inside_save for kill in kills) >= 2
