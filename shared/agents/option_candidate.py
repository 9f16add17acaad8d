"""A strategy on a given chain: whether it suits, what it can lose and gain, and why not where it does not.

The rules by which the options strategist chooses, without anything to read or to wait for.
"""

from dataclasses import dataclass
from math import exp, sqrt
from typing import TYPE_CHECKING

from shared.errors import MissingError
from shared.events.options import Climate, NetGreeks, OptionLeg, OptionStrategy, PayoffPoint

if TYPE_CHECKING:
    from shared.chain.surface import Surface
    from shared.quant.payoff import Leg, Outlook, Payoff
    from shared.quant.strategy import Direction, Strategy

DIRECTION_BAND = 0.2
VIEW_DEVIATIONS = 0.5
"""Standard deviations by which a view of 1 is taken to move the price until the expiry."""
TREE_STEPS = 101
_SHOWN_DEVIATIONS = 3.0
_SENSES = {"up": "a rise", "down": "a fall", "sideways": "little or no direction"}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a strategy has to suit.

    Attributes
    ----------
    view : float
        -1 to +1, weighed by its confidence.
    budget : float
        US dollars that may be lost.
    cash, shares : float or None
        What the portfolio has; None where none is named.
    """

    surface: "Surface"
    climate: Climate
    view: float
    budget: float
    cash: float | None = None
    shares: float | None = None

    @property
    def direction(self) -> "Direction":
        """The view in a word."""
        if abs(self.view) < DIRECTION_BAND:
            return "sideways"
        return "up" if self.view > 0 else "down"

    def outlook(self, *, own: bool) -> "Outlook":
        """Give the distribution of the price at expiry: our own expectation, or what the chain implies."""
        from shared.quant.payoff import Outlook

        chain, expected = self.surface.chain, self.climate.expected
        if not own:
            drift = chain.rate - chain.dividend_yield
            return Outlook(chain.spot, chain.years, drift, self.surface.volatility)
        return Outlook(chain.spot, chain.years, self.view * VIEW_DEVIATIONS * expected / sqrt(chain.years), expected)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy that suits.

    Attributes
    ----------
    legs : tuple of Leg
        Of one contract each.
    risk : float
        What one unit uses of the budget, US dollars.
    merit : float
        Expected profit of its options per dollar that the position can lose.
    """

    strategy: "Strategy"
    legs: "tuple[Leg, ...]"
    payoff: "Payoff"
    contracts: int
    risk: float
    expected: float
    merit: float


def consider(strategy: "Strategy", situation: Situation) -> Candidate:
    """Give a strategy as it would be done in the situation.

    Raises
    ------
    MissingError
        It does not suit; the message is the reason.
    """
    from shared.quant.payoff import expected_profit, payoff
    from shared.quant.strategy import build

    _check_bet(strategy, situation)
    _check_cover(strategy, situation)
    legs = build(strategy, situation.surface.offers, situation.surface.chain.spot)
    profile = payoff(legs)
    if profile.max_loss is None:
        raise MissingError("its loss has no bound, and the budget has")
    if profile.max_loss <= 0 or (profile.max_gain is not None and profile.max_gain <= 0):
        raise MissingError("its quotes leave nothing to lose, or nothing to gain: one of them cannot be right")
    options = [leg for leg in legs if leg.kind != "stock"]
    paid = sum(leg.shares * leg.price for leg in options)
    risk = max(0.0, paid) if strategy.needs == "shares" else profile.max_loss
    expected = expected_profit(options, situation.outlook(own=True))
    contracts = _contracts(strategy, situation, risk)
    return Candidate(strategy, legs, profile, contracts, risk, expected, expected / profile.max_loss)


def _check_bet(strategy: "Strategy", situation: Situation) -> None:
    if situation.direction not in strategy.directions:
        suited = " or ".join(_SENSES[direction] for direction in strategy.directions)
        raise MissingError(f"it suits {suited}; the view is {situation.direction} ({situation.view:+.2f})")
    climate = situation.climate
    if (strategy.volatility, climate.regime) in (("buys", "dear"), ("sells", "cheap")):
        raise MissingError(
            f"it {strategy.volatility} volatility, which is {climate.regime}: {climate.implied:.1%} is at the"
            f" {climate.percentile:.0%} point of what the past year realised"
        )


