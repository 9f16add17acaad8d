"""How much a share has moved, and how much it is likely to: the measure that implied volatility is held against.

References
----------
.. [1] J.P. Morgan/Reuters, RiskMetrics Technical Document (4th ed., 1996): weights that decay.
.. [2] Hull, Options, Futures, and Other Derivatives (9th ed., 2015), 23.6: a variance that returns to its mean.
"""

from math import expm1, sqrt
from typing import NamedTuple

import numpy as np

from shared.errors import InvalidError, MissingError
from shared.quant.risk import Floats, ewma_volatility, returns_from_closes

WINDOW = 21
LEAST_RETURNS = 60
REVERSION_PER_YEAR = 4.0
"""How fast variance returns to its mean: half of a deviation is gone after two months."""


class Realised(NamedTuple):
    """Volatilities of a share, fractions per year.

    Attributes
    ----------
    now : float
        By weights that decay by 0.94 a period.
    long_run : float
        Root of the mean square of the whole history.
    history : ndarray of shape (n_returns - 20,)
        Of each 21 periods in a row.
    """

    now: float
    long_run: float
    history: Floats


def realised(closes: Floats, years: float) -> Realised:
    """Give the realised volatilities of a history.

    Parameters
    ----------
    closes : ndarray of shape (n_closes,)
        Prices in time order, adjusted for splits.
    years : float
        From the first to the last of them: how many make a year follows from it.

    Raises
    ------
    MissingError
        Fewer than 61 closes, or closes that never moved.
    InvalidError
        A close is no price, or the years are not above 0.
    """
    returns = returns_from_closes(closes)
    if len(returns) < LEAST_RETURNS:
        raise MissingError(f"only {len(returns) + 1} closes are known, {LEAST_RETURNS + 1} are needed")
    if not 0 < years < np.inf:
        raise InvalidError(f"years: {years} is not above 0")
    root = sqrt(len(returns) / years)
    squares = np.concatenate([[0.0], np.cumsum(returns * returns)])
    # Sums of squares cancel: what never moved in a window must not come out negative.
    windows = np.sqrt(np.maximum(squares[WINDOW:] - squares[:-WINDOW], 0.0) / WINDOW)
    long_run = sqrt(float(squares[-1]) / len(returns))
    if long_run == 0:
        raise MissingError("the price has not moved")
    return Realised(ewma_volatility(returns) * root, long_run * root, windows * root)


def expected_volatility(known: Realised, years: float) -> float:
    """Give the volatility to expect over the next `years`: today's, on its way back to the long run's ([2]).

    Returns
    -------
    float
        Fraction per year: sqrt(L + (N - L) (1 - e^-kT) / kT) of the squares N of now and L of the long run, with
        k = `REVERSION_PER_YEAR`; today's for no time at all.
    """
    pull = REVERSION_PER_YEAR * years
    share = -expm1(-pull) / pull if pull > 0 else 1.0
    return sqrt(known.long_run**2 + (known.now**2 - known.long_run**2) * share)


def percentile(volatility: float, known: Realised) -> float:
    """Give the share of the history's volatilities that lie below one, ties counted half; 0 to 1."""
    below, above = np.mean(known.history < volatility), np.mean(known.history > volatility)
    return float(0.5 * (1 + below - above))
