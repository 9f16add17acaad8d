"""Shares of a portfolio: against skfolio and scikit-learn, by their laws, and on degenerate input."""

import subprocess
import sys
from functools import partial

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skfolio.moments import EquilibriumMu
from skfolio.optimization import HierarchicalRiskParity, MeanRisk, ObjectiveFunction, RiskBudgeting
from skfolio.prior import BlackLitterman, EmpiricalPrior
from skfolio.seriation import HierarchicalSeriation
from sklearn.covariance import ledoit_wolf as sklearns

from shared.errors import InvalidError, MissingError
from shared.quant.allocation import (
    Constraints,
    hierarchical_risk_parity,
    mean_variance,
    min_variance,
    risk_parity,
)
from shared.quant.black_litterman import TAU, blend, implied_returns
from shared.quant.covariance import ledoit_wolf

type Floats = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.sampled_from([1, 2, 3, 7, 20, 50])
close = partial(np.testing.assert_allclose, rtol=0, atol=1e-4)
lawful = settings(max_examples=30, deadline=None)


def returns(seed: int, assets: int, days: int = 250) -> Floats:
    """Give returns with a common factor, of volatilities from 0.5 to 3 % a day."""
    chance = np.random.default_rng(seed)
    factor = chance.normal(0.0003, 0.01, (days, 1)) * chance.uniform(0.2, 1.5, assets)
    return factor + chance.normal(0, 1, (days, assets)) * chance.uniform(0.005, 0.03, assets)


def sample(history: Floats) -> Floats:
    return np.atleast_2d(np.cov(history.T))


@pytest.mark.parametrize(("assets", "days"), [(1, 250), (2, 2), (5, 30), (20, 250), (50, 40)])
def test_covariance_when_shrunk_is_scikit_learns(assets: int, days: int) -> None:
    history = returns(assets, assets, days)
    covariance, shrinkage = ledoit_wolf(history)
    expected, expected_shrinkage = sklearns(history)
    np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-15)
    assert shrinkage == pytest.approx(expected_shrinkage, abs=1e-9)


@pytest.mark.parametrize("each", [0.25, 0.1])
def test_covariance_when_nothing_varies_is_zero(each: float) -> None:
    covariance, shrinkage = ledoit_wolf(np.full((30, 3), each))
    assert not covariance.any()
    assert shrinkage == 0


@pytest.mark.parametrize(
    ("history", "error"),
    [
        (np.zeros((1, 3)), MissingError),
        (np.zeros((3, 0)), MissingError),
        (np.array([[1.0], [np.nan]]), InvalidError),
        (np.zeros(3), InvalidError),
        (np.zeros((3, 2, 2)), InvalidError),
    ],
    ids=["one observation", "no asset", "NaN", "one dimension", "three dimensions"],
)
def test_covariance_when_it_cannot_be_known_is_refused(history: Floats, error: type[Exception]) -> None:
    with pytest.raises(error):
        ledoit_wolf(history)


@pytest.mark.parametrize("assets", [3, 10, 50])
def test_min_variance_is_skfolios(assets: int) -> None:
    history = returns(assets, assets)
    expected = MeanRisk(max_weights=0.4).fit(history).weights_
    close(min_variance(sample(history), Constraints(max_weight=0.4)), expected)


@pytest.mark.parametrize("assets", [3, 10, 50])
def test_mean_variance_when_trading_costs_is_skfolios(assets: int) -> None:
    history = returns(assets, assets)
    current = np.full(assets, 0.8 / assets)
    model = MeanRisk(
        objective_function=ObjectiveFunction.MAXIMIZE_UTILITY,
        risk_aversion=3,
        max_weights=0.4,
        budget=None,
        min_budget=0.0,
        max_budget=0.95,
        transaction_costs=0.0001,
        previous_weights=current,
        max_standard_deviation=0.011,
        add_constraints=lambda weights: cvxpy.sum(cvxpy.abs(weights - current)) <= 0.5,  # type: ignore[attr-defined]
    )
    limits = Constraints(0.0, 0.95, 0.4, current, 0.5, 0.011)
    found = mean_variance(history.mean(axis=0), sample(history), 3, 0.0001, limits)
    close(found, model.fit(history).weights_)
    assert np.abs(found - current).sum() > 0.2


@pytest.mark.parametrize("assets", [3, 10, 50])
def test_risk_parity_is_skfolios(assets: int) -> None:
    history = returns(assets, assets)
    close(risk_parity(sample(history)), RiskBudgeting().fit(history).weights_)


@pytest.mark.parametrize("assets", [2, 3, 10, 50])
def test_hierarchical_risk_parity_is_skfolios(assets: int) -> None:
    history = returns(assets, assets)
    model = HierarchicalRiskParity(seriation_estimator=HierarchicalSeriation(optimal_ordering=False))
    close(hierarchical_risk_parity(sample(history)), model.fit(history).weights_)


def test_posterior_when_views_have_confidences_is_skfolios() -> None:
    history = returns(1, 5)
    covariance, weights = sample(history), np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    prior = implied_returns(covariance, weights, 1.5)
    model = BlackLitterman(
        views=["a == 0.002", "c == -0.001", "a == 0.0"],
        groups=[list("abcde")],
        tau=TAU,
        view_confidences=[0.3, 0.9, 0.5],
        prior_estimator=EmpiricalPrior(mu_estimator=EquilibriumMu(risk_aversion=3.0, weights=weights)),
    )
    expected = model.fit(history).return_distribution_
    views, confidences = np.array([0.002, -0.001, 0.0]), np.array([0.3, 0.9, 0.5])
    found = blend(covariance, prior, np.array([0, 2, 0]), views, confidences)
    np.testing.assert_allclose(found.mean, expected.mu, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-6)
    np.testing.assert_allclose(prior + found.contributions.sum(axis=0), found.mean, rtol=1e-12)


