"""What a project has of each kind against what a curator wants, and the wanted list in the workspace."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pitchpipe.store.errors import UsageError

_LINE = re.compile(r"^(?P<name>.+?)\s*[:=]\s*(?P<count>\S+)$")
_FITS = 80.0
"""Out of 100: from here two names are taken for the same kind."""
_WORD_FITS = 85.0
_HIGHEST_TARGET = 10_000_000
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Gap:
    """A wanted kind, and how far the project is from it."""

    name: str
    target: int
    found: int
    """Requests in all categories and clusters that fit the name, each counted once."""
    matched: tuple[str, ...]
    """Those categories and clusters, by name."""

    @property
    def missing(self) -> int:
        """Requests still to be found or written, 0 or more."""
        return max(0, self.target - self.found)


def parse_wanted(text: str) -> dict[str, int]:
    """A curator's list, one `name: target` a line; empty lines and lines that begin with # say nothing.

    Raises:
        UsageError: a line is none of these, a target is no whole number of 0 or more, or a name comes twice.

    >>> parse_wanted("billing: 50\\n# later\\nlong answers: 20")
    {'billing': 50, 'long answers': 20}
    """
    wanted: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        said = line.strip()
        if not said or said.startswith("#"):
            continue
        parts = _LINE.match(said)
        count = parts["count"].replace(",", "").replace("_", "") if parts else ""
        if parts is None or not (count.isascii() and count.isdigit()) or int(count) > _HIGHEST_TARGET:
            raise UsageError(
                f"Line {number} is '{said[:80]}'.", "Write a name and how many you want, as in billing: 50."
            )
        name = parts["name"].strip().strip("\"'")[:_LONGEST_NAME]
        if name in wanted:
            raise UsageError(f"'{name}' is wanted twice, again in line {number}.", "Keep one of the two lines.")
        wanted[name] = int(count)
    return wanted


def find_gaps(
    wanted: Mapping[str, int], categories: Sequence[str | None], labels: Sequence[int], names: Sequence[str]
) -> list[Gap]:
    """Each wanted kind with what there is of it, the largest gap first.

    A name fits a category by `fits_name`, and a cluster if it fits one of the words that the cluster is named by, or
    all of them. A request counts once, however many of its kinds fit.

    Args:
        wanted: targets by name.
        categories: the category of each request, None where it has none.
        labels: the cluster of each request.
        names: the name of each cluster, words with commas between.

    >>> find_gaps({"Refunds": 3}, ["refund", None, "delay"], [0, 1, 1], ["money, refund", "late, parcel"])
    [Gap(name='Refunds', target=3, found=1, matched=('refund', 'money, refund'))]
    """
    kinds = sorted({category for category in categories if category})
    gaps = []
    for name, target in wanted.items():
        fitting = {kind for kind in kinds if fits_name(name, kind)}
        clusters = {number for number, cluster in enumerate(names) if _fits_cluster(name, cluster)}
        found = sum(
            category in fitting or label in clusters for category, label in zip(categories, labels, strict=True)
        )
        matched = (*sorted(fitting), *(names[number] for number in sorted(clusters)))
        gaps.append(Gap(name, target, found, matched))
    return sorted(gaps, key=lambda gap: (-gap.missing, gap.name))


def fits_name(wanted: str, name: str) -> bool:
    """Whether two names mean the same kind: alike after case, order and form of their words, to 80 of 100.

    The measure is rapidfuzz's token sort ratio, an edit similarity. Alike words of other meaning can fit
    (`form` and `farm` do not, `planning` and `planting` do): the table shows what was matched.

    >>> fits_name("Question answering", "answering_questions"), fits_name("math", "maths"), fits_name("code", "food")
    (True, True, False)
    """
    from rapidfuzz import fuzz

    return bool(fuzz.token_sort_ratio(_fold(wanted), _fold(name)) >= _FITS)


def find_underrepresented(sizes: Sequence[int], least_share: float = 0.25) -> list[int]:
    """Clusters with less than `least_share` of what each would have if all had the same, the smallest first.

    >>> find_underrepresented([90, 80, 10])
    [2]
    """
    even = sum(sizes) / len(sizes) if sizes else 0.0
    small = [number for number, size in enumerate(sizes) if size < least_share * even]
    return sorted(small, key=lambda number: (sizes[number], number))


def read_wanted(workspace: Path, project_id: str) -> dict[str, int]:
    """The wanted list of a project; empty where none was kept.

    Raises:
        UsageError: somebody edited the file into something else.
    """
    file = _locate(workspace, project_id)
    try:
        wanted = tomllib.loads(file.read_text(encoding="utf-8")).get("wanted", {})
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"'{file}' cannot be read: {error}.", "Correct it, or delete it and type the list anew."
        ) from error
    if not isinstance(wanted, dict) or not all(type(count) is int and count >= 0 for count in wanted.values()):
        raise UsageError(f"'{file}' holds {str(wanted)[:80]}.", 'Under [wanted] write lines such as "billing" = 50.')
    return wanted


def save_wanted(workspace: Path, project_id: str, wanted: Mapping[str, int]) -> Path:
    """Keeps the wanted list of a project as TOML in the workspace, whole or not at all; returns its file."""
    import json

    file = _locate(workspace, project_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    # A JSON string is a TOML string as well, but for the escape of DEL, which no name has.
    lines = [f"{json.dumps(name, ensure_ascii=False)} = {count}" for name, count in wanted.items()]
    beside = file.with_suffix(".toml.new")
    beside.write_text("\n".join(["[wanted]", *lines, ""]), encoding="utf-8")
    beside.replace(file)
    return file


def _locate(workspace: Path, project_id: str) -> Path:
    return workspace / "wanted" / f"{project_id}.toml"


def _fits_cluster(wanted: str, cluster: str) -> bool:
    from rapidfuzz import fuzz

    folded = _fold(wanted)
    words = [_fold(word) for word in cluster.split(",")]
    return any(fuzz.ratio(folded, word) >= _WORD_FITS for word in words) or fits_name(wanted, cluster)


def _fold(name: str) -> str:
    words = re.sub(r"[\W_]+", " ", name.casefold()).split()
    return " ".join(word.removesuffix("s") if len(word) > 3 else word for word in words)
