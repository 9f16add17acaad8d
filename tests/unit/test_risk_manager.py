"""The risk manager: its measures against numpy on real prices, and which trades it supports, vetoes or leaves alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.agents.decision import Stateless
from shared.agents.opinion import Judgment
from shared.agents.risk_manager import HISTORY_BARS, RiskDeps, judge_trade, on_portfolio_changed
from shared.agents.risk_measure import RiskLimits
from shared.errors import MissingError
from shared.events.market import Bar
from shared.events.portfolio import PortfolioChanged, RiskAssessment
from shared.market.recorded import RecordedMarketSource
from shared.projections import bar as bar_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, HOUR, a_bar, a_portfolio, a_trade_request, market_data

CRASH = datetime(2008, 10, 31, 21, tzinfo=UTC)
LOOSE = RiskLimits(max_weight=1.0, max_var_95=1.0)
TIGHT = RiskLimits(max_weight=0.4, max_var_95=0.03)
PRICES = st.floats(1, 1_000)


async def deps_on(*bars: Bar, held: PortfolioChanged | None = None, limits: RiskLimits = LOOSE) -> RiskDeps:
    """Give the risk manager's ports on some bars, with a portfolio in the log."""
    projections, store = InMemoryProjectionStore(), InMemoryEventStore()
    await projections.apply([row for bar in bars for row in bar_projection.rows(market_data(bar))])
    await store.append([held] if held else [])
    return RiskDeps(BarHistory(projections, "1Day"), Portfolios(projections, store), limits)


async def recorded(*symbols: str, until: datetime = CRASH, days: int = 500) -> list[Bar]:
    return await RecordedMarketSource().bars(symbols, "1Day", until - days * DAY, until)


def priced(prices: Mapping[str, float], days: int = 1) -> list[Bar]:
    return [
        a_bar(symbol, close=price, closed_at=CLOSE - n * DAY) for symbol, price in prices.items() for n in range(days)
    ]


async def assessed(held: PortfolioChanged, deps: RiskDeps) -> RiskAssessment:
    (emit,) = (await on_portfolio_changed(held, Stateless(), deps)).emits
    assert isinstance(emit.event.data, RiskAssessment)
    assert (emit.event.time, emit.event.causationid) == (held.time, held.id)
    return emit.event.data


async def judged(
    deps: RiskDeps, side: str = "buy", quantity: float = 1.0, symbol: str = "AAPL", **of: object
) -> Judgment:
    return await judge_trade(a_trade_request(symbol, side, quantity, portfolio="main", **of), deps)  # type: ignore[arg-type]


def evidence(judgment: Judgment) -> dict[str, float]:
    return {entry.name: float(entry.value) for entry in judgment.evidence}


def by_numpy(returns: NDArray[np.float64], level: float) -> dict[str, float]:
    """Give the measures at a level by their textbook formulas."""
    losses, name = np.sort(-returns)[::-1], f"{level * 100:.0f}"
    tail = (1 - level) * len(losses)
    whole = int(np.floor(tail + 1e-9))
    variance = (
        np.cumprod(np.full(len(returns), 0.94)) @ returns[::-1] ** 2 / np.cumprod(np.full(len(returns), 0.94)).sum()
    )
    quantile = NormalDist().inv_cdf(level)
    filtered = filtered_losses(returns)
    return {
        f"historical_var_{name}": np.quantile(losses, level, method="inverted_cdf"),
        f"historical_es_{name}": (losses[:whole].sum() + (tail - whole) * losses[whole]) / tail,
        f"ewma_var_{name}": np.sqrt(variance) * quantile,
        f"ewma_es_{name}": np.sqrt(variance) * NormalDist().pdf(quantile) / (1 - level),
        f"filtered_var_{name}": np.quantile(filtered, level, method="inverted_cdf"),
        f"filtered_es_{name}": (filtered[:whole].sum() + (tail - whole) * filtered[whole]) / tail,
    }


