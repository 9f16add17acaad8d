"""Contributions to risk against numpy's covariance, differences and scipy's regression; Euler's law; odd input."""

import numpy as np
import pytest
from bokeh_sampledata.stocks import AAPL, IBM, MSFT
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from shared.errors import InvalidError, MissingError
from shared.quant.contribution import beta, concentration_hhi, marginal_vars
from shared.quant.risk import portfolio_returns, returns_from_closes
from shared.quant.value_at_risk import ewma_var

type Floats = NDArray[np.float64]

RETURN = st.floats(-0.5, 0.5).map(lambda value: round(value, 6))
PANELS = st.integers(20, 60).flatmap(lambda count: arrays(np.float64, (count, 3), elements=RETURN))
WEIGHTS = arrays(np.float64, 3, elements=st.floats(0, 1).map(lambda value: round(value, 4)))
HISTORIES = st.integers(20, 60).flatmap(lambda count: arrays(np.float64, count, elements=RETURN))


def real_returns() -> Floats:
    closes = np.column_stack([stock["adj_close"] for stock in (AAPL, IBM, MSFT)])
    return returns_from_closes(closes)[-250:]


def test_marginals_when_prices_are_real_are_those_of_numpys_covariance() -> None:
    returns, weights = real_returns(), np.array([0.5, 0.3, 0.1])
    decayed = 0.94 ** np.arange(250)[::-1]
    covariance = np.cov(np.vstack([returns, -returns]).T, aweights=np.tile(decayed, 2), ddof=0)
    expected = stats.norm.ppf(0.95) * covariance @ weights / np.sqrt(weights @ covariance @ weights)
    np.testing.assert_allclose(marginal_vars(weights, returns, 0.95), expected, rtol=1e-9)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_marginals_when_a_weight_grows_are_how_the_value_at_risk_does(level: float) -> None:
    returns, weights, step = real_returns(), np.array([0.5, 0.3, 0.1]), 1e-5
    for place, found in enumerate(marginal_vars(weights, returns, level)):
        bump = step * np.eye(3)[place]
        up, down = (ewma_var(portfolio_returns(weights + by, returns), level) for by in (bump, -bump))
        assert found == pytest.approx((up - down) / (2 * step), rel=1e-6)


@given(PANELS, WEIGHTS, st.sampled_from([0.75, 0.95, 0.99]))
def test_components_when_added_are_the_value_at_risk(returns: Floats, weights: Floats, level: float) -> None:
    components = weights * marginal_vars(weights, returns, level)
    whole = ewma_var(portfolio_returns(weights, returns), level)
    assert components.sum() == pytest.approx(whole, rel=1e-9, abs=1e-12)


@given(PANELS, WEIGHTS, st.floats(0.1, 10))
def test_marginals_when_all_weights_are_scaled_stay(returns: Floats, weights: Floats, factor: float) -> None:
    assume(np.abs(returns @ weights).max() > 1e-6)
    scaled = marginal_vars(weights * factor, returns, 0.95)
    np.testing.assert_allclose(scaled, marginal_vars(weights, returns, 0.95), rtol=1e-9, atol=1e-12)


def test_marginals_when_nothing_moves_or_is_held_are_zero() -> None:
    assert marginal_vars(np.array([0.5, 0.5]), np.zeros((20, 2)), 0.95).tolist() == [0, 0]
    assert marginal_vars(np.zeros(3), real_returns(), 0.95).tolist() == [0, 0, 0]
    assert marginal_vars(np.empty(0), np.empty((20, 0)), 0.95).tolist() == []


def test_marginals_when_two_assets_are_the_same_are_the_same() -> None:
    twice = np.repeat(real_returns()[:, :1], 2, axis=1)
    first, second = marginal_vars(np.array([0.3, 0.3]), twice, 0.95)
    assert first == second == pytest.approx(ewma_var(twice[:, 0], 0.95))


@pytest.mark.parametrize(
    ("weights", "returns", "level"),
    [([np.nan], np.zeros((20, 1)), 0.95), ([1.0], np.full((20, 1), np.inf), 0.95), ([1.0], np.zeros((20, 2)), 0.95)],
    ids=["weight", "return", "shape"],
)
def test_marginals_when_input_is_bad_are_refused(weights: list[float], returns: Floats, level: float) -> None:
    with pytest.raises(InvalidError):
        marginal_vars(np.array(weights), returns, level)


def test_marginals_when_level_or_history_is_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidError, match="level"):
        marginal_vars(np.ones(1), np.zeros((20, 1)), 1.0)
    with pytest.raises(MissingError):
        marginal_vars(np.ones(1), np.zeros((19, 1)), 0.95)


def test_beta_when_prices_are_real_is_scipys_slope() -> None:
    returns = real_returns()
    expected = stats.linregress(returns.mean(axis=1), returns[:, 0]).slope
    assert beta(returns[:, 0], returns.mean(axis=1)) == pytest.approx(expected, rel=1e-9)


@given(HISTORIES, st.floats(-3, 3), st.floats(-0.1, 0.1))
def test_beta_when_returns_follow_the_market_is_the_factor(market: Floats, factor: float, drift: float) -> None:
    assume(market.std() > 1e-3)
    assert beta(factor * market + drift, market) == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.013, -0.017])
def test_beta_when_the_market_or_the_portfolio_never_moves_is_zero(constant: float) -> None:
    returns, flat = real_returns()[:, 0], np.full(250, constant)
    assert beta(returns, flat) == 0
    assert beta(flat, returns) == pytest.approx(0, abs=1e-15)


def test_beta_when_input_is_bad_is_refused() -> None:
    with pytest.raises(InvalidError):
        beta(np.zeros(20), np.zeros(21))
    with pytest.raises(InvalidError):
        beta(np.full(20, np.nan), np.zeros(20))
    with pytest.raises(MissingError):
        beta(np.zeros(1), np.zeros(1))


def test_concentration_when_weights_are_known_is_the_sum_of_squares() -> None:
    assert concentration_hhi(np.array([0.5, 0.5])) == 0.5
