"""The volatility that a quoted price implies, or which bound the quote breaks. It never raises on a bad quote.

References
----------
.. [1] Jaeckel, Let's be rational (2015): the normalised Black function, and why to compare logarithms of prices.
.. [2] Merton, Theory of rational option pricing (1973): the bounds.
"""

from math import copysign, erfc, exp, isfinite, log, pi, sqrt
from typing import NamedTuple

LARGEST_SPREAD = 16.0
"""Largest volatility x sqrt(years) that is looked for: beyond, a price does not move any more."""
LEAST_SPREAD = 1e-140
"""Where the search begins at the least: of a price next to nothing a guess would be 0."""
LEAST_MONEY, MOST_MONEY = 1e-100, 1e100
"""US dollars per share between which no step of the way can overflow."""
NOISE = 1e-14
"""A time value below this share of the larger of forward and strike is a rounding error."""

_ITERATIONS = 100
_PRECISION = 1e-13


class Implied(NamedTuple):
    """A quote's volatility, or why it has none; one of the two is None.

    Attributes
    ----------
    volatility : float or None
        Fraction per year.
    problem : str or None
        What is wrong with the quote, with the bound that it breaks.
    """

    volatility: float | None
    problem: str | None


def implied_volatility(
    sign: float, price: float, spot: float, strike: float, years: float, rate: float, dividend_yield: float
) -> Implied:
    """Give the volatility at which a European option is worth its price.

    Parameters
    ----------
    sign : float
        +1 for a call, -1 for a put.
    price, spot, strike : float
        US dollars per share.
    years : float
        To expiry.
    rate, dividend_yield : float
        Fractions per year, continuous; may be negative.

    Returns
    -------
    Implied
        The volatility solves the formula to 1e-13 of the price's logarithm. Far in the money, and close to the upper
        bound, the price itself holds fewer digits of it.

    Notes
    -----
    NaN and infinities, no time left, a spot or strike not above 0, and prices at or beyond the bounds
    max(0, sign (S e^-qT - K e^-rT)) and S e^-qT (call) or K e^-rT (put) are answered with a problem.
    """
    given = (sign, price, spot, strike, years, rate, dividend_yield)
    if problem := _malformed(*given):
        return Implied(None, problem)
    held, owed = spot * exp(-dividend_yield * years), strike * exp(-rate * years)
    least, most = max(sign * (held - owed), 0.0), held if sign > 0 else owed
    if price < least:
        return Implied(None, f"{price:g} is below the lower bound {least:g}, its worth without volatility")
    # Out of the money all of the price is time value, however small; in it, what is left of a subtraction.
    worth = price - least
    if worth <= (NOISE * max(held, owed) if least else 0.0):
        return Implied(None, f"{price:g} is at the lower bound {least:g}: no time value is left to imply anything")
    if price >= most:
        return Implied(None, f"{price:g} is not below the upper bound {most:g}, its worth at endless volatility")
    spread = _spread(log(worth) - (log(held) + log(owed)) / 2, -abs(log(held) - log(owed)))
    if spread is None:
        return Implied(None, f"{price:g} is so close to a bound, {least:g} or {most:g}, that it implies nothing")
    return Implied(spread / sqrt(years), None)


def _malformed(*given: float) -> str | None:
    sign, _, spot, strike, years, rate, dividend_yield = given
    if not all(isfinite(number) for number in given):
        return "a number of the quote is not finite"
    if abs(sign) != 1 or spot <= 0 or strike <= 0:
        return "a quote needs a sign of +1 or -1, and a spot and a strike above 0"
    if years <= 0:
        return "no time is left to expiry"
    if max(abs(rate), abs(dividend_yield)) * years > 100:  # noqa: PLR2004 - as for its price
        return "rate x years and yield x years must not be over 100"
    if not LEAST_MONEY <= min(spot, strike) <= max(spot, strike) <= MOST_MONEY:
        return f"spot and strike must be from {LEAST_MONEY:g} to {MOST_MONEY:g}"
    return None


def _spread(goal: float, moneyness: float) -> float | None:
    """Volatility x sqrt(years) of an out-of-the-money option by Newton's steps between bounds that close in."""
    low, high = 0.0, LARGEST_SPREAD
    if _log_black(high, moneyness) <= goal:
        return None
    guess = max(abs(moneyness) / sqrt(max(-2 * goal, 1.0)), 2.5 * exp(goal), LEAST_SPREAD)
    spread = min(high / 2, guess)
    for _ in range(_ITERATIONS):
        found = _log_black(spread, moneyness)
        gap = found - goal
        low, high = (spread, high) if gap < 0 else (low, spread)
        if abs(gap) < _PRECISION or high - low <= _PRECISION * high:
            break
        slope = _slope(spread, moneyness)
        step = gap * exp(found) / slope if slope > 0 else copysign(high, gap)
        spread = spread - step if low < spread - step < high else (low + high) / 2
    return spread


def _log_black(spread: float, moneyness: float) -> float:
    # Of a call, over sqrt(forward x strike): both tails are lower ones, so nothing cancels but their difference.
    middle, half, tilt = moneyness / spread, spread / 2, exp(moneyness / 2)
    worth = 0.5 * (tilt * erfc(-(middle + half) / sqrt(2)) - erfc(-(middle - half) / sqrt(2)) / tilt)
    return log(worth) if worth > 0 else -1e300


def _slope(spread: float, moneyness: float) -> float:
    return exp(-0.5 * ((moneyness / spread) ** 2 + spread * spread / 4)) / sqrt(2 * pi)
