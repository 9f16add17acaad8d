"""Ingestion: whatever a source gives twice, late, corrected or not at all, the log ends up with each thing once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.clock import ManualClock
from shared.errors import FinAgentError, InvalidError, TransientError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.ingest import Ingest
from shared.projections import bar as bar_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Filter
from shared.watchlist import SHARD_SIZE, Watchlist
from tests.builders import CLOSE, DAY, HOUR, SECOND, a_bar, a_headline, a_portfolio


@dataclass
class Vendor:
    """A source that a test fills, and makes fail; it remembers what it was asked for."""

    known: list[Bar] = field(default_factory=list)
    headlines: list[NewsItem] = field(default_factory=list)
    account: Portfolio | None = None
    trouble: FinAgentError | None = None
    asked: list[tuple[tuple[str, ...], datetime, datetime]] = field(default_factory=list)

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        self._ask(symbols, start, end)
        return [bar for bar in self.known if bar.symbol in symbols and start < bar.closed_at <= end]

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        self._ask(symbols, start, end)
        return [item for item in self.headlines if start < item.published_at <= end]

    async def portfolio(self) -> Portfolio | None:
        self._ask()
        return self.account

    def _ask(self, symbols: tuple[str, ...] = (), start: datetime = CLOSE, end: datetime = CLOSE) -> None:
        self.asked.append((symbols, start, end))
        if self.trouble:
            raise self.trouble

    def correct(self, bar: Bar) -> None:
        self.known = [
            bar if (bar.symbol, bar.closed_at) == (each.symbol, each.closed_at) else each for each in self.known
        ]


class Desk:
    """An ingester with its log and projection, which can be restarted and whose bus can fail."""

    def __init__(
        self, vendor: Vendor, symbols: tuple[str, ...] = ("AAPL", "IBM"), lookback: timedelta = 30 * DAY
    ) -> None:
        self.vendor = vendor
        self.clock = ManualClock(day(10))
        self.store = InMemoryEventStore()
        self.projections = InMemoryProjectionStore()
        self.published: list[Event] = []
        self.bus_trouble: FinAgentError | None = None
        self.lookback = lookback
        self.restart(symbols)

    def restart(self, symbols: tuple[str, ...]) -> None:
        self.ingest = Ingest(
            source=self.vendor,
            clock=self.clock,
            emit=self._emit,
            store=self.store,
            bars=BarHistory(self.projections, "1Day"),
            watchlist=Watchlist(symbols),
            interval="1Day",
            opened_at=self.clock.now(),
            lookback=self.lookback,
        )

    async def _emit(self, events: Sequence[Event]) -> list[Event]:
        fresh = await self.store.append(events)
        if self.bus_trouble:
            raise self.bus_trouble
        self.published.extend(events)
        return fresh

    async def tick(self, later: timedelta = timedelta()) -> int:
        """Tick for bars, and let the projector follow."""
        self.clock.advance(later)
        count = await self.ingest.market_tick()
        await self.projections.apply([row for event in self.published for row in bar_projection.rows(event)])
        return count

    async def log(self) -> list[Any]:
        return [decode(body) for body in (await self.store.page(Filter(), "", 1_000)).events]


def day(number: int) -> datetime:
    return CLOSE + number * DAY


def closes(*symbols: str, days: range = range(11)) -> list[Bar]:
    return [a_bar(symbol, close=100.0 + n, closed_at=day(n)) for n in days for symbol in symbols or ("AAPL", "IBM")]


def content(events: Sequence[MarketDataReceived]) -> list[tuple[datetime, datetime, str]]:
    """Give each event's time, and the close and symbols of its bars."""
    return [
        (event.time, event.data.bars[0].closed_at, " ".join(bar.symbol for bar in event.data.bars)) for event in events
    ]


async def test_first_tick_when_the_desk_is_empty_takes_the_history_one_event_an_interval() -> None:
    vendor = Vendor(closes(days=range(-40, 12)))
    desk = Desk(vendor, lookback=5 * DAY)
    assert await desk.tick(HOUR) == 5
    assert content(await desk.log()) == [(day(n), day(n), "AAPL IBM") for n in range(6, 11)]
    assert vendor.asked == [(("AAPL", "IBM"), day(5), day(10) + HOUR)]


async def test_tick_when_repeated_emits_nothing_and_asks_for_the_overlap_only() -> None:
    desk = Desk(Vendor(closes()))
    assert await desk.tick() == 11
    before, desk.published = await desk.log(), []
    assert [await desk.tick(HOUR) for _ in range(3)] == [0, 0, 0]
    assert await desk.log() == before
    assert desk.published == []
    assert [start for _, start, _ in desk.vendor.asked[1:]] == [day(5)] * 3