def filtered_losses(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the losses at today's volatility, the largest first."""
    variances = [np.mean(returns**2)]
    for each in returns:
        variances.append(0.02 * variances[0] + 0.05 * each**2 + 0.93 * variances[-1])
    scaled = -returns * np.sqrt(variances[-1] / np.array(variances[:-1]))
    return np.sort(scaled)[::-1]


async def test_measures_when_prices_are_real_are_numpys() -> None:
    bars, held = await recorded("AAPL", "IBM"), a_portfolio(holdings={"AAPL": 30.0, "IBM": 10.0}, time=CRASH)
    found = await assessed(held, await deps_on(*bars))
    closes = np.array([[bar.close for bar in bars if bar.symbol == symbol] for symbol in ("AAPL", "IBM")]).T
    closes = closes[-HISTORY_BARS:]
    values = closes[-1] * [30, 10]
    weights = values / (values.sum() + held.data.cash)
    returns = (closes[1:] / closes[:-1] - 1) @ weights
    wealth = np.cumprod(np.append(1, 1 + returns))
    expected = by_numpy(returns, 0.95) | by_numpy(returns, 0.99)
    expected |= {"concentration_hhi": weights @ weights}
    expected |= {"gross_exposure": weights.sum(), "drawdown": 1 - wealth[-1] / wealth.max()}
    expected |= {"max_drawdown": max(1 - wealth[n] / wealth[: n + 1].max() for n in range(len(wealth)))}
    assert found.measures == pytest.approx(expected, rel=1e-9)
    assert found.observations == len(returns) == 250
    assert (found.prices_as_of, found.unpriced) == (bars[-1].closed_at, ())


async def test_weights_when_cash_is_held_are_shares_of_the_whole_value() -> None:
    deps = await deps_on(*priced({"AAPL": 100.0, "IBM": 50.0}), limits=TIGHT)
    found = await assessed(a_portfolio(holdings={"AAPL": 5.0, "IBM": 4.0}, cash=300.0), deps)
    assert (found.value, found.weights) == (1_000.0, {"AAPL": 0.5, "IBM": 0.2})
    assert [(breach.limit, breach.value, breach.allowed) for breach in found.breaches] == [
        ("max_weight:AAPL", 0.5, 0.4)
    ]


async def test_breaches_when_value_at_risk_is_too_high_name_it() -> None:
    held = a_portfolio(holdings={"AAPL": 3.0, "IBM": 3.0}, cash=500.0, time=CRASH)
    deps = await deps_on(*await recorded("AAPL", "IBM"), limits=RiskLimits(max_weight=0.9, max_var_95=0.02))
    found = await assessed(held, deps)
    (breach,) = found.breaches
    assert (breach.limit, breach.value, breach.allowed) == ("max_var_95", found.measures["ewma_var_95"], 0.02)


async def test_holdings_when_no_price_is_known_are_named_and_left_out() -> None:
    found = await assessed(
        a_portfolio(holdings={"AAPL": 5.0, "XYZ": 9.0}, cash=500.0), await deps_on(*priced({"AAPL": 100.0}))
    )
    assert (found.value, found.weights, found.unpriced) == (1_000.0, {"AAPL": 0.5}, ("XYZ",))


@pytest.mark.parametrize(
    ("held", "value", "unpriced"),
    [
        (a_portfolio(holdings={}), 10_000.0, ()),
        (a_portfolio(holdings={}, cash=0.0), 0.0, ()),
        (a_portfolio(holdings={"AAPL": 10.0}, cash=0.0), 0.0, ("AAPL",)),
    ],
    ids=["cash alone", "nothing", "nothing of known value"],
)
async def test_portfolio_when_it_has_no_holdings_of_value_has_no_risk(
    held: PortfolioChanged, value: float, unpriced: tuple[str, ...]
) -> None:
    found = await assessed(held, await deps_on())
    assert (found.value, found.weights, found.measures, found.breaches) == (value, {}, {}, ())
    assert (found.observations, found.prices_as_of, found.unpriced) == (0, None, unpriced)


@pytest.mark.parametrize("count", [1, 2, 20, 61, 90, 100, 101, 150])
async def test_measures_when_the_history_is_short_are_fewer(count: int) -> None:
    bars = (await recorded("AAPL"))[-count:]
    found = await assessed(a_portfolio(time=CRASH), await deps_on(*bars))
    assert found.observations == (count - 1 if count > 100 else 0)
    assert ("ewma_var_95" in found.measures) == (count > 100)
    assert found.unmeasured == (() if count > 100 else ("AAPL",))
    assert found.measures["concentration_hhi"] == found.weights["AAPL"] ** 2


async def test_histories_when_they_have_gaps_are_aligned_on_common_closes() -> None:
    apple, ibm = await recorded("AAPL"), await recorded("IBM")
    kept = [bar for n, bar in enumerate(ibm) if n % 7]
    common = {bar.closed_at for bar in kept}
    held = a_portfolio(holdings={"AAPL": 5.0, "IBM": 5.0}, time=CRASH)
    gappy = await assessed(held, await deps_on(*apple, *kept))
    even = await assessed(held, await deps_on(*[bar for bar in apple if bar.closed_at in common], *kept))
    newest = [bar.closed_at for bar in apple][-HISTORY_BARS:]
    assert gappy.observations == len(common.intersection(newest)) - 1
    returns = gappy.observations
    assert 200 < returns < even.observations
    assert gappy.measures["ewma_var_95"] == pytest.approx(even.measures["ewma_var_95"], rel=1e-3)


async def test_assessment_when_the_future_is_projected_does_not_see_it() -> None:
    bars, held = await recorded("AAPL"), a_portfolio(time=CRASH)
    future = [a_bar(close=1e6, closed_at=CRASH + HOUR), a_bar(close=1e6, closed_at=CRASH + 9 * DAY)]
    assert await assessed(held, await deps_on(*bars, *future)) == await assessed(held, await deps_on(*bars))


async def test_trade_when_it_leaves_room_under_the_limits_is_opposed_by_what_it_uses() -> None:
    held = a_portfolio(holdings={"IBM": 10.0}, cash=9_000.0, time=CRASH)
    deps = await deps_on(*await recorded("AAPL", "IBM"), held=held, limits=TIGHT)
    small, large = await judged(deps, quantity=10, time=CRASH), await judged(deps, quantity=30, time=CRASH)
    assert 0 > small.stance > large.stance > -1
    assert small.veto is large.veto is None
    for judgment in (small, large):
        used = max(evidence(judgment)["weight_after"] / 0.4, evidence(judgment)["ewma_var_95_after"] / 0.03)
        assert judgment.stance == -used
        assert judgment.confidence == pytest.approx(0.8 * used)


async def test_trade_when_it_is_far_from_every_limit_is_left_to_others() -> None:
    deps = await deps_on(*await recorded("AAPL"), held=a_portfolio(holdings={"AAPL": 0.01}, time=CRASH))
    buy, sell = await judged(deps, quantity=0.01, time=CRASH), await judged(deps, "sell", 0.005, time=CRASH)
    assert -0.01 < buy.stance < 0 < sell.stance < 0.01
    assert (buy.confidence, sell.confidence) == (0.1, 0.1)


@given(shares=st.floats(0.01, 99), cash=st.floats(1, 1e6), price=PRICES, part=st.floats(0.01, 0.99))
@settings(max_examples=100, deadline=None)
async def test_trade_when_it_can_go_either_way_is_not_supported_both_ways(
    shares: float, cash: float, price: float, part: float
) -> None:
    deps = await deps_on(*priced({"AAPL": price}), held=a_portfolio(holdings={"AAPL": shares}, cash=cash))
    quantity = part * min(shares, cash / price)
    buy, sell = await judged(deps, quantity=quantity), await judged(deps, "sell", quantity)
    assert buy.stance <= 0 <= sell.stance


async def test_trade_when_it_leaves_the_use_of_the_limits_as_it_was_is_neither_supported_nor_opposed() -> None:
    deps = await deps_on(*priced({"AAPL": 100.0}), held=a_portfolio())
    assert (await judged(deps, quantity=1e-12)).stance == 0


async def test_trade_when_it_makes_the_value_at_risk_unmeasurable_is_not_supported_for_that() -> None:
    apple, ibm = await recorded("AAPL"), await recorded("IBM")
    apart = [bar.model_copy(update={"closed_at": bar.closed_at + HOUR}) for bar in ibm[-150:-1]] + ibm[-1:]
    held = a_portfolio(holdings={"AAPL": 50.0}, cash=1_000.0, time=CRASH)
    deps = await deps_on(*apple, *apart, held=held, limits=RiskLimits(max_weight=1.0, max_var_95=0.03))
    judgment = await judged(deps, symbol="IBM", quantity=1, time=CRASH)
    assert "ewma_var_95_before" in evidence(judgment)
    assert "ewma_var_95_after" not in evidence(judgment)
    assert judgment.stance == -evidence(judgment)["weight_after"]


async def test_evidence_when_a_trade_is_judged_shows_before_and_after() -> None:
    held = a_portfolio(holdings={"AAPL": 10.0}, cash=9_000.0, time=CRASH)
    deps = await deps_on(*await recorded("AAPL"), held=held)
    judgment = await judged(deps, quantity=5, time=CRASH)
    after = a_portfolio(holdings={"AAPL": 15.0}, cash=9_000 - 5 * (await recorded("AAPL"))[-1].close, time=CRASH)
    first, second = await assessed(held, deps), await assessed(after, deps)
    shown = evidence(judgment)
    assert (shown["weight_before"], shown["weight_after"]) == (first.weights["AAPL"], second.weights["AAPL"])
    assert shown["ewma_var_95_before"] == first.measures["ewma_var_95"]
    assert shown["ewma_var_95_after"] == pytest.approx(second.measures["ewma_var_95"])
    assert {entry.event for entry in judgment.evidence} == {held.id}


async def test_trade_when_it_would_pass_a_weight_is_vetoed() -> None:
    deps = await deps_on(*priced({"AAPL": 100.0}), held=a_portfolio(holdings={}, cash=1_000.0), limits=TIGHT)
    assert (await judged(deps, quantity=4)).veto is None
    refused = await judged(deps, quantity=5)
    assert refused.veto == "max_weight:AAPL would be 0.500, 0.400 is allowed"
    assert refused.rationale == f"{refused.veto} Too little is known of AAPL to measure its risk."
    assert (refused.stance, refused.confidence) == (-1, 0.4)


async def test_trade_when_it_would_pass_the_value_at_risk_is_vetoed() -> None:
    held, limits = a_portfolio(holdings={}, cash=1_000.0, time=CRASH), RiskLimits(max_weight=1.0, max_var_95=0.03)
    deps = await deps_on(*await recorded("AAPL"), held=held, limits=limits)
    assert "max_var_95 would be" in str((await judged(deps, quantity=60, time=CRASH)).veto)


async def test_trade_when_a_young_symbol_is_held_is_still_measured_on_the_others() -> None:
    limits, apple = RiskLimits(max_weight=1.0, max_var_95=0.03), await recorded("AAPL")
    young = (await recorded("IBM"))[-20:]
    held = a_portfolio(holdings={"IBM": 0.1}, cash=1_000.0, time=CRASH)
    deps = await deps_on(*apple, *young, held=held, limits=limits)
    refused = await judged(deps, quantity=60, time=CRASH)
    assert "max_var_95 would be" in str(refused.veto)
    assert "IBM" in refused.rationale
    sold = await judged(deps, symbol="IBM", side="sell", quantity=0.1, time=CRASH)
    assert sold.veto is None


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ([], "no price of IBM is known at all"),
        ([a_bar("IBM", closed_at=CLOSE - 8 * DAY)], "no price of IBM is known since 2007-12-25"),
    ],
    ids=["unpriced", "stale"],
)
async def test_trade_when_another_holding_has_no_price_of_now_is_not_judged(prices: list[Bar], reason: str) -> None:
    held = a_portfolio(holdings={"AAPL": 1.0, "IBM": 9.0})
    deps = await deps_on(*priced({"AAPL": 100.0}), *prices, held=held)
    with pytest.raises(MissingError, match=reason):
        await judged(deps)
    assert "does not sell short" in str((await judged(deps, "sell", 2)).veto)


