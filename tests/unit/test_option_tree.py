"""American options against QuantLib's integral equation, their laws, and their degenerate inputs."""

from dataclasses import replace
from itertools import product
from math import exp, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidError
from shared.quant.option import CALL, PUT, Terms, value
from shared.quant.option_tree import american_price
from tests.unit.quantlib_price import american

GRID = list(
    product(
        (CALL, PUT),
        (70.0, 85.0, 100.0, 115.0, 130.0),
        (10, 60, 180, 365),
        (-0.005, 0.0, 0.03, 0.08),
        (0.0, 0.02, 0.06),
        (0.1, 0.25, 0.5),
    )
)
STEPS = 51
TERMS = st.builds(
    Terms,
    st.sampled_from([CALL, PUT]),
    st.floats(10.0, 200.0),
    st.floats(10.0, 200.0),
    st.floats(0.0, 2.0),
    st.floats(-0.03, 0.12),
    st.floats(-0.03, 0.12),
    st.floats(0.0, 1.0),
)
PLAIN = Terms(PUT, 90.0, 100.0, 1.0, 0.05, 0.01, 0.25)


def price(terms: Terms, steps: int = STEPS) -> float:
    return float(american_price(terms, steps))


def test_price_when_terms_vary_widely_equals_quantlib() -> None:
    signs, strikes, days, rates, dividends, volatilities = np.array(GRID).T
    own = american_price(Terms(signs, 100.0, strikes, days / 365, rates, dividends, volatilities))
    theirs = [american(sign, 100.0, strike, int(day), *rest) for sign, strike, day, *rest in GRID]
    np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-3)


def test_price_when_years_are_many_equals_quantlib_to_a_cent() -> None:
    grid = list(product((CALL, PUT), (60.0, 100.0, 160.0), (730, 1825), (0.01, 0.08), (0.0, 0.05), (0.15, 0.7)))
    signs, strikes, days, *rest = np.array(grid).T
    own = american_price(Terms(signs, 100.0, strikes, days / 365, *rest))
    theirs = [american(sign, 100.0, strike, int(day), *terms) for sign, strike, day, *terms in grid]
    np.testing.assert_allclose(own, theirs, rtol=0, atol=1e-2)


@settings(deadline=None)
@given(TERMS)
def test_price_when_terms_are_any_is_above_exercise_and_the_european_one(terms: Terms) -> None:
    found = price(terms)
    assert np.isfinite(found)
    assert found >= float(value(terms).price)
    assert found >= max(float(terms.sign * (terms.spot - terms.strike)), 0.0)
    growth = exp(0.03 * 2)
    assert found <= (float(terms.spot) if terms.sign == CALL else float(terms.strike)) * growth + 1e-6


@settings(deadline=None)
@given(TERMS)
def test_call_when_nothing_is_paid_out_and_money_costs_is_european(terms: Terms) -> None:
    free = replace(terms, sign=CALL, dividend_yield=0.0, rate=abs(float(terms.rate)))
    assert price(free) == pytest.approx(float(value(free).price), abs=2e-2)


@settings(deadline=None)
@given(TERMS)
def test_call_when_share_and_money_change_places_is_a_put(terms: Terms) -> None:
    call = replace(terms, sign=CALL)
    put = Terms(PUT, call.strike, call.spot, call.years, call.dividend_yield, call.rate, call.volatility)
    assert price(call, 201) == pytest.approx(price(put, 201), abs=0.05)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"years": 0.0}, 10.0),
        ({"years": 0.0, "sign": CALL}, 0.0),
        ({"spot": 0.0}, 100.0),
        ({"spot": 0.0, "sign": CALL}, 0.0),
        ({"volatility": 0.0}, 10.0),
        ({"volatility": 0.0, "rate": -0.05}, 100 * exp(0.05) - 90 * exp(-0.01)),
        # A share that pays more than money costs, and the other way round later: best at the turning point.
        ({"volatility": 0.0, "sign": CALL, "spot": 110.0, "rate": 0.1, "dividend_yield": 0.1}, 10.0),
        ({"spot": 1e-6}, 100 - 1e-6),
        ({"spot": 1e9, "sign": CALL}, 1e9 - 100),
    ],
)
def test_price_when_nothing_is_left_to_chance_is_certain(changes: dict[str, Any], expected: float) -> None:
    terms = replace(PLAIN, **changes)
    best = max(expected, float(terms.sign * (terms.spot - terms.strike)))
    assert price(terms) == pytest.approx(best, rel=1e-9)


def test_price_when_a_certain_path_pays_best_between_now_and_the_end_waits_for_that_moment() -> None:
    terms = Terms(CALL, 100.0, 50.0, 5.0, 0.2, 0.1, 0.0)  # d/dt of 100 e^-0.1t - 50 e^-0.2t is 0 where e^-0.1t = 1
    assert price(terms) == pytest.approx(50.0)
    later = replace(terms, strike=80.0)  # e^-0.1t = 10 / 16
    turn = np.log(1.6) / 0.1
    assert price(later) == pytest.approx(100 * exp(-0.1 * turn) - 80 * exp(-0.2 * turn), rel=1e-9)


@pytest.mark.parametrize("steps", [-1, 3, 4, 100])
def test_price_when_the_tree_has_no_middle_is_refused(steps: int) -> None:
    with pytest.raises(InvalidError, match="steps"):
        american_price(PLAIN, steps)


def test_price_when_a_term_is_nan_is_refused() -> None:
    with pytest.raises(InvalidError, match="finite"):
        american_price(replace(PLAIN, volatility=nan))


def test_prices_when_asked_together_are_those_asked_alone() -> None:
    together = american_price(replace(PLAIN, strike=np.array([80.0, 100.0]), years=np.array([[0.0], [1.0]])), STEPS)
    assert together.shape == (2, 2)
    assert together[1, 1] == price(PLAIN)
    assert together[0].tolist() == [0.0, 10.0]