async def test_tick_when_bars_closed_since_emits_just_them() -> None:
    desk = Desk(Vendor(closes(days=range(13))))
    await desk.tick()
    desk.published = []
    assert await desk.tick(2 * DAY) == 2
    assert content(desk.published) == [(day(11), day(11), "AAPL IBM"), (day(12), day(12), "AAPL IBM")]  # type: ignore[arg-type]


async def test_tick_when_a_bar_was_corrected_emits_its_interval_anew_as_of_now() -> None:
    desk = Desk(Vendor(closes()))
    await desk.tick()
    desk.vendor.correct(a_bar("IBM", close=77.0, closed_at=day(8)))
    assert await desk.tick(HOUR) == 1
    corrected = (await desk.log())[-1]
    assert content([corrected]) == [(day(10) + HOUR, day(8), "AAPL IBM")]
    assert [bar.close for bar in corrected.data.bars] == [108.0, 77.0]
    assert [bar.close for bar in await desk.ingest.bars.read("IBM", day(10), limit=3)] == [108, 109, 110]
    assert [bar.close for bar in await desk.ingest.bars.read("IBM", day(11), limit=3)] == [77, 109, 110]


async def test_tick_when_a_symbols_bar_comes_late_emits_its_interval_anew() -> None:
    desk = Desk(Vendor([*closes(days=range(10)), *closes("AAPL", days=range(10, 11))]))
    await desk.tick()
    desk.vendor.known = closes()
    assert await desk.tick(HOUR) == 1
    assert content(await desk.log())[-2:] == [(day(10), day(10), "AAPL"), (day(10) + HOUR, day(10), "AAPL IBM")]


async def test_tick_when_a_whole_interval_comes_late_emits_it_at_its_close() -> None:
    desk = Desk(Vendor([bar for bar in closes() if bar.closed_at != day(7)]))
    await desk.tick()
    desk.vendor.known = closes()
    assert await desk.tick(HOUR) == 1
    assert content(await desk.log())[-1:] == [(day(7), day(7), "AAPL IBM")]


async def test_symbol_when_it_joins_the_watchlist_gets_its_history() -> None:
    desk = Desk(Vendor(closes("AAPL", "IBM", "MSFT")))
    await desk.tick()
    desk.restart(("AAPL", "IBM", "MSFT"))
    await desk.tick(HOUR)
    assert [bar.closed_at for bar in await desk.ingest.bars.read("MSFT", day(11))] == [day(n) for n in range(11)]
    assert await desk.ingest.bars.read("MSFT", day(10)) == []
    assert len(await desk.ingest.bars.read("IBM", day(11))) == 11
    assert await desk.tick(HOUR) == 0


async def test_symbol_when_it_has_no_bars_at_all_is_asked_for_its_history_once() -> None:
    desk = Desk(Vendor(closes()), symbols=("AAPL", "IBM", "XYZ"))
    await desk.tick()
    desk.restart(("AAPL", "IBM", "XYZ"))
    desk.vendor.asked.clear()
    await desk.tick(HOUR)
    await desk.tick(HOUR)
    assert [symbols for symbols, _, _ in desk.vendor.asked].count(("XYZ",)) == 1


async def test_tick_when_the_projector_is_behind_emits_nothing_again() -> None:
    desk = Desk(Vendor([*closes("AAPL"), *closes("IBM", days=range(5, 11))]))
    await desk.ingest.market_tick()
    before = await desk.log()
    await desk.projections.apply(bar_projection.rows(before[0]))
    assert await desk.ingest.market_tick() == 0
    assert await desk.log() == before
    assert len(desk.vendor.asked) == 2


@pytest.mark.parametrize("corrected", [False, True])
async def test_ingest_when_restarted_emits_nothing_new(corrected: bool) -> None:
    desk = Desk(Vendor(closes()))
    await desk.tick()
    if corrected:
        desk.vendor.correct(a_bar("IBM", close=77.0, closed_at=day(8)))
        await desk.tick(HOUR)
    before, desk.published = await desk.log(), []
    desk.restart(("AAPL", "IBM"))
    assert await desk.tick(HOUR) == 0
    assert await desk.log() == before
    assert {event.id: event for event in desk.published}.items() <= {event.id: event for event in before}.items()


