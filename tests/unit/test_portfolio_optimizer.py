"""The portfolio optimizer: what it suggests, when it abstains or says nothing, and that limits and time hold."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pytest

from shared.agents.decision import Stateless
from shared.agents.portfolio_optimizer import OptimizerDeps, on_forecast_published, on_risk_assessed
from shared.agents.rebalance_plan import COST, LEAST_CASH, Limits
from shared.events.envelope import Event
from shared.events.forecast import Forecast, ForecastModel, ForecastPublished, Forecasts, HorizonForecast
from shared.events.market import Analysis, AnalysisCompleted
from shared.events.portfolio import PortfolioChanged, RiskAssessed, RiskAssessment
from shared.events.rebalance import Rebalance, RebalanceSuggested
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios, stream_of
from shared.projections.projector import Projector
from shared.projections.view import Views
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, HOUR, MINUTE, a_bar, a_portfolio, altered, market_data

LOOSE = Limits(max_weight=1.0, max_var_95=1.0)
DAYS = 120
HELD = a_portfolio(holdings={"AAPL": 40.0, "IBM": 40.0}, cash=2_000.0)


class Desk:
    """The optimizer's ports, with prices about 100 that vary by 1 % a day."""

    def __init__(self, limits: Limits = LOOSE) -> None:
        self.store, projections = InMemoryEventStore(), InMemoryProjectionStore()
        self.projector = Projector(projections, self.store)
        self.deps = OptimizerDeps(
            BarHistory(projections, "1Day"), Portfolios(projections, self.store), Views(projections), limits
        )

    async def know(self, *events: Event) -> None:
        await self.store.append(events)
        for event in events:
            await self.projector.project(event)

    async def priced(self, days: int = DAYS, until: datetime = CLOSE) -> None:
        chance = np.random.default_rng(1)
        for day in range(days):
            bars = [
                a_bar(symbol, close=100 * (1 + chance.normal(0, 0.01)), closed_at=until - (days - 1 - day) * DAY)
                for symbol in ("AAPL", "IBM")
            ]
            await self.know(market_data(*bars))

    async def said(self, event: RiskAssessed | ForecastPublished) -> list[RebalanceSuggested]:
        handler = on_risk_assessed if isinstance(event, RiskAssessed) else on_forecast_published
        emits = (await handler(event, Stateless(), self.deps)).emits  # type: ignore[arg-type]
        found = [emit.event for emit in emits]
        await self.know(*found)
        return [event for event in found if isinstance(event, RebalanceSuggested)]


async def a_desk(
    views: Mapping[str, float] | None = None, limits: Limits = LOOSE, held: PortfolioChanged = HELD
) -> Desk:
    """Give a desk with prices, a portfolio and the analyst's views."""
    desk = Desk(limits)
    await desk.priced()
    await desk.know(held, *[an_analysis(symbol, view) for symbol, view in (views or {}).items()])
    return desk


def an_analysis(symbol: str, view: float, time: datetime = CLOSE) -> AnalysisCompleted:
    data = Analysis(
        symbol=symbol,
        closed_at=time,
        close=100.0,
        trend="up",
        view=view,
        confidence=0.9,
        indicators={},
        moved_by=(),
    )
    return AnalysisCompleted.caused_by(
        market_data(a_bar(symbol, closed_at=time)), source="market_analyst", data=data, time=time
    )


def assessed(held: PortfolioChanged = HELD, time: datetime = CLOSE) -> RiskAssessed:
    data = RiskAssessment(
        portfolio=held.data.portfolio, value=1, weights={}, measures={"ewma_var_95": 0.02}, observations=99, breaches=()
    )
    return RiskAssessed.caused_by(held, source="risk_manager", data=data, time=time)


def a_forecast(means: Mapping[str, float], time: datetime = CLOSE) -> ForecastPublished:
    model = ForecastModel(
        alpha=0.05, beta=0.9, drift=0, volatility=0.01, long_run_volatility=0.01, observations=750, paths=1
    )
    forecasts = tuple(
        Forecast(
            symbol=symbol,
            prices_as_of=time,
            close=100,
            horizons=(
                HorizonForecast(
                    days=21, mean=mean, deviation=0.05, quantiles={}, probability_of_loss=0.5, expected_shortfall_95=0.1
                ),
            ),
            model=model,
            evidence=(),
        )
        for symbol, mean in means.items()
    )
    return ForecastPublished.caused_by(
        market_data(a_bar(closed_at=time)), source="oracle", data=Forecasts(forecasts=forecasts), time=time
    )


async def suggested(desk: Desk, event: RiskAssessed | ForecastPublished | None = None) -> Rebalance:
    (found,) = await desk.said(event or assessed())
    return found.data


async def test_orders_when_views_differ_go_with_them() -> None:
    desk = await a_desk({"AAPL": 1.0, "IBM": -1.0})
    found = await suggested(desk)
    assert [(order.side, order.symbol) for order in found.orders] == [("sell", "IBM"), ("buy", "AAPL")]
    assert found.before is not None
    assert found.after is not None
    assert found.after.expected_return > found.before.expected_return
    by_symbol = {each.symbol: each for each in found.views}
    assert by_symbol["AAPL"].contribution > 0 > by_symbol["IBM"].contribution
    assert by_symbol["AAPL"].event == an_analysis("AAPL", 1.0).id
    assert {each.event for each in found.evidence} == {HELD.id, assessed().id}
    assert {each.objective for each in found.alternatives} == {
        "min_variance",
        "risk_parity",
        "hierarchical_risk_parity",
    }


