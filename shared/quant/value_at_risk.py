"""Value at risk and expected shortfall from a history of returns, by three models.

Owns which estimator is meant by each name. Losses are positive fractions of value over one observation's period, and
nothing is floored: a negative loss is a gain, because a floor at zero would break translation invariance and hide a
hedge's worth. What is refused, and how, is as in `risk.py`.

References
----------
.. [1] McNeil, Frey, Embrechts, Quantitative Risk Management (revised ed., 2015).
.. [2] J.P. Morgan/Reuters, RiskMetrics Technical Document (4th ed., 1996).
.. [3] Acerbi, Tasche, On the coherence of expected shortfall (2002).
.. [4] Rockafellar, Uryasev, Conditional value-at-risk for general loss distributions (2002).
.. [5] Hull, White, Incorporating volatility updating into the historical simulation method for VaR (1998).
"""

from math import ceil
from statistics import NormalDist

import numpy as np

from shared.errors import InvalidError
from shared.quant.forecast import ALPHA, BETA, conditional_variances
from shared.quant.risk import LEAST_OBSERVATIONS, Floats, ewma_volatility, observed

LEAST_LEVEL = 0.5


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
    check_level(level)
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
    check_level(level)
    density = NormalDist().pdf(NormalDist().inv_cdf(level))
    return ewma_volatility(returns) * density / (1.0 - level)


def filtered_var(returns: Floats, level: float) -> float:
    """Give the loss not exceeded with probability `level`, by filtered historical simulation ([5]).

    Parameters
    ----------
    returns, level
        As in `ewma_var`.

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
    return historical_var(rescaled(returns), level)


def filtered_es(returns: Floats, level: float) -> float:
    """Give the mean loss in the worst (1 - level) of the cases, by filtered historical simulation ([5]).

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
    return historical_es(rescaled(returns), level)


def rescaled(returns: Floats) -> Floats:
    """Give past returns at the volatility of the next period, as filtered historical simulation has them ([5]).

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Simple returns per period in time order, the latest last.

    Returns
    -------
    ndarray of shape (n_observations,)
        Its `historical_var` is `filtered_var`, and its `historical_es` is `filtered_es`.

    Raises
    ------
    MissingError, InvalidError
        As in `historical_var`.
    """
    history = observed(returns, LEAST_OBSERVATIONS)
    variances = conditional_variances(history, float(history @ history) / history.size, ALPHA, BETA)
    # Where nothing ever moved there is nothing to scale.
    return history * np.sqrt(variances[-1] / variances[:-1]) if variances.min() > 0 else history


def _losses(returns: Floats, level: float) -> Floats:
    check_level(level)
    # Rounded, because 1 / (1 - 0.9) is a little over ten.
    tail = ceil(round(1.0 / (1.0 - level), 6))
    # Subtracted from zero, since negating would make a loss of -0.0.
    return 0.0 - observed(returns, max(LEAST_OBSERVATIONS, tail))


def _loss_at(ascending: Floats, level: float) -> float:
    # The sum is numpy's own, so that both round alike where n * level is a whole number.
    return float(ascending[ceil(ascending.size * level - 1.0)])


def check_level(level: float) -> None:
    """Refuse a confidence that is not from 0.5 to below 1."""
    if not LEAST_LEVEL <= level < 1:
        raise InvalidError(f"level: {level} is not from {LEAST_LEVEL} to below 1")
