"""Performance: what a series of returns was worth, what it risked, and how sure one may be of it.

All returns are simple, one per trading day; a year has 252 of them, and money costs nothing.

References
----------
.. [1] Sharpe, The Sharpe ratio (1994). Sortino, van der Meer, Downside risk (1991). Young, Calmar ratio (1991).
.. [2] Politis, Romano, The stationary bootstrap (1994).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError

type Floats = NDArray[np.float64]

DAYS_PER_YEAR = 252
MEAN_BLOCK_DAYS = 10
"""Of the bootstrap: returns of that many days on end, in the mean, are drawn together."""
DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Performance:
    """What returns come to; fractions, and NaN where a number is not defined.

    Attributes
    ----------
    annual_return, volatility : float
        Per year.
    max_drawdown : float
        Largest fall from a highest value so far, 0 or below; the beginning counts as one.
    drawdown_days : int
        Longest time below a highest value so far, in trading days.
    sharpe, sortino, calmar : float
        Per year: mean by deviation, mean by deviation of losses, return by the largest fall.
    """

    total_return: float
    annual_return: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    drawdown_days: int
    days: int


def returns_of(values: Floats) -> Floats:
    """Give the returns between values that follow each other.

    Raises
    ------
    InvalidError
        Fewer than two values, or one that is not above 0.
    """
    if len(values) < 2:  # noqa: PLR2004 - a return has two ends
        raise InvalidError("performance needs two values at least")
    if not (np.isfinite(values) & (values > 0)).all():
        raise InvalidError("values must be above 0")
    found: Floats = values[1:] / values[:-1] - 1
    return found


def measure(returns: Floats) -> Performance:
    """Give all measures of `returns`, an array of shape (n_days,) without NaN.

    Raises
    ------
    MissingError
        There is no return.
    """
    if not len(returns):
        raise MissingError("returns: there is none to measure")
    growth = np.concatenate(([1.0], np.cumprod(1 + returns)))
    yearly = annual_return(returns)
    worst = float(drawdowns(growth).min())
    return Performance(
        total_return=float(growth[-1] - 1),
        annual_return=yearly,
        volatility=_deviation(returns) * sqrt(DAYS_PER_YEAR),
        sharpe=sharpe(returns),
        sortino=sortino(returns),
        calmar=yearly / -worst if worst < 0 else nan,
        max_drawdown=worst,
        drawdown_days=longest_drawdown(growth),
        days=len(returns),
    )


def annual_return(returns: Floats) -> float:
    """Give the constant return per year that grows to the same."""
    growth = float(np.prod(1 + returns))
    return float(growth ** (DAYS_PER_YEAR / len(returns))) - 1


def sharpe(returns: Floats) -> float:
    """Give mean by standard deviation (n - 1), per year; NaN for fewer than two returns or none that differ."""
    deviation = _deviation(returns)
    return float(returns.mean()) / deviation * sqrt(DAYS_PER_YEAR) if deviation > 0 else nan


def sortino(returns: Floats) -> float:
    """Give mean by the root of the mean square of the losses, per year; NaN without a loss."""
    downside = sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    return float(returns.mean()) / downside * sqrt(DAYS_PER_YEAR) if downside > 0 else nan


def drawdowns(values: Floats) -> Floats:
    """Give at each value how far it lies below the highest so far: 0 or below, a fraction."""
    found: Floats = values / np.maximum.accumulate(values) - 1
    return found


def longest_drawdown(values: Floats) -> int:
    """Give the most values on end that lie below the highest so far."""
    longest = current = 0
    for is_below in (drawdowns(values) < 0).tolist():
        current = current + 1 if is_below else 0
        longest = max(longest, current)
    return longest


def alpha_beta(returns: Floats, benchmark: Floats) -> tuple[float, float]:
    """Give alpha per year, compounded, and beta to a benchmark's returns of the same days; NaN where it never moved."""
    if not _deviation(benchmark) > 0:
        return nan, nan
    beta = float(np.cov(returns, benchmark, ddof=1)[0, 1]) / float(np.var(benchmark, ddof=1))
    rest = float(np.mean(returns - beta * benchmark))
    return (1 + rest) ** DAYS_PER_YEAR - 1, beta


def interval(
    returns: Floats, statistic: Callable[[Floats], float], seed: int, *, level: float = 0.9
) -> tuple[float, float]:
    """Give the bootstrap interval of a statistic; what is not a number in a draw is left out.

    Parameters
    ----------
    returns : ndarray of shape (n_days,)
    statistic : callable
        Of as many returns.
    seed : int
        The same seed gives the same interval.
    level : float
        Share of the draws within it.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [statistic(returns[places]) for places in _places(len(returns), generator)]
    known = np.array([value for value in drawn if not isnan(value)])
    if not known.size:
        return nan, nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _places(count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    # A block goes on with probability 1 - 1 / its mean length, around the end to the beginning.
    fresh = generator.random((DRAWS, count)) < 1 / MEAN_BLOCK_DAYS
    fresh[:, 0] = True
    starts = generator.integers(0, count, (DRAWS, count))
    begun = np.maximum.accumulate(np.where(fresh, np.arange(count), 0), axis=1)
    found: NDArray[np.int64] = (np.take_along_axis(starts, begun, axis=1) + np.arange(count) - begun) % count
    return found


def _deviation(returns: Floats) -> float:
    if len(returns) < 2:  # noqa: PLR2004 - one alone deviates from nothing
        return nan
    # The mean of what never varies may miss it by a rounding error.
    return 0.0 if (returns == returns[0]).all() else float(returns.std(ddof=1))
