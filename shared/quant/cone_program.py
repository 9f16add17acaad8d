"""A convex quadratic program, put together constraint by constraint and solved by clarabel.

Owns the one place that imports the solver, and how it is given matrices: it reads the fields of a sparse matrix of
scipy's, of which it needs six, and importing scipy for them takes a hundred times as long as to solve.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """A sparse matrix by columns, with the names that clarabel reads."""

    shape: tuple[int, int]
    data: Floats
    indices: NDArray[np.int64]
    indptr: NDArray[np.int64]
    has_sorted_indices: bool = True
    has_canonical_format: bool = True

    @property
    def nnz(self) -> int:
        """How many entries are stored; clarabel asks for it by this name."""
        return len(self.data)


class ConeProgram:
    """Minimises ``x @ quadratic @ x / 2 + linear @ x``.

    Parameters
    ----------
    quadratic : ndarray of shape (n, n)
        Symmetric, positive semidefinite.
    linear : ndarray of shape (n,)
    """

    def __init__(self, quadratic: Floats, linear: Floats) -> None:
        self.variables = len(linear)
        self._quadratic, self._linear = quadratic, linear
        self._equal: list[tuple[Floats, Floats]] = []
        self._most: list[tuple[Floats, Floats]] = []
        self._norms: list[tuple[Floats, Floats]] = []

    def equal(self, rows: Floats, values: Floats) -> None:
        """Ask for ``rows @ x == values``."""
        self._equal.append((rows, values))

    def at_most(self, rows: Floats, values: Floats) -> None:
        """Ask for ``rows @ x <= values``."""
        self._most.append((rows, values))

    def norm_at_most(self, rows: Floats, value: float) -> None:
        """Ask that the length of ``rows @ x`` be at most `value`."""
        bound = np.zeros(len(rows) + 1)
        bound[0] = value
        self._norms.append((np.vstack([np.zeros((1, rows.shape[1])), -rows]), bound))

    def charge_changes(self, start: Floats, price: float, most: float | None) -> None:
        """Add `price` times the sum of ``|x - start|`` to what is minimised, and bound that sum by `most`."""
        count = self.variables
        eye, ones = np.eye(count), np.ones((1, count))
        self._widen(count)
        self._linear[count:] = price
        self.at_most(np.hstack([eye, -eye]), start)
        self.at_most(np.hstack([-eye, -eye]), -start)
        if most is not None:
            self.at_most(np.hstack([0 * ones, ones]), np.array([most]))

    def solve(self) -> Floats:
        """Give the x of lowest value, without what `charge_changes` added.

        Raises
        ------
        InvalidError
            No x keeps to all constraints.
        """
        import clarabel  # a function that optimises nothing need not load it

        parts = [*self._equal, *self._most, *self._norms]
        cones: list[Any] = [clarabel.ZeroConeT(len(values)) for _, values in self._equal]
        cones += [clarabel.NonnegativeConeT(len(values)) for _, values in self._most]
        cones += [clarabel.SecondOrderConeT(len(values)) for _, values in self._norms]
        rows, values = np.vstack([part for part, _ in parts]), np.concatenate([value for _, value in parts])
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        quadratic = _columns(np.triu(self._quadratic))
        found = clarabel.DefaultSolver(quadratic, self._linear, _columns(rows), values, cones, settings).solve()
        if str(found.status) not in ("Solved", "AlmostSolved"):
            raise InvalidError(f"constraints: no weights keep to all of them ({found.status})")
        return np.array(found.x[: len(self._linear) - self._added])

    _added = 0

    def _widen(self, count: int) -> None:
        self._added += count
        self._quadratic = _padded(self._quadratic, count, count)
        self._linear = np.concatenate([self._linear, np.zeros(count)])
        for rows in (self._equal, self._most, self._norms):
            rows[:] = [(_padded(part, 0, count), values) for part, values in rows]


def _padded(matrix: Floats, rows: int, columns: int) -> Floats:
    # numpy.pad takes longer than to solve.
    padded = np.zeros((matrix.shape[0] + rows, matrix.shape[1] + columns))
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded


def _columns(matrix: Floats) -> _Columns:
    columns, rows = np.nonzero(matrix.T)
    starts = np.searchsorted(columns, np.arange(matrix.shape[1] + 1)).astype(np.int64)
    return _Columns(matrix.shape, matrix[rows, columns], rows.astype(np.int64), starts)
