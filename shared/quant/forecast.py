"""Forecast distributions of one symbol's return, by filtered historical simulation ([1], [2]).

Owns the filter and the simulation. Past log returns are divided by the volatility that a GARCH(1,1) recursion ([3])
gave each of their days; futures are drawn from these residuals and multiplied by the volatility that the same recursion
gives the days to come. So the shape of the tails is the symbol's own, and the width is today's.

The recursion's two weights are fixed, and its level is the sample variance (variance targeting, [4]): nothing is
optimised, so nothing can fail to converge, and a forecast takes a quarter of a millisecond. `make bench ARGS=forecast`
shows what that is worth out of sample, beside weights fitted by maximum likelihood.

NaN or infinity raises `InvalidError`; a history that is too short or never moved raises `MissingError`; no result is
NaN.

References
----------
.. [1] Barone-Adesi, Giannopoulos, Vosper, VaR without correlations for portfolios of derivative securities (1999).
.. [2] McNeil, Frey, Embrechts, Quantitative Risk Management (revised ed., 2015), 9.2.
.. [3] Bollerslev, Generalized autoregressive conditional heteroskedasticity (1986).
.. [4] Engle, Mezrich, GARCH for groups (1996).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError, MissingError
from shared.quant.draw import FUTURES, places

ALPHA = 0.05
BETA = 0.93
LEAST_RETURNS = 250
DRIFT_PRIOR_PERIODS = 2_520
LEAST_DEVIATION = 1e-8
"""Log returns that vary by less are rounding errors of prices that stood still."""

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """A history of returns, taken apart.

    Attributes
    ----------
    drift : float
        Expected log return per period: the sample mean, shrunk towards zero.
    long_run_variance : float
        Variance per period that the recursion returns to.
    next_variance : float
        Variance of the period that comes next.
    residuals : ndarray of shape (n_observations,)
        Past returns over their own volatility, with mean 0 and variance 1.
    """

    drift: float
    long_run_variance: float
    next_variance: float
    residuals: Floats


def log_returns(closes: Floats) -> Floats:
    """Give the log return of each close over the one before.

    Parameters
    ----------
    closes : ndarray of shape (n_closes,)
        Prices in time order, adjusted for splits. A gap is one period: its return counts once, as large as it is.

    Returns
    -------
    ndarray of shape (n_closes - 1,)
        Empty for a single close.

    Raises
    ------
    InvalidError
        A price is NaN, infinite or not positive, or the array is not one-dimensional.
    """
    prices = np.asarray(closes, dtype=np.float64)
    if prices.ndim != 1 or not (np.isfinite(prices) & (prices > 0)).all():
        raise InvalidError("closes: prices must be one-dimensional, finite and positive")
    return np.diff(np.log(prices))


def conditional_variances(returns: Floats, long_run_variance: float, alpha: float, beta: float) -> Floats:
    """Give the variance of each period as it was known before it, and that of the period to come.

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Per period, around zero.
    long_run_variance : float
        V; the variance of the first period too.
    alpha, beta : float
        Weights of the last square and of the last variance, each from 0 to below 1, with a sum of at most 1. With a
        sum of 1 this is RiskMetrics' exponentially weighted variance, which returns nowhere.

    Returns
    -------
    ndarray of shape (n_observations + 1,)
        ``h[t+1] = (1 - alpha - beta) V + alpha returns[t]**2 + beta h[t]``.

    Raises
    ------
    InvalidError
        A value is NaN or infinite, or a weight is out of range.

    Notes
    -----
    The recursion is linear, so it is summed in log2(n) passes over the whole array: after the pass of span s, each
    element holds its last 2 s terms.
    """
    history = _checked(returns, long_run_variance, alpha, beta)
    variances = np.empty(history.size + 1)
    variances[0] = long_run_variance
    variances[1:] = (1.0 - alpha - beta) * long_run_variance + alpha * history * history
    span, power = 1, beta
    while span < variances.size:
        variances[span:] += power * variances[:-span]
        span, power = 2 * span, power * power
    return variances


def filter_returns(returns: Floats, alpha: float = ALPHA, beta: float = BETA) -> Filtered:
    """Take a history of log returns apart into drift, variance and residuals.

    Parameters
    ----------
    returns : ndarray of shape (n_observations,)
        Log returns per period in time order, the latest last.
    alpha, beta : float
        As in `conditional_variances`.

    Raises
    ------
    MissingError
        Fewer than 250 returns, or all are the same: there is no volatility to forecast.
    InvalidError
        A return is NaN or infinite, or a weight is out of range.

    Notes
    -----
    The drift is ``mean * n / (n + 2520)``: a prior of no drift that weighs as much as ten years of days. The mean of
    two years has a standard error of two thirds of a year's volatility, and would be noise.
    """
    history = _checked(returns, 0.0, alpha, beta)
    if history.size < LEAST_RETURNS:
        raise MissingError(f"returns: {history.size} observations, {LEAST_RETURNS} needed")
    mean = float(history.mean())
    shocks = history - mean
    level = float(shocks @ shocks) / history.size
    if level < LEAST_DEVIATION**2:
        raise MissingError("returns: the price has not moved")
    variances = conditional_variances(shocks, level, alpha, beta)
    residuals = shocks / np.sqrt(variances[:-1])
    residuals = (residuals - residuals.mean()) / residuals.std()
    shrunk = mean * history.size / (history.size + DRIFT_PRIOR_PERIODS)
    return Filtered(shrunk, level, float(variances[-1]), residuals)


def simulate(
    filtered: Sequence[Filtered],
    horizons: tuple[int, ...],
    seeds: Sequence[int],
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Floats:
    """Draw the returns of several symbols over each horizon.

    Parameters
    ----------
    filtered : sequence of Filtered
        Of each symbol; their futures are drawn apart.
    horizons : tuple of int
        Numbers of periods, ascending, from 1.
    seeds : sequence of int
        One of each symbol, from 0 (see `shared.quant.draw`). The same seed gives the same draws.

    Returns
    -------
    ndarray of shape (n_symbols, n_horizons, 1024)
        Simple returns, each row in ascending order; above -1.

    Raises
    ------
    InvalidError
        The horizons are not ascending from 1, or a seed is negative, or there is not one for each symbol.
    """
    if not horizons or horizons[0] < 1 or list(horizons) != sorted(set(horizons)):
        raise InvalidError(f"horizons: {list(horizons)} do not ascend from 1")
    if len(seeds) != len(filtered) or any(seed < 0 for seed in seeds):
        raise InvalidError(f"seeds: {list(seeds)} are not one of each symbol, from 0")
    drawn = np.empty((horizons[-1], len(filtered), FUTURES))
    for symbol, (each, seed) in enumerate(zip(filtered, seeds, strict=True)):
        drawn[:, symbol] = np.sort(each.residuals).take(places(horizons, each.residuals.size, seed))
    samples = np.expm1(_paths(filtered, drawn, horizons, alpha, beta))
    samples.sort(axis=-1)
    return samples


def quantiles(samples: Floats, levels: Sequence[float]) -> Floats:
    """Give quantiles of samples, between whose values they are interpolated linearly.

    Parameters
    ----------
    samples : ndarray of shape (..., n_paths)
        Each row in ascending order, as `simulate` gives them.
    levels : sequence of float
        From 0 to 1.

    Returns
    -------
    ndarray of shape (..., n_levels)
        As ``numpy.quantile(samples, levels, axis=-1, method="hazen")`` gives them, which would sort them first: each
        value is the middle of its share of the probability, as the even draws of `simulate` are.
    """
    last = samples.shape[-1] - 1
    ordinals = np.clip(np.asarray(levels, dtype=np.float64) * (last + 1) - 0.5, 0.0, last)
    below = np.floor(ordinals).astype(np.intp)
    lower, upper = samples[..., below], samples[..., np.minimum(below + 1, last)]
    parts = ordinals - below
    # From the nearer end, so that it is exact at both.
    nearer = np.where(parts < 0.5, lower + (upper - lower) * parts, upper - (upper - lower) * (1 - parts))  # noqa: PLR2004
    return np.asarray(nearer, dtype=np.float64)


def expected_shortfall(samples: Floats, level: float) -> Floats:
    """Give the mean loss in the worst (1 - level) of samples of returns.

    Parameters
    ----------
    samples : ndarray of shape (..., n_paths)
        Simple returns, each row in ascending order, as `simulate` gives them.
    level : float
        Confidence, from 0.5 to below 1.

    Returns
    -------
    ndarray of shape (...)
        Fractions of value, positive for a loss; over the ``ceil(n (1 - level))`` lowest.

    Raises
    ------
    InvalidError
        The level is out of range, or a sample is empty.
    """
    if not 0.5 <= level < 1 or not samples.size:  # noqa: PLR2004 - below a half it is no tail
        raise InvalidError(f"level: {level} is not from 0.5 to below 1, or the sample is empty")
    worst = int(np.ceil(round(samples.shape[-1] * (1.0 - level), 6)))
    return np.asarray(0.0 - samples[..., :worst].mean(axis=-1), dtype=np.float64)


def _paths(filtered: Sequence[Filtered], drawn: Floats, horizons: tuple[int, ...], alpha: float, beta: float) -> Floats:
    """Cumulated log returns at the horizons, of shape (n_symbols, n_horizons, n_paths)."""
    drift = np.array([[each.drift] for each in filtered])
    # In units of the long-run variance, so that what is added to it each day is one number.
    levels = np.array([[each.long_run_variance] for each in filtered])
    variance = np.repeat(np.array([[each.next_variance] for each in filtered]) / levels, drawn.shape[-1], axis=1)
    growth = drawn * drawn
    growth *= alpha
    growth += beta
    total, shock = np.zeros_like(variance), np.empty_like(variance)
    reached = np.empty((len(filtered), len(horizons), drawn.shape[-1]))
    # In place: to allocate arrays anew takes as long as to compute them.
    for period, (residuals, factors) in enumerate(zip(drawn, growth, strict=True), start=1):
        np.sqrt(variance, out=shock)
        shock *= residuals
        total += shock
        if period in horizons:
            reached[:, horizons.index(period)] = total * np.sqrt(levels) + period * drift
        variance *= factors
        variance += 1.0 - alpha - beta
    return reached


def _checked(returns: Floats, long_run_variance: float, alpha: float, beta: float) -> Floats:
    history = np.asarray(returns, dtype=np.float64)
    if history.ndim != 1 or not np.isfinite(history).all():
        raise InvalidError("returns: must be one-dimensional and finite")
    if not 0 <= long_run_variance < float("inf"):
        raise InvalidError(f"long-run variance: {long_run_variance} is not finite and positive")
    if not (0 <= alpha < 1 and 0 <= beta < 1 and alpha + beta <= 1):
        raise InvalidError(f"weights: {alpha} and {beta} are not from 0 to below 1, together at most 1")
    return history
