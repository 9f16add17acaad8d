"""The synthetic chain: made of real closes, without arbitrage in it, the same each time, and missing where it must."""

from datetime import UTC, date, datetime, timedelta
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chain.expiry import LEAST_DAYS, monthly_expiry
from shared.chain.history import span_years
from shared.chain.port import RATE, Chain, Quote
from shared.chain.surface import read_surface
from shared.chain.synthetic import CURVATURE, PREMIUM, SKEW, SyntheticChainSource, at_the_money
from shared.errors import MissingError
from shared.market.recorded import RecordedMarketSource
from shared.projections import bar
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.quant.realised_volatility import expected_volatility, realised
from tests.builders import CLOSE, DAY, a_bar, market_data

NOW = datetime(2008, 9, 15, 21, tzinfo=UTC)


async def history(*closes: float, step: timedelta = DAY, ends: datetime = CLOSE) -> BarHistory:
    """Give a history of AAPL with these closes, one a step."""
    store = InMemoryProjectionStore()
    for ago, close in zip(range(len(closes) - 1, -1, -1), closes, strict=True):
        await store.apply(bar.rows(market_data(a_bar(close=close, closed_at=ends - ago * step))))
    return BarHistory(store, "1Day")


async def real_history(symbol: str = "IBM") -> BarHistory:
    store = InMemoryProjectionStore()
    for each in await RecordedMarketSource().bars((symbol,), "1Day", NOW - 500 * DAY, NOW + 30 * DAY):
        await store.apply(bar.rows(market_data(each)))
    return BarHistory(store, "1Day")


def a_walk(count: int = 120, daily: float = 0.02, start: float = 100.0) -> list[float]:
    """Closes that go up and down by the same share, a little more up than down."""
    return [start * exp(daily * (place % 2) + 0.001 * place) for place in range(count)]


@pytest.mark.parametrize("symbol", ["AAPL", "GOOG", "IBM", "MSFT"])
async def test_chain_when_closes_are_real_says_that_it_is_synthetic_and_what_it_is_made_of(symbol: str) -> None:
    bars = await real_history(symbol)
    chain = await SyntheticChainSource(bars).read(symbol, NOW, 60)
    closes = await bars.closes(symbol, NOW, limit=253)
    assert (chain.origin, chain.symbol, chain.quoted_at, chain.spot) == ("synthetic", symbol, NOW, closes.last)
    assert (chain.rate, chain.dividend_yield, chain.dropped) == (RATE, 0.0, 0)
    assert chain.expires_at == datetime(2008, 11, 21, 21, tzinfo=UTC)
    surface = read_surface(chain)
    known = realised(closes.prices, span_years(closes))
    assert surface.volatility == pytest.approx(PREMIUM * expected_volatility(known, chain.years), rel=0.01)
    assert surface.volatility == pytest.approx(at_the_money(closes, chain.years), rel=0.01)
    assert len(chain.quotes) >= 24


async def test_chain_when_made_again_is_the_same_and_knows_nothing_of_later() -> None:
    bars = await real_history()
    first = await SyntheticChainSource(bars).read("IBM", NOW, 30)
    store = InMemoryProjectionStore()
    for each in await RecordedMarketSource().bars(("IBM",), "1Day", NOW - 500 * DAY, NOW):
        await store.apply(bar.rows(market_data(each)))
    assert await SyntheticChainSource(BarHistory(store, "1Day")).read("IBM", NOW, 30) == first


async def test_smile_when_read_back_is_the_stated_one() -> None:
    surface = read_surface(await SyntheticChainSource(await real_history()).read("IBM", NOW, 60))
    spread = surface.volatility * sqrt(surface.chain.years)
    for each in surface.offers:
        away = log(each.strike / surface.forward) / spread
        expected = surface.volatility * (1 + SKEW * away + CURVATURE * away**2)
        # Quotes are in whole cents.
        if abs(away) < 1.5:
            assert each.volatility == pytest.approx(expected, rel=0.02)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.003, 0.08), st.floats(5.0, 900.0), st.integers(5, 365))
async def test_chain_when_volatility_and_price_are_any_cannot_be_exploited(
    daily: float, start: float, days: int
) -> None:
    bars = await history(*a_walk(daily=daily, start=start))
    chain = await SyntheticChainSource(bars).read("AAPL", CLOSE, days)
    assert all(0 < quote.bid < quote.ask for quote in chain.quotes)
    for kind in ("call", "put"):
        quotes = sorted((each for each in chain.quotes if each.kind == kind), key=lambda each: each.strike)
        for low, middle, high in zip(quotes, quotes[1:], quotes[2:], strict=False):
            share = (high.strike - middle.strike) / (high.strike - low.strike)
            assert share * low.ask + (1 - share) * high.ask >= middle.bid  # a butterfly for nothing
            gap = low.ask - middle.bid if kind == "call" else high.ask - middle.bid
            assert gap > 0  # a vertical for nothing
    both = {(each.kind, each.strike): each for each in chain.quotes}
    for (kind, strike), call in both.items():
        if kind == "call" and ("put", strike) in both:
            worth = chain.spot - strike * exp(-chain.rate * chain.years)
            assert call.bid - both["put", strike].ask <= worth <= call.ask - both["put", strike].bid


