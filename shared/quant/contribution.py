"""What each holding contributes to a portfolio's risk: marginal and component value at risk, beta, concentration.

Owns how the EWMA value at risk (`value_at_risk.ewma_var`) is split. It is homogeneous of degree one in the weights, so
by Euler's theorem the components sum to the whole, without a rest. What is refused, and how, is as in `risk.py`.

References
----------
.. [1] Tasche, Risk contributions and performance measurement (1999).
.. [2] Jorion, Value at Risk (3rd ed., 2007), ch. 7.
.. [3] Hirschman, The paternity of an index (1964).
"""

from math import sqrt
from statistics import NormalDist

from shared.errors import InvalidError
from shared.quant.risk import LEAST_OBSERVATIONS, Floats, decaying_weights, finite, observed, portfolio_returns
from shared.quant.value_at_risk import check_level


def marginal_vars(weights: Floats, returns: Floats, level: float) -> Floats:
    """Give the change of `ewma_var` per change of each weight, taken from or put into cash ([1], [2]).

    Parameters
    ----------
    weights : ndarray of shape (n_assets,)
        Fractions of the portfolio's value; the rest is cash.
    returns : ndarray of shape (n_observations, n_assets)
        Simple returns per period in time order.
    level : float
        Confidence, from 0.5 to below 1.

    Returns
    -------
    ndarray of shape (n_assets,)
        Value at risk per unit of weight, negative for a hedge. Times the weights these are the component values at
        risk, which sum to `ewma_var`. Zeros where the portfolio never moved, where there is no derivative.

    Raises
    ------
    MissingError
        Fewer than 20 observations.
    InvalidError
        The shapes do not match, a value is NaN or infinite, or the level is out of range.

    Notes
    -----
    With S the EWMA covariance around zero it is z (S w) / sqrt(w' S w); S itself is never formed.
    """
    check_level(level)
    whole = observed(portfolio_returns(weights, returns), LEAST_OBSERVATIONS)
    decayed = whole * decaying_weights(whole.size)
    variance = float(decayed @ whole)
    if variance <= 0:
        return finite(weights, "weights") * 0.0
    covariances: Floats = decayed @ finite(returns, "returns")
    return covariances * (NormalDist().inv_cdf(level) / sqrt(variance))


def beta(returns: Floats, market: Floats) -> float:
    """Give the slope of the portfolio's returns on the market's by least squares, all periods alike.

    Parameters
    ----------
    returns, market : ndarray of shape (n_observations,)
        Simple returns over the same periods.

    Returns
    -------
    float
        Covariance over the market's variance: 1 moves with it, 0 for cash. Zero where the market never moved.

    Raises
    ------
    MissingError
        Fewer than 20 observations.
    InvalidError
        A return is NaN or infinite, or the two have not the same shape.
    """
    own, whole = observed(returns, LEAST_OBSERVATIONS), observed(market, LEAST_OBSERVATIONS)
    if own.shape != whole.shape:
        raise InvalidError(f"returns {own.shape} do not fit the market's {whole.shape}")
    if (whole == whole[0]).all():  # its mean may miss it by a rounding error
        return 0.0
    centred = whole - whole.mean()
    variance = float(centred @ centred)
    return float(centred @ (own - own.mean())) / variance if variance > 0 else 0.0


def concentration_hhi(weights: Floats) -> float:
    """Give the Herfindahl-Hirschman index ([3]): the sum of the squared weights.

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
    shares = finite(weights, "weights")
    if shares.ndim != 1:
        raise InvalidError(f"weights: shape {shares.shape} is not one-dimensional")
    return float(shares @ shares)
