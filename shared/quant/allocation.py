"""How to share a portfolio among assets: least variance, best utility, equal risk, hierarchical risk parity.

Every weight is a fraction of the portfolio's value, none is negative, and what they leave of one is cash, which has no
return and no risk. The two that optimise under constraints are solved by clarabel, an interior-point solver, imported
when it is first asked.

References
----------
.. [1] Markowitz, Portfolio selection (1952).
.. [2] Spinu, An algorithm for computing risk parity weights (2013).
.. [3] Lopez de Prado, Building diversified portfolios that outperform out of sample (2016).
.. [4] Goulart, Chen, Clarabel: an interior-point solver for conic programs with quadratic objectives (2024).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError
from shared.quant.cone_program import ConeProgram
from shared.quant.hierarchy import leaf_order

type Floats = NDArray[np.float64]

_STEPS = 200
_PRECISION = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """What weights must keep to.

    Attributes
    ----------
    least_invested, most_invested : float
        Bounds of the weights' sum; one less the latter is the least cash.
    max_weight : float
        Of each asset.
    current : ndarray of shape (n_assets,) or None
        The weights now; only turnover asks for them.
    max_turnover : float or None
        Bound of the sum of all changes' sizes.
    max_volatility : float or None
        Bound of the standard deviation per period.
    """

    least_invested: float = 1.0
    most_invested: float = 1.0
    max_weight: float = 1.0
    current: Floats | None = None
    max_turnover: float | None = None
    max_volatility: float | None = None


def min_variance(covariance: Floats, constraints: Constraints) -> Floats:
    """Give the weights of least variance ([1]).

    Parameters
    ----------
    covariance : ndarray of shape (n_assets, n_assets)
        Per period; it may be singular, where several weights are as good any of them is given.

    Returns
    -------
    ndarray of shape (n_assets,)
        Within 1e-6 of the constraints.

    Raises
    ------
    InvalidError
        NaN or infinity, or no weights keep to the constraints.
    """
    return mean_variance(np.zeros(len(covariance)), covariance, 1.0, 0.0, constraints)


def mean_variance(
    mean: Floats, covariance: Floats, risk_aversion: float, cost: float, constraints: Constraints
) -> Floats:
    """Give the weights where ``w @ mean - risk_aversion * w @ covariance @ w - cost * turnover`` is largest ([1]).

    Parameters
    ----------
    mean : ndarray of shape (n_assets,)
        Expected returns per period.
    covariance : ndarray of shape (n_assets, n_assets)
        Per period.
    risk_aversion : float
        Above 0.
    cost : float
        Of trading, a fraction of what is traded, charged to the one period.

    Returns
    -------
    ndarray of shape (n_assets,)

    Raises
    ------
    InvalidError
        As of `min_variance`.
    """
    matrix = _checked(covariance)
    if mean.shape != matrix.shape[:1] or not np.isfinite(mean).all() or risk_aversion <= 0 or cost < 0:
        raise InvalidError("mean: NaN, infinite, or not one per asset; or a negative aversion or cost")
    count = len(mean)
    # Daily variances are so small that the solver's tolerance would hide them.
    scale = float(np.trace(matrix)) / count or 1.0
    program = ConeProgram(2 * risk_aversion * matrix / scale, -mean / scale)
    program.at_most(-np.eye(count), np.zeros(count))
    program.at_most(np.eye(count), np.full(count, constraints.max_weight))
    _invest(program, constraints)
    if constraints.max_volatility is not None:
        program.norm_at_most(_root(matrix) / sqrt(scale), constraints.max_volatility / sqrt(scale))
    if constraints.current is not None and (cost or constraints.max_turnover is not None):
        program.charge_changes(constraints.current, cost / scale, constraints.max_turnover)
    weights = program.solve()
    # The solver comes to a bound from one side or the other.
    return np.clip(weights, 0.0, constraints.max_weight)


def risk_parity(covariance: Floats) -> Floats:
    """Give the weights, summing to one, with which every asset has the same part in the variance ([2]).

    Raises
    ------
    InvalidError
        NaN or infinity, or an asset without any variance, which can have no part in it.

    Notes
    -----
    They are proportional to the minimum of ``y @ covariance @ y / 2 - sum(log y) / n``, found by damped Newton steps.
    """
    matrix = _varying(covariance)
    count = len(matrix)
    deviations = np.sqrt(np.diag(matrix))
    correlation = matrix / np.outer(deviations, deviations)
    shares = np.full(count, 1 / sqrt(count))
    for _ in range(_STEPS):
        gradient = correlation @ shares - 1 / (count * shares)
        step = np.linalg.solve(correlation + np.diag(1 / (count * shares**2)), gradient)
        decrement = sqrt(count * max(0.0, float(gradient @ step)))
        shares = shares - step / (1 + decrement)
        if decrement < _PRECISION:
            break
    weights = shares / deviations
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def hierarchical_risk_parity(covariance: Floats) -> Floats:
    """Give the weights, summing to one, by bisection of assets ordered by how alike they move ([3]).

    The order is that of Ward's clusters of the correlation distance ``sqrt((1 - correlation) / 2)``; clusters share in
    inverse proportion to their variances. Nothing is inverted, so the covariance may be singular.

    Raises
    ------
    InvalidError
        As of `risk_parity`.
    """
    matrix = _varying(covariance)
    deviations = np.sqrt(np.diag(matrix))
    correlation = np.clip(matrix / np.outer(deviations, deviations), -1, 1)
    weights = np.ones(len(matrix))
    waiting = [leaf_order(np.sqrt((1 - correlation) / 2))]
    while waiting:
        whole = waiting.pop()
        if len(whole) == 1:
            continue
        left, right = whole[: len(whole) // 2], whole[len(whole) // 2 :]
        risks = _cluster_variance(matrix, left), _cluster_variance(matrix, right)
        part = risks[1] / sum(risks) if sum(risks) else 0.5
        weights[left] *= part
        weights[right] *= 1 - part
        waiting += [left, right]
    return weights


def _invest(program: ConeProgram, constraints: Constraints) -> None:
    ones = np.ones((1, program.variables))
    if constraints.least_invested == constraints.most_invested:
        program.equal(ones, np.array([constraints.most_invested]))
    else:
        program.at_most(ones, np.array([constraints.most_invested]))
        program.at_most(-ones, np.array([-constraints.least_invested]))


def _cluster_variance(matrix: Floats, members: NDArray[np.intp]) -> float:
    inverse = 1 / np.diag(matrix)[members]
    weights = inverse / inverse.sum()
    return max(0.0, float(weights @ matrix[np.ix_(members, members)] @ weights))


def _root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))).T, dtype=np.float64)


def _varying(covariance: Floats) -> Floats:
    matrix = _checked(covariance)
    if (np.diag(matrix) <= 0).any():
        raise InvalidError("covariance: an asset that never varies can have no part in the risk")
    return matrix


def _checked(covariance: Floats) -> Floats:
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (len(matrix), len(matrix)) or not matrix.size or not np.isfinite(matrix).all():
        raise InvalidError(f"covariance: NaN, infinite or not square: {matrix.shape}")
    return matrix
