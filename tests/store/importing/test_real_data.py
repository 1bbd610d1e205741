"""Public data as published: the numbers that are known of it come out of the importers and the measures."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from pitchpipe.store.importing import read_examples
from pitchpipe.store.measures.agreement import measure_agreement
from pitchpipe.store.measures.consensus import aggregate_compare
from pitchpipe.store.records import ParsedRow, TaskKind

pytestmark = pytest.mark.real_data

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("PITCHPIPE_TEST_DATA", PROJECT.parent / "shared" / "data"))

PANDALM = (
    'kind = "compare"\nprompt = "{instruction}\\n\\n{input}"\nanswer_a = "{response1}"\nanswer_b = "{response2}"\n'
)
PANDALM += 'model_a = "{cmp_key}"\nid = "{idx}"\n'
for number in (1, 2, 3):
    PANDALM += f'[[judgements]]\nrater = "annotator{number}"\nvalue = "{{annotator{number}}}"\n'
    PANDALM += 'values = { "1" = "a", "2" = "b", "0" = "tie" }\n'


def import_all(name: str, folder: Path, mapping: str | None = None) -> list[ParsedRow]:
    """Every row of a data file, none of them rejected; skips where the file is not there."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; set PITCHPIPE_TEST_DATA to the folder of public data")
    mapping_path = folder / "map.toml" if mapping is not None else None
    if mapping is not None:
        (folder / "map.toml").write_text(mapping, encoding="utf-8")
    parsed = list(read_examples(path, mapping=mapping_path))
    rows = [row for row in parsed if isinstance(row, ParsedRow)]
    assert len(rows) == len(parsed)
    return rows


def test_pandalm_gives_999_pairs_and_2997_judgements_with_the_published_agreement(tmp_path: Path) -> None:
    rows = import_all("pandalm_testset_3raters.json", tmp_path, PANDALM)
    assert len(rows) == 999
    assert sum(len(row.judgements) for row in rows) == 2997
    assert {row.kind for row in rows} == {TaskKind.COMPARE}
    ratings = [(str(row.line), found.rater, found.value["verdict"]) for row in rows for found in row.judgements]
    measured = measure_agreement(ratings)
    assert measured.alpha == pytest.approx(0.8642, abs=0.0001)
    assert measured.ac1 == pytest.approx(0.8864, abs=0.0001)
    assert measured.raw_agreement == pytest.approx(0.9199, abs=0.0001)
    assert (measured.units, measured.unanimous, measured.ratings, measured.raters) == (999, 879, 2997, 3)


def test_pandalm_verdicts_have_a_majority_nearly_everywhere(tmp_path: Path) -> None:
    rows = import_all("pandalm_testset_3raters.json", tmp_path, PANDALM)
    found = [aggregate_compare([judgement.value["verdict"] for judgement in row.judgements]) for row in rows]
    assert sum(consensus.support == 1.0 for consensus in found) == 879
    assert all((consensus.support or 0) >= 2 / 3 or consensus.is_tied for consensus in found)


def test_open_assistant_gives_100_trees_with_their_rankings(tmp_path: Path) -> None:
    rows = import_all("oasst_en_100_tree.jsonl", tmp_path)
    assert len({row.tree for row in rows}) == 100
    # 480 prompter messages, 226 of them without a reply; 212 of the others have two or more ranked replies.
    assert len(rows) == 254
    assert Counter(row.kind for row in rows) == {TaskKind.RANK: 156, TaskKind.COMPARE: 58, TaskKind.WRITE: 40}
    assert sum(len(row.judgements) for row in rows) == 212
    # 641 replies carry a rank, and each of them stands in exactly one judgement.
    assert sum(len(found.candidates) for row in rows for found in row.judgements) == 641
    assert len({row.external_id for row in rows}) == len(rows)


def test_a_worker_item_label_table_gives_5000_labels(tmp_path: Path) -> None:
    mapping = 'kind = "tag"\ncolumns = ["rater", "item", "label"]\nid = "{item}"\ntext = "{item}"\n'
    rows = import_all("crowd_barzan_labels.txt", tmp_path, mapping + 'label = "{label}"\nrater = "{rater}"\n')
    assert len(rows) == 5000
    assert {label for row in rows for found in row.judgements for label in found.value["labels"]} == {"0", "1"}


@pytest.mark.parametrize(
    ("name", "mapping", "expected"),
    [
        ("dolly_hhrlhf_1000.jsonl", 'prompt = "{prompt}"\nanswer = "{response}"', 1000),
        ("gsm8k_test.jsonl", 'prompt = "{question}"\nanswer = "{answer}"\nsplit = "test"', 1319),
        (
            "self_instruct_seed_tasks.jsonl",
            'prompt = "{instruction}\\n\\n{instances[0].input}"\nanswer = "{instances[0].output}"',
            175,
        ),
        ("ifbench_300.jsonl", 'prompt = "{prompt}"\nid = "{key}"', 300),
    ],
)
def test_instruction_data_imports_whole_through_a_mapping(
    tmp_path: Path, name: str, mapping: str, expected: int
) -> None:
    rows = import_all(name, tmp_path, f'kind = "write"\n{mapping}\n')
    assert len(rows) == expected