async def test_orders_when_carried_out_leave_the_cash_that_is_to_stay() -> None:
    found = await suggested(await a_desk(), a_forecast({"AAPL": 0.5, "IBM": 0.5}))
    assert found.value is not None
    assert {order.side for order in found.orders} == {"buy"}
    cash = HELD.data.cash
    for order in found.orders:
        cash += order.quantity * order.price * ((1 - COST) if order.side == "sell" else -(1 + COST))
    assert LEAST_CASH * found.value <= cash < (LEAST_CASH + 0.0005) * found.value


async def test_orders_when_a_limit_is_passed_go_below_it() -> None:
    found = await suggested(await a_desk({"AAPL": 0.1}, Limits(max_weight=0.25, max_var_95=1.0)))
    after = {order.symbol: order.weight_after for order in found.orders}
    assert set(after) == {"AAPL", "IBM"}
    assert max(after.values()) <= 0.25


async def test_orders_when_turnover_does_not_reach_the_limit_pass_it() -> None:
    found = await suggested(await a_desk({"AAPL": 0.1}, Limits(max_weight=1.0, max_var_95=0.001)))
    assert found.after is not None
    assert found.after.volatility <= 0.001 / 1.6449 * 21**0.5
    assert sum(order.weight_before - order.weight_after for order in found.orders) > 0.5


async def test_portfolio_when_views_ask_for_hardly_any_change_is_left_alone() -> None:
    assert await (await a_desk({"AAPL": 0.01, "IBM": 0.01})).said(assessed()) == []


async def test_portfolio_when_nothing_is_held_is_left_alone() -> None:
    held = a_portfolio(holdings={})
    assert await (await a_desk({"AAPL": 1.0}, held=held)).said(assessed(held)) == []


@pytest.mark.parametrize(
    ("days", "view", "until", "reason"),
    [
        (DAYS, None, CLOSE, "no agent has a view of AAPL, IBM"),
        (60, 1.0, CLOSE, "60 closes in common, 61 are needed"),
        (0, 1.0, CLOSE, "no price of AAPL is known"),
        (DAYS, 1.0, CLOSE - 9 * DAY, "no price of AAPL is known"),
    ],
    ids=["no view", "short history", "no price", "stale price"],
)
async def test_optimizer_when_it_knows_too_little_abstains(
    days: int, view: float | None, until: datetime, reason: str
) -> None:
    desk = Desk()
    await desk.priced(days, until)
    await desk.know(HELD, *([an_analysis("AAPL", view)] if view else []))
    found = await suggested(desk)
    assert found.abstained is not None
    assert reason in found.abstained
    assert found.orders == ()


async def test_suggestions_when_events_come_within_an_hour_are_one() -> None:
    desk = await a_desk({"AAPL": 1.0, "IBM": -1.0})
    (first,) = await desk.said(assessed())
    assert await desk.said(assessed(time=CLOSE + 59 * MINUTE)) == []
    (second,) = await desk.said(assessed(time=CLOSE + HOUR))
    assert first.id != second.id


async def test_suggestions_when_the_first_is_not_projected_yet_have_one_id() -> None:
    one, other = await a_desk({"AAPL": 1.0, "IBM": -1.0}), await a_desk({"AAPL": 1.0, "IBM": -1.0})
    (first,) = await one.said(assessed())
    (second,) = await other.said(a_forecast({"AAPL": 0.05}, CLOSE + MINUTE))
    assert (first.id, first.stream) == (second.id, second.stream)


async def test_forecast_when_it_is_not_projected_yet_counts_for_every_holder_in_its_own_stream() -> None:
    desk = await a_desk()
    data, stream = HELD.data, stream_of("ann", "main")
    theirs = altered(HELD, owner="ann", stream=stream, id="theirs", data=data)
    await desk.know(theirs)
    found = await desk.said(a_forecast({"AAPL": 0.08, "IBM": -0.08}))
    assert {(each.stream, each.owner) for each in found} == {(HELD.stream, None), (stream, "ann")}
    for each in found:
        assert {view.agent for view in each.data.views} == {"oracle"}
        assert [order.symbol for order in each.data.orders if order.side == "buy"] == ["AAPL"]


async def test_suggestion_when_the_future_is_projected_does_not_see_it() -> None:
    desk, seer = await a_desk({"AAPL": 1.0, "IBM": -1.0}), await a_desk({"AAPL": 1.0, "IBM": -1.0})
    later = CLOSE + DAY
    await seer.know(
        an_analysis("AAPL", -1.0, later),
        an_analysis("IBM", 1.0, later),
        a_portfolio(holdings={"IBM": 1.0}, time=later),
        market_data(a_bar("AAPL", close=1.0, closed_at=later), a_bar("IBM", close=1e4, closed_at=later)),
    )
    assert await suggested(seer) == await suggested(desk)
