"""How well short texts answer to the words of a question.

References
----------
Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009). The logarithm is Lucene's, which
is never negative: a word that most of a handful of texts have still counts a little.
"""

import math
from collections import Counter
from collections.abc import Sequence

SATURATION = 1.2
"""k1: how soon a word's repetition stops to count."""
LENGTH_SHARE = 0.75
"""b: how far a text's length counts against it, 0 to 1."""


def bm25(query: Sequence[str], texts: Sequence[Sequence[str]]) -> list[float]:
    """Give each text's BM25 score, 0 where it has no word of the query.

    Parameters
    ----------
    query : sequence of str
        Words; a repeated one counts once.
    texts : sequence of sequence of str
        The words of each text.

    Returns
    -------
    list of float
        One score per text, 0 or more, without a unit; finite for whatever is given.
    """
    counts = [Counter(text) for text in texts]
    mean_length = sum(map(len, texts)) / len(texts) if texts else 0.0
    rarity = {word: _rarity(sum(word in count for count in counts), len(texts)) for word in query}
    return [
        math.fsum(
            weight * count[word] * (SATURATION + 1) / (count[word] + _damping(len(text), mean_length))
            for word, weight in rarity.items()
            if word in count
        )
        for text, count in zip(texts, counts, strict=True)
    ]


def _rarity(having: int, of: int) -> float:
    return math.log(1 + (of - having + 0.5) / (having + 0.5))


def _damping(length: int, mean_length: float) -> float:
    return SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / mean_length)