async def test_trade_when_the_price_is_old_is_not_judged() -> None:
    held = a_portfolio(holdings={}, cash=999.0)
    deps = await deps_on(*priced({"AAPL": 100.0}), held=held)
    with pytest.raises(MissingError, match="since 2008-01-02"):
        await judged(deps, time=CLOSE + 8 * DAY)


async def test_trade_when_it_costs_more_than_the_cash_is_vetoed() -> None:
    deps = await deps_on(*priced({"AAPL": 100.0}), held=a_portfolio(holdings={}, cash=999.0))
    refused = await judged(deps, quantity=10)
    assert refused.veto == "10 AAPL at 100.00 USD cost 1.00 USD more than the cash there is"
    assert (refused.stance, refused.confidence, evidence(refused)) == (-1, 1, {"cash_after": -1.0})


@pytest.mark.parametrize(("symbol", "quantity"), [("AAPL", 10.5), ("IBM", 1.0)])
async def test_trade_when_it_sells_short_is_vetoed(symbol: str, quantity: float) -> None:
    deps = await deps_on(*priced({"AAPL": 100.0, "IBM": 50.0}), held=a_portfolio(holdings={"AAPL": 10.0}))
    assert "does not sell short" in str((await judged(deps, "sell", quantity, symbol)).veto)


