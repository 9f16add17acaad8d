"""Stress and liquidity: the stored episode against the recording, losses against a plain loop, laws, and odd input."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from bokeh_sampledata.stocks import AAPL, GOOG, IBM, MSFT
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from shared.errors import InvalidError, MissingError
from shared.quant.liquidity import days_to_liquidate
from shared.quant.risk import portfolio_returns
from shared.quant.stress import autumn_2008, correlation_one_var, deepest_loss, volatility_up_var
from shared.quant.value_at_risk import ewma_var

type Floats = NDArray[np.float64]

RECORDED = {"AAPL": AAPL, "GOOG": GOOG, "IBM": IBM, "MSFT": MSFT}
RETURN = st.floats(-0.5, 0.5).map(lambda value: round(value, 6))
PANELS = st.integers(20, 60).flatmap(lambda count: arrays(np.float64, (count, 3), elements=RETURN))
WEIGHTS = arrays(np.float64, 3, elements=st.floats(0, 1).map(lambda value: round(value, 4)))
SHARES = st.floats(0, 1e12)


@pytest.mark.parametrize("symbol", RECORDED)
def test_episode_when_compared_with_the_recording_is_autumn_2008(symbol: str) -> None:
    closes = dict(zip(RECORDED[symbol]["date"], RECORDED[symbol]["adj_close"], strict=True))
    days = [day for day in closes if "2008-09-12" <= day <= "2008-11-20"]
    expected = [closes[today] / closes[before] - 1 for before, today in pairwise(days)]
    assert autumn_2008().days == tuple(days[1:])
    np.testing.assert_allclose(autumn_2008().of(symbol), expected, atol=5.1e-7)


def test_episode_when_a_symbol_is_not_in_it_is_the_mean_of_the_others() -> None:
    episode = autumn_2008()
    expected = sum(episode.returns[symbol] for symbol in RECORDED) / 4
    np.testing.assert_allclose(episode.of("XYZ"), expected, rtol=1e-12)


def by_loop(weights: Floats, returns: Floats) -> float:
    """Give the deepest loss by carrying each holding's value along."""
    values, cash, lowest = list(weights), 1 - sum(weights), 1.0
    for day in returns:
        values = [value * (1 + change) for value, change in zip(values, day, strict=True)]
        lowest = min(lowest, cash + sum(values))
    return 1 - lowest


@given(PANELS, WEIGHTS)
def test_deepest_loss_when_returns_are_any_is_that_of_a_plain_loop(returns: Floats, weights: Floats) -> None:
    assert deepest_loss(weights, returns) == pytest.approx(by_loop(weights, returns), rel=1e-9, abs=1e-9)


def test_deepest_loss_when_autumn_2008_comes_again_is_known() -> None:
    returns = autumn_2008().of("AAPL")[:, None]
    assert deepest_loss(np.ones(1), returns) == pytest.approx(0.459580, abs=1e-5)
    assert deepest_loss(np.array([0.5]), returns) == pytest.approx(0.459580 / 2, abs=1e-5)


def test_deepest_loss_when_nothing_is_held_or_nothing_falls_is_zero() -> None:
    assert deepest_loss(np.empty(0), np.empty((20, 0))) == 0
    assert deepest_loss(np.ones(1), np.empty((0, 1))) == 0
    assert deepest_loss(np.ones(1), np.full((5, 1), 0.1)) == 0


@pytest.mark.parametrize("loss", [deepest_loss, partial(correlation_one_var, level=0.95)])
def test_stress_when_input_is_bad_is_refused(loss: Callable[[Floats, Floats], float]) -> None:
    for weights, returns in (([np.nan], np.zeros((20, 1))), ([1.0], np.full((20, 1), np.nan)), ([1.0], np.zeros(20))):
        with pytest.raises(InvalidError):
            loss(np.array(weights), returns)


@given(PANELS, WEIGHTS)
def test_correlation_one_when_compared_is_never_below_the_value_at_risk(returns: Floats, weights: Floats) -> None:
    whole = ewma_var(portfolio_returns(weights, returns), 0.95)
    assert correlation_one_var(weights, returns, 0.95) >= whole - 1e-12


@given(PANELS, WEIGHTS)
def test_correlation_one_when_compared_with_a_matrix_of_ones_is_the_same(returns: Floats, weights: Floats) -> None:
    decayed = 0.94 ** np.arange(len(returns))[::-1]
    each = np.sqrt(np.average(returns**2, axis=0, weights=decayed)) * weights
    expected = stats.norm.ppf(0.95) * np.sqrt(each @ np.ones((3, 3)) @ each)
    assert correlation_one_var(weights, returns, 0.95) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_correlation_one_when_the_history_is_one_day_is_missing() -> None:
    with pytest.raises(MissingError):
        correlation_one_var(np.ones(1), np.zeros((1, 1)), 0.95)


def test_volatility_up_when_compared_is_three_times_the_value_at_risk() -> None:
    returns = autumn_2008().of("IBM")
    assert volatility_up_var(returns, 0.99) == pytest.approx(ewma_var(3 * returns, 0.99), rel=1e-12)
    assert volatility_up_var(np.zeros(20), 0.99) == 0


@pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.inf])
def test_volatility_up_when_the_factor_is_no_factor_is_refused(factor: float) -> None:
    with pytest.raises(InvalidError, match="factor"):
        volatility_up_var(np.zeros(20), 0.99, factor)


def test_days_to_liquidate_when_volume_is_known_are_its_tenths() -> None:
    assert days_to_liquidate(500, 1_000) == 5
    assert days_to_liquidate(500, 1_000, participation=1) == 0.5


@given(SHARES, st.floats(1, 1e12), st.floats(0.01, 1))
def test_days_to_liquidate_when_sold_so_long_leave_nothing(quantity: float, volume: float, part: float) -> None:
    assert days_to_liquidate(quantity, volume, part) * part * volume == pytest.approx(quantity, rel=1e-9)


def test_days_to_liquidate_when_nothing_is_traded_are_missing_unless_nothing_is_held() -> None:
    assert days_to_liquidate(0, 0) == 0
    with pytest.raises(MissingError):
        days_to_liquidate(1, 0)


@pytest.mark.parametrize(
    ("quantity", "volume", "part"),
    [(-1.0, 1.0, 0.1), (1.0, -1.0, 0.1), (np.nan, 1.0, 0.1), (1.0, np.inf, 0.1), (1.0, 1.0, 0.0), (1.0, 1.0, 1.1)],
)
def test_days_to_liquidate_when_input_is_bad_are_refused(quantity: float, volume: float, part: float) -> None:
    with pytest.raises(InvalidError):
        days_to_liquidate(quantity, volume, part)
