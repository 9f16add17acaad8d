"""Forecast distributions: equal to `arch`, lawful, and with a stated answer for what is no history."""

from functools import cache

import numpy as np
import pytest
from arch import arch_model
from arch.univariate.recursions import garch_recursion
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared.errors import InvalidError, MissingError
from shared.quant.draw import FUTURES
from shared.quant.forecast import (
    ALPHA,
    BETA,
    LEAST_RETURNS,
    Filtered,
    Floats,
    conditional_variances,
    expected_shortfall,
    filter_returns,
    log_returns,
    quantiles,
    simulate,
)

HORIZONS = (1, 5, 21)
RETURNS = arrays(np.float64, st.integers(1, 400), elements=st.floats(-0.5, 0.5, allow_subnormal=False))
WEIGHTS = st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)).filter(lambda pair: sum(pair) <= 1)


@cache
def a_history(count: int = 750) -> Floats:
    """Returns whose volatility clusters, with fat tails."""
    generator = np.random.Generator(np.random.Philox(key=7))
    draws = generator.standard_t(5, count) * np.sqrt(3 / 5)
    returns, variance = np.empty(count), 4e-4
    for day, draw in enumerate(draws):
        returns[day] = np.sqrt(variance) * draw
        variance = 0.03 * 4e-4 + 0.07 * returns[day] ** 2 + 0.90 * variance
    return returns


def test_log_returns_when_prices_double_are_log_two_each() -> None:
    assert log_returns(np.array([1.0, 2.0, 4.0])) == pytest.approx([np.log(2)] * 2)
    assert log_returns(np.array([5.0])).size == 0


@pytest.mark.parametrize("closes", [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0], [[1.0], [2.0]]])
def test_log_returns_when_closes_are_no_prices_are_refused(closes: list[float]) -> None:
    with pytest.raises(InvalidError):
        log_returns(np.array(closes))


@pytest.mark.parametrize(("alpha", "beta"), [(ALPHA, BETA), (0.06, 0.94), (0.2, 0.5), (0.0, 0.0), (0.3, 0.0)])
def test_variances_when_recursed_by_arch_are_the_same(alpha: float, beta: float) -> None:
    returns, level = a_history(), 3e-4
    parameters = np.array([(1 - alpha - beta) * level, alpha, beta])
    bounds = np.ones((returns.size + 1, 2)) * np.array([0.0, 1e6])
    # arch's own first variance is omega + (alpha + beta) * backcast, which is the level for a backcast of the level.
    theirs = garch_recursion(
        parameters, np.append(returns, 0.0) ** 2, np.sign(np.append(returns, 0.0)), np.empty(returns.size + 1), 1, 0, 1,
        returns.size + 1, level, bounds,
    )  # fmt: skip
    assert conditional_variances(returns, level, alpha, beta) == pytest.approx(theirs, rel=1e-9)


def test_quantiles_when_bootstrapped_by_arch_from_the_same_model_are_close() -> None:
    filtered = _undrifted(filter_returns(a_history()))
    model = arch_model(a_history() - a_history().mean(), mean="Zero", vol="GARCH", rescale=False)
    level = filtered.long_run_variance
    fixed = model.fix([(1 - ALPHA - BETA) * level, ALPHA, BETA])
    forecast = fixed.forecast(
        horizon=21, method="bootstrap", simulations=100_000, random_state=np.random.RandomState(3), reindex=False
    )
    paths = forecast.simulations.values
    assert paths is not None
    theirs = np.expm1(np.cumsum(paths[-1], axis=1))
    ours = np.concatenate(simulate([filtered] * 50, HORIZONS, range(50)), axis=1)
    # arch leaves the residuals' mean and variance as they are. Of one day the law is as discrete as the history, and
    # `test_simulation_when_it_is_of_one_day_draws_the_history_at_todays_volatility` has it exactly.
    for row, horizon in list(zip(ours, HORIZONS, strict=True))[1:]:
        for level in (0.05, 0.25, 0.5, 0.75, 0.95):
            spread = theirs[:, horizon - 1].std()
            assert np.quantile(row, level) == pytest.approx(
                np.quantile(theirs[:, horizon - 1], level), abs=0.06 * spread
            )


