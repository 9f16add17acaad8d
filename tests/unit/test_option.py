"""European options against QuantLib, the laws that hold without any model, and their degenerate inputs."""

from dataclasses import replace
from itertools import product
from math import exp, inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidError
from shared.quant.option import CALL, PUT, Terms, Valuation, normal_cdf, value
from tests.unit.quantlib_price import european

GRID = list(
    product(
        (CALL, PUT),
        (20.0, 100.0, 450.0),
        (0.5, 0.8, 0.95, 1.0, 1.05, 1.25, 2.0),
        (1, 30, 182, 730),
        (-0.01, 0.03, 0.1),
        (-0.01, 0.0, 0.04),
        (0.05, 0.2, 0.6, 1.5),
    )
)
PLAIN = Terms(CALL, 100.0, 105.0, 0.5, 0.03, 0.01, 0.25)

money = st.floats(1.0, 500.0)
TERMS = st.builds(
    Terms,
    st.sampled_from([CALL, PUT]),
    money,
    money,
    st.floats(0.0, 3.0),
    st.floats(-0.05, 0.15),
    st.floats(-0.05, 0.15),
    st.floats(0.0, 2.0),
)
FEW = settings(deadline=None)


def price(terms: Terms) -> float:
    return float(value(terms).price)


def changed(terms: Terms, **changes: Any) -> Terms:
    return replace(terms, **changes)


@pytest.mark.parametrize("name", ["price", "delta", "gamma", "vega", "theta", "rho"])
def test_value_when_terms_vary_widely_equals_quantlib(name: str) -> None:
    signs, spots, shares, days, rates, dividends, volatilities = np.array(GRID).T
    own = value(Terms(signs, spots, spots * shares, days / 365, rates, dividends, volatilities))
    theirs = [european(sign, spot, spot * share, int(day), *rest)[name] for sign, spot, share, day, *rest in GRID]
    np.testing.assert_allclose(getattr(own, name), theirs, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("sign", [CALL, PUT])
@pytest.mark.parametrize("strike", [80.0, 100.0, 130.0])
def test_cross_greeks_when_compared_with_differences_of_quantlib_s_agree(sign: float, strike: float) -> None:
    own = value(Terms(sign, 100.0, strike, 182 / 365, 0.03, 0.01, 0.25))
    up, down = (european(sign, 100.0, strike, 182, 0.03, 0.01, 0.25 + bump) for bump in (1e-5, -1e-5))
    assert float(own.vanna) == pytest.approx((up["delta"] - down["delta"]) / 2e-5, rel=1e-6)
    assert float(own.volga) == pytest.approx((up["vega"] - down["vega"]) / 2e-5, rel=1e-6)


@FEW
@given(TERMS)
def test_call_and_put_when_of_one_strike_differ_by_the_forward(terms: Terms) -> None:
    call, put = value(changed(terms, sign=CALL)), value(changed(terms, sign=PUT))
    held = terms.spot * np.exp(-terms.dividend_yield * terms.years)
    owed = terms.strike * np.exp(-terms.rate * terms.years)
    assert float(call.price - put.price) == pytest.approx(float(held - owed), abs=1e-9)
    assert float(call.gamma - put.gamma) == pytest.approx(0, abs=1e-9)
    assert float(call.vega - put.vega) == pytest.approx(0, abs=1e-9)


@FEW
@given(TERMS)
def test_value_when_terms_are_any_is_finite_and_within_its_bounds(terms: Terms) -> None:
    found = value(terms)
    assert all(np.isfinite(number) for number in found)
    held, owed = (
        terms.spot * exp(-terms.dividend_yield * terms.years),
        terms.strike * exp(-terms.rate * terms.years),
    )
    least = max(float(terms.sign * (held - owed)), 0.0)
    most = float(held if terms.sign == CALL else owed)
    assert least * (1 - 1e-12) - 1e-12 <= found.price <= most * (1 + 1e-12)
    assert 0 <= float(terms.sign * found.delta) <= exp(0.15 * 3)
    assert found.gamma >= 0
    assert found.vega >= 0


@FEW
@given(TERMS, st.floats(0.01, 1.0))
def test_price_when_volatility_rises_does_not_fall(terms: Terms, more: float) -> None:
    assert price(changed(terms, volatility=terms.volatility + more)) >= price(terms) - 1e-9


@FEW
@given(TERMS, st.floats(0.1, 100.0))
def test_price_when_the_strike_rises_falls_for_calls_and_rises_for_puts(terms: Terms, more: float) -> None:
    change = price(changed(terms, strike=terms.strike + more)) - price(terms)
    assert -1e-9 <= -terms.sign * change <= more * exp(0.05 * 3) + 1e-9


@FEW
@given(TERMS, st.floats(0.01, 0.9))
def test_price_when_strikes_are_between_two_lies_below_their_chord(terms: Terms, share: float) -> None:
    low, high = 0.7 * terms.strike, 1.4 * terms.strike
    middle = share * low + (1 - share) * high
    chord = share * price(changed(terms, strike=low)) + (1 - share) * price(changed(terms, strike=high))
    assert price(changed(terms, strike=middle)) <= chord + 1e-9


@FEW
@given(TERMS, st.floats(0.1, 10.0))
def test_price_when_money_is_counted_in_another_unit_scales(terms: Terms, unit: float) -> None:
    scaled = changed(terms, spot=terms.spot * unit, strike=terms.strike * unit)
    assert price(scaled) == pytest.approx(unit * price(terms), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (changed(PLAIN, years=0.0, spot=110.0), (5.0, 1.0, 0, 0, 0, 0, 0, 0)),
        (changed(PLAIN, years=0.0, spot=100.0), (0.0, 0.0, 0, 0, 0, 0, 0, 0)),
        (changed(PLAIN, years=0.0, spot=105.0), (0.0, 0.5, 0, 0, 0, 0, 0, 0)),
        (changed(PLAIN, years=0.0, spot=100.0, sign=PUT), (5.0, -1.0, 0, 0, 0, 0, 0, 0)),
    ],
)
def test_value_when_no_time_is_left_is_what_exercise_gives(terms: Terms, expected: tuple[float, ...]) -> None:
    assert [float(number) for number in value(terms)] == pytest.approx(list(expected), abs=1e-12)


