"""Vectors of a scope side by side, so that all cosines are one product; kept in the process, grown as rows come.

What a product takes is the way from memory. So a row of the matrix is a dimension: words that are hashed fill a quarter
of the dimensions, and the others' rows are not read at all.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.memory.port import DIMENSIONS, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_KEPT_ROWS = 40_000
_FLOAT_BYTES = 4
_DECIMALS = 6
_SPARSE = 0.5
_ABOVE_ALL = 4.0
"""More than any difference of cosines."""


class Matrix:
    """The vectors of one scope in one space, in the order of their rows' numbers.

    Attributes
    ----------
    last : int
        The highest number so far, whether it could be read or not.
    last_grade : int
        The highest sequence of a grade so far.
    """

    def __init__(self, epoch: int) -> None:
        import numpy as np

        self.epoch, self.last, self.last_grade, self.count = epoch, 0, 0, 0
        self._numbers: NDArray[np.int64] = np.zeros(16, np.int64)
        self._known_at: NDArray[np.int64] = np.zeros(16, np.int64)
        self._graded_at: NDArray[np.int64] = np.zeros(16, np.int64)
        self._vectors: Vectors = np.zeros((DIMENSIONS, 16), np.float32)

    def add(self, rows: Sequence[tuple[int, int, int, bytes]]) -> None:
        """Take in rows of (number, known at, graded at, vector), in microseconds; what is no vector is left out."""
        import numpy as np

        whole = [row for row in rows if _is_whole(row[3])]
        if len(whole) < len(rows):
            logger.warning("%d vectors of memories cannot be read", len(rows) - len(whole))
        self.last = max([self.last, *(row[0] for row in rows)])
        if not whole:
            return
        end = self.count + len(whole)
        self._make_room(end)
        self._numbers[self.count : end] = [row[0] for row in whole]
        self._known_at[self.count : end] = [row[1] for row in whole]
        self._graded_at[self.count : end] = [row[2] for row in whole]
        vectors = np.frombuffer(b"".join(row[3] for row in whole), np.float32)
        self._vectors[:, self.count : end] = vectors.reshape(len(whole), DIMENSIONS).T
        self.count = end

    def grade(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Take in grades of (sequence, number, graded at) in their sequence; those of rows of other spaces are not."""
        import numpy as np

        if not rows:
            return
        self.last_grade = rows[-1][0]
        # Of one row the last is kept; a copy, as snapshots have what was.
        latest = {number: graded_at for _, number, graded_at in rows}
        numbers, moments = np.array(list(latest), np.int64), np.array(list(latest.values()), np.int64)
        places = np.searchsorted(self._numbers[: self.count], numbers)
        known = places < self.count
        known[known] = self._numbers[places[known]] == numbers[known]
        self._graded_at = self._graded_at.copy()
        self._graded_at[places[known]] = moments[known]

    def snapshot(self) -> "Matrix":
        """Give what is in it now, whatever is added or graded later: rows that are there are never changed."""
        now = Matrix.__new__(Matrix)
        now.epoch, now.last, now.last_grade, now.count = self.epoch, self.last, self.last_grade, self.count
        now._numbers, now._known_at = self._numbers[: self.count], self._known_at[: self.count]
        now._graded_at, now._vectors = self._graded_at[: self.count], self._vectors[:, : self.count]
        return now

    def nearest(self, vector: Vectors, before: int, limit: int, *, graded_first: bool) -> list[tuple[int, float]]:
        """Give (number, cosine) of the rows known before a moment, greatest cosine first, of equal ones the newest."""
        import numpy as np

        if not self.count or limit < 1:
            return []
        # Rounded, so that ties are the same whatever the order in which a processor adds.
        cosines = np.round(self._product(vector), _DECIMALS)
        ranks = cosines + _ABOVE_ALL * (self._graded_at < before) if graded_first else cosines.copy()
        ranks[(self._known_at >= before) | ~np.isfinite(cosines)] = -np.inf
        least = np.partition(ranks, -limit)[-limit] if limit < self.count else -np.inf
        places = np.nonzero((ranks >= least) & (ranks > -np.inf))[0]
        order = np.lexsort((self._numbers[places], -self._known_at[places], -ranks[places]))[:limit]
        return [(int(self._numbers[place]), _share(cosines[place])) for place in places[order]]

    def _product(self, vector: Vectors) -> Vectors:
        import numpy as np

        filled = np.flatnonzero(vector)
        if len(filled) > _SPARSE * DIMENSIONS:  # to pick them out would copy more than it spares
            return vector @ self._vectors
        return vector[filled] @ self._vectors[filled]

    def _make_room(self, rows: int) -> None:
        import numpy as np

        if rows <= len(self._numbers):
            return
        spare = max(rows, 2 * len(self._numbers)) - len(self._numbers)
        self._numbers = np.concatenate((self._numbers, np.zeros(spare, np.int64)))
        self._known_at = np.concatenate((self._known_at, np.zeros(spare, np.int64)))
        self._graded_at = np.concatenate((self._graded_at, np.zeros(spare, np.int64)))
        self._vectors = np.concatenate((self._vectors, np.zeros((DIMENSIONS, spare), np.float32)), axis=1)


def _is_whole(vector: bytes) -> bool:
    import numpy as np

    return len(vector) == DIMENSIONS * _FLOAT_BYTES and bool(np.isfinite(np.frombuffer(vector, np.float32)).all())


def _share(cosine: float) -> float:
    return round(min(1.0, max(0.0, float(cosine))), _DECIMALS)


class Matrices:
    """The matrices that were used last, as many as have 40,000 rows together, 60 MB."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Matrix] = OrderedDict()

    def get(self, scope: str, space: str, epoch: int) -> Matrix:
        """Give the matrix of a scope and space, an empty one where there is none of this epoch."""
        matrix = self._kept.pop((scope, space), None)
        if matrix is None or matrix.epoch != epoch:
            matrix = Matrix(epoch)
        self._kept[scope, space] = matrix
        while len(self._kept) > 1 and sum(each.count for each in self._kept.values()) > _KEPT_ROWS:
            self._kept.popitem(last=False)
        return matrix
