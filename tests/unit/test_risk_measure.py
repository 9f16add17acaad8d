"""The risk measures against definitions, numpy and scipy, their coherence laws, and their degenerate inputs."""

from collections.abc import Callable
from itertools import pairwise
from math import ceil, floor

import numpy as np
import pytest
from bokeh_sampledata.stocks import AAPL
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import signal, stats

from shared.errors import InvalidError, MissingError
from shared.quant.contribution import concentration_hhi
from shared.quant.risk import drawdown, ewma_volatility, max_drawdown, portfolio_returns, returns_from_closes
from shared.quant.value_at_risk import ewma_es, ewma_var, filtered_es, filtered_var, historical_es, historical_var

type Floats = NDArray[np.float64]
type Measure = Callable[[Floats, float], float]

MEASURES: list[Measure] = [historical_var, historical_es, ewma_var, ewma_es, filtered_var, filtered_es]
LEVELS = st.sampled_from([0.5, 0.75, 0.9, 0.95])
RETURN = st.floats(-0.5, 0.5).map(lambda value: round(value, 6))
HISTORIES = st.integers(20, 80).flatmap(lambda count: arrays(np.float64, count, elements=RETURN))
PAIRS = st.integers(20, 80).flatmap(lambda count: arrays(np.float64, (count, 2), elements=RETURN))


def apple_returns() -> Floats:
    return returns_from_closes(np.array(AAPL["adj_close"]))


def test_returns_when_closes_are_known_are_simple_fractions() -> None:
    np.testing.assert_allclose(returns_from_closes(np.array([100.0, 110.0, 99.0])), [0.1, -0.1], rtol=1e-12)


def test_returns_when_closes_have_columns_are_per_asset() -> None:
    closes = np.array([[100.0, 10.0], [110.0, 5.0], [99.0, 10.0]])
    np.testing.assert_allclose(returns_from_closes(closes), [[0.1, -0.5], [-0.1, 1.0]], rtol=1e-12)


@pytest.mark.parametrize("closes", [[], [100.0], np.empty((1, 3)) + 1, np.empty((0, 3))])
def test_returns_when_closes_are_fewer_than_two_are_missing(closes: Floats) -> None:
    with pytest.raises(MissingError):
        returns_from_closes(np.asarray(closes, dtype=np.float64))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_returns_when_a_close_is_no_price_are_refused(bad: float) -> None:
    with pytest.raises(InvalidError):
        returns_from_closes(np.array([100.0, bad, 99.0]))


@pytest.mark.parametrize("shape", [(), (2, 2, 2)])
def test_returns_when_closes_have_other_dimensions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidError):
        returns_from_closes(np.ones(shape))


def test_portfolio_returns_when_weights_leave_cash_count_it_as_zero() -> None:
    returns = np.array([[0.1, -0.2], [0.0, 0.4]])
    np.testing.assert_allclose(portfolio_returns(np.array([0.5, 0.25]), returns), [0.0, 0.1], atol=1e-15)


def test_portfolio_returns_when_all_is_cash_are_zero() -> None:
    assert portfolio_returns(np.empty(0), np.empty((5, 0))).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("weights", "returns"),
    [
        (np.ones(2), np.ones((5, 3))),
        (np.ones(5), np.ones(5)),
        (np.ones((2, 1)), np.ones((5, 2))),
        (np.ones((2, 1)), np.ones((5, 2, 1))),
        (np.array([np.nan, 1.0]), np.ones((5, 2))),
        (np.ones(2), np.full((5, 2), np.nan)),
    ],
)
def test_portfolio_returns_when_inputs_do_not_fit_are_refused(weights: Floats, returns: Floats) -> None:
    with pytest.raises(InvalidError):
        portfolio_returns(weights, returns)


@given(HISTORIES, LEVELS)
@settings(deadline=None)
def test_var_when_defined_as_generalised_inverse_is_the_smallest_such_loss(returns: Floats, level: float) -> None:
    losses = -returns
    expected = min(loss for loss in losses if (losses <= loss).mean() >= level)
    assert historical_var(returns, level) == expected