def test_variance_when_simulated_is_the_analytic_forecast_of_arch() -> None:
    filtered = _undrifted(filter_returns(a_history()))
    model = arch_model(a_history() - a_history().mean(), mean="Zero", vol="GARCH", rescale=False)
    fixed = model.fix([(1 - ALPHA - BETA) * filtered.long_run_variance, ALPHA, BETA])
    theirs = fixed.forecast(horizon=21, reindex=False).variance.values[-1].cumsum()
    draws = np.log1p(np.concatenate(simulate([filtered] * 20, HORIZONS, range(20)), axis=1))
    for row, horizon in zip(draws, HORIZONS, strict=True):
        assert row.var() == pytest.approx(theirs[horizon - 1], rel=0.05)


@given(RETURNS, WEIGHTS, st.floats(0, 1))
def test_variances_when_summed_in_passes_equal_the_recursion(
    returns: Floats, weights: tuple[float, float], level: float
) -> None:
    alpha, beta = weights
    expected = [level]
    for each in returns:
        expected.append((1 - alpha - beta) * level + alpha * each**2 + beta * expected[-1])
    assert conditional_variances(returns, level, alpha, beta) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_filter_when_history_is_regular_gives_residuals_of_unit_variance() -> None:
    filtered = filter_returns(a_history())
    assert filtered.residuals.mean() == pytest.approx(0, abs=1e-12)
    assert filtered.residuals.std() == pytest.approx(1)
    assert filtered.long_run_variance == pytest.approx(a_history().var())
    assert filtered.drift == pytest.approx(a_history().mean() * 750 / (750 + 2520))


def test_filter_when_volatility_clusters_makes_squares_less_alike() -> None:
    squares, filtered = a_history() ** 2, filter_returns(a_history()).residuals ** 2
    assert abs(_autocorrelation(filtered)) < abs(_autocorrelation(squares)) / 2


def test_filter_when_the_last_days_were_wild_expects_more_of_tomorrow() -> None:
    calm = np.tile([0.01, -0.01], 200)
    wild = np.concatenate([calm, [0.08, -0.08]])
    assert filter_returns(wild).next_variance > 3 * filter_returns(calm).next_variance
    assert filter_returns(calm).next_variance == pytest.approx(1e-4)


def test_filter_when_returns_are_scaled_scales_with_them() -> None:
    one, twice = filter_returns(a_history()), filter_returns(2 * a_history())
    assert twice.next_variance == pytest.approx(4 * one.next_variance)
    assert twice.residuals == pytest.approx(one.residuals)


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, -0.01] * 124 + [0.01], [0.0] * 300, [0.002] * 300])
def test_filter_when_history_says_nothing_is_missing(returns: list[float]) -> None:
    with pytest.raises(MissingError):
        filter_returns(np.array(returns))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_filter_when_a_return_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(InvalidError):
        filter_returns(np.append(a_history(), wrong))


@pytest.mark.parametrize(("alpha", "beta"), [(-0.1, 0.5), (0.5, 0.6), (1.0, 0.0), (np.nan, 0.5)])
def test_filter_when_weights_are_out_of_range_is_refused(alpha: float, beta: float) -> None:
    with pytest.raises(InvalidError):
        filter_returns(a_history(), alpha, beta)


def test_filter_when_history_is_just_enough_answers() -> None:
    assert filter_returns(a_history(LEAST_RETURNS)).residuals.size == LEAST_RETURNS


def test_gap_when_a_price_jumps_is_one_return_that_fades() -> None:
    jumped = a_history().copy()
    jumped[-1] += 0.4
    soon = filter_returns(jumped)
    later = filter_returns(np.concatenate([jumped, a_history()[:120]]))
    assert soon.next_variance > 5 * later.next_variance


@given(st.integers(0, 2**128 - 1))
def test_simulation_when_the_seed_is_the_same_is_the_same(seed: int) -> None:
    filtered = filter_returns(a_history())
    sample, other = simulate([filtered] * 2, HORIZONS, [seed, seed ^ 1])
    assert sample.shape == (3, FUTURES)
    assert (np.diff(sample, axis=1) >= 0).all()
    assert (sample > -1).all()
    assert (sample == simulate([filtered], HORIZONS, [seed])[0]).all()
    assert (sample != other).any()


def test_simulation_when_others_are_drawn_beside_it_is_the_same() -> None:
    one, other = filter_returns(a_history()), filter_returns(a_history(400))
    both = simulate([one, other], HORIZONS, [5, 6])
    assert (both[0] == simulate([one], HORIZONS, [5])[0]).all()
    assert (both[1] == simulate([other], HORIZONS, [6])[0]).all()


