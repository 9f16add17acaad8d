"""Ingestion: turns what a market source has into events. Timers call it; doing so again costs nothing.

Windows overlap, so a repeated or late tick finds its events in the log already, while a bar that was missing or
corrected makes a new event. A symbol that was silent is asked for all that it missed when it speaks again. A long
history is asked for in parts, and what one part gave is kept when the next one fails.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, groupby

from shared.agents.sentiment_tracker import STREAM as NEWS_STREAM
from shared.bar_log import BarLog, Logged
from shared.clock import Clock
from shared.errors import FinAgentError
from shared.events.envelope import Event, derive_id
from shared.events.market import Bar, Interval, MarketData, MarketDataReceived
from shared.events.news import NewsItem, NewsReceived
from shared.events.portfolio import Portfolio, PortfolioChanged
from shared.freshness import Freshness
from shared.market.port import MarketSource
from shared.projections.bar import BarHistory
from shared.projections.portfolio import stream_of
from shared.store.port import EventStore
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry
from shared.watchlist import Watchlist

logger = logging.getLogger(__name__)

SOURCE = "ingest"
BATCH = 50
"""Events that are emitted at once: a year of history must not keep others from writing."""
MOMENT = timedelta(microseconds=1)
"""What is known last is what holds, even where the clock was set back."""
NEWS_OVERLAP = timedelta(days=3)
NEWS_LOOKBACK = timedelta(days=30)
_LENGTHS: dict[Interval, timedelta] = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1Hour": timedelta(hours=1),
    "1Day": timedelta(days=1),
}
_LEAST_OVERLAP = timedelta(minutes=30)
_PART_INTERVALS = 1_000
_NEWS_PART = timedelta(days=4)
MOST_KNOWN = 50_000
"""More than any overlap holds; what is forgotten and found again is only emitted once more, which is harmless."""


@dataclass(slots=True)
class Status:
    """How the last ticks went, for the health report.

    Attributes
    ----------
    succeeded_at : datetime or None
        Desk time of the last tick that worked.
    problem : str or None
        Why the last tick failed, or whose prices are stale and since when; None when all is well.
    begun_at : datetime or None
        Desk time of the first tick.
    is_opening : bool
        Whether the first tick is under way: what happened before is still being read.
    """

    succeeded_at: datetime | None = None
    problem: str | None = None
    begun_at: datetime | None = None
    is_opening: bool = False


@dataclass
class Ingest:
    """Reads a market source and emits what is new.

    Attributes
    ----------
    emit : callable
        Appends and publishes events and gives those that were new.
    opened_at : datetime
        Desk time when this desk opened: an empty desk's history is counted back from it, not from whenever the first
        tick happens to come.
    lookback : timedelta
        How much history an empty desk starts with.
    """

    source: MarketSource
    clock: Clock
    emit: Callable[[Sequence[Event]], Awaitable[list[Event]]]
    store: EventStore
    bars: BarHistory
    watchlist: Watchlist
    interval: Interval
    opened_at: datetime
    lookback: timedelta
    status: dict[str, Status] = field(default_factory=dict)
    telemetry: Telemetry = OFF
    _reached: dict[str, datetime] = field(default_factory=dict)
    _known: OrderedDict[str, None] = field(default_factory=OrderedDict)
    _filled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        self._freshness = Freshness(self.bars)
        self._log = BarLog(self.store, self.interval)

    async def market_tick(self) -> int:
        """Emit the bars that closed since the last tick, and give the number of new events."""
        return await self._watched("market", self._market)

    async def news_tick(self) -> int:
        """Emit the headlines published since the last tick, and give the number of new events."""
        return await self._watched("news", self._news)

    async def positions_tick(self) -> int:
        """Emit what the account holds if it changed, and give the number of new events."""
        return await self._watched("positions", self._positions)

    async def _watched(self, name: str, tick: Callable[[datetime], Awaitable[int]]) -> int:
        # A source that fails must not fail the timer: the next tick's window covers what this one missed.
        status, now = self.status.setdefault(name, Status(is_opening=True)), self.clock.now()
        count, problems = 0, list[str | None]()
        with self.telemetry.span(f"ingest {name}", "internal", {"finagent.timer": name}) as span:
            try:
                count = await tick(now)
                status.succeeded_at = now
            except FinAgentError as error:
                problems.append(str(error))
                span.set("error.type", type(error).__qualname__)
                self.telemetry.count("finagent.tick.failures", {"finagent.timer": name})
            finally:
                status.is_opening = False
            span.set("finagent.new_events", count)
        if name == "market":
            problems.append(await self._complaint(now))
        self._report(name, "; ".join(filter(None, problems)) or None)
        return count

    async def _complaint(self, now: datetime) -> str | None:
        try:
            complaint = await self._freshness.complaint(self.watchlist.symbols, now)
            for symbol, seconds in self._freshness.ages(now).items():
                self.telemetry.set("finagent.data.age", seconds, {"finagent.symbol": symbol})
            return complaint
        except FinAgentError as error:
            return f"whether prices are stale is not known: {error}"

    def _report(self, name: str, problem: str | None) -> None:
        status = self.status[name]
        if problem and problem != status.problem:
            logger.warning("%s: %s", name, problem)
        status.problem = problem

    async def _market(self, now: datetime) -> int:
        count, failures = 0, list[FinAgentError]()
        for stream, symbols in self.watchlist.shards().items():
            try:
                count += await self._shard(stream, symbols, now)
            except FinAgentError as error:  # the other shards go on
                failures.append(error)
        if failures:
            raise failures[0]
        return count

    async def _shard(self, stream: str, symbols: tuple[str, ...], now: datetime) -> int:
        reached = self._reached.get(stream) or await self._last(stream, MarketDataReceived.name(), now)
        start, count = reached - self._overlap if reached else self.opened_at - self.lookback, 0
        self._log.forget_until(stream, start)
        for begin, end in _parts(start, now, self._part):
            bars = await self.source.bars(symbols, self.interval, begin, end)
            older = await self._missed(stream, symbols, bars, begin, now)
            count += await self._emit_bars(stream, older + bars, now)
            self._filled.update(symbols)
        return count

    async def _missed(
        self, stream: str, symbols: tuple[str, ...], bars: Sequence[Bar], start: datetime, now: datetime
    ) -> list[Bar]:
        """Read what came before `start` for symbols that are new, speak again after a silence, or were split."""
        opening, speaking = self.opened_at - self.lookback, {bar.symbol for bar in bars}
        asked = [symbol for symbol in symbols if symbol in speaking or symbol not in self._filled]
        since = {symbol: await self._freshness.newest(symbol, now) or opening for symbol in asked}
        since |= dict.fromkeys(await self._log.restated(stream, bars), opening)
        behind = tuple(symbol for symbol, moment in since.items() if moment < start)
        older = list[Bar]()
        if behind:
            first = min(since[symbol] for symbol in behind)
            for begin, end in _parts(first, start, self._part):
                older += await self.source.bars(behind, self.interval, begin, end)
        return older

    async def _emit_bars(self, stream: str, bars: Sequence[Bar], now: datetime) -> int:
        # Forgotten until all are emitted: after a failure the log tells how far it went.
        reached = self._reached.pop(stream, None) or await self._last(stream, MarketDataReceived.name(), now)
        events = list[MarketDataReceived]()
        for group in _by_interval(bars):
            events += await self._bar_events(stream, group, reached, now)
        count = await self._emit_unknown(events)
        self._freshness.hear(bars)
        closes = [bar.closed_at for bar in bars] + ([reached] if reached else [])
        if closes:
            self._reached[stream] = max(closes)
        return count

    async def _bar_events(
        self, stream: str, bars: tuple[Bar, ...], reached: datetime | None, now: datetime
    ) -> list[MarketDataReceived]:
        """Give what the log has of an interval, for it may not be published, and a new event if these bars are news."""
        closed_at = bars[0].closed_at
        is_revisited = reached is not None and closed_at <= reached
        logged = await self._log.of(stream, closed_at) if is_revisited else Logged()
        if logged.holds(bars):
            return logged.events
        self._log.forget(stream, closed_at)
        fresh = MarketDataReceived.first(
            id=self._log.event_id(stream, closed_at, len(logged.events)),
            source=SOURCE,
            stream=stream,
            time=max(now, logged.events[-1].time + MOMENT) if logged.events else closed_at,
            data=MarketData(interval=self.interval, bars=bars),
        )
        return [*logged.events, fresh]

    async def _news(self, now: datetime) -> int:
        reached = self._reached.get(NEWS_STREAM) or await self._last(NEWS_STREAM, NewsReceived.name(), now)
        start = reached - NEWS_OVERLAP if reached else self.opened_at - NEWS_LOOKBACK
        count = 0
        for begin, end in _parts(start, now, _NEWS_PART):
            items = await self.source.news(self.watchlist.symbols, begin, end)
            count += await self._emit_unknown([news_event(item, item.published_at) for item in items])
            self._reached[NEWS_STREAM] = end
        return count

    async def _positions(self, now: datetime) -> int:
        portfolio = await self.source.portfolio()
        if portfolio is None:
            return 0
        held = tuple(sorted(portfolio.positions, key=lambda position: position.symbol))
        portfolio = portfolio.model_copy(update={"positions": held})
        body = await self.store.latest(stream_of(None, portfolio.portfolio), PortfolioChanged.name(), now)
        before = PortfolioChanged.model_validate_json(body) if body else None
        if before is not None and before.data == portfolio:
            # Unless this process published it, nobody may have.
            return await self._emit_unknown([before])
        changed = portfolio_event(portfolio, now, after=before.id if before else "", source=SOURCE)
        return await self._emit_unknown([changed])

    async def _emit_unknown(self, events: Sequence[Event]) -> int:
        unknown, count = [event for event in events if event.id not in self._known], 0
        for batch in batched(unknown, BATCH, strict=False):
            count += len(await self.emit(batch))
            self._know(batch)
        self._know(events)
        return count

    def _know(self, events: Sequence[Event]) -> None:
        # In the order in which they were last met, so that those of the overlap stay.
        for event in events:
            self._known[event.id] = None
            self._known.move_to_end(event.id)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    async def _last(self, stream: str, kind: str, now: datetime) -> datetime | None:
        body = await self.store.latest(stream, kind, now)
        return Event.model_validate_json(body).time if body else None

    @property
    def _part(self) -> timedelta:
        return _PART_INTERVALS * _LENGTHS[self.interval]

    @property
    def _overlap(self) -> timedelta:
        return max(5 * _LENGTHS[self.interval], _LEAST_OVERLAP)


def news_event(item: NewsItem, time: datetime) -> NewsReceived:
    """Give the event of a headline; its id derives from the vendor's."""
    event_id = derive_id("news", item.origin, item.vendor_id)
    return NewsReceived.first(id=event_id, source=SOURCE, stream=NEWS_STREAM, time=time, data=item)


def portfolio_event(
    portfolio: Portfolio, time: datetime, *, after: str, source: str, owner: str | None = None
) -> PortfolioChanged:
    """Give the event of a portfolio's new content; its id derives from the content and the event that it replaces."""
    digest = hashlib.sha256(portfolio.model_dump_json().encode()).hexdigest()
    stream = stream_of(owner, portfolio.portfolio)
    return PortfolioChanged.first(
        id=derive_id(stream, digest, after), source=source, stream=stream, time=time, data=portfolio, owner=owner
    )


def _by_interval(bars: Sequence[Bar]) -> list[tuple[Bar, ...]]:
    ordered = sorted(bars, key=lambda bar: (bar.closed_at, bar.symbol))
    return [tuple(group) for _, group in groupby(ordered, key=lambda bar: bar.closed_at)]


def _parts(start: datetime, end: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + length, end)
        start += length
