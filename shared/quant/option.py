"""European options by Black, Scholes and Merton: price and greeks, many at once.

Owns the closed formula and what it answers at its edges. Prices are in US dollars per share; rates, yields and
volatilities are fractions per year (0.2 is 20 %), continuously compounded; time is in years.

References
----------
.. [1] Merton, Theory of rational option pricing (1973).
.. [2] Haug, The Complete Guide to Option Pricing Formulas (2nd ed., 2007), 1.1 and 2.
"""

from dataclasses import astuple, dataclass
from math import erfc, pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidError

type Floats = NDArray[np.float64]
type Numbers = float | Floats

CALL, PUT = 1.0, -1.0
DAYS_PER_YEAR = 365.0
LEAST_SPREAD = 1e-12
"""A smaller volatility x sqrt(years) is taken for none."""

_FARTHEST = 1e3
_MOST_GROWTH = 100.0
_erfc = np.frompyfunc(erfc, 1, 1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an option's value depends on; each a number or an ndarray, which are broadcast together.

    Attributes
    ----------
    sign : float or ndarray
        `CALL` (+1) or `PUT` (-1).
    spot, strike : float or ndarray
        US dollars per share; spot from 0, strike above 0.
    years : float or ndarray
        To expiry, from 0.
    rate, dividend_yield : float or ndarray
        Fractions per year, continuous; may be negative.
    volatility : float or ndarray
        Fraction per year, from 0.
    """

    sign: Numbers
    spot: Numbers
    strike: Numbers
    years: Numbers
    rate: Numbers
    dividend_yield: Numbers
    volatility: Numbers


class Valuation(NamedTuple):
    """Price and sensitivities of a share's option, ndarrays of the terms' common shape.

    Attributes
    ----------
    price : ndarray
        US dollars per share.
    delta : ndarray
        Dollars per dollar of spot.
    gamma : ndarray
        Change of delta per dollar of spot.
    vega : ndarray
        Dollars per 1.00 of volatility; a hundredth of it per percentage point.
    theta : ndarray
        Dollars per year that passes; a 365th of it per day.
    rho : ndarray
        Dollars per 1.00 of rate.
    vanna : ndarray
        Change of delta per 1.00 of volatility.
    volga : ndarray
        Change of vega per 1.00 of volatility.
    """

    price: Floats
    delta: Floats
    gamma: Floats
    vega: Floats
    theta: Floats
    rho: Floats
    vanna: Floats
    volga: Floats


def value(terms: Terms) -> Valuation:
    """Give the price of European options and its derivatives ([2], 1.1.6 and 2).

    Returns
    -------
    Valuation
        Of arrays in the terms' common shape, all finite.

    Raises
    ------
    InvalidError
        A term is NaN, infinite or out of its range, or |rate x years| or |yield x years| is over 100.

    Notes
    -----
    Without time left the price is what exercise gives, delta is 0, 1/2 (at the money) or 1 with the option's sign, and
    the other greeks are 0. Without volatility the price is max(0, sign (S e^-qT - K e^-rT)); gamma, vanna and volga are
    0, also at the forward, where gamma has no bound. A share worth 0 stays so: a call is worth 0, a put K e^-rT.
    """
    sign, spot, strike, years, rate, dividends, volatility = checked(terms)
    paid, discount, root = np.exp(-dividends * years), np.exp(-rate * years), np.sqrt(years)
    d1, d2 = distances(spot, strike, years, rate, dividends, volatility)
    in_the_money, exercised = normal_cdf(sign * d1), normal_cdf(sign * d2)
    density = np.exp(-0.5 * d1 * d1) / sqrt(2 * pi)
    held, owed = spot * paid, strike * discount
    price = sign * (held * in_the_money - owed * exercised)
    vega = held * density * root
    spread = volatility * root
    safe = spread > LEAST_SPREAD
    decay = np.divide(held * density * volatility, 2 * root, out=np.zeros_like(root), where=years > 0)
    carry = sign * (dividends * held * in_the_money - rate * owed * exercised)
    return Valuation(
        # Rounding may leave it a hair outside of its bounds.
        price=np.clip(price, np.maximum(sign * (held - owed), 0.0), np.where(sign > 0, held, owed)),
        delta=sign * paid * in_the_money,
        gamma=np.divide(paid * density, spot * spread, out=np.zeros_like(spot), where=safe & (spot > 0)),
        vega=vega,
        theta=np.where(years > 0, carry - decay, 0.0),
        rho=sign * owed * years * exercised,
        vanna=-np.divide(paid * density * d2, volatility, out=np.zeros_like(spot), where=safe),
        volga=np.divide(vega * d1 * d2, volatility, out=np.zeros_like(spot), where=safe),
    )


def checked(terms: Terms) -> list[Floats]:
    """Give the terms as float arrays of one shape, in their order.

    Raises
    ------
    InvalidError
        As `value` says; also when the shapes do not fit together.
    """
    try:
        given = np.broadcast_arrays(*(np.asarray(term, dtype=np.float64) for term in astuple(terms)))
    except ValueError as error:
        raise InvalidError(f"option: {error}") from error
    sign, spot, strike, years, rate, dividends, volatility = given
    if not all(np.isfinite(term).all() for term in given):
        raise InvalidError("option: a term is not a finite number")
    if (np.abs(sign) != 1).any() or (strike <= 0).any() or min(each.min(initial=0) for each in (spot, years)) < 0:
        raise InvalidError("option: sign is +1 or -1, strike above 0, spot and years from 0")
    if (volatility < 0).any() or (np.maximum(np.abs(rate), np.abs(dividends)) * years > _MOST_GROWTH).any():
        raise InvalidError("option: volatility from 0, rate x years and yield x years up to 100")
    return list(given)


def distances(
    spot: Floats, strike: Floats, years: Floats, rate: Floats, dividends: Floats, volatility: Floats
) -> tuple[Floats, Floats]:
    """Give d1 and d2: standard deviations from forward to strike; cut at 1000, where no probability is left."""
    spread = volatility * np.sqrt(years)
    with np.errstate(divide="ignore"):
        moneyness = np.log(spot / strike) + (rate - dividends) * years
        # Where nothing varies only the side counts.
        middle = np.where(spread > LEAST_SPREAD, moneyness / np.maximum(spread, LEAST_SPREAD), np.sign(moneyness) * 1e9)
    half = np.minimum(spread, 2 * _FARTHEST) / 2
    return np.clip(middle + half, -_FARTHEST, _FARTHEST), np.clip(middle - half, -_FARTHEST, _FARTHEST)


def normal_cdf(x: Floats) -> Floats:
    """Give the standard normal distribution function, of full relative accuracy in the lower tail."""
    return np.asarray(0.5 * np.asarray(_erfc(-x / sqrt(2.0)), dtype=np.float64), dtype=np.float64)
