"""Performance against empyrical, and against what must hold of any returns."""

from math import isnan

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, MissingError
from shared.quant import performance
from shared.quant.performance import Floats

series = st.lists(st.floats(-0.2, 0.2), min_size=20, max_size=60).map(np.array)


def drawn(seed: int, count: int = 500) -> Floats:
    returns: Floats = np.random.Generator(np.random.PCG64(seed)).normal(0.0004, 0.013, count)
    return returns


@pytest.mark.parametrize("seed", range(5))
def test_measures_when_compared_with_empyrical_are_the_same(seed: int) -> None:
    returns, market = drawn(seed), drawn(seed + 100)
    measured = performance.measure(returns)
    assert measured.total_return == pytest.approx(empyrical.cum_returns_final(returns), rel=1e-9)
    assert measured.annual_return == pytest.approx(empyrical.annual_return(returns), rel=1e-9)
    assert measured.volatility == pytest.approx(empyrical.annual_volatility(returns), rel=1e-9)
    assert measured.sharpe == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-9)
    assert measured.sortino == pytest.approx(empyrical.sortino_ratio(returns), rel=1e-9)
    assert measured.calmar == pytest.approx(empyrical.calmar_ratio(returns), rel=1e-9)
    assert measured.max_drawdown == pytest.approx(empyrical.max_drawdown(returns), rel=1e-9)
    assert performance.alpha_beta(returns, market) == pytest.approx(empyrical.alpha_beta(returns, market), rel=1e-9)


@given(series)
def test_measures_when_returns_are_any_agree_with_empyrical_on_the_largest_fall(returns: Floats) -> None:
    assert performance.measure(returns).max_drawdown == pytest.approx(empyrical.max_drawdown(returns), abs=1e-9)


def test_measures_when_nothing_moves_are_not_numbers() -> None:
    measured = performance.measure(np.zeros(10))
    assert all(isnan(value) for value in (measured.sharpe, measured.sortino, measured.calmar))
    assert (measured.total_return, measured.max_drawdown, measured.drawdown_days) == (0.0, 0.0, 0)
    assert all(isnan(value) for value in performance.alpha_beta(drawn(1, 10), np.zeros(10)))


@pytest.mark.parametrize("each", [0.001, -0.0123])
def test_measures_when_returns_are_all_the_same_are_not_numbers(each: float) -> None:
    same = np.full(10, each)
    measured = performance.measure(same)
    assert measured.volatility == 0
    assert isnan(measured.sharpe)
    assert all(isnan(value) for value in performance.alpha_beta(drawn(1, 10), same))


def test_longest_drawdown_when_it_never_recovers_lasts_to_the_end() -> None:
    assert performance.longest_drawdown(np.array([1.0, 0.9, 1.1, 1.0, 1.05, 1.09])) == 3


def test_measures_when_there_is_no_return_are_missing() -> None:
    with pytest.raises(MissingError, match="returns"):
        performance.measure(np.array([]))


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, -2.0]])
def test_returns_when_values_are_too_few_or_not_above_zero_are_refused(values: list[float]) -> None:
    with pytest.raises(InvalidError):
        performance.returns_of(np.array(values))


def test_interval_when_the_seed_is_the_same_is_the_same_and_holds_the_measure() -> None:
    returns = drawn(7)
    low, high = performance.interval(returns, performance.sharpe, 11)
    assert (low, high) == performance.interval(returns, performance.sharpe, 11)
    assert (low, high) != performance.interval(returns, performance.sharpe, 12)
    assert low < performance.sharpe(returns) < high


def test_interval_when_returns_are_independent_covers_the_mean_about_as_often_as_it_says() -> None:
    hits = 0
    for seed in range(100):
        low, high = performance.interval(drawn(seed, 250), lambda drawn: float(drawn.mean()), seed)
        hits += low <= 0.0004 <= high
    assert 80 <= hits <= 98
