"""A mixture configuration loads in TRL as it is, and takes as many rows as was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.training.exports.exporting import export_snapshot
from pitchpipe.training.exports.mixtures import count_taken, write_mixture
from tests.training.snapshots import answer_row, pair_row, write_snapshot


@pytest.fixture
def exports(tmp_path: Path) -> list[Path]:
    """Twelve rows as Parquet and four as JSONL, of the form sft."""
    large = write_snapshot(tmp_path / "one", [answer_row(n, f"where {n}") for n in range(12)], "snap_one")
    small = write_snapshot(tmp_path / "two", [answer_row(n, f"when {n}") for n in range(4)], "snap_two")
    first = export_snapshot(large, "sft", tmp_path / "a folder: with 'signs'", "parquet").path
    return [first, export_snapshot(small, "sft", tmp_path / "b", "jsonl").path]


@pytest.mark.parametrize(("shares", "taken"), [([3.0, 1.0], [12, 4]), ([0.5, 0.5], [4, 4]), (None, [12, 4])])
def test_trl_parses_and_loads_the_file_with_the_rows_that_were_told(
    exports: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: list[float] | None, taken: list[int]
) -> None:
    import datasets
    from trl import DatasetMixtureConfig, TrlParser, get_dataset

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    report = write_mixture(exports, tmp_path / "mixture.yaml", shares)
    assert [entry["taken"] for entry in report["files"]] == taken and report["rows"] == sum(taken)
    (config,) = TrlParser([DatasetMixtureConfig]).parse_args_and_config(["--config", str(tmp_path / "mixture.yaml")])
    rows = get_dataset(config)
    assert set(rows) == {"train"}
    asked = [row["prompt"][0]["content"].split()[0] for row in rows["train"]]
    assert [asked.count("where"), asked.count("when")] == taken
    assert rows["train"].column_names == ["prompt", "completion"]


def test_files_that_do_not_fit_together_are_refused(exports: list[Path], tmp_path: Path) -> None:
    to = tmp_path / "mixture.yaml"
    pairs = export_snapshot(write_snapshot(tmp_path / "p", [pair_row(1)]), "dpo", tmp_path / "p2", "parquet").path
    with pytest.raises(UsageError, match="dpo and sft"):
        write_mixture([exports[0], pairs], to)
    with pytest.raises(UsageError, match="one share above 0"):
        write_mixture(exports, to, [1.0])
    with pytest.raises(NotFoundError, match="no exported file"):
        write_mixture([tmp_path / "none.parquet"], to)
    with pytest.raises(UsageError, match="CSV holds no lists"):
        write_mixture([tmp_path / "rows.csv"], to)
    exports[0].write_bytes(b"other")
    with pytest.raises(UsageError, match="vouches for"):
        write_mixture(exports, to)
    assert not to.exists()


def test_shares_never_ask_a_file_for_more_rows_than_it_has() -> None:
    assert count_taken([10, 10, 10], [1, 1, 2]) == [5, 5, 10]