@pytest.mark.parametrize(
    ("closes", "step", "as_of", "reason"),
    [
        ([], DAY, CLOSE, "no price of AAPL is known at all"),
        (a_walk(), DAY, CLOSE + 8 * DAY, "no price of AAPL is known since 2008-01-02"),
        (a_walk(60), 2 * DAY, CLOSE, "only 60 closes are known, 61 are needed"),
        (a_walk(), DAY / 24, CLOSE, "the closes of AAPL span 4 days, 80 are needed"),
        ([50.0] * 120, DAY, CLOSE, "the price has not moved"),
        (a_walk(), DAY, CLOSE - 200 * DAY, "no price of AAPL is known at all"),
    ],
)
async def test_chain_when_closes_say_nothing_is_missing(
    closes: list[float], step: timedelta, as_of: datetime, reason: str
) -> None:
    source = SyntheticChainSource(await history(*closes, step=step))
    with pytest.raises(MissingError, match=reason):
        await source.read("AAPL", as_of, 30)


@pytest.mark.parametrize("start", [1e-6, 0.02])
async def test_chain_when_a_share_costs_less_than_a_cent_has_no_quotes(start: float) -> None:
    chain = await SyntheticChainSource(await history(*a_walk(start=start))).read("AAPL", CLOSE, 30)
    with pytest.raises(MissingError, match="strikes on AAPL are quoted well enough, 5 are needed"):
        read_surface(chain)


async def test_chain_when_a_share_moves_wildly_still_has_strikes_to_count() -> None:
    bars = await history(*a_walk(daily=1.5))
    chain = await SyntheticChainSource(bars).read("AAPL", CLOSE, 365)
    assert 0 < len(chain.quotes) <= 64


@pytest.mark.parametrize(
    ("as_of", "days", "expiry"),
    [
        ("2008-09-15", 30, "2008-10-17"),
        ("2008-09-15", 5, "2008-10-17"),
        ("2008-09-14", 5, "2008-09-19"),
        ("2008-12-01", 45, "2009-01-16"),
        ("2008-12-31", 365, "2009-12-18"),
        ("2012-02-01", 16, "2012-02-17"),
        ("2012-12-15", 6, "2012-12-21"),
    ],
)
def test_expiry_when_asked_for_is_the_nearest_third_friday(as_of: str, days: int, expiry: str) -> None:
    found = monthly_expiry(datetime.fromisoformat(f"{as_of}T20:00+00:00"), days)
    assert found.date() == date.fromisoformat(expiry)
    assert found.hour == (20 if "-03-09" < expiry[4:] < "-11-02" else 21)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1)), st.integers(5, 365))
def test_expiry_when_of_any_moment_is_a_third_friday_near_the_horizon(moment: datetime, days: int) -> None:
    as_of = moment.replace(tzinfo=UTC)
    found = monthly_expiry(as_of, days)
    assert found.weekday() == 4
    assert 15 <= found.day <= 21
    assert found - as_of >= timedelta(days=LEAST_DAYS)
    assert abs(found - as_of - timedelta(days=days)) <= timedelta(days=36)


def a_chain(*quotes: Quote, days: float = 30) -> Chain:
    return Chain("AAPL", "alpaca", CLOSE, CLOSE + timedelta(days=days), 100.0, RATE, 0.0, quotes, dropped=2)


def test_surface_when_a_quote_breaks_its_bound_leaves_out_its_strike() -> None:
    good = [Quote(kind, strike, 3.0, 3.2) for strike in (90, 95, 105, 110, 115) for kind in ("call", "put")]
    bad = Quote("put", 80, 90.0, 95.0)
    surface = read_surface(a_chain(*good, bad))
    assert {offer.strike for offer in surface.offers} == {90, 95, 105, 110, 115}
    assert surface.dropped == 3


def test_surface_when_chain_is_about_to_expire_is_missing() -> None:
    with pytest.raises(MissingError, match="expire at"):
        read_surface(a_chain(days=0.9))


def test_surface_when_read_has_volatilities_of_the_options_out_of_the_money() -> None:
    strikes = np.arange(90.0, 111.0, 5.0)
    quotes = [Quote("put", strike, 2.0, 2.0) for strike in strikes] + [
        Quote("call", strike, 4.0, 4.0) for strike in strikes
    ]
    surface = read_surface(a_chain(*quotes))
    by = {(each.kind, each.strike): each.volatility for each in surface.offers}
    assert all(by["call", strike] == by["put", strike] for strike in strikes)
    assert surface.forward == pytest.approx(100 * exp(RATE * 30 / 365))
    assert by["call", 100.0] < surface.volatility < by["call", 105.0]