def _check_cover(strategy: "Strategy", situation: Situation) -> None:
    from shared.quant.strategy import MULTIPLIER

    if strategy.needs and situation.shares is None:
        raise MissingError(f"it needs {strategy.needs} to cover it, and the request names no portfolio")
    if strategy.needs == "shares" and (situation.shares or 0.0) < MULTIPLIER:
        raise MissingError(f"it needs {MULTIPLIER} shares, the portfolio holds {situation.shares or 0:g}")


def _contracts(strategy: "Strategy", situation: Situation, risk: float) -> int:
    from shared.quant.strategy import MULTIPLIER

    if risk > situation.budget:
        raise MissingError(f"one contract risks {risk:,.2f} USD, the budget is {situation.budget:,.2f} USD")
    if situation.cash is not None and risk > situation.cash:
        raise MissingError(f"one contract takes {risk:,.2f} USD in cash, the portfolio has {situation.cash:,.2f} USD")
    most = [(situation.shares or 0.0) // MULTIPLIER] if strategy.needs == "shares" else []
    if risk > 0:
        most += [money // risk for money in (situation.budget, situation.cash) if money is not None]
    return int(min(most))


def describe(candidate: Candidate, situation: Situation) -> OptionStrategy:
    """Give a candidate with all its numbers, for all its contracts together."""
    from shared.quant.payoff import probability_of_profit

    profile, times = candidate.payoff, candidate.contracts
    legs, greeks = _valued(candidate, situation)
    return OptionStrategy(
        strategy=candidate.strategy.name,
        contracts=times,
        legs=legs,
        net_premium=sum(leg.shares * leg.price for leg in legs if leg.kind != "stock"),
        max_gain=None if profile.max_gain is None else times * profile.max_gain,
        max_loss=None if profile.max_loss is None else times * profile.max_loss,
        risk=times * candidate.risk,
        break_evens=profile.break_evens,
        probability_of_profit=probability_of_profit(profile, situation.outlook(own=False)),
        expected_profit=times * candidate.expected,
        greeks=greeks,
        payoff=tuple(
            PayoffPoint(price=price, profit=times * profile.at(price)) for price in _prices(profile, situation)
        ),
    )


def _prices(profile: "Payoff", situation: Situation) -> list[float]:
    chain = situation.surface.chain
    reach = exp(min(_SHOWN_DEVIATIONS * situation.surface.volatility * sqrt(chain.years), 5.0))
    ends = (chain.spot / reach, chain.spot, chain.spot * reach)
    return sorted({*ends, *profile.break_evens, *(place for place, _ in profile.knots)})


def _valued(candidate: Candidate, situation: Situation) -> tuple[tuple[OptionLeg, ...], NetGreeks]:
    import numpy as np

    from shared.quant.option import CALL, DAYS_PER_YEAR, PUT, Terms, value
    from shared.quant.option_tree import american_price

    chain = situation.surface.chain
    volatilities = {offer.strike: offer.volatility for offer in situation.surface.offers}
    options = [leg for leg in candidate.legs if leg.kind != "stock"]
    terms = Terms(
        np.array([PUT if leg.kind == "put" else CALL for leg in options]),
        chain.spot,
        np.array([leg.strike for leg in options]),
        chain.years,
        chain.rate,
        chain.dividend_yield,
        np.array([volatilities[leg.strike] for leg in options]),
    )
    each, early = value(terms), american_price(terms, TREE_STEPS) - value(terms).price
    shares = candidate.contracts * np.array([leg.shares for leg in options])
    held = candidate.contracts * sum(leg.shares for leg in candidate.legs if leg.kind == "stock")
    legs = [
        OptionLeg(kind="stock", shares=candidate.contracts * leg.shares, price=leg.price)
        for leg in candidate.legs
        if leg.kind == "stock"
    ] + [
        OptionLeg(
            kind=leg.kind,
            shares=candidate.contracts * leg.shares,
            price=leg.price,
            strike=leg.strike,
            implied_volatility=volatilities[leg.strike],
            delta=float(each.delta[place]),
            early_exercise=float(early[place]),
        )
        for place, leg in enumerate(options)
    ]
    return tuple(legs), NetGreeks(
        delta=held + float(shares @ each.delta),
        gamma=float(shares @ each.gamma),
        theta_per_day=float(shares @ each.theta) / DAYS_PER_YEAR,
        vega_per_point=float(shares @ each.vega) / 100,
        rho_per_point=float(shares @ each.rho) / 100,
    )