async def test_trade_when_it_sells_all_there_is_is_supported() -> None:
    deps = await deps_on(*priced({"AAPL": 100.0}), held=a_portfolio(holdings={"AAPL": 10.0}), limits=TIGHT)
    judgment = await judged(deps, "sell", 10)
    assert (judgment.veto, evidence(judgment)["weight_after"]) == (None, 0)
    assert judgment.stance == pytest.approx(1 / 11 / 0.4)


async def test_trade_when_a_limit_was_passed_and_it_helps_is_not_vetoed() -> None:
    held = a_portfolio(holdings={"AAPL": 90.0}, cash=1_000.0, time=CRASH)
    deps = await deps_on(*await recorded("AAPL"), held=held, limits=TIGHT)
    assert [breach.limit for breach in (await assessed(held, deps)).breaches] == ["max_weight:AAPL", "max_var_95"]
    helping = await judged(deps, "sell", 10, time=CRASH)
    assert (helping.veto, helping.confidence) == (None, 0.8)
    assert helping.stance > 0.1
    assert "max_weight:AAPL would be" in str((await judged(deps, "buy", 1, time=CRASH)).veto)


async def test_trade_when_it_lowers_a_weight_of_all_there_is_is_supported() -> None:
    deps = await deps_on(*priced({"IBM": 100.0}), held=a_portfolio(holdings={"IBM": 10.0}, cash=0.0), limits=TIGHT)
    judgment = await judged(deps, "sell", 3, "IBM")
    assert (judgment.veto, judgment.confidence) == (None, 0.4)
    assert judgment.stance == pytest.approx((1 - 0.7) / 0.4)


