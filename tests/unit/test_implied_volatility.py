"""Implied volatility against vollib's engine, there and back, and for quotes that are none."""

from itertools import product
from math import exp, inf, isfinite, nan, sqrt

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from lets_be_rational import implied_volatility_from_a_transformed_rational_guess as their_volatility

from shared.quant.implied_volatility import implied_volatility
from shared.quant.option import CALL, PUT, Terms, value

GRID = list(product((CALL, PUT), (0.7, 0.9, 1.0, 1.1, 1.4), (7, 60, 365), (-0.01, 0.04), (0.0, 0.03), (0.1, 0.3, 0.9)))
WELL_POSED = 1e-4
"""Dollars per point of volatility on a share of 100, below which a price does not tell volatilities apart."""


@pytest.mark.parametrize("sign", [CALL, PUT])
def test_volatility_when_quotes_vary_widely_equals_vollib_s_engine(sign: float) -> None:
    compared = 0
    for _, moneyness, days, rate, dividends, volatility in (each for each in GRID if each[0] == sign):
        strike, years = 100 * moneyness, days / 365
        found = value(Terms(sign, 100.0, strike, years, rate, dividends, volatility))
        if found.vega < WELL_POSED:
            continue
        price, forward = float(found.price), 100 * exp((rate - dividends) * years)
        theirs = their_volatility(price * exp(rate * years), forward, strike, years, sign)
        own = implied_volatility(sign, price, 100.0, strike, years, rate, dividends)
        assert own.problem is None
        assert own.volatility == pytest.approx(theirs, abs=1e-8)
        compared += 1
    assert compared > 140


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([CALL, PUT]),
    st.floats(10.0, 1_000.0),
    st.floats(0.01, 5.0),
    st.floats(-0.05, 0.15),
    st.floats(-0.05, 0.15),
    st.floats(0.01, 3.0),
)
def test_volatility_when_it_made_the_price_comes_back(
    sign: float, strike: float, years: float, rate: float, dividends: float, volatility: float
) -> None:
    found = value(Terms(sign, 100.0, strike, years, rate, dividends, volatility))
    assume(found.vega > 1e-3)
    again = implied_volatility(sign, float(found.price), 100.0, strike, years, rate, dividends)
    # The price has 16 digits of the larger of share and strike; what they tell of volatility is that over vega.
    assert again.volatility == pytest.approx(volatility, abs=1e-9 + 1e-12 * max(100.0, strike) / float(found.vega))


@pytest.mark.parametrize("deviations", [2, 5, 10, 20, 30])
def test_volatility_when_far_out_of_the_money_comes_back_from_a_tiny_price(deviations: int) -> None:
    strike = 100 * exp(deviations * 0.2 * sqrt(0.5))
    price = float(value(Terms(CALL, 100.0, strike, 0.5, 0.0, 0.0, 0.2)).price)
    assert 0 < price < 1
    assert implied_volatility(CALL, price, 100.0, strike, 0.5, 0.0, 0.0).volatility == pytest.approx(0.2, rel=1e-9)


number = st.floats(allow_nan=True, allow_infinity=True)


@settings(deadline=None, max_examples=500)
@example((CALL, 5e-324, 1e20, 1e20, 1.0, 0.0, 0.0))
@given(st.tuples(st.sampled_from([CALL, PUT]), number, number, number, number, number, number))
def test_volatility_when_a_quote_is_anything_is_answered(
    quote: tuple[float, float, float, float, float, float, float],
) -> None:
    found = implied_volatility(*quote)
    assert (found.volatility is None) != (found.problem is None)
    if found.volatility is not None:
        assert isfinite(found.volatility)
        assert found.volatility > 0


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([CALL, PUT]), st.floats(0, 300), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-6, 10))
def test_volatility_when_a_quote_is_within_its_bounds_gives_back_its_price(
    sign: float, price: float, spot: float, strike: float, years: float
) -> None:
    found = implied_volatility(sign, price, spot, strike, years, 0.03, 0.01)
    if found.volatility is not None:
        again = value(Terms(sign, spot, strike, years, 0.03, 0.01, found.volatility)).price
        assert float(again) == pytest.approx(price, rel=1e-9, abs=1e-11 * max(spot, strike))


@pytest.mark.parametrize(
    ("quote", "problem"),
    [
        ((CALL, 9.0, 110.0, 100.0, 0.5, 0.0, 0.0), "9 is below the lower bound 10"),
        ((CALL, 10.0, 110.0, 100.0, 0.5, 0.0, 0.0), "10 is at the lower bound 10"),
        ((PUT, -1.0, 110.0, 100.0, 0.5, 0.0, 0.0), "-1 is below the lower bound 0"),
        ((PUT, 0.0, 110.0, 100.0, 0.5, 0.0, 0.0), "0 is at the lower bound 0"),
        ((CALL, 110.0, 110.0, 100.0, 0.5, 0.0, 0.0), "110 is not below the upper bound 110"),
        ((PUT, 101.0, 110.0, 100.0, 0.5, 0.0, 0.0), "101 is not below the upper bound 100"),
        ((CALL, np.nextafter(110.0, 0), 110.0, 100.0, 0.5, 0.0, 0.0), "so close to a bound"),
        ((CALL, 5.0, 100.0, 100.0, 0.0, 0.0, 0.0), "no time is left"),
        ((CALL, 5.0, 100.0, 100.0, -1.0, 0.0, 0.0), "no time is left"),
        ((CALL, nan, 100.0, 100.0, 0.5, 0.0, 0.0), "not finite"),
        ((CALL, 5.0, inf, 100.0, 0.5, 0.0, 0.0), "not finite"),
        ((CALL, 5.0, 0.0, 100.0, 0.5, 0.0, 0.0), "above 0"),
        ((CALL, 5.0, 100.0, 0.0, 0.5, 0.0, 0.0), "above 0"),
        ((0.0, 5.0, 100.0, 100.0, 0.5, 0.0, 0.0), "sign"),
        ((CALL, 5.0, 100.0, 100.0, 2.0, 60.0, 0.0), "over 100"),
        ((CALL, 5.0, 1e200, 100.0, 2.0, 0.0, 0.0), "from 1e-100 to 1e+100"),
        ((CALL, 1e-200, 1e-200, 100.0, 2.0, 0.0, 0.0), "from 1e-100 to 1e+100"),
    ],
)
def test_volatility_when_a_quote_breaks_a_bound_says_which(quote: tuple[float, ...], problem: str) -> None:
    found = implied_volatility(*quote)
    assert found.volatility is None
    assert problem in str(found.problem)