@given(seed=SEEDS, assets=SIZES, part=st.floats(0.01, 1))
@lawful
def test_posterior_when_there_is_one_view_goes_so_far_as_it_is_trusted(seed: int, assets: int, part: float) -> None:
    covariance = sample(returns(seed, assets))
    found = blend(covariance, np.zeros(assets), np.array([0]), np.array([0.01]), np.array([part]))
    assert found.mean[0] == pytest.approx(0.01 * part, rel=1e-6)
    assert np.linalg.eigvalsh(found.covariance).min() >= -1e-12


def test_posterior_when_two_views_of_an_asset_are_certain_is_between_them() -> None:
    covariance, prior = sample(returns(2, 3)), np.zeros(3)
    found = blend(covariance, prior, np.array([1, 1]), np.array([0.01, 0.03]), np.array([1.0, 1.0]))
    assert found.mean[1] == pytest.approx(0.02, rel=1e-6)


def test_posterior_when_there_is_no_view_is_what_the_weights_imply() -> None:
    covariance, weights = sample(returns(4, 6)), np.array([0.3, 0.1, 0.1, 0.1, 0.1, 0.1])
    prior = implied_returns(covariance, weights, 2.0)
    found = blend(covariance, prior, np.array([], dtype=np.intp), np.array([]), np.array([]))
    close(mean_variance(found.mean, covariance, 2.0, 0.0, Constraints(0.0, 1.0)), weights)


@pytest.mark.parametrize("confidence", [0.0, 1.1, np.nan])
def test_view_when_its_confidence_is_out_of_range_is_refused(confidence: float) -> None:
    with pytest.raises(InvalidError):
        blend(np.eye(2), np.zeros(2), np.array([0]), np.array([0.1]), np.array([confidence]))


@given(seed=SEEDS, assets=SIZES, spare=st.floats(0, 0.5), invested=st.floats(0.1, 1))
@lawful
def test_min_variance_keeps_to_the_constraints_and_nothing_near_is_better(
    seed: int, assets: int, spare: float, invested: float
) -> None:
    covariance = sample(returns(seed, assets))
    limit = min(1.0, invested / assets + spare)
    weights = min_variance(covariance, Constraints(invested, invested, limit))
    assert weights.sum() == pytest.approx(invested, abs=1e-6)
    assert weights.min() >= 0
    assert weights.max() <= limit
    other = np.full(assets, invested / assets)
    for step in (1e-3, 0.1, 1):
        moved = weights + step * (other - weights)
        assert weights @ covariance @ weights <= moved @ covariance @ moved * (1 + 1e-5)


@given(seed=SEEDS, assets=SIZES)
@lawful
def test_risk_parity_gives_every_asset_the_same_part(seed: int, assets: int) -> None:
    covariance = sample(returns(seed, assets))
    weights = risk_parity(covariance)
    parts = weights * (covariance @ weights)
    np.testing.assert_allclose(parts / parts.sum(), 1 / assets, rtol=1e-6)


@given(seed=SEEDS, assets=SIZES, factor=st.floats(1e-3, 1e3))
@lawful
def test_weights_when_volatility_scales_stay(seed: int, assets: int, factor: float) -> None:
    covariance = sample(returns(seed, assets))
    for share in (risk_parity, hierarchical_risk_parity):
        weights = share(covariance)
        assert weights.sum() == pytest.approx(1)
        assert weights.min() > 0
        np.testing.assert_allclose(share(covariance * factor), weights, rtol=1e-6)


@pytest.mark.parametrize("constraints", [Constraints(max_weight=0.2), Constraints(max_volatility=1e-4)])
def test_constraints_when_nothing_keeps_to_them_are_refused(constraints: Constraints) -> None:
    with pytest.raises(InvalidError, match="no weights keep to all of them"):
        min_variance(np.eye(3), constraints)


def test_turnover_when_it_does_not_reach_the_limits_is_refused() -> None:
    constraints = Constraints(0.0, 1.0, 0.4, np.array([1.0, 0.0]), 0.1)
    with pytest.raises(InvalidError, match="no weights keep to all of them"):
        min_variance(np.eye(2), constraints)


def test_weights_when_the_covariance_is_singular_are_found() -> None:
    twins = np.full((4, 4), 0.0004)
    assert min_variance(twins, Constraints()).sum() == pytest.approx(1)
    close(risk_parity(twins), 0.25)
    assert hierarchical_risk_parity(twins) == pytest.approx(0.25)
    assert min_variance(np.zeros((3, 3)), Constraints()).sum() == pytest.approx(1)


@pytest.mark.parametrize("share", [risk_parity, hierarchical_risk_parity])
def test_risk_when_an_asset_has_none_cannot_be_shared(share: object) -> None:
    with pytest.raises(InvalidError, match="never varies"):
        share(np.diag([0.1, 0.0]))  # type: ignore[operator]


@pytest.mark.parametrize("covariance", [np.full((2, 2), np.nan), np.ones((2, 3)), np.empty((0, 0))])
def test_covariance_when_it_is_none_is_refused(covariance: Floats) -> None:
    for share in (risk_parity, hierarchical_risk_parity, partial(min_variance, constraints=Constraints())):
        with pytest.raises(InvalidError):
            share(covariance)


def test_allocation_when_imported_or_solved_loads_no_scipy() -> None:
    code = (
        "import sys, numpy as np; from shared.quant.allocation import *;"
        "assert 'clarabel' not in sys.modules; min_variance(np.eye(2), Constraints());"
        "assert 'clarabel' in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
