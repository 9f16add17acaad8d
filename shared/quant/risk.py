"""Market risk of a portfolio from a history of returns: value at risk, expected shortfall, volatility, drawdown.

Owns which estimator is meant by each name. Returns are simple (not log), so that a portfolio's return is exactly the
weighted sum of its assets'. Losses are positive fractions of value over one observation's period, and nothing is
floored: a negative loss is a gain, because a floor at zero would break translation invariance and hide a hedge's worth.

NaN or infinity in any input raises `InvalidError`; too short a history raises `MissingError`; no result is NaN.

References
----------
.. [1] McNeil, Frey, Embrechts, Quantitative Risk Management (revised ed., 2015).
.. [2] J.P. Morgan/Reuters, RiskMetrics Technical Document (4th ed., 1996).
.. [3] Acerbi, Tasche, On the coherence of expected shortfall (2002).
.. [4] Rockafellar, Uryasev, Conditional value-at-risk for general loss distributions (2002).
.. [5] Hirschman, The paternity of an index (1964).
.. [6] Magdon-Ismail, Atiya, Maximum drawdown (2004).
.. [7] Hull, White, Incorporating volatility updating into the historical simulation method for VaR (1998).
"""

from functools import lru_cache
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError
from shared.quant.forecast import ALPHA, BETA, conditional_variances

LEAST_OBSERVATIONS = 20
LEAST_LEVEL = 0.5

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
    prices = _finite(closes, "closes")
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
    shares, history = _finite(weights, "weights"), _finite(returns, "returns")
    if shares.ndim != 1 or history.shape[1:] != shares.shape:
        raise InvalidError(f"weights {shares.shape} do not fit returns {history.shape}")
    return np.asarray(history @ shares, dtype=np.float64)


def historical_var(returns: Floats, level: float) -> float:
    """Give the loss that is not exceeded with probability `level`, by the empirical distribution ([1], 2.3).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period; order does not matter.
    level : float
        Confidence, from 0.5 to below 1, for example 0.95.

    Returns
    -------
    float
        A fraction of value per period: the smallest observed loss l with F(l) >= level, numpy's ``inverted_cdf``.
        Negative where even that was a gain; zero for a series of zeros.

    Raises
    ------
    MissingError
        Fewer than 20 observations or than 1 / (1 - level), where none lies in the tail: 100 for a level of 0.99.
    InvalidError
        A return is NaN or infinite, the array is not one-dimensional, or the level is out of range.
    """
    return _loss_at(np.sort(_losses(returns, level)), level)


def historical_es(returns: Floats, level: float) -> float:
    """Give the mean loss in the worst (1 - level) of the cases, by the empirical distribution ([1], 2.3).

    Parameters
    ----------
    returns, level
        As in `historical_var`.

    Returns
    -------
    float
        A fraction of value per period, never below `historical_var`; a loss on the tail's border counts in part.

    Raises
    ------
    MissingError, InvalidError
        As in `historical_var`.

    Notes
    -----
    VaR + E[(loss - VaR)+] / (1 - level) is the mean of the quantiles beyond the level also for a discrete distribution
    ([4]); the plain mean of the losses from VaR on is not, nor is it coherent ([3]).
    """
    losses = np.sort(_losses(returns, level))
    var = _loss_at(losses, level)
    return var + float(np.maximum(losses - var, 0.0).mean()) / (1.0 - level)


def ewma_volatility(returns: Floats, decay: float = 0.94) -> float:
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
    history = _observed(returns, LEAST_OBSERVATIONS)
    return sqrt(float(_decaying_weights(history.size, decay) @ (history * history)))


def ewma_var(returns: Floats, level: float) -> float:
    """Give the loss not exceeded with probability `level`, by a normal law with `ewma_volatility` ([2], 6.3).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period in time order, the latest last.
    level : float
        Confidence, from 0.5 to below 1.

    Returns
    -------
    float
        A fraction of value per period: the normal quantile times `ewma_volatility` at 0.94, never negative.
        The normal tail is thin: read it beside `historical_var`.

    Raises
    ------
    MissingError, InvalidError
        As in `ewma_volatility`; also `InvalidError` for a level out of range.
    """
    _check_level(level)
    return NormalDist().inv_cdf(level) * ewma_volatility(returns)


