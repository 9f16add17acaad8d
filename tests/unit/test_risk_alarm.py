"""The risk manager beyond value at risk: who is measured anew on an alarm, the new measures, and the new limits."""

from dataclasses import replace

import numpy as np
import pytest

from shared.agents.decision import Stateless
from shared.agents.risk_manager import (
    MOST_PORTFOLIOS,
    RiskDeps,
    on_market_crash_detected,
    on_portfolio_changed,
    on_regulation_changed,
)
from shared.agents.risk_measure import RiskLimits
from shared.events.market import MARKET, Crash, MarketCrashDetected
from shared.events.news import Regulation, RegulationChanged
from shared.events.portfolio import PortfolioChanged, RiskAssessed, RiskAssessment
from shared.projections import bar as bar_projection
from shared.projections import portfolio as portfolio_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios, stream_of
from shared.quant.risk import drawdown, returns_from_closes
from shared.store.in_memory import InMemoryEventStore
from tests.builders import a_bar, a_portfolio, market_data
from tests.unit.test_risk_manager import CRASH, deps_on, evidence, judged, recorded

LOOSE = RiskLimits(max_weight=1.0, max_var_95=1.0)


async def desk_with(*held: PortfolioChanged) -> RiskDeps:
    """Give the risk manager's ports on real bars, with portfolios that the projector has seen."""
    projections, store = InMemoryProjectionStore(), InMemoryEventStore()
    bars = await recorded("AAPL", "IBM", "MSFT")
    await projections.apply([row for each in bars for row in bar_projection.rows(market_data(each))])
    await projections.apply([row for each in held for row in portfolio_projection.rows(each)])
    await store.append(held)
    return RiskDeps(BarHistory(projections, "1Day"), Portfolios(projections, store), LOOSE, ("AAPL", "IBM"))


def owned(owner: str | None, name: str, *symbols: str) -> PortfolioChanged:
    changed = a_portfolio(name, dict.fromkeys(symbols, 1.0), time=CRASH)
    return changed.model_copy(update={"owner": owner, "stream": stream_of(owner, name), "id": f"{owner}.{name}"})


def a_crash(symbol: str, *symbols: str) -> MarketCrashDetected:
    data = Crash(
        symbol=symbol,
        closed_at=CRASH,
        kind="drop" if symbol != MARKET else "breadth",
        severity="severe",
        fall=0.1,
        threshold=0.05,
        symbols=symbols or (symbol,),
        of=4,
    )
    return MarketCrashDetected.first(id="crash", source="market_analyst", stream="market-0", time=CRASH, data=data)


def a_regulation(*symbols: str) -> RegulationChanged:
    data = Regulation(authority="SEC", action="sue", headline="SEC sues", news="n", symbols=symbols)
    return RegulationChanged.first(id="act", source="sentiment_tracker", stream="news", time=CRASH, data=data)


async def measured(event: MarketCrashDetected | RegulationChanged, deps: RiskDeps) -> list[RiskAssessed]:
    react = on_market_crash_detected if isinstance(event, MarketCrashDetected) else on_regulation_changed
    decision = await react(event, Stateless(), deps)  # type: ignore[arg-type]
    assert all(isinstance(emit.event, RiskAssessed) for emit in decision.emits)
    return [emit.event for emit in decision.emits if isinstance(emit.event, RiskAssessed)]


async def assessed(held: PortfolioChanged, deps: RiskDeps) -> RiskAssessment:
    (emit,) = (await on_portfolio_changed(held, Stateless(), deps)).emits
    assert isinstance(emit.event.data, RiskAssessment)
    return emit.event.data


HELD = (owned(None, "a", "AAPL"), owned("ann", "a", "IBM"), owned("bob", "b", "AAPL", "IBM"), owned("bob", "empty"))


@pytest.mark.parametrize(
    ("event", "streams"),
    [
        (a_crash("AAPL"), ["portfolio-a", "portfolio:bob:b"]),
        (a_crash("XYZ"), []),
        (a_crash(MARKET, "AAPL"), ["portfolio-a", "portfolio:ann:a", "portfolio:bob:b"]),
        (a_regulation("IBM"), ["portfolio:ann:a", "portfolio:bob:b"]),
        (a_regulation(), ["portfolio-a", "portfolio:ann:a", "portfolio:bob:b"]),
    ],
    ids=["symbol", "nobody's", "market", "act", "act on no symbol"],
)
async def test_alarm_when_it_concerns_holdings_measures_their_portfolios(
    event: MarketCrashDetected | RegulationChanged, streams: list[str]
) -> None:
    found = await measured(event, await desk_with(*HELD))
    assert [each.stream for each in found] == streams
    assert {(each.causationid, each.time) for each in found} <= {(event.id, CRASH)}


async def test_assessment_when_an_alarm_led_to_it_is_the_owners_and_as_after_a_change() -> None:
    deps = await desk_with(*HELD)
    found = await measured(a_crash(MARKET), deps)
    assert [(each.owner, each.data.portfolio) for each in found] == [(None, "a"), ("ann", "a"), ("bob", "b")]
    assert b'"owner":"ann"' in found[1].json_bytes
    assert len({each.id for each in found}) == 3
    assert [each.data for each in found] == [await assessed(held, deps) for held in HELD[:3]]
    assert [each.id for each in await measured(a_crash(MARKET), deps)] == [each.id for each in found]


