"""The market analyst: what it says of prices, when it says so, and that only the bars count, never how they came."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agents import market_analyst
from shared.agents.market_analyst import AnalystDeps, AnalystState, SymbolState, judge_trade, on_market_data_received
from shared.agents.opinion import Judgment
from shared.agents.own_state import OwnState
from shared.errors import MissingError, TransientError
from shared.events.market import AnalysisCompleted, MarketCrashDetected, MarketDataReceived
from shared.market.recorded import RecordedMarketSource
from shared.projections import bar as bar_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.quant.indicator import read
from shared.quant.regime import regime_of
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit
from shared.watchlist import Watchlist
from tests.builders import CLOSE, DAY, HOUR, a_bar, a_trade_request, market_data

STREAM = "market-0"


class Desk:
    """The analyst with its bars, and its state as JSON, as a store keeps it."""

    def __init__(self, state: AnalystState | None = None) -> None:
        self.projections = InMemoryProjectionStore()
        self.store = InMemoryEventStore()
        bars = BarHistory(self.projections, "1Day")
        self.deps = AnalystDeps(
            bars, OwnState(self.store, market_analyst.NAME, AnalystState), Watchlist(("AAPL", "IBM"))
        )
        self.state = state or AnalystState()
        self.said: list[AnalysisCompleted] = []
        self.alarms: list[MarketCrashDetected] = []

    async def project(self, *events: MarketDataReceived) -> None:
        await self.projections.apply([row for event in events for row in bar_projection.rows(event)])

    async def handle(self, *events: MarketDataReceived) -> None:
        for event in events:
            decision = await on_market_data_received(event, self.state, self.deps)
            assert decision.state is not None
            self.state = AnalystState.model_validate_json(decision.state.model_dump_json())
            self.said += [emit.event for emit in decision.emits if isinstance(emit.event, AnalysisCompleted)]
            self.alarms += [emit.event for emit in decision.emits if isinstance(emit.event, MarketCrashDetected)]

    async def take(self, events: Iterable[MarketDataReceived]) -> None:
        for event in events:
            await self.project(event)
            await self.handle(event)

    async def judge(self, **trade: object) -> Judgment:
        snapshot = await self.store.snapshot(market_analyst.NAME, STREAM)
        body, etag = self.state.model_dump_json().encode(), snapshot.etag if snapshot else None
        await self.store.commit(Commit(market_analyst.NAME, STREAM, f"event-{etag}", body, etag, ()))
        return await judge_trade(a_trade_request(**trade), self.deps)  # type: ignore[arg-type]

    def known(self, symbol: str = "AAPL") -> SymbolState:
        return self.state.symbols[symbol]


def days(closes: Sequence[float], symbol: str = "AAPL") -> list[MarketDataReceived]:
    return [market_data(a_bar(symbol, close=close, closed_at=day(n))) for n, close in enumerate(closes)]


def day(number: int) -> datetime:
    return CLOSE + number * DAY


def waves(count: int) -> list[float]:
    return [100 + 15 * math.sin(n / 9) + 3 * math.sin(n * n) for n in range(count)]


async def recorded(count: int) -> list[MarketDataReceived]:
    bars = await RecordedMarketSource().bars(("AAPL",), "1Day", day(0) - 1.6 * count * DAY, day(0))
    return [market_data(bar) for bar in bars[-count:]]


async def folded(closes: Sequence[float]) -> SymbolState:
    desk = Desk()
    await desk.take(days(closes))
    return desk.known()


async def test_analysis_when_fifty_bars_are_known_is_the_first() -> None:
    desk, events = Desk(), days(waves(50))
    await desk.take(events[:49])
    assert desk.said == []
    await desk.take(events[49:])
    (said,) = desk.said
    assert (said.data.symbol, said.data.closed_at, said.causationid) == ("AAPL", day(49), events[49].id)
    assert (said.stream, said.time, said.source) == (STREAM, day(49), "market_analyst")


async def test_analysis_when_made_follows_from_its_indicators() -> None:
    desk = Desk()
    await desk.take(await recorded(60))
    said = desk.said[-1].data
    of, closes = said.indicators, said.close
    parts = (
        math.tanh((of["ema_12"] - of["ema_26"]) / of["atr_14"]),
        math.tanh((closes - of["sma_50"]) / (3 * of["atr_14"])),
        math.tanh(of["momentum_20"] / (of["volatility_ewma"] / math.sqrt(252) * math.sqrt(20))),
        of["rsi_14"] / 50 - 1,
    )
    assert said.view == pytest.approx(sum(parts) / 4)
    assert said.confidence == pytest.approx(1 - (max(parts) - min(parts)) / 2)


@pytest.mark.parametrize(("growth", "trend"), [(1.01, "up"), (0.99, "down"), (1.0, "sideways")])
async def test_view_when_prices_go_one_way_follows_them(growth: float, trend: str) -> None:
    desk = Desk()
    await desk.take(days([100 * growth**n for n in range(60)]))
    (said,) = desk.said
    assert said.data.trend == trend
    assert math.copysign(1, said.data.view) == math.copysign(1, growth - 1)
    assert (said.data.view == 0) == (growth == 1)
    if growth == 1:
        with pytest.raises(MissingError, match="has not moved"):
            await desk.judge(time=day(59))
    else:
        assert (await desk.judge(time=day(59))).stance == pytest.approx(said.data.view, abs=0.25)


async def test_snapshot_when_bars_of_another_length_come_begins_anew() -> None:
    desk = Desk()
    await desk.take(days([100 * 1.01**n for n in range(60)]))
    desk.deps = replace(desk.deps, bars=BarHistory(desk.projections, "1Hour"))
    await desk.take([market_data(a_bar(close=200.0, closed_at=day(60)), interval="1Hour")])
    assert desk.state.interval == "1Hour"
    assert desk.state.symbols["AAPL"].indicators.closes == (200.0,)
    assert desk.state.symbols["AAPL"].view is None


async def test_analysis_when_the_view_hardly_changes_is_not_repeated() -> None:
    desk, events = Desk(), await recorded(400)
    for event in events:
        await desk.take([event])
        if desk.said:
            view = (await desk.judge(time=event.time)).stance
            assert abs(view - desk.said[-1].data.view) < 0.25
            assert _trend(view) == desk.said[-1].data.trend
    assert 20 < len(desk.said) < 200
    pairs = pairwise(said.data for said in desk.said)
    assert all(
        abs(one.view - other.view) >= 0.25 or (one.trend, one.regime) != (other.trend, other.regime)
        for one, other in pairs
    )


def _trend(view: float) -> str:
    return "sideways" if abs(view) < 0.2 else "up" if view > 0 else "down"


async def test_symbols_when_they_close_together_are_each_analysed() -> None:
    desk = Desk()
    for n, close in enumerate(waves(50)):
        bars = [a_bar(symbol, close=close, closed_at=day(n)) for symbol in ("AAPL", "IBM")]
        await desk.take([market_data(*bars)])
    assert [said.data.symbol for said in desk.said] == ["AAPL", "IBM"]
    assert len({said.id for said in desk.said}) == 2
    assert desk.known("AAPL").indicators == desk.known("IBM").indicators


CLOSES = st.lists(st.floats(50, 200), min_size=4, max_size=8)


@given(closes=CLOSES, random=st.randoms(use_true_random=False), ahead=st.booleans())
@settings(max_examples=60, deadline=None)
async def test_state_when_bars_come_late_or_twice_is_that_of_a_fold_from_scratch(
    closes: list[float], random: Random, ahead: bool
) -> None:
    events = days(closes) * 2
    random.shuffle(events)
    desk = Desk()
    if ahead:
        await desk.project(*events)
    for event in events:
        await desk.handle(event)
        await desk.project(event)
    expected = await folded(closes)
    assert (desk.known().indicators, desk.known().last) == (expected.indicators, expected.last)


@given(closes=CLOSES, corrected=st.dictionaries(st.integers(0, 3), st.floats(50, 200), min_size=1))
@settings(max_examples=60, deadline=None)
async def test_state_when_bars_are_corrected_is_that_of_a_fold_from_scratch(
    closes: list[float], corrected: dict[int, float]
) -> None:
    desk = Desk()
    await desk.take(days(closes))
    for minutes, (n, close) in enumerate(corrected.items(), start=1):
        bar = a_bar(close=close, closed_at=day(n))
        await desk.take([market_data(bar, time=day(len(closes)) + minutes * HOUR)])
    expected = await folded([corrected.get(n, close) for n, close in enumerate(closes)])
    assert (desk.known().indicators, desk.known().last) == (expected.indicators, expected.last)


async def test_analysis_when_the_last_bar_is_corrected_is_made_anew() -> None:
    desk = Desk()
    await desk.take(days(waves(60)))
    before = len(desk.said)
    await desk.take([market_data(a_bar(close=60.0, closed_at=day(59)), time=day(59) + HOUR)])
    assert len(desk.said) == before + 1
    assert (desk.said[-1].data.close, desk.said[-1].data.trend) == (60.0, "down")


async def test_bar_when_it_comes_twice_says_nothing_new() -> None:
    desk, events = Desk(), days(waves(60))
    await desk.take(events)
    state, said = desk.state, list(desk.said)
    await desk.handle(market_data(*events[-1].data.bars, id="again", time=day(60)))
    assert desk.state == state
    await desk.handle(events[20])
    assert desk.said == said
    assert desk.known().indicators == state.symbols["AAPL"].indicators


async def test_late_bar_when_the_history_is_not_projected_yet_waits_for_it() -> None:
    desk, events = Desk(), days(waves(60))
    late = events.pop(30)
    await desk.handle(*events)
    await desk.project(*events[:10])
    with pytest.raises(TransientError, match="AAPL"):
        await desk.handle(late)
    await desk.project(*events)
    await desk.handle(late)
    assert desk.known().indicators == (await folded(waves(60))).indicators


@pytest.mark.parametrize("stop", [10, 49, 50, 90])
async def test_analyst_when_restarted_says_the_same_to_the_byte(stop: int) -> None:
    events = await recorded(120)
    one = Desk()
    await one.take(events)
    first = Desk()
    await first.take(events[:stop])
    second = Desk(AnalystState.model_validate_json(first.state.model_dump_json()))
    await second.take(events[stop:])
    assert [event.json_bytes for event in (*first.said, *second.said)] == [event.json_bytes for event in one.said]
    assert second.state.model_dump_json() == one.state.model_dump_json()


async def test_analyst_when_the_future_is_in_its_history_does_not_see_it() -> None:
    events, canary = days(waves(60)), days([1e6] * 30)
    corrections = [market_data(*event.data.bars, time=day(200)) for event in canary]
    blind, tempted = Desk(), Desk()
    await tempted.project(*corrections, *[market_data(a_bar(close=1e6, closed_at=day(n))) for n in range(60, 90)])
    shuffled = [*events[:40], *events[45:], *events[40:45]]
    for desk in (blind, tempted):
        await desk.take(shuffled)
    assert tempted.state == blind.state
    assert tempted.said == blind.said
    assert await tempted.judge(time=day(59) + HOUR) == await blind.judge(time=day(59) + HOUR)


async def test_judgment_when_the_snapshot_is_ahead_is_that_of_the_trades_time() -> None:
    events = days(waves(90))
    now, later = Desk(), Desk()
    await now.take(events[:60])
    await later.take(events)
    expected = await now.judge(time=day(59))
    assert (await later.judge(time=day(59))).stance == expected.stance != (await later.judge(time=day(89))).stance


async def test_judgment_when_the_snapshot_is_behind_reads_the_history() -> None:
    events = days(waves(60))
    behind, current = Desk(), Desk()
    await current.take(events)
    await behind.take(events[:10])
    await behind.project(*events)
    assert (await behind.judge(time=day(59))).stance == (await current.judge(time=day(59))).stance


async def test_judgment_when_selling_is_the_opposite_of_buying() -> None:
    desk = Desk()
    await desk.take(days(waves(60)))
    buy, sell = await desk.judge(time=day(59)), await desk.judge(side="sell", time=day(59))
    assert buy.stance == -sell.stance != 0
    assert buy.confidence == sell.confidence


async def test_judgment_when_made_names_its_evidence_and_its_event() -> None:
    desk, events = Desk(), days(waves(60))
    await desk.take(events)
    judgment = await desk.judge(time=day(59))
    values = {entry.name: entry.value for entry in judgment.evidence}
    assert values["close"] == events[-1].data.bars[0].close
    assert {"sma_50", "rsi_14", "momentum_20"} < set(values)
    assert {entry.event for entry in judgment.evidence} == {events[-1].id}
    assert judgment.veto is None


@pytest.mark.parametrize(
    ("bars", "trade", "reason"),
    [
        (0, {}, "no price of AAPL is known at all"),
        (60, {"symbol": "XYZ"}, "no price of XYZ is known at all"),
        (49, {"time": day(48)}, "only 49 bars of AAPL"),
        (60, {"time": day(59) + 8 * DAY}, "no price of AAPL is known since"),
        (60, {"time": day(20)}, "only 21 bars of AAPL"),
    ],
    ids=["no bars", "unknown symbol", "too few", "stale", "too few at the trade's time"],
)
async def test_judgment_when_prices_do_not_suffice_is_missing(bars: int, trade: dict[str, object], reason: str) -> None:
    desk = Desk()
    await desk.take(days(waves(bars)))
    with pytest.raises(MissingError, match=reason):
        await desk.judge(**trade)


async def test_snapshot_when_of_an_earlier_version_is_folded_anew_from_history() -> None:
    desk, events = Desk(), days(waves(80))
    await desk.take(events[:79])
    whole = desk.state
    earlier = whole.model_dump(mode="json")
    del earlier["symbols"]["AAPL"]["indicators"]["direction"]
    desk.state = AnalystState.model_validate(earlier)
    assert desk.state.symbols == {}
    await desk.take(events[79:])
    assert desk.known().indicators == (await advanced(whole, events)).indicators


async def advanced(state: AnalystState, events: Sequence[MarketDataReceived]) -> SymbolState:
    desk = Desk(state)
    await desk.project(*events[:-1])
    await desk.take(events[-1:])
    return desk.known()


async def test_alarm_when_a_bar_crashes_is_told_at_its_time_and_once() -> None:
    desk, events = Desk(), days([*(100 + n % 2 for n in range(80)), 80.0])
    await desk.take(events)
    [alarm] = [event for event in desk.alarms if event.data.kind == "drop"]
    assert (alarm.time, alarm.causationid, alarm.stream) == (events[-1].time, events[-1].id, "market-0")
    await desk.take(events[-1:])
    assert len([event for event in desk.alarms if event.data.kind == "drop"]) == 1


async def test_alarm_when_a_late_bar_was_a_crash_is_past() -> None:
    desk, events = Desk(), days([*(100 + n % 2 for n in range(80)), 80.0, 81.0, 60.0])
    await desk.take([*events[:80], events[81], events[82]])
    told = len(desk.alarms)
    await desk.take([events[80]])
    assert len(desk.alarms) == told
    assert desk.known().memories == (await whole_state(events)).memories


async def whole_state(events: Sequence[MarketDataReceived]) -> SymbolState:
    desk = Desk()
    await desk.take(events)
    return desk.known()


async def test_analysis_when_the_regime_changes_is_told_with_it() -> None:
    desk = Desk()
    for event in await recorded(700):
        await desk.take([event])
        now = read(desk.known().indicators)
        if "volatility_slow" in now:
            told = desk.known().regime
            assert regime_of(now["adx_14"], now["volatility_ewma"], now["volatility_slow"], told) == told
    changes = [one for before, one in pairwise(said.data for said in desk.said) if before.regime != one.regime]
    assert {"trend", "range"} <= {each.regime for each in changes}
    assert all("regime" in each.moved_by for each in changes)
