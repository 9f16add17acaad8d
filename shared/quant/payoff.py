"""What a position of options and shares is worth at expiry: a piecewise linear function of the price, taken exactly.

Money is in US dollars for the whole position, prices in US dollars per share.

References
----------
.. [1] Natenberg, Option Volatility and Pricing (2nd ed., 2014), 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import erfc, exp, inf, log, sqrt
from typing import Literal

import numpy as np

from shared.quant.option import CALL, LEAST_SPREAD, PUT, Terms, value

type Kind = Literal["call", "put", "stock"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of a position.

    Attributes
    ----------
    shares : float
        What it is about: above 0 where it is held, below 0 where it is owed.
    price : float
        Paid or received for it.
    strike : float
        0 for stock, which is a call at nothing.
    """

    kind: Kind
    shares: float
    price: float
    strike: float = 0.0

    def profit(self, spot: float) -> float:
        """Give what it has gained when the share is at `spot` at expiry."""
        worth = max(self.strike - spot, 0.0) if self.kind == "put" else max(spot - self.strike, 0.0)
        return self.shares * (worth - self.price)


@dataclass(frozen=True, slots=True)
class Payoff:
    """The profit of a position at expiry.

    Attributes
    ----------
    knots : tuple of (float, float)
        Price and profit wherever the slope changes, from a price of 0 on.
    slope : float
        Dollars per dollar beyond the last knot.
    max_gain, max_loss : float or None
        The loss as a positive number, negative where even the worst is a gain; None without a bound.
    break_evens : tuple of float
        Prices at which profit begins or ends, ascending.
    """

    knots: tuple[tuple[float, float], ...]
    slope: float
    max_gain: float | None
    max_loss: float | None
    break_evens: tuple[float, ...]

    def at(self, spot: float) -> float:
        """Give the profit at a price."""
        for (left, before), (right, after) in pairwise(self.knots):
            if spot <= right:
                return before + (after - before) * (spot - left) / (right - left)
        last, profit = self.knots[-1]
        return profit + self.slope * (spot - last)


def payoff(legs: Sequence[Leg]) -> Payoff:
    """Give the profit of some legs at expiry as a function of the price, with its bounds and break-evens.

    Notes
    -----
    Without legs, and wherever nothing is gained or lost over a whole stretch, its ends are the break-evens.
    """
    places = sorted({0.0, *(leg.strike for leg in legs)})
    knots = tuple((place, sum(leg.profit(place) for leg in legs)) for place in places)
    slope = sum(leg.shares for leg in legs if leg.kind != "put")
    profits = [profit for _, profit in knots]
    return Payoff(
        knots=knots,
        slope=slope,
        max_gain=None if slope > 0 else max(profits),
        max_loss=None if slope < 0 else -min(profits),
        break_evens=_break_evens(knots, slope),
    )


def _break_evens(knots: tuple[tuple[float, float], ...], slope: float) -> tuple[float, ...]:
    found = {place for place, profit in knots if profit == 0}
    for (left, before), (right, after) in pairwise(knots):
        if before * after < 0:
            found.add(left + (right - left) * before / (before - after))
    last, profit = knots[-1]
    if profit * slope < 0:
        found.add(last - profit / slope)
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Outlook:
    """A lognormal distribution of the price at expiry: spot, drift and volatility per year, and years to it.

    Attributes
    ----------
    drift : float
        The mean grows by it, continuously: rate less dividends where nobody is paid for risk.
    """

    spot: float
    years: float
    drift: float
    volatility: float

    def probability_below(self, price: float) -> float:
        """Give the probability that the share ends below a price."""
        spread = self.volatility * sqrt(self.years)
        if price <= 0 or price == inf:
            return float(price > 0)
        distance = log(price / self.spot) - self.drift * self.years + spread * spread / 2
        if spread <= LEAST_SPREAD:
            return float(distance > 0)
        return 0.5 * erfc(-distance / spread / sqrt(2))


def probability_of_profit(profile: Payoff, outlook: Outlook) -> float:
    """Give the probability that the position ends with more than nothing gained."""
    cuts = sorted({place for place, _ in profile.knots} | set(profile.break_evens))
    total = 0.0
    for left, right in pairwise([*cuts, inf]):
        inside = left + 1 if right == inf else (left + right) / 2
        if profile.at(inside) > 0:
            total += outlook.probability_below(right) - outlook.probability_below(left)
    return min(1.0, max(0.0, total))


def expected_profit(legs: Sequence[Leg], outlook: Outlook) -> float:
    """Give the mean profit of some legs; interest on what they cost is left out."""
    if not legs:
        return 0.0
    growth = exp(outlook.drift * outlook.years)
    signs = np.array([PUT if leg.kind == "put" else CALL for leg in legs])
    strikes = np.array([max(leg.strike, 1e-12 * outlook.spot) for leg in legs])  # the formula has a logarithm of it
    priced = value(Terms(signs, outlook.spot, strikes, outlook.years, outlook.drift, 0.0, outlook.volatility)).price
    return float(sum(leg.shares * (growth * each - leg.price) for leg, each in zip(legs, priced, strict=True)))
