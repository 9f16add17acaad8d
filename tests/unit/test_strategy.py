"""Strategies built from a chain: each has the legs, the bounds and the exposure of what it is called."""

from dataclasses import replace

import pytest

from shared.errors import MissingError
from shared.quant.option import CALL, PUT, Terms, value
from shared.quant.payoff import payoff
from shared.quant.strategy import STRATEGIES, Offer, Option, Strategy, build

BY_NAME = {strategy.name: strategy for strategy in STRATEGIES}
SPOT, YEARS, VOLATILITY = 100.0, 0.12, 0.3

SHAPES = {
    # Kinds and sides of the legs by strike, whether gain and loss are bounded, and how many break-evens there are.
    "covered_call": ("stock+ call-", True, True, 1),
    "cash_secured_put": ("put-", True, True, 1),
    "protective_put": ("stock+ put+", False, True, 1),
    "collar": ("stock+ put+ call-", True, True, 1),
    "bull_call_spread": ("call+ call-", True, True, 1),
    "bull_put_spread": ("put+ put-", True, True, 1),
    "bear_put_spread": ("put- put+", True, True, 1),
    "bear_call_spread": ("call- call+", True, True, 1),
    "long_straddle": ("put+ call+", False, True, 2),
    "short_straddle": ("put- call-", True, False, 2),
    "long_strangle": ("put+ call+", False, True, 2),
    "short_strangle": ("put- call-", True, False, 2),
    "iron_condor": ("put+ put- call- call+", True, True, 2),
}


def offer(kind: Option, strike: float, half: float = 0.05) -> Offer:
    sign = CALL if kind == "call" else PUT
    found = value(Terms(sign, SPOT, strike, YEARS, 0.03, 0.0, VOLATILITY))
    price = max(float(found.price), half + 0.01)
    return Offer(kind, strike, price - half, price + half, VOLATILITY, float(found.delta))


KINDS: tuple[Option, Option] = ("call", "put")
OFFERS = tuple(offer(kind, float(strike)) for strike in range(70, 136) for kind in KINDS)


def test_strategies_when_listed_are_those_that_are_told_of() -> None:
    assert set(BY_NAME) == set(SHAPES)
    assert len(STRATEGIES) == len(BY_NAME)


@pytest.mark.parametrize("name", SHAPES)
def test_strategy_when_built_has_its_shape(name: str) -> None:
    legs = build(BY_NAME[name], OFFERS, SPOT)
    shape, gain_bounded, loss_bounded, break_evens = SHAPES[name]
    assert " ".join(f"{leg.kind}{'+' if leg.shares > 0 else '-'}" for leg in legs) == shape
    assert {abs(leg.shares) for leg in legs} == {100}
    options = [leg for leg in legs if leg.kind != "stock"]
    assert options == sorted(options, key=lambda leg: leg.strike)
    found = payoff(legs)
    assert (found.max_gain is not None, found.max_loss is not None) == (gain_bounded, loss_bounded)
    assert len(found.break_evens) == break_evens


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_strategy_when_it_bets_on_something_is_exposed_to_just_that(strategy: Strategy) -> None:
    greeks = {(each.kind, each.strike): each for each in OFFERS}
    delta = vega = 0.0
    for leg in build(strategy, OFFERS, SPOT):
        if leg.kind == "stock":
            delta += leg.shares
            continue
        sign = CALL if leg.kind == "call" else PUT
        delta += leg.shares * greeks[leg.kind, leg.strike].delta
        vega += leg.shares * float(value(Terms(sign, SPOT, leg.strike, YEARS, 0.03, 0.0, VOLATILITY)).vega)
    if strategy.volatility != "neither":
        assert (vega > 0) == (strategy.volatility == "buys")
    # Shares that are held stay on the side of a rise; what hedges them lessens that.
    if strategy.needs == "shares":
        assert 0 < delta < 100
    elif strategy.directions == ("sideways",):
        assert abs(delta) < 15
    else:
        assert (delta > 0) == ("up" in strategy.directions)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_strategy_when_paid_for_buys_at_the_ask_and_sells_at_the_bid(strategy: Strategy) -> None:
    quoted = {(each.kind, each.strike): each for each in OFFERS}
    for leg in build(strategy, OFFERS, SPOT):
        if leg.kind == "stock":
            assert (leg.price, leg.strike) == (SPOT, 0)
        else:
            found = quoted[leg.kind, leg.strike]
            assert leg.price == (found.ask if leg.shares > 0 else found.bid)


def test_straddle_when_a_strike_lacks_its_put_takes_the_next_one() -> None:
    without = [each for each in OFFERS if (each.kind, each.strike) != ("put", 100.0)]
    legs = build(BY_NAME["long_straddle"], without, SPOT)
    assert {leg.strike for leg in legs} == {99.0}


@pytest.mark.parametrize(
    ("name", "offers", "reason"),
    [
        ("covered_call", (), "no call is on offer"),
        ("collar", (OFFERS[0],), "no put is on offer"),
        ("long_straddle", (offer("call", 100.0), offer("put", 95.0)), "no strike has both"),
        ("iron_condor", (offer("call", 100.0), offer("put", 95.0)), "far enough apart"),
        ("collar", (offer("put", 105.0), offer("call", 100.0)), "far enough apart"),
    ],
)
def test_strategy_when_contracts_are_too_few_is_missing(name: str, offers: tuple[Offer, ...], reason: str) -> None:
    with pytest.raises(MissingError, match=reason):
        build(BY_NAME[name], offers, SPOT)


def test_contract_when_two_are_as_near_is_the_lower_strike() -> None:
    twins = [replace(offer("call", strike), delta=0.3) for strike in (110.0, 105.0)]
    (_, sold) = build(BY_NAME["covered_call"], twins, SPOT)
    assert sold.strike == 105
