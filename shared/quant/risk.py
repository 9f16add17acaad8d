"""A portfolio's past under today's weights: returns, volatility, drawdown.

Owns what is asked of any history. Returns are simple (not log), so that a portfolio's return is exactly the weighted
sum of its assets'. NaN or infinity in any input raises `InvalidError`; too short a history raises `MissingError`; no
result is NaN.

References
----------
.. [1] McNeil, Frey, Embrechts, Quantitative Risk Management (revised ed., 2015).
.. [2] J.P. Morgan/Reuters, RiskMetrics Technical Document (4th ed., 1996).
.. [3] Magdon-Ismail, Atiya, Maximum drawdown (2004).
"""

from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError

LEAST_OBSERVATIONS = 20
DECAY = 0.94
"""RiskMetrics' weight of a day relative to the one after it ([2])."""

type Floats = NDArray[np.float64]


def returns_from_closes(closes: Floats) -> Floats:
    """Give the simple return of each close over the one before.

    Parameters
    ----------
    closes : ndarray of shape (n_closes,) or (n_closes, n_assets)
        Prices in time order, all of one currency, adjusted for splits.

    Returns
    -------
    ndarray of shape (n_closes - 1,) or (n_closes - 1, n_assets)
        Fractions per period; zeros for a constant series.

    Raises
    ------
    MissingError
        Fewer than two closes.
    InvalidError
        A close is NaN, infinite or not positive, or the array has other dimensions.
    """
    prices = finite(closes, "closes")
    if prices.ndim not in (1, 2) or (prices <= 0).any():
        raise InvalidError(f"closes: prices must be positive and in one or two dimensions, not {prices.ndim}")
    returns = np.asarray(prices[1:] / prices[:-1] - 1.0, dtype=np.float64)
    if not len(returns):
        raise MissingError("closes: a return needs two")
    return returns


def portfolio_returns(weights: Floats, returns: Floats) -> Floats:
    """Give what today's weights would have earned in each past period: historical simulation ([1], 9.2).

    Parameters
    ----------
    weights : ndarray of shape (n_assets,)
        Fractions of the portfolio's value. They need not sum to one: the rest is cash and earns nothing.
    returns : ndarray of shape (n_observations, n_assets)
        Simple returns per period.

    Returns
    -------
    ndarray of shape (n_observations,)
        Fractions of the portfolio's value; zeros for a portfolio of cash alone (`n_assets` = 0).

    Raises
    ------
    InvalidError
        The shapes do not match, or a value is NaN or infinite.
    """
    shares, history = fitting(weights, returns)
    return np.asarray(history @ shares, dtype=np.float64)


def fitting(weights: Floats, returns: Floats) -> tuple[Floats, Floats]:
    """Give weights of shape (n_assets,) and returns of shape (n_observations, n_assets) that are finite, or refuse.

    Raises
    ------
    InvalidError
        The shapes do not match, or a value is NaN or infinite.
    """
    shares, history = finite(weights, "weights"), finite(returns, "returns")
    if shares.ndim != 1 or history.shape[1:] != shares.shape:
        raise InvalidError(f"weights {shares.shape} do not fit returns {history.shape}")
    return shares, history


def ewma_volatility(returns: Floats, decay: float = DECAY) -> float:
    """Give the standard deviation of the next return by exponentially weighted squares ([2], 5.2).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period in time order, the latest last.
    decay : float
        Weight of a period relative to the one after it, between 0 and 1; 0.94 is RiskMetrics' for daily data.

    Returns
    -------
    float
        A fraction per period, not annualised, around a mean of zero: only a series of zeros has none.

    Raises
    ------
    MissingError
        Fewer than 20 observations.
    InvalidError
        A return is NaN or infinite, the array is not one-dimensional, or the decay is out of range.

    Notes
    -----
    The weights are divided by their sum, so there is no starting value; the one that the recursion in [2] needs still
    weighs 0.94**n after n observations, below 1e-9 from 335 on.
    """
    if not 0 < decay < 1:
        raise InvalidError(f"decay: {decay} is not between 0 and 1")
    history = observed(returns, LEAST_OBSERVATIONS)
    return sqrt(float(decaying_weights(history.size, decay) @ (history * history)))


def max_drawdown(returns: Floats) -> float:
    """Give the deepest fall of the compounded value from an earlier peak ([3]).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period in time order; for a price series, `returns_from_closes` of it.

    Returns
    -------
    float
        A fraction of the peak, 0 to 1, where the value before the first return counts too; zero if it never falls.

    Raises
    ------
    MissingError
        No return at all.
    InvalidError
        A return is NaN, infinite or below -1, or the array is not one-dimensional.
    """
    return float(falls(returns).max())


def drawdown(returns: Floats) -> float:
    """Give how far the compounded value lies below its highest so far, at the end of the history.

    What is given, returned and refused is as in `max_drawdown`, which it never passes; 0 at a new peak.
    """
    return float(falls(returns)[-1])


def falls(returns: Floats) -> Floats:
    """Give the fall from the highest so far at the start and after each period, refused as in `max_drawdown`."""
    history = observed(returns, 1)
    if (history < -1).any():
        raise InvalidError("returns: more than everything cannot be lost")
    value = np.cumprod(np.concatenate(([1.0], 1.0 + history)))
    return np.asarray(1.0 - value / np.maximum.accumulate(value), dtype=np.float64)


@lru_cache(maxsize=64)
def decaying_weights(count: int, decay: float = DECAY) -> Floats:
    """Give exponential weights of `count` periods that sum to one, the latest last; nobody changes them."""
    weights = decay ** np.arange(count - 1, -1, -1, dtype=np.float64)
    weights /= weights.sum()
    weights.setflags(write=False)
    return weights


def observed(returns: Floats, least: int) -> Floats:
    """Give a history of one series as it is, or refuse it: not finite, not one-dimensional, shorter than `least`."""
    history = finite(returns, "returns")
    if history.ndim != 1:
        raise InvalidError(f"returns: shape {history.shape} is not one-dimensional")
    if history.size < least:
        raise MissingError(f"returns: {history.size} observations, {least} needed")
    return history


def finite(values: Floats, name: str) -> Floats:
    """Give the values as an array of floats, or refuse them where one is NaN or infinite."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InvalidError(f"{name}: NaN or infinite")
    return array
