"""Names clusters by the words that tell each from the others: pure functions over texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import log

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’](?=[^\W\d_]))+")
_FEWEST_LETTERS = 3
_WORDS = 4
_FEWEST_WORDS = 3
_READ_CHARACTERS = 1500
_NAMELESS = "mixed requests"
_OFTEN = 0.05
"""A line that stands in this share of all texts is a form, not a request."""
_EVERYWHERE = 0.1
_ASKING = frozenset({
    "please", "don't", "doesn't", "didn't", "can't", "won't", "isn't", "i'm", "i've", "i'd", "it's", "that's", "what's",
    "you're", "does", "did", "doing", "let", "given", "give", "following", "want", "need", "use", "used", "using",
    "like", "just", "make", "based", "know", "think", "tell", "way", "good", "best",
})  # fmt: skip
"""Words of asking, which say nothing of what is asked."""


def name_clusters(texts: Sequence[str], labels: Sequence[int], clusters: int) -> list[str]:
    """A name for each cluster: three or four words, the most telling first, each name different.

    Class-based TF-IDF (Grootendorst, "BERTopic", arXiv:2203.05794, eq. 2) on the number of texts that have a word, so
    that one long text does not name a cluster: share of the cluster's texts with it times log(1 + A / f), A the mean
    of distinct words a cluster and f the texts with the word. No name has: English stop words, numbers, lines that
    stand in one text of twenty, words of a tenth of the texts in most clusters, the plural of a word that is there.

    Args:
        texts: one a request; the first 1,500 characters count.
        labels: the cluster of each text, 0 to `clusters` - 1.

    >>> name_clusters(["Sort a Python list", "Reverse a Python list", "Bake rye bread", "Bake plain bread"],
    ...               [0, 0, 1, 1], 2)
    ['list, python, reverse, sort', 'bake, bread, plain, rye']
    """
    forms = _find_forms(texts)
    having = [Counter[str]() for _ in range(clusters)]
    sizes = Counter(labels)
    for text, label in zip(texts, labels, strict=True):
        having[label].update(_list_words(text, forms))
    total: Counter[str] = Counter()
    for words in having:
        total.update(words)
    everywhere = _find_everywhere(having, sizes)
    mean_words = sum(total.values()) / max(1, clusters)
    names: list[str] = []
    for label, words in enumerate(having):
        # A word of one text in a large cluster says nothing of the others.
        least = 1 if sizes[label] < 4 else 2
        weights = {
            word: count / sizes[label] * log(1 + mean_words / total[word])
            for word, count in words.items()
            if count >= least and word not in everywhere
        }
        ranked = sorted(weights, key=lambda word: (-weights[word], word))
        names.append(_join_words(ranked, names))
    return names


def _join_words(ranked: Sequence[str], taken: Sequence[str]) -> str:
    """The first three or four words that are no forms of one another, and the name is not taken."""
    distinct: list[str] = []
    for word in ranked:
        if len(distinct) >= 3 * _WORDS:
            break
        if all(_find_stem(word) != _find_stem(other) for other in distinct):
            distinct.append(word)
    for start in range(max(1, len(distinct) - _FEWEST_WORDS)):
        name = ", ".join([*distinct[: _WORDS - 1], *distinct[_WORDS - 1 + start : _WORDS + start]])
        if name and name not in taken:
            return name
    name, number = ", ".join(distinct[:_WORDS]) or _NAMELESS, 2
    while name in taken:
        name, number = f"{', '.join(distinct[:_WORDS]) or _NAMELESS} ({number})", number + 1
    return name


def _list_words(text: str, forms: frozenset[str]) -> set[str]:
    read = "\n".join(line for line in text[:_READ_CHARACTERS].splitlines() if line.strip() not in forms)
    words = (word.replace("’", "'").casefold().removesuffix("'s") for word in _WORD.findall(read))
    stop = _read_stop_words()
    return {word for word in words if len(word) >= _FEWEST_LETTERS and word not in stop}


def _find_forms(texts: Sequence[str]) -> frozenset[str]:
    """Lines that stand in one text of twenty, and in ten at least: templates around the requests."""
    lines = Counter(line for text in texts for line in {line.strip() for line in text[:_READ_CHARACTERS].splitlines()})
    least = max(10, _OFTEN * len(texts))
    return frozenset(line for line, count in lines.items() if line and count >= least)


def _find_everywhere(having: Sequence[Counter[str]], sizes: Counter[int]) -> set[str]:
    """Words that stand in a tenth of the texts in more than half of the clusters: stop words of any language."""
    if len(having) < 4:
        return set()
    spread = Counter(
        word for label, words in enumerate(having) for word, count in words.items()
        if count >= _EVERYWHERE * sizes[label]
    )  # fmt: skip
    return {word for word, clusters in spread.items() if clusters > len(having) / 2}


def _find_stem(word: str) -> str:
    return word.removesuffix("'s").removesuffix("es").removesuffix("s").removesuffix("ing").removesuffix("ed")[:8]


@cache
def _read_stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | _ASKING


def first_words(text: str, most: int = 80) -> str:
    """The beginning of a text on one line.

    >>> first_words("Sort this list.\\nThen print it.", 16)
    'Sort this list.…'
    """
    line = " ".join(text[: 20 * most].split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
