"""An embedder without a model: words and parts of words, hashed into a vector. The floor below which nothing falls."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import log
from zlib import crc32

from shared.memory.port import DIMENSIONS, Vectors

_WORD = re.compile(r"[\w.+=-]+")
_PARTS = (3, 4)
_WORD_WEIGHT, _PART_WEIGHT, _COMMON_WEIGHT = 1.0, 0.25, 0.1
_COMMON = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "for", "in", "is", "of", "on", "or", "the", "to", "was")
)
_KEPT = 1_024


class HashingEmbedder:
    """An `Embedder` that finds texts with the same words, or the same parts of words; it knows no meaning.

    Notes
    -----
    Each word, and each of its parts of three and four letters, is hashed (CRC-32) to one of the dimensions and a sign.
    A weight is ``w (1 + ln n)`` for n occurrences, with w lower for parts of words and lowest for the commonest words,
    where a corpus would give the inverse document frequency. The sum is scaled to length one.
    """

    is_quick = True
    space = f"hashing-1-{DIMENSIONS}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give an ndarray of shape (n_texts, DIMENSIONS), float32; a text without words is all zeros."""
        import numpy as np

        return np.stack([_embedded(text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), np.float32)


@lru_cache(maxsize=_KEPT)
def _embedded(text: str) -> Vectors:
    import numpy as np

    values = [0.0] * DIMENSIONS
    counts = Counter(_WORD.findall(text.casefold()))
    for word, number in counts.items():
        scale = 1 + log(number)
        for place, weight in _hashed(word):
            values[place] += scale * weight
    vector = np.array(values, np.float32)
    vector /= float(np.linalg.norm(vector)) or 1.0
    vector.setflags(write=False)
    return vector


@lru_cache(maxsize=4 * _KEPT)
def _hashed(word: str) -> tuple[tuple[int, float], ...]:
    codes = [(crc32(token.encode()), weight) for token, weight in _weighed(word)]
    return tuple((code % DIMENSIONS, weight if code & 0x80000000 else -weight) for code, weight in codes)


def _weighed(word: str) -> Iterator[tuple[str, float]]:
    yield word, _COMMON_WEIGHT if word in _COMMON else _WORD_WEIGHT
    for size in _PARTS:
        for start in range(len(word) - size + 1):
            # Marked, so that a part of a word is not taken for a word of its own.
            yield f"#{word[start : start + size]}", _PART_WEIGHT
