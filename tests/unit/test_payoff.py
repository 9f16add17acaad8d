"""Payoffs at expiry: exact bounds and break-evens, and probabilities against a numerical integral."""

import itertools
from math import exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from shared.quant.payoff import Kind, Leg, Outlook, Payoff, expected_profit, payoff, probability_of_profit

OUTLOOK = Outlook(spot=100.0, years=0.25, drift=0.05, volatility=0.3)

LEGS = st.lists(
    st.builds(
        Leg,
        st.sampled_from(["call", "put"]),
        st.sampled_from([-200.0, -100.0, 100.0, 300.0]),
        st.floats(0.0, 30.0).map(lambda price: round(price, 2)),
        st.integers(60, 140).map(float),
    ),
    min_size=1,
    max_size=4,
)


def call(shares: float, price: float, strike: float) -> Leg:
    return Leg("call", shares, price, strike)


def put(shares: float, price: float, strike: float) -> Leg:
    return Leg("put", shares, price, strike)


STOCK = Leg("stock", 100, 100)
TEXTBOOK: dict[str, tuple[tuple[Leg, ...], tuple[float | None, float | None, tuple[float, ...]]]] = {
    # Legs, and the largest gain and loss and the break-evens as textbooks have them.
    "long call": ((call(100, 3, 105),), (None, 300, (108,))),
    "short call": ((call(-100, 3, 105),), (300, None, (108,))),
    "long put": ((put(100, 4, 95),), (9_100, 400, (91,))),
    "covered call": ((STOCK, call(-100, 3, 105)), (800, 9_700, (97,))),
    "cash-secured put": ((put(-100, 4, 95),), (400, 9_100, (91,))),
    "protective put": ((STOCK, put(100, 4, 95)), (None, 900, (104,))),
    "collar": ((STOCK, put(100, 4, 95), call(-100, 3, 105)), (400, 600, (101,))),
    "bull call spread": ((call(100, 5, 100), call(-100, 2, 110)), (700, 300, (103,))),
    "bear put spread": ((put(100, 6, 100), put(-100, 2, 90)), (600, 400, (96,))),
    "long straddle": ((call(100, 5, 100), put(100, 4, 100)), (None, 900, (91, 109))),
    "short strangle": ((call(-100, 2, 110), put(-100, 1, 90)), (300, None, (87, 113))),
    "iron condor": (
        (put(100, 0.5, 85), put(-100, 1.5, 90), call(-100, 2, 110), call(100, 1, 115)),
        (200, 300, (88, 112)),
    ),
}


@pytest.mark.parametrize("name", TEXTBOOK)
def test_payoff_when_it_is_the_textbook_s_has_its_bounds_and_break_evens(name: str) -> None:
    legs, expected = TEXTBOOK[name]
    found = payoff(legs)
    gain, loss, break_evens = expected
    assert (found.max_gain, found.max_loss) == (gain, loss)
    assert found.break_evens == pytest.approx(break_evens, abs=1e-12)


@settings(deadline=None)
@given(LEGS, st.floats(0.0, 300.0))
def test_payoff_when_read_anywhere_is_the_sum_of_its_legs_and_within_its_bounds(legs: list[Leg], spot: float) -> None:
    found = payoff(legs)
    profit = sum(leg.profit(spot) for leg in legs)
    assert found.at(spot) == pytest.approx(profit, abs=1e-7)
    assert profit <= (np.inf if found.max_gain is None else found.max_gain) + 1e-7
    assert -profit <= (np.inf if found.max_loss is None else found.max_loss) + 1e-7


@settings(deadline=None)
@given(LEGS)
def test_break_evens_when_crossed_are_zeros_between_which_the_sign_holds(legs: list[Leg]) -> None:
    found = payoff(legs)
    assert [found.at(place) for place in found.break_evens] == pytest.approx([0] * len(found.break_evens), abs=1e-6)
    cuts = [0.0, *found.break_evens, 1_000.0]
    for left, right in itertools.pairwise(cuts):
        inside = [found.at(left + (right - left) * share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
        assert min(inside) >= -1e-6 or max(inside) <= 1e-6


@pytest.mark.parametrize(
    ("legs", "break_evens"),
    [
        ((call(100, 0, 100),), (0, 100)),
        ((call(100, 5, 100), call(-100, 5, 110)), (0, 100)),
        ((), (0,)),
    ],
)
def test_break_evens_when_nothing_is_gained_over_a_stretch_are_its_ends(
    legs: tuple[Leg, ...], break_evens: tuple[float, ...]
) -> None:
    assert payoff(legs).break_evens == break_evens


def _density(outlook: Outlook) -> stats.rv_continuous:
    spread = outlook.volatility * sqrt(outlook.years)
    mean = outlook.drift * outlook.years - spread**2 / 2
    return stats.lognorm(s=spread, scale=outlook.spot * exp(mean))


@pytest.mark.parametrize("name", TEXTBOOK)
def test_probability_and_mean_when_integrated_numerically_are_the_same(name: str) -> None:
    legs, _ = TEXTBOOK[name]
    found, law = payoff(legs), _density(OUTLOOK)
    pieces = [0.0, *sorted({place for place, _ in found.knots} | set(found.break_evens)), 400.0]
    ranges = [(left, right) for left, right in itertools.pairwise(pieces) if right > left]
    chance = sum(law.cdf(right) - law.cdf(left) for left, right in ranges if found.at((left + right) / 2) > 0)
    mean = sum(integrate.quad(lambda spot: found.at(spot) * law.pdf(spot), *each)[0] for each in ranges)
    assert probability_of_profit(found, OUTLOOK) == pytest.approx(chance, abs=1e-8)
    assert expected_profit(legs, OUTLOOK) == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(("spot", "chance"), [(104.0, 0.0), (109.0, 1.0)])
def test_probability_when_nothing_varies_is_certain(spot: float, chance: float) -> None:
    found = payoff((call(100, 3, 105),))
    for still in (Outlook(spot, 0.0, 0.0, 0.3), Outlook(spot, 1.0, 0.0, 0.0)):
        assert probability_of_profit(found, still) == chance


def test_mean_when_there_are_no_legs_is_nothing() -> None:
    assert expected_profit((), OUTLOOK) == 0
    assert probability_of_profit(payoff(()), OUTLOOK) == 0


def test_payoff_when_beyond_its_last_strike_goes_on_straight() -> None:
    kind: Kind = "stock"
    found = payoff((Leg(kind, 100, 40.0),))
    assert found == Payoff(((0.0, -4_000.0),), 100, None, 4_000.0, (40.0,))
    assert found.at(1_000) == 96_000