@given(prices=st.tuples(PRICES, PRICES), shares=st.tuples(st.floats(1, 99), st.floats(1, 99)), cash=st.floats(0, 1e4))
@settings(max_examples=100, deadline=None)
async def test_trade_when_another_symbol_is_too_heavy_already_is_not_vetoed_for_it(
    prices: tuple[float, float], shares: tuple[float, float], cash: float
) -> None:
    held = a_portfolio(holdings={"AAPL": shares[0], "IBM": shares[1]}, cash=cash)
    deps = await deps_on(*priced({"AAPL": prices[0], "IBM": prices[1]}), held=held, limits=RiskLimits(1e-6, 1.0))
    assert (await judged(deps, "sell", shares[1] / 3, "IBM")).veto is None


@given(price=PRICES, cash=st.floats(1, 1e6))
@settings(max_examples=100, deadline=None)
async def test_trade_when_it_spends_all_the_cash_is_not_short_of_it(price: float, cash: float) -> None:
    deps = await deps_on(*priced({"AAPL": price}), held=a_portfolio(holdings={}, cash=cash))
    assert (await judged(deps, quantity=cash / price)).veto is None


@pytest.mark.parametrize(
    ("price", "side", "veto"),
    [(1e12, "buy", "more than the cash"), (1e12, "sell", "sell short"), (1e-9, "buy", "max_weight:AAPL would be")],
)
async def test_trade_when_it_is_as_large_as_can_be_is_vetoed(price: float, side: str, veto: str) -> None:
    held = a_portfolio(holdings={"AAPL": 5e11}, cash=1e4)
    deps = await deps_on(*priced({"AAPL": price}), held=held, limits=RiskLimits(max_weight=0.1, max_var_95=1.0))
    assert veto in str((await judged(deps, side, quantity=1e12)).veto)


@pytest.mark.parametrize(
    ("trade", "reason"),
    [
        ({"portfolio": None}, "names no portfolio"),
        ({"portfolio": "other"}, "portfolio other is not known"),
        ({"portfolio": "main", "time": CLOSE - HOUR}, "portfolio main is not known at 2008-01-02 20:00"),
        ({"portfolio": "main", "symbol": "XYZ"}, "no price of XYZ"),
    ],
    ids=["none named", "unknown", "not known yet", "no price"],
)
async def test_trade_when_something_is_missing_is_not_judged(trade: dict[str, object], reason: str) -> None:
    deps = await deps_on(*priced({"AAPL": 100.0}, days=3), held=a_portfolio())
    with pytest.raises(MissingError, match=reason):
        await judge_trade(a_trade_request(**trade), deps)  # type: ignore[arg-type]