@pytest.mark.parametrize(("spot", "sign"), [(120.0, CALL), (90.0, CALL), (90.0, PUT), (120.0, PUT)])
def test_value_when_nothing_varies_is_that_of_a_forward_or_nothing(spot: float, sign: float) -> None:
    found = value(changed(PLAIN, volatility=0.0, spot=spot, sign=sign))
    forward = sign * (spot * exp(-0.005) - 105 * exp(-0.015))
    alive = float(forward > 0)
    assert float(found.price) == pytest.approx(max(forward, 0.0))
    assert float(found.delta) == pytest.approx(sign * alive * exp(-0.005))
    assert [float(each) for each in (found.gamma, found.vega, found.vanna, found.volga)] == [0, 0, 0, 0]
    assert float(found.theta) == pytest.approx(alive * sign * (0.01 * spot * exp(-0.005) - 0.03 * 105 * exp(-0.015)))


def test_value_when_nothing_varies_at_the_forward_is_halfway() -> None:
    found = value(Terms(CALL, 100.0, 100.0, 1.0, 0.0, 0.0, 0.0))
    assert [float(each) for each in (found.price, found.delta, found.gamma)] == [0, 0.5, 0]
    assert float(found.vega) == pytest.approx(39.894, abs=1e-3)


@pytest.mark.parametrize(("sign", "worth"), [(CALL, 0.0), (PUT, 105 * exp(-0.015))])
def test_value_when_the_share_is_worthless_is_certain(sign: float, worth: float) -> None:
    found = value(changed(PLAIN, spot=0.0, sign=sign))
    assert float(found.price) == pytest.approx(worth)
    assert [float(each) for each in (found.gamma, found.vega, found.vanna, found.volga)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {name: bad}
            for name in ("spot", "strike", "years", "rate", "dividend_yield", "volatility")
            for bad in (nan, inf)
        ),
        {"spot": -1.0},
        {"strike": 0.0},
        {"strike": -1.0},
        {"years": -0.1},
        {"volatility": -0.1},
        {"sign": 0.5},
        {"rate": 250.0},
        {"dividend_yield": -250.0},
        {"spot": np.ones(2), "strike": np.ones(3)},
    ],
)
def test_value_when_a_term_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="option"):
        value(changed(PLAIN, **changes))


def test_value_when_terms_are_arrays_has_their_common_shape() -> None:
    found = value(changed(PLAIN, strike=np.array([[90.0], [110.0]]), volatility=np.array([0.1, 0.2, 0.3])))
    assert {number.shape for number in found} == {(2, 3)}
    assert float(found.price[1, 2]) == price(changed(PLAIN, strike=110.0, volatility=0.3))
    assert value(changed(PLAIN, strike=np.empty(0))).price.shape == (0,)
    assert isinstance(found, Valuation)


def test_normal_cdf_when_far_in_the_lower_tail_keeps_its_digits() -> None:
    assert float(normal_cdf(np.array(-20.0))) == pytest.approx(2.7536241186062337e-89, rel=1e-12)


def test_price_when_rounding_would_make_it_less_than_nothing_is_nothing() -> None:
    # Without its bounds the formula gives -1e-30 or so here.
    far = Terms(
        CALL,
        92.244040655742,
        250.21153338973104,
        2.3339116496376757,
        0.017922734421063763,
        -0.039665693434961805,
        0.0147,
    )
    near = replace(far, volatility=0.014727681926902735)
    assert price(far) >= 0
    assert price(near) >= 0
