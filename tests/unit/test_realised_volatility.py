"""Realised volatility against numpy's own standard deviations, its laws, and the forward that options imply."""

from datetime import date
from math import exp, inf, nan, sqrt

import numpy as np
import pytest
from bokeh_sampledata.stocks import IBM
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, MissingError
from shared.quant.forward import implied_dividend_yield
from shared.quant.option import CALL, PUT, Terms, value
from shared.quant.realised_volatility import Realised, expected_volatility, percentile, realised

CLOSES = np.array(IBM["adj_close"][-253:])
YEARS = (date.fromisoformat(IBM["date"][-1]) - date.fromisoformat(IBM["date"][-253])).days / 365.25
KNOWN = Realised(0.4, 0.2, np.array([0.1, 0.2, 0.3, 0.4]))


def test_realised_when_history_is_real_is_numpy_s_deviation_around_nothing() -> None:
    found, returns = realised(CLOSES, YEARS), CLOSES[1:] / CLOSES[:-1] - 1
    root = sqrt(252 / YEARS)
    windows = [np.sqrt((returns[place : place + 21] ** 2).mean()) for place in range(len(returns) - 20)]
    np.testing.assert_allclose(found.history, root * np.array(windows), rtol=1e-9)
    assert found.long_run == pytest.approx(root * np.sqrt((returns**2).mean()))
    assert 0.05 < found.now < 0.5


@pytest.mark.parametrize("per_year", [252, 50])
def test_realised_when_closes_are_rarer_counts_them_by_the_time_between(per_year: int) -> None:
    closes = 100 * np.cumprod(np.tile([1.01, 1 / 1.01], 60))
    found = realised(closes, 119 / per_year)
    assert found.long_run == pytest.approx(0.01 * sqrt(per_year), rel=0.01)


@pytest.mark.parametrize(
    ("closes", "years", "error"),
    [
        (np.linspace(100, 110, 60), 1.0, MissingError),
        (np.full(100, 50.0), 1.0, MissingError),
        (np.linspace(100, 110, 100), 0.0, InvalidError),
        (np.linspace(100, 110, 100), nan, InvalidError),
        (np.array([nan] * 100), 1.0, InvalidError),
        (np.array([0.0] * 100), 1.0, InvalidError),
    ],
)
def test_realised_when_history_says_nothing_is_refused(
    closes: np.ndarray, years: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        realised(closes, years)


@given(st.floats(0, 50))
def test_expected_when_time_goes_on_lies_between_now_and_the_long_run(years: float) -> None:
    assert 0.2 <= expected_volatility(KNOWN, years) <= 0.4
    assert expected_volatility(KNOWN, years) >= expected_volatility(KNOWN, years + 0.1)


def test_expected_when_there_is_no_time_is_now_s_and_when_there_is_all_the_long_run_s() -> None:
    assert expected_volatility(KNOWN, 0) == pytest.approx(0.4)
    assert expected_volatility(KNOWN, 1e6) == pytest.approx(0.2, abs=1e-4)
    assert expected_volatility(KNOWN, 0.25) ** 2 == pytest.approx(0.04 + 0.12 * (1 - exp(-1)))


@pytest.mark.parametrize(("volatility", "share"), [(0.05, 0.0), (0.1, 0.125), (0.15, 0.25), (0.4, 0.875), (0.5, 1.0)])
def test_percentile_when_some_are_below_is_their_share(volatility: float, share: float) -> None:
    assert percentile(volatility, KNOWN) == share


def pair(strike: float, dividends: float, rate: float = 0.03, years: float = 0.3) -> tuple[float, float, float]:
    call, put = (float(value(Terms(sign, 100.0, strike, years, rate, dividends, 0.3)).price) for sign in (CALL, PUT))
    return strike, call, put


@pytest.mark.parametrize("dividends", [0.0, 0.02, 0.15])
def test_yield_when_options_are_priced_by_it_comes_back(dividends: float) -> None:
    pairs = [pair(strike, dividends) for strike in (90.0, 95.0, 100.0, 105.0, 110.0)]
    assert implied_dividend_yield(pairs, 100.0, 0.3, 0.03) == pytest.approx(dividends, abs=1e-9)


def test_yield_when_one_quote_is_absurd_is_that_of_the_others() -> None:
    pairs = [pair(95.0, 0.02), (*pair(100.0, 0.02)[:1], 0.01, 50.0), pair(105.0, 0.02), pair(60.0, 0.9)]
    assert implied_dividend_yield(pairs, 100.0, 0.3, 0.03) == pytest.approx(0.02, abs=1e-9)


def test_yield_when_the_nearest_are_not_quoted_is_that_of_those_farther_away() -> None:
    pairs = [*((strike, nan, 1.0) for strike in (99.0, 100.0, 101.0)), pair(110.0, 0.02)]
    assert implied_dividend_yield(pairs, 100.0, 0.3, 0.03) == pytest.approx(0.02, abs=1e-9)


@pytest.mark.parametrize(("dividends", "cut"), [(-0.1, 0.0), (0.7, 0.2)])
def test_yield_when_quotes_imply_an_odd_one_is_cut(dividends: float, cut: float) -> None:
    assert implied_dividend_yield([pair(100.0, dividends)], 100.0, 0.3, 0.03) == cut


@pytest.mark.parametrize(
    ("spot", "years"), [(0.0, 0.3), (nan, 0.3), (inf, 0.3), (100.0, 0.0), (100.0, -1.0), (100.0, nan)]
)
def test_yield_when_there_is_no_share_or_no_time_is_refused(spot: float, years: float) -> None:
    with pytest.raises(InvalidError, match="has no forward"):
        implied_dividend_yield([pair(100.0, 0.02)], spot, years, 0.03)


@pytest.mark.parametrize("pairs", [[], [(100.0, nan, 1.0)], [(100.0, 1.0, 500.0)]])
def test_yield_when_no_pair_has_a_forward_is_missing(pairs: list[tuple[float, float, float]]) -> None:
    with pytest.raises(MissingError):
        implied_dividend_yield(pairs, 100.0, 0.3, 0.03)