@given(HISTORIES, LEVELS)
@settings(deadline=None)
def test_es_when_tail_splits_an_observation_counts_its_part(returns: Floats, level: float) -> None:
    losses, tail = np.sort(-returns)[::-1], len(returns) * (1 - level)
    whole = floor(round(tail, 9))
    border = losses[whole] * (tail - whole) if whole < len(losses) else 0.0
    assert historical_es(returns, level) == pytest.approx((losses[:whole].sum() + border) / tail, abs=1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_historical_measures_when_history_is_real_equal_order_statistics(level: float) -> None:
    losses = np.sort(-apple_returns())
    var = losses[ceil(level * len(losses)) - 1]
    assert historical_var(apple_returns(), level) == var
    assert historical_es(apple_returns(), level) == pytest.approx(losses[losses >= var].mean(), rel=0.02)


def test_ewma_volatility_when_history_is_long_equals_the_riskmetrics_recursion() -> None:
    variances = signal.lfilter([0.06], [1.0, -0.94], apple_returns() ** 2)
    assert ewma_volatility(apple_returns()) == pytest.approx(variances[-1] ** 0.5, rel=1e-9)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_filtered_measures_when_history_is_real_equal_scipys_filter_and_order_statistics(level: float) -> None:
    returns = apple_returns()
    mean_square = np.mean(returns**2)
    driven = np.append(mean_square, 0.02 * mean_square + 0.05 * returns**2)
    variances = signal.lfilter([1.0], [1.0, -0.93], driven)
    losses = np.sort(-returns * np.sqrt(variances[-1] / variances[:-1]))
    var = losses[ceil(level * len(losses)) - 1]
    assert filtered_var(returns, level) == pytest.approx(var, rel=1e-9)
    assert filtered_es(returns, level) == pytest.approx(losses[losses >= var].mean(), rel=0.02)


def test_filtered_measures_when_volatility_rose_are_above_historical_ones() -> None:
    calm, wild = np.tile([0.01, -0.01], 100), np.tile([0.05, -0.05], 10)
    assert filtered_var(np.concatenate([calm, wild]), 0.9) > 1.5 * historical_var(np.concatenate([calm, wild]), 0.9)
    assert filtered_var(np.concatenate([wild, calm]), 0.9) == pytest.approx(0.01, rel=0.1)


def test_ewma_volatility_when_returns_are_equally_large_is_their_size() -> None:
    assert ewma_volatility(np.array([0.01, -0.01] * 10)) == pytest.approx(0.01, rel=1e-12)


def test_ewma_volatility_when_a_shock_is_recent_weighs_it_more() -> None:
    calm, shock = np.zeros(19), np.array([0.1])
    recent, old = np.concatenate([calm, shock]), np.concatenate([shock, calm])
    assert ewma_volatility(recent) / ewma_volatility(old) == pytest.approx(0.94 ** (-19 / 2), rel=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_ewma_measures_when_normal_equal_scipy(level: float) -> None:
    normal = stats.norm(scale=ewma_volatility(apple_returns()))
    quantile = normal.ppf(level)
    beyond = normal.expect(lambda loss: loss, lb=quantile, conditional=True)
    assert ewma_var(apple_returns(), level) == pytest.approx(quantile, rel=1e-9, abs=1e-15)
    assert ewma_es(apple_returns(), level) == pytest.approx(beyond, rel=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
@given(returns=HISTORIES)
@settings(deadline=None, max_examples=40)
def test_measure_when_level_rises_does_not_fall(measure: Measure, returns: Floats) -> None:
    values = [measure(returns, level) for level in (0.5, 0.6, 0.75, 0.9, 0.95)]
    assert all(after >= before - 1e-12 for before, after in pairwise(values))


@given(HISTORIES, LEVELS)
@settings(deadline=None)
def test_es_when_compared_with_var_is_not_below(returns: Floats, level: float) -> None:
    assert historical_es(returns, level) >= historical_var(returns, level)
    assert ewma_es(returns, level) >= ewma_var(returns, level) >= 0
    assert filtered_es(returns, level) >= filtered_var(returns, level)


@pytest.mark.parametrize("measure", MEASURES)
@given(returns=HISTORIES, level=LEVELS, factor=st.floats(0.01, 10))
@settings(deadline=None, max_examples=40)
def test_measure_when_position_is_scaled_scales(measure: Measure, returns: Floats, level: float, factor: float) -> None:
    assert measure(returns * factor, level) == pytest.approx(measure(returns, level) * factor, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("measure", [historical_var, historical_es])
@given(returns=HISTORIES, level=LEVELS, gain=st.floats(-0.5, 0.5))
@settings(deadline=None, max_examples=40)
def test_measure_when_a_sure_gain_is_added_falls_by_it(
    measure: Measure, returns: Floats, level: float, gain: float
) -> None:
    assert measure(returns + gain, level) == pytest.approx(measure(returns, level) - gain, abs=1e-12)


@pytest.mark.parametrize("measure", [historical_es, ewma_var, ewma_es])
@given(pair=PAIRS, level=LEVELS)
@settings(deadline=None, max_examples=40)
def test_measure_when_positions_are_joined_is_not_above_their_sum(measure: Measure, pair: Floats, level: float) -> None:
    joined = measure(portfolio_returns(np.ones(2), pair), level)
    assert joined <= measure(pair[:, 0], level) + measure(pair[:, 1], level) + 1e-12


def test_var_when_even_bad_days_gain_is_negative() -> None:
    assert historical_var(np.linspace(0.01, 0.02, 20), 0.95) == pytest.approx(-0.01 - 0.01 / 19, rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_measure_when_closes_are_constant_is_zero(measure: Measure) -> None:
    value = measure(returns_from_closes(np.full(21, 0.1)), 0.95)
    assert str(value) == "0.0"


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_measure_when_a_return_is_not_finite_is_refused(measure: Measure, bad: float) -> None:
    with pytest.raises(InvalidError):
        measure(np.append(np.zeros(100), bad), 0.95)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("level", [0.05, 1.0, 95.0, -0.95, float("nan")])
def test_measure_when_level_is_out_of_range_is_refused(measure: Measure, level: float) -> None:
    with pytest.raises(InvalidError):
        measure(np.zeros(500), level)


@pytest.mark.parametrize("measure", MEASURES)
def test_measure_when_returns_have_columns_is_refused(measure: Measure) -> None:
    with pytest.raises(InvalidError):
        measure(np.zeros((100, 2)), 0.95)


@pytest.mark.parametrize("measure", MEASURES)
def test_measure_when_history_is_short_is_missing(measure: Measure) -> None:
    assert measure(np.zeros(20), 0.95) == 0
    with pytest.raises(MissingError):
        measure(np.zeros(19), 0.5)


@pytest.mark.parametrize("measure", [historical_var, historical_es, filtered_var, filtered_es])
@pytest.mark.parametrize(("level", "needed"), [(0.95, 20), (0.975, 40), (0.99, 100), (0.999, 1_000)])
def test_historical_measure_when_no_observation_lies_in_the_tail_is_missing(
    measure: Measure, level: float, needed: int
) -> None:
    assert measure(np.zeros(needed), level) == 0
    with pytest.raises(MissingError):
        measure(np.zeros(needed - 1), level)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_ewma_volatility_when_decay_is_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(InvalidError):
        ewma_volatility(np.zeros(100), decay)


@pytest.mark.parametrize(
    ("weights", "expected"), [([], 0.0), ([1.0], 1.0), ([0.5], 0.25), ([0.25] * 4, 0.25), ([0.6, 0.3], 0.45)]
)
def test_concentration_when_weights_are_known_is_their_squared_sum(weights: list[float], expected: float) -> None:
    assert concentration_hhi(np.array(weights)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weights", [np.array([0.5, np.nan]), np.ones((2, 2))])
def test_concentration_when_weights_are_no_weights_is_refused(weights: Floats) -> None:
    with pytest.raises(InvalidError):
        concentration_hhi(weights)


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(-1, 1)))
@settings(deadline=None)
def test_drawdown_when_every_pair_is_compared_is_the_worst(returns: Floats) -> None:
    value = [1.0, *np.cumprod(1 + returns)]
    worst = max(1 - value[j] / value[i] for i in range(len(value)) for j in range(i, len(value)) if value[i])
    assert max_drawdown(returns) == pytest.approx(worst, abs=1e-12)
    assert 0 <= max_drawdown(returns) <= 1


@pytest.mark.parametrize(
    ("returns", "expected"),
    [([-0.2], 0.2), ([0.1, 0.1], 0.0), ([0.0], 0.0), ([-1.0, 0.5], 1.0), ([1.0, -0.5, -0.5, 1.0], 0.75)],
)
def test_drawdown_when_path_is_known_is_its_deepest_fall(returns: list[float], expected: float) -> None:
    assert max_drawdown(np.array(returns)) == pytest.approx(expected, rel=1e-12)


def test_drawdown_when_there_is_no_return_is_missing() -> None:
    with pytest.raises(MissingError):
        max_drawdown(np.empty(0))


@pytest.mark.parametrize("returns", [[0.1, np.nan], [-1.1], [[0.1], [0.2]]])
def test_drawdown_when_returns_are_impossible_is_refused(returns: list[float]) -> None:
    with pytest.raises(InvalidError):
        max_drawdown(np.array(returns))


def test_drawdown_when_prices_are_real_is_the_last_fall() -> None:
    returns = apple_returns()
    closes = np.concatenate(([1.0], np.cumprod(1 + returns)))
    assert drawdown(returns) == pytest.approx(1 - closes[-1] / max(closes), rel=1e-9)
    assert drawdown(np.array([-0.5, 1.0])) == 0
    assert drawdown(np.array([0.1, -0.5])) == 0.5


@given(HISTORIES)
def test_drawdown_when_compared_is_never_above_the_deepest(returns: Floats) -> None:
    assert 0 <= drawdown(returns) <= max_drawdown(returns)
