"""Clusters of assets by Ward's method, for the order in which they lie in the tree.

References
----------
.. [1] Ward, Hierarchical grouping to optimize an objective function (1963).
.. [2] Lance, Williams, A general theory of classificatory sorting strategies (1967).
"""

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


def leaf_order(distances: Floats) -> NDArray[np.intp]:
    """Give the assets in the order of the tree's leaves, the cluster that is older first.

    Parameters
    ----------
    distances : ndarray of shape (n_assets, n_assets)
        Symmetric, finite; what lies on the diagonal does not matter.

    Returns
    -------
    ndarray of shape (n_assets,)
        A permutation.
    """
    squares = distances**2
    np.fill_diagonal(squares, np.inf)
    sizes = np.ones(len(squares))
    ages = np.arange(len(squares))
    leaves = [[place] for place in range(len(squares))]
    for age in range(len(squares), 2 * len(squares) - 1):
        first, second = np.unravel_index(int(np.argmin(squares)), squares.shape)
        older, newer = (first, second) if ages[first] < ages[second] else (second, first)
        _merge(squares, sizes, int(older), int(newer))
        leaves[older], ages[older] = leaves[older] + leaves[newer], age
    return np.array(leaves[int(ages.argmax())], dtype=np.intp)


def _merge(squares: Floats, sizes: Floats, kept: int, gone: int) -> None:
    """Put the cluster `gone` into `kept`, with the distances of [2]."""
    both = sizes[kept] + sizes[gone]
    near = squares[kept, gone]
    merged = ((sizes[kept] + sizes) * squares[kept] + (sizes[gone] + sizes) * squares[gone] - sizes * near) / (
        both + sizes
    )
    merged[[kept, gone]] = np.inf
    squares[kept], squares[:, kept] = merged, merged
    squares[gone], squares[:, gone] = np.inf, np.inf
    sizes[kept] = both
