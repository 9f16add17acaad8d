"""Tests of value at risk: equal to scipy's likelihood ratios, and with a stated answer for too few days."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from shared.errors import InvalidError, MissingError
from shared.quant.coverage import Hits, christoffersen, conditional_coverage, kupiec

HITS = st.lists(st.booleans(), min_size=2, max_size=200).map(lambda days: np.array(days, dtype=np.bool_))
LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.99])


@given(HITS, LEVELS)
def test_kupiec_when_compared_with_binomial_likelihoods_is_the_same(hits: Hits, level: float) -> None:
    count, days = int(hits.sum()), hits.size
    best, said = (stats.binom.logpmf(count, days, share) for share in (count / days, 1 - level))
    test = kupiec(hits, level)
    assert test.statistic == pytest.approx(2 * (best - said), rel=1e-9, abs=1e-9)
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 1), rel=1e-9, abs=1e-300)


@given(HITS)
def test_christoffersen_when_compared_with_the_g_test_of_a_contingency_table_is_the_same(hits: Hits) -> None:
    table = np.zeros((2, 2))
    for before, after in pairwise(hits):
        table[int(before), int(after)] += 1
    assume((table.sum(0) > 0).all() and (table.sum(1) > 0).all())
    theirs = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    test = christoffersen(hits)
    assert test.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-9)
    assert test.p_value == pytest.approx(theirs.pvalue, rel=1e-6)


@given(HITS, LEVELS)
def test_conditional_coverage_when_tested_is_both_at_once(hits: Hits, level: float) -> None:
    test = conditional_coverage(hits, level)
    assert test.statistic == kupiec(hits, level).statistic + christoffersen(hits).statistic
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 2), rel=1e-9, abs=1e-300)


def test_kupiec_when_hits_are_as_many_as_said_is_zero() -> None:
    assert kupiec(np.arange(100) % 20 == 0, 0.95).statistic == pytest.approx(0, abs=1e-12)
    assert kupiec(np.arange(100) % 10 == 0, 0.95).p_value < 0.05


def test_christoffersen_when_hits_cluster_refuses_what_kupiec_accepts() -> None:
    clustered = np.arange(400) < 20
    assert kupiec(clustered, 0.95).p_value > 0.9
    assert christoffersen(clustered).p_value < 1e-6


@pytest.mark.parametrize("hits", [np.zeros(50, np.bool_), np.ones(50, np.bool_)])
def test_christoffersen_when_all_days_are_alike_has_nothing_to_say(hits: Hits) -> None:
    assert christoffersen(hits).p_value == 1


@pytest.mark.parametrize("hits", [np.zeros(0, np.bool_), np.zeros(1, np.bool_)])
def test_tests_when_days_are_too_few_are_missing(hits: Hits) -> None:
    with pytest.raises(MissingError):
        conditional_coverage(hits, 0.95) if hits.size else kupiec(hits, 0.95)


@pytest.mark.parametrize("hits", [np.zeros(5), np.array([0.0, np.nan]), np.zeros((2, 2), np.bool_)])
def test_tests_when_hits_are_no_hits_are_refused(hits: Hits) -> None:
    with pytest.raises(InvalidError):
        christoffersen(hits)


@pytest.mark.parametrize("level", [0.0, 1.0, np.nan])
def test_kupiec_when_the_level_is_none_is_refused(level: float) -> None:
    with pytest.raises(InvalidError):
        kupiec(np.zeros(5, np.bool_), level)