@pytest.mark.parametrize("trouble", [TransientError("429"), InvalidError("the key is wrong")])
@pytest.mark.parametrize("tick", ["market", "news", "positions"])
async def test_source_when_it_fails_is_reported_and_the_next_tick_covers_the_gap(
    trouble: FinAgentError, tick: str
) -> None:
    desk = Desk(Vendor(closes(days=range(9, 11)), account=a_portfolio().data))
    run = getattr(desk.ingest, f"{tick}_tick")
    await run()
    succeeded_at = desk.clock.now()
    desk.clock.advance(DAY)
    desk.vendor.known = closes(days=range(11, 12))
    desk.vendor.headlines = [a_headline(time=day(11)).data]
    desk.vendor.account = a_portfolio(cash=5.0).data
    desk.vendor.trouble = trouble
    assert await run() == 0
    status = desk.ingest.status[tick]
    assert (status.problem, status.succeeded_at) == (str(trouble), succeeded_at)
    desk.vendor.trouble = None
    desk.clock.advance(2 * DAY)
    assert await run() == 1
    assert (status.problem, status.succeeded_at) == (None, desk.clock.now())


async def test_prices_when_none_have_come_for_more_than_a_week_are_reported_as_stale() -> None:
    desk = Desk(Vendor(closes(days=range(8, 11))))
    assert await desk.tick() == 3
    await desk.tick(7 * DAY)
    assert desk.ingest.status["market"].problem is None
    await desk.tick(DAY)
    assert "no prices since 2008-01-12" in str(desk.ingest.status["market"].problem)
    desk.vendor.known += closes(days=range(17, 18))
    assert await desk.tick() == 1
    assert desk.ingest.status["market"].problem is None


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("tick", ["market", "news", "positions"])
async def test_events_when_appended_but_not_published_are_published_by_the_next_tick(
    tick: str, restarted: bool
) -> None:
    vendor = Vendor(closes(days=range(8, 11)), [a_headline(time=day(9)).data], a_portfolio().data)
    desk = Desk(vendor)
    desk.bus_trouble = TransientError("the bus is away")
    await getattr(desk.ingest, f"{tick}_tick")()
    assert desk.published == []
    assert "away" in str(desk.ingest.status[tick].problem)
    desk.bus_trouble = None
    if restarted:
        desk.restart(("AAPL", "IBM"))
    desk.clock.advance(SECOND)
    assert await getattr(desk.ingest, f"{tick}_tick")() == 0
    assert desk.published == await desk.log() != []


async def test_watchlist_when_it_is_long_makes_an_event_for_each_shard() -> None:
    symbols = tuple(f"S{n}" for n in range(SHARD_SIZE + 1))
    desk = Desk(Vendor(closes(*symbols, days=range(1))), symbols=symbols)
    await desk.tick()
    assert [(event.stream, len(event.data.bars)) for event in await desk.log()] == [("market-0", 50), ("market-1", 1)]


async def test_news_when_it_comes_late_or_again_is_emitted_once() -> None:
    desk = Desk(Vendor(headlines=[a_headline("First", time=day(9)).data]))
    assert [await desk.ingest.news_tick() for _ in range(2)] == [1, 0]
    desk.vendor.headlines += [a_headline("Late", time=day(8)).data, a_headline("Too old", time=day(6)).data]
    desk.clock.advance(HOUR)
    assert await desk.ingest.news_tick() == 1
    desk.restart(("AAPL",))
    assert await desk.ingest.news_tick() == 0
    assert [(event.data.headline, event.time) for event in await desk.log()] == [("First", day(9)), ("Late", day(8))]


async def test_portfolio_when_it_changes_and_changes_back_is_emitted_each_time() -> None:
    desk = Desk(Vendor())
    rich, poor = a_portfolio(cash=9.0).data, a_portfolio(cash=1.0).data
    for account, count in ((None, 0), (rich, 1), (rich, 0), (poor, 1), (poor, 0), (rich, 1), (rich, 0)):
        desk.vendor.account = account
        desk.clock.advance(HOUR)
        assert await desk.ingest.positions_tick() == count
    events = await desk.log()
    assert [event.data for event in events] == [rich, poor, rich]
    assert len({event.id for event in events}) == 3


async def test_portfolio_when_its_positions_change_places_is_unchanged() -> None:
    desk = Desk(Vendor(account=a_portfolio(holdings={"IBM": 1.0, "AAPL": 2.0}).data))
    assert await desk.ingest.positions_tick() == 1
    desk.vendor.account = a_portfolio(holdings={"AAPL": 2.0, "IBM": 1.0}).data
    assert await desk.ingest.positions_tick() == 0