def ewma_es(returns: Floats, level: float) -> float:
    """Give the mean loss beyond `ewma_var`, by the same normal law ([1], 2.3).

    Parameters
    ----------
    returns, level
        As in `ewma_var`.

    Returns
    -------
    float
        A fraction of value per period: ``volatility * pdf(quantile) / (1 - level)``, never below `ewma_var`.

    Raises
    ------
    MissingError, InvalidError
        As in `ewma_var`.
    """
    _check_level(level)
    density = NormalDist().pdf(NormalDist().inv_cdf(level))
    return ewma_volatility(returns) * density / (1.0 - level)


def filtered_var(returns: Floats, level: float) -> float:
    """Give the loss not exceeded with probability `level`, by filtered historical simulation ([7]).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period in time order, the latest last.
    level : float
        Confidence, from 0.5 to below 1.

    Returns
    -------
    float
        A fraction of value per period: `historical_var` of the past returns, each times the volatility of the next
        period over that of its own, by the recursion of `forecast.conditional_variances`.

    Raises
    ------
    MissingError, InvalidError
        As in `historical_var`.
    """
    return historical_var(_rescaled(returns), level)


def filtered_es(returns: Floats, level: float) -> float:
    """Give the mean loss in the worst (1 - level) of the cases, by filtered historical simulation ([7]).

    Parameters
    ----------
    returns, level
        As in `filtered_var`.

    Returns
    -------
    float
        A fraction of value per period, never below `filtered_var`.

    Raises
    ------
    MissingError, InvalidError
        As in `historical_var`.
    """
    return historical_es(_rescaled(returns), level)


def concentration_hhi(weights: Floats) -> float:
    """Give the Herfindahl-Hirschman index ([5]): the sum of the squared weights.

    Parameters
    ----------
    weights : ndarray of shape (n_assets,)
        Fractions of the portfolio's value. The rest is cash, which adds nothing: it cannot fall.

    Returns
    -------
    float
        0 for cash alone, 1/n for n equal holdings without cash; its inverse is the effective number of holdings.

    Raises
    ------
    InvalidError
        A weight is NaN or infinite, or the array is not one-dimensional.
    """
    shares = _finite(weights, "weights")
    if shares.ndim != 1:
        raise InvalidError(f"weights: shape {shares.shape} is not one-dimensional")
    return float(shares @ shares)


def max_drawdown(returns: Floats) -> float:
    """Give the deepest fall of the compounded value from an earlier peak ([6]).

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
    history = _observed(returns, 1)
    if (history < -1).any():
        raise InvalidError("returns: more than everything cannot be lost")
    value = np.cumprod(np.concatenate(([1.0], 1.0 + history)))
    return float((1.0 - value / np.maximum.accumulate(value)).max())


def _rescaled(returns: Floats) -> Floats:
    history = _observed(returns, LEAST_OBSERVATIONS)
    variances = conditional_variances(history, float(history @ history) / history.size, ALPHA, BETA)
    # Where nothing ever moved there is nothing to scale.
    return history * np.sqrt(variances[-1] / variances[:-1]) if variances.min() > 0 else history


def _losses(returns: Floats, level: float) -> Floats:
    _check_level(level)
    # Rounded, because 1 / (1 - 0.9) is a little over ten.
    tail = ceil(round(1.0 / (1.0 - level), 6))
    # Subtracted from zero, since negating would make a loss of -0.0.
    return 0.0 - _observed(returns, max(LEAST_OBSERVATIONS, tail))


def _loss_at(ascending: Floats, level: float) -> float:
    # The sum is numpy's own, so that both round alike where n * level is a whole number.
    return float(ascending[ceil(ascending.size * level - 1.0)])


@lru_cache(maxsize=64)
def _decaying_weights(count: int, decay: float) -> Floats:
    weights = decay ** np.arange(count - 1, -1, -1, dtype=np.float64)
    weights /= weights.sum()
    weights.setflags(write=False)
    return weights


def _check_level(level: float) -> None:
    if not LEAST_LEVEL <= level < 1:
        raise InvalidError(f"level: {level} is not from {LEAST_LEVEL} to below 1")


def _observed(returns: Floats, least: int) -> Floats:
    history = _finite(returns, "returns")
    if history.ndim != 1:
        raise InvalidError(f"returns: shape {history.shape} is not one-dimensional")
    if history.size < least:
        raise MissingError(f"returns: {history.size} observations, {least} needed")
    return history


def _finite(values: Floats, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InvalidError(f"{name}: NaN or infinite")
    return array