def test_simulation_when_it_is_of_one_day_draws_the_history_at_todays_volatility() -> None:
    filtered = filter_returns(a_history())
    possible = np.expm1(filtered.drift + np.sqrt(filtered.next_variance) * np.sort(filtered.residuals))
    sample = simulate([filtered], (1,), [5])[0, 0]
    counts = [np.isclose(sample, each, rtol=1e-9, atol=0).sum() for each in possible]
    assert sum(counts) == FUTURES
    assert set(counts) == {FUTURES // 750, FUTURES // 750 + 1}


def test_simulation_when_compared_with_twice_as_many_independent_draws_errs_less() -> None:
    filtered, generator = filter_returns(a_history()), np.random.Generator(np.random.Philox(key=3))
    ours = simulate([filtered] * 96, HORIZONS, range(96))
    chance = [_drawn_by_chance(filtered, generator) for _ in range(96)]
    for figure in (
        lambda samples: quantiles(samples, (0.01, 0.05, 0.5, 0.95, 0.99)),
        lambda samples: samples.std(axis=-1),
    ):
        mine, theirs = np.std(figure(ours), axis=0), np.std([figure(each) for each in chance], axis=0)
        assert (mine < 1.1 * theirs).all(), mine / theirs
        assert (mine / theirs).mean() < 0.5


def test_simulation_when_today_is_calm_widens_faster_than_when_it_is_wild() -> None:
    filtered, ratios = filter_returns(a_history()), list[float]()
    for factor in (0.25, 4.0):
        state = Filtered(0.0, filtered.long_run_variance, factor * filtered.long_run_variance, filtered.residuals)
        near, far = simulate([state], (1, 21), [9])[0]
        ratios.append(far.std() / near.std())
    assert ratios[0] > np.sqrt(21) > ratios[1]


@pytest.mark.parametrize(
    ("horizons", "seeds"), [((), [1]), ((0,), [1]), ((5, 1), [1]), ((1, 1), [1]), ((1,), [-1]), ((1,), [1, 2])]
)
def test_simulation_when_asked_for_nonsense_is_refused(horizons: tuple[int, ...], seeds: list[int]) -> None:
    with pytest.raises(InvalidError):
        simulate([filter_returns(a_history())], horizons, seeds)


@given(arrays(np.float64, (2, 7), elements=st.floats(-1, 1)), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_when_compared_with_numpy_are_the_same(drawn: Floats, levels: list[float]) -> None:
    samples = np.sort(drawn, axis=1)
    expected = np.quantile(samples, levels, axis=1, method="hazen").T
    assert quantiles(samples, levels) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_expected_shortfall_when_the_tail_is_whole_is_its_mean() -> None:
    sample = np.sort(a_history(400))
    assert expected_shortfall(sample, 0.95) == pytest.approx(-sample[:20].mean())
    assert expected_shortfall(np.array([-0.2, 0.1]), 0.95) == pytest.approx(0.2)


@pytest.mark.parametrize(("sample", "level"), [([], 0.95), ([0.1], 0.4), ([0.1], 1.0), ([0.1], np.nan)])
def test_expected_shortfall_when_there_is_no_tail_is_refused(sample: list[float], level: float) -> None:
    with pytest.raises(InvalidError):
        expected_shortfall(np.array(sample), level)


def _drawn_by_chance(filtered: Filtered, generator: np.random.Generator) -> Floats:
    total, variance, reached = np.zeros(2_000), np.full(2_000, filtered.next_variance), list[Floats]()
    for day in range(1, HORIZONS[-1] + 1):
        shock = np.sqrt(variance) * generator.choice(filtered.residuals, 2_000)
        total = total + filtered.drift + shock
        variance = (1 - ALPHA - BETA) * filtered.long_run_variance + ALPHA * shock**2 + BETA * variance
        if day in HORIZONS:
            reached.append(np.expm1(np.sort(total)))
    return np.array(reached)


def _undrifted(filtered: Filtered) -> Filtered:
    return Filtered(0.0, filtered.long_run_variance, filtered.next_variance, filtered.residuals)


def _autocorrelation(values: Floats) -> float:
    return float(np.mean([np.corrcoef(values[lag:], values[:-lag])[0, 1] for lag in range(1, 11)]))