async def test_alarm_when_portfolios_are_many_measures_so_many() -> None:
    deps = await desk_with(*(owned(None, f"p{n:03}", "AAPL") for n in range(MOST_PORTFOLIOS + 5)))
    found = await measured(a_crash("AAPL"), deps)
    assert [each.data.portfolio for each in found] == [f"p{n:03}" for n in range(MOST_PORTFOLIOS)]


async def test_alarm_when_portfolios_are_large_measures_fewer() -> None:
    symbols = [f"S{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(499)]
    deps = await desk_with(*(owned(None, f"p{n}", "AAPL", *symbols) for n in range(6)))
    assert len(await measured(a_crash("AAPL"), deps)) == 4


async def test_measures_when_a_portfolio_changes_are_split_by_holding() -> None:
    deps = await desk_with()
    held = a_portfolio(holdings={"AAPL": 30.0, "IBM": 10.0}, cash=1_000.0, time=CRASH)
    found = await assessed(held, deps)
    assert set(found.component_var_95) == set(found.marginal_var_95) == {"AAPL", "IBM"}
    assert sum(found.component_var_95.values()) == pytest.approx(found.measures["ewma_var_95"], rel=1e-9)
    assert set(found.stress) == {"autumn_2008", "volatility_up_var_95", "correlation_one_var_95"}
    assert found.stress["volatility_up_var_95"] == pytest.approx(3 * found.measures["ewma_var_95"])
    assert found.stress["correlation_one_var_95"] >= found.measures["ewma_var_95"]
    volumes = [bar.volume for bar in await recorded("AAPL")][-20:]
    assert found.days_to_liquidate["AAPL"] == pytest.approx(30 / (0.1 * np.mean(volumes)))


async def test_beta_when_the_portfolio_is_the_market_is_its_invested_share() -> None:
    deps = await desk_with()
    prices = {bar.symbol: bar.close for bar in await recorded("AAPL", "IBM")}
    held = a_portfolio(holdings={name: 1_000 / price for name, price in prices.items()}, cash=2_000.0, time=CRASH)
    assert (await assessed(held, deps)).measures["beta"] == pytest.approx(0.5, rel=1e-9)
    assert "beta" not in (await assessed(held, replace(deps, market=()))).measures


async def test_days_to_liquidate_when_nothing_is_traded_are_left_out() -> None:
    deps = await deps_on(a_bar(close=1.0, closed_at=CRASH, volume=0.0))
    found = await assessed(a_portfolio(holdings={"AAPL": 5.0, "XYZ": 1.0}, time=CRASH), deps)
    assert found.days_to_liquidate == {}
    assert found.stress == {"autumn_2008": pytest.approx(0.4596 * 5 / 10_005, rel=1e-3)}


async def test_trade_when_buying_in_a_drawdown_is_halted_and_selling_is_not() -> None:
    held = a_portfolio(holdings={"AAPL": 50.0}, cash=2_000.0, time=CRASH)
    closes = np.array([bar.close for bar in await recorded("AAPL")])[-251:]
    weight = 50 * closes[-1] / (50 * closes[-1] + 2_000)
    fallen = drawdown(weight * returns_from_closes(closes))
    assert fallen > 0.1
    deps = await deps_on(*await recorded("AAPL"), held=held, limits=replace(LOOSE, max_drawdown=0.1))
    refused = await judged(deps, "buy", 1, time=CRASH)
    assert refused.veto == f"max_drawdown would be {fallen:.3f}, 0.100 is allowed"
    shown = evidence(refused)
    assert shown["max_drawdown"] == pytest.approx(fallen)
    assert shown["max_drawdown_allowed"] == 0.1
    assert (await judged(deps, "sell", 1, time=CRASH)).veto is None
    assert (await judged(replace(deps, limits=LOOSE), "buy", 1, time=CRASH)).veto is None


async def test_trade_when_it_invests_more_than_the_limit_is_vetoed() -> None:
    held = a_portfolio(holdings={}, cash=1_000.0, time=CRASH)
    limits = replace(LOOSE, max_gross=0.8)
    deps = await deps_on(a_bar(close=100.0, closed_at=CRASH), held=held, limits=limits)
    assert (await judged(deps, quantity=8, time=CRASH)).veto is None
    refused = await judged(deps, quantity=9, time=CRASH)
    assert refused.veto == "max_gross would be 0.900, 0.800 is allowed"
    assert evidence(refused)["max_gross"] == pytest.approx(0.9)
    assert evidence(refused)["max_gross_allowed"] == 0.8


async def test_evidence_when_a_trade_is_judged_shows_the_new_measures_before_and_after() -> None:
    held = a_portfolio(holdings={"IBM": 10.0}, cash=9_000.0, time=CRASH)
    shown = evidence(await judged(await deps_on(*await recorded("AAPL", "IBM"), held=held), quantity=10, time=CRASH))
    for name in ("gross_exposure", "component_var_95", "stress_autumn_2008", "days_to_liquidate"):
        assert shown[f"{name}_after"] > shown[f"{name}_before"] >= 0
    assert {"drawdown_before", "drawdown_after"} <= set(shown)
