"""The oracle: what it forecasts when a market day closes, how it votes by it, and that nothing newer counts."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from shared.agents.opinion import Judgment
from shared.agents.oracle import (
    CLOSES_KEPT,
    HORIZONS_DAYS,
    LEVELS,
    MOST_CONFIDENCE,
    OracleDeps,
    OracleState,
    judge_trade,
    on_market_data_received,
)
from shared.errors import MissingError, TransientError
from shared.events.forecast import Forecast, ForecastPublished
from shared.events.market import Bar, MarketDataReceived
from shared.market.recorded import RecordedMarketSource
from shared.projections import bar as bar_projection
from shared.projections import view as view_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.view import Views
from shared.quant.forecast import LEAST_RETURNS
from tests.builders import CLOSE, DAY, HOUR, MINUTE, a_bar, a_trade_request, market_data

ENOUGH = LEAST_RETURNS + 1


class Desk:
    """The oracle with its projections, and its state as JSON, as a store keeps it."""

    def __init__(self) -> None:
        self.projections = InMemoryProjectionStore()
        self.deps = OracleDeps(BarHistory(self.projections, "1Day"), Views(self.projections))
        self.state = OracleState()
        self.said: list[ForecastPublished] = []

    async def project(self, *events: MarketDataReceived) -> None:
        await self.projections.apply([row for event in events for row in bar_projection.rows(event)])

    async def handle(self, *events: MarketDataReceived) -> None:
        for event in events:
            decision = await on_market_data_received(event, self.state, self.deps)
            if decision.state is not None:
                self.state = OracleState.model_validate_json(decision.state.model_dump_json())
            for emit in decision.emits:
                assert isinstance(emit.event, ForecastPublished)
                self.said.append(emit.event)
                await self.projections.apply(view_projection.rows(emit.event))

    async def take(self, events: Iterable[MarketDataReceived]) -> None:
        for event in events:
            await self.project(event)
            await self.handle(event)

    async def judge(self, **trade: object) -> Judgment:
        return await judge_trade(a_trade_request(**trade), self.deps)  # type: ignore[arg-type]

    @property
    def last(self) -> Forecast:
        return self.said[-1].data.forecasts[-1]


def day(number: int) -> datetime:
    return CLOSE + number * DAY


def price(number: int) -> float:
    return 100 * math.exp(0.02 * math.sin(7 * number * number) + 0.0004 * number)


def days(first: int, last: int, *symbols: str) -> list[MarketDataReceived]:
    named = symbols or ("AAPL",)
    return [market_data(*(a_bar(each, close=price(n), closed_at=day(n)) for each in named)) for n in range(first, last)]


async def a_desk(count: int = ENOUGH, *symbols: str) -> Desk:
    desk = Desk()
    await desk.take(days(0, count, *symbols))
    return desk


async def test_forecast_when_a_year_is_known_is_the_first() -> None:
    desk = await a_desk(ENOUGH - 1)
    assert desk.said == []
    (event,) = days(ENOUGH - 1, ENOUGH)
    await desk.take([event])
    (said,) = desk.said
    assert (said.causationid, said.source, said.stream, said.time) == (event.id, "oracle", "market-0", event.time)
    assert (desk.last.symbol, desk.last.prices_as_of, desk.last.close) == ("AAPL", event.time, price(ENOUGH - 1))
    assert (desk.last.evidence, desk.last.model.observations) == ((event.id,), LEAST_RETURNS)
    assert tuple(each.days for each in desk.last.horizons) == HORIZONS_DAYS


async def test_forecast_when_it_is_read_is_consistent_in_itself() -> None:
    desk = await a_desk()
    for horizon in desk.last.horizons:
        quantiles = list(horizon.quantiles.values())
        assert list(horizon.quantiles) == [str(level) for level in LEVELS]
        assert quantiles == sorted(quantiles)
        assert horizon.expected_shortfall_95 > -horizon.quantiles["0.05"] > 0
        assert (horizon.probability_of_loss > 0.5) == (horizon.quantiles["0.5"] < 0)
    model, (near, _, far) = desk.last.model, desk.last.horizons
    assert near.deviation == pytest.approx(model.volatility, rel=0.1)
    assert 3 < far.deviation / near.deviation < 6


async def test_forecast_when_made_again_is_the_same_and_of_another_event_is_not() -> None:
    one, other = await a_desk(), await a_desk()
    assert one.said == other.said
    renamed = Desk()
    events = days(0, ENOUGH)
    await renamed.take([*events[:-1], events[-1].model_copy(update={"id": "another"})])
    assert renamed.last.model == one.last.model
    assert renamed.last.horizons != one.last.horizons


async def test_forecasts_when_several_symbols_close_are_one_event_and_a_view_of_each() -> None:
    desk = await a_desk(ENOUGH, "AAPL", "IBM")
    (said,) = desk.said
    assert [forecast.symbol for forecast in said.data.forecasts] == ["AAPL", "IBM"]
    body = await Views(desk.projections).latest("oracle", "IBM", said.time)
    assert body is not None
    view = ForecastPublished.model_validate_json(body)
    assert view.id == said.id
    assert view.data.forecasts == said.data.forecasts[1:]


async def test_forecasts_when_a_minute_closes_are_made_only_at_the_end_of_the_day() -> None:
    desk, moment = Desk(), datetime(2008, 7, 1, 20, tzinfo=UTC)  # 16:00 in New York, in summer
    closes = [price(n) for n in range(ENOUGH - 1)]
    desk.state = OracleState.model_validate({"symbols": {"AAPL": {"closes": closes, "closed_at": moment - DAY}}})
    for minutes in (-2, -1, 0, 1, 60):
        event = market_data(a_bar(close=100 + minutes, closed_at=moment + minutes * MINUTE), interval="1Min")
        await desk.take([event])
    (said,) = desk.said
    assert (said.time, desk.last.close, desk.last.model.observations) == (moment, 100, LEAST_RETURNS)


async def test_state_when_years_go_by_keeps_three_of_them() -> None:
    desk = await a_desk(CLOSES_KEPT + 5)
    known = desk.state.symbols["AAPL"]
    assert known.closes == tuple(price(n) for n in range(5, CLOSES_KEPT + 5))
    assert desk.last.model.observations == CLOSES_KEPT - 1


async def test_bar_when_it_comes_twice_is_folded_once() -> None:
    desk = await a_desk()
    before = desk.state
    await desk.handle(*days(ENOUGH - 1, ENOUGH))
    assert desk.state == before
    assert len(desk.said) == 1


@pytest.mark.parametrize("number", [ENOUGH - 1, 40])
async def test_bar_when_it_is_corrected_is_forecast_from_anew(number: int) -> None:
    desk = await a_desk()
    corrected = market_data(a_bar(close=130.0, closed_at=day(number)), time=day(ENOUGH))
    await desk.take([corrected])
    expected = [price(n) if n != number else 130.0 for n in range(ENOUGH)]
    assert desk.state.symbols["AAPL"].closes == tuple(expected)
    assert len(desk.said) == 2
    assert desk.said[-1].time == day(ENOUGH)


async def test_bar_when_it_is_late_and_history_is_not_projected_yet_waits() -> None:
    desk = Desk()
    await desk.handle(*days(5, 20))
    with pytest.raises(TransientError):
        await desk.handle(*days(2, 3))


async def test_oracle_when_it_comes_to_an_old_desk_reads_its_history() -> None:
    desk, events = Desk(), days(0, ENOUGH)
    await desk.project(*events)
    await desk.handle(events[-1])
    assert desk.last.model.observations == LEAST_RETURNS
    assert desk.state == (await a_desk()).state


@pytest.mark.parametrize("close", [100.0, 1e-9])
async def test_forecast_when_the_price_stands_still_is_none(close: float) -> None:
    desk = Desk()
    await desk.take(market_data(a_bar(close=close, closed_at=day(n))) for n in range(ENOUGH))
    assert desk.said == []
    with pytest.raises(MissingError, match="no forecast of AAPL is known"):
        await desk.judge(time=day(ENOUGH))


async def test_vote_when_it_is_made_follows_from_the_forecast() -> None:
    desk = await a_desk()
    bought = await desk.judge(time=day(ENOUGH))
    sold = await desk.judge(time=day(ENOUGH), side="sell")
    far = desk.last.horizons[-1]
    ratio = far.mean / far.deviation * math.sqrt(12)
    assert bought.stance == pytest.approx((math.tanh(ratio) + 1 - 2 * far.probability_of_loss) / 2)
    assert sold.stance == -bought.stance != 0
    assert bought.confidence == pytest.approx(MOST_CONFIDENCE * LEAST_RETURNS / (CLOSES_KEPT - 1))
    assert {evidence.event for evidence in bought.evidence} == {desk.said[-1].id, desk.last.evidence[-1]}


@pytest.mark.parametrize(("growth", "sign"), [(0.01, 1), (-0.01, -1)])
async def test_vote_when_prices_go_one_way_goes_with_them(growth: float, sign: int) -> None:
    desk = Desk()
    await desk.take(market_data(a_bar(close=price(n) * math.exp(growth * n), closed_at=day(n))) for n in range(ENOUGH))
    assert sign * (await desk.judge(time=day(ENOUGH))).stance > 0.1


async def test_vote_when_history_is_short_abstains() -> None:
    desk = await a_desk(ENOUGH - 1)
    with pytest.raises(MissingError, match="251 daily closes"):
        await desk.judge(time=day(ENOUGH))


async def test_vote_when_prices_are_stale_abstains() -> None:
    desk = await a_desk()
    last = day(ENOUGH - 1)
    assert (await desk.judge(time=last + 7 * DAY)).stance != 0
    with pytest.raises(MissingError, match=f"since {last:%Y-%m-%d}"):
        await desk.judge(time=last + 7 * DAY + HOUR)


async def test_vote_when_the_future_is_known_to_the_desk_is_what_it_would_have_been() -> None:
    desk = await a_desk()
    before = await desk.judge(time=day(ENOUGH) - HOUR)
    await desk.take(market_data(a_bar(close=1_000.0 * 2**n, closed_at=day(ENOUGH + n))) for n in range(3))
    assert await desk.judge(time=day(ENOUGH) - HOUR) == before
    with pytest.raises(MissingError):
        await desk.judge(time=day(ENOUGH - 1) - HOUR)


async def test_forecast_when_the_projection_has_later_bars_does_not_see_them() -> None:
    events, canaries = days(0, ENOUGH), [a_bar(close=9e9, closed_at=day(ENOUGH + n)) for n in range(5)]
    desk = Desk()
    await desk.project(*events, *(market_data(canary) for canary in canaries))
    await desk.handle(events[-1])
    assert desk.said == (await a_desk()).said


async def test_forecast_when_a_late_bar_changes_it_is_not_known_before() -> None:
    desk = await a_desk()
    before = await desk.judge(time=day(ENOUGH))
    await desk.take([market_data(a_bar(close=300.0, closed_at=day(ENOUGH - 9)), time=day(ENOUGH) + HOUR)])
    assert await desk.judge(time=day(ENOUGH)) == before
    assert await desk.judge(time=day(ENOUGH) + HOUR) != before
    old = days(ENOUGH - 9, ENOUGH - 8)[0].model_copy(update={"id": "back-again"})
    await desk.handle(old)
    assert (desk.said[-1].causationid, desk.said[-1].time) == ("back-again", day(ENOUGH - 1))


async def test_history_when_it_is_corrected_later_is_read_as_it_was_known() -> None:
    desk, events = Desk(), days(0, ENOUGH)
    await desk.project(*events, market_data(a_bar(close=300.0, closed_at=day(40)), time=day(ENOUGH + 1)))
    await desk.handle(events[-1])
    assert desk.state == (await a_desk()).state


async def test_forecast_when_history_is_recorded_is_of_its_own_volatility() -> None:
    bars = await RecordedMarketSource().bars(("IBM",), "1Day", CLOSE - 800 * DAY, datetime(2008, 10, 11, tzinfo=UTC))
    desk = Desk()
    await desk.handle(*(market_data(bar) for bar in bars))
    autumn, spring = desk.last.model, _nearest(desk.said, datetime(2007, 5, 1, tzinfo=UTC)).model
    assert autumn.volatility > 2 * spring.volatility
    assert autumn.volatility == pytest.approx(float(np.std(_returns(bars[-20:]))), rel=0.5)


def _nearest(said: list[ForecastPublished], moment: datetime) -> Forecast:
    return min(said, key=lambda event: abs(event.time - moment)).data.forecasts[0]


def _returns(bars: list[Bar]) -> list[float]:
    return [math.log(after.close / before.close) for before, after in pairwise(bars)]
