"""The option strategies: what each is made of, what it bets on, and how it is built from the contracts on offer.

A strategy is a line in `STRATEGIES`. Its options are picked by their delta, which says how far from the money they are
whatever the price, the volatility and the time.

References
----------
.. [1] Natenberg, Option Volatility and Pricing (2nd ed., 2014), 8, 11 and 17.
.. [2] Cohen, The Bible of Options Strategies (2nd ed., 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from shared.errors import MissingError
from shared.quant.payoff import Leg

MULTIPLIER = 100
"""Shares of one contract."""

type Option = Literal["call", "put"]
type Direction = Literal["up", "down", "sideways"]
type Trade = Literal["buys", "sells", "neither"]


@dataclass(frozen=True, slots=True)
class Offer:
    """A contract that can be bought and sold now.

    Attributes
    ----------
    bid, ask : float
        US dollars per share.
    volatility : float
        Implied, fraction per year.
    delta : float
        Dollars per dollar of spot; below 0 for puts.
    """

    kind: Option
    strike: float
    bid: float
    ask: float
    volatility: float
    delta: float


@dataclass(frozen=True, slots=True)
class Pick:
    """One option of a strategy: its kind, whether it is bought (+1) or sold (-1), and the size of its delta."""

    kind: Option
    side: Literal[1, -1]
    delta: float


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a strategy is made of and what it bets on.

    Attributes
    ----------
    picks : tuple of Pick
        In ascending order of their strikes, whose order `build` insists on.
    directions : tuple of str
        The views that it suits.
    volatility : str
        Whether it `buys` or `sells` it on balance.
    needs : str or None
        `shares`: it is about a hundred shares that are held; `cash`: for the shares that may be put to it.
    one_strike : bool
        All its options have the strike nearest to the money.
    """

    name: str
    picks: tuple[Pick, ...]
    directions: tuple[Direction, ...]
    volatility: Trade
    needs: Literal["shares", "cash"] | None = None
    one_strike: bool = False


def _call(side: Literal[1, -1], delta: float) -> Pick:
    return Pick("call", side, delta)


def _put(side: Literal[1, -1], delta: float) -> Pick:
    return Pick("put", side, delta)


STRATEGIES: tuple[Strategy, ...] = (
    Strategy("covered_call", (_call(-1, 0.30),), ("up", "sideways"), "sells", "shares"),
    Strategy("cash_secured_put", (_put(-1, 0.30),), ("up", "sideways"), "sells", "cash"),
    Strategy("protective_put", (_put(1, 0.30),), ("down",), "buys", "shares"),
    Strategy("collar", (_put(1, 0.25), _call(-1, 0.25)), ("down",), "neither", "shares"),
    Strategy("bull_call_spread", (_call(1, 0.50), _call(-1, 0.25)), ("up",), "buys"),
    Strategy("bull_put_spread", (_put(1, 0.15), _put(-1, 0.35)), ("up",), "sells"),
    Strategy("bear_put_spread", (_put(-1, 0.25), _put(1, 0.50)), ("down",), "buys"),
    Strategy("bear_call_spread", (_call(-1, 0.35), _call(1, 0.15)), ("down",), "sells"),
    Strategy("long_straddle", (_put(1, 0.50), _call(1, 0.50)), ("sideways",), "buys", one_strike=True),
    Strategy("short_straddle", (_put(-1, 0.50), _call(-1, 0.50)), ("sideways",), "sells", one_strike=True),
    Strategy("long_strangle", (_put(1, 0.25), _call(1, 0.25)), ("sideways",), "buys"),
    Strategy("short_strangle", (_put(-1, 0.25), _call(-1, 0.25)), ("sideways",), "sells"),
    Strategy("iron_condor", (_put(1, 0.10), _put(-1, 0.25), _call(-1, 0.25), _call(1, 0.10)), ("sideways",), "sells"),
)


def build(strategy: Strategy, offers: Sequence[Offer], spot: float) -> tuple[Leg, ...]:
    """Give one unit of a strategy: what is bought at the ask, what is sold at the bid, shares at the spot.

    Parameters
    ----------
    offers : sequence of Offer
        Of one expiry.
    spot : float
        US dollars per share.

    Raises
    ------
    MissingError
        The contracts on offer are too few, or do not lie far enough apart.
    """
    chosen = _at_the_money(strategy, offers, spot) if strategy.one_strike else _by_delta(strategy, offers)
    shares = (Leg("stock", MULTIPLIER, spot),) if strategy.needs == "shares" else ()
    legs = (
        Leg(pick.kind, pick.side * MULTIPLIER, offer.ask if pick.side > 0 else offer.bid, offer.strike)
        for pick, offer in zip(strategy.picks, chosen, strict=True)
    )
    return (*shares, *legs)


def _by_delta(strategy: Strategy, offers: Sequence[Offer]) -> list[Offer]:
    chosen = [_nearest(pick, offers) for pick in strategy.picks]
    if any(left.strike >= right.strike for left, right in pairwise(chosen)):
        raise MissingError("the strikes on offer do not lie far enough apart")
    return chosen


def _nearest(pick: Pick, offers: Sequence[Offer]) -> Offer:
    of_kind = [offer for offer in offers if offer.kind == pick.kind]
    if not of_kind:
        raise MissingError(f"no {pick.kind} is on offer")
    return min(of_kind, key=lambda offer: (abs(abs(offer.delta) - pick.delta), offer.strike))


def _at_the_money(strategy: Strategy, offers: Sequence[Offer], spot: float) -> list[Offer]:
    found = {(offer.kind, offer.strike): offer for offer in offers}
    strikes = [strike for kind, strike in found if kind == "call" and ("put", strike) in found]
    if not strikes:
        raise MissingError("no strike has both a call and a put on offer")
    strike = min(strikes, key=lambda each: (abs(each - spot), each))
    return [found[pick.kind, strike] for pick in strategy.picks]
