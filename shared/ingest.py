"""Ingestion: turns what a market source has into events. Timers call it; doing so again costs nothing.

Windows overlap and ids derive from content, so a repeated or late tick finds its events in the log already, while a bar
that was missing or corrected makes a new event.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, groupby

from shared.agents.sentiment_tracker import STREAM as NEWS_STREAM
from shared.clock import Clock
from shared.errors import FinAgentError, MissingError
from shared.events.envelope import Event, derive_id
from shared.events.market import Bar, Interval, MarketData, MarketDataReceived
from shared.events.news import NewsItem, NewsReceived
from shared.events.portfolio import Portfolio, PortfolioChanged
from shared.market.port import MarketSource
from shared.projections.bar import STALE_AFTER, BarHistory
from shared.projections.portfolio import stream_of
from shared.store.port import EventStore
from shared.watchlist import Watchlist

logger = logging.getLogger(__name__)

SOURCE = "ingest"
BATCH = 50
"""Events that are emitted at once: a year of history must not keep others from writing."""
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


@dataclass(slots=True)
class Status:
    """How the last ticks went, for the health report.

    Attributes
    ----------
    succeeded_at : datetime or None
        Desk time of the last tick that worked.
    problem : str or None
        Why the last tick failed; None when it worked.
    """

    succeeded_at: datetime | None = None
    problem: str | None = None


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
    _reached: dict[str, datetime] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _filled: set[str] = field(default_factory=set)

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
        status, now = self.status.setdefault(name, Status()), self.clock.now()
        try:
            count = await tick(now)
        except FinAgentError as error:
            if status.problem != str(error):
                logger.warning("%s: nothing ingested: %s", name, error)
            status.problem = str(error)
            return 0
        status.succeeded_at, status.problem = now, None
        return count

    async def _market(self, now: datetime) -> int:
        count = sum([await self._shard(stream, symbols, now) for stream, symbols in self.watchlist.shards().items()])
        newest = max(self._reached.get(stream, now) for stream in self.watchlist.shards())
        if now - newest > STALE_AFTER:
            raise MissingError(f"no prices since {newest:%Y-%m-%d}: the feed is stale, or a recording is at its end")
        return count

    async def _shard(self, stream: str, symbols: tuple[str, ...], now: datetime) -> int:
        reached = self._reached.get(stream) or await self._last(stream, MarketDataReceived.name(), now)
        fresh = tuple([symbol for symbol in symbols if reached and not await self._has_history(symbol, now)])
        start = reached - self._overlap if reached else self.opened_at - self.lookback
        bars = await self.source.bars(symbols, self.interval, start, now)
        if fresh:
            known = {(bar.symbol, bar.closed_at) for bar in bars}
            older = await self.source.bars(fresh, self.interval, self.opened_at - self.lookback, start)
            bars = [bar for bar in older if (bar.symbol, bar.closed_at) not in known] + bars
        events = [await self._bar_event(stream, group, reached, now) for group in _by_interval(bars)]
        count = await self._emit_unknown([event for event in events if event is not None])
        self._filled.update(symbols)
        if bars:
            self._reached[stream] = max(bar.closed_at for bar in bars)
        return count

    async def _bar_event(
        self, stream: str, bars: tuple[Bar, ...], reached: datetime | None, now: datetime
    ) -> MarketDataReceived | None:
        data = MarketData(interval=self.interval, bars=bars)
        event_id = derive_id(stream, data.model_dump_json())
        if event_id in self._known:
            return None
        closed_at = bars[0].closed_at
        is_revisited = reached is not None and closed_at <= reached
        if is_revisited and (stored := await self.store.get(event_id)):
            return MarketDataReceived.model_validate_json(stored)
        is_correction = is_revisited and await self._last(stream, MarketDataReceived.name(), closed_at) == closed_at
        time = now if is_correction else closed_at
        return MarketDataReceived.first(id=event_id, source=SOURCE, stream=stream, time=time, data=data)

    async def _news(self, now: datetime) -> int:
        reached = self._reached.get(NEWS_STREAM) or await self._last(NEWS_STREAM, NewsReceived.name(), now)
        start = reached - NEWS_OVERLAP if reached else self.opened_at - NEWS_LOOKBACK
        items = await self.source.news(self.watchlist.symbols, start, now)
        count = await self._emit_unknown([news_event(item, item.published_at) for item in items])
        self._reached[NEWS_STREAM] = now
        return count

    async def _positions(self, now: datetime) -> int:
        portfolio = await self.source.portfolio()
        if portfolio is None:
            return 0
        held = tuple(sorted(portfolio.positions, key=lambda position: position.symbol))
        portfolio = portfolio.model_copy(update={"positions": held})
        body = await self.store.latest(stream_of(portfolio.portfolio), PortfolioChanged.name(), now)
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
            self._known.update(event.id for event in batch)
        return count

    async def _last(self, stream: str, kind: str, now: datetime) -> datetime | None:
        body = await self.store.latest(stream, kind, now)
        return Event.model_validate_json(body).time if body else None

    async def _has_history(self, symbol: str, now: datetime) -> bool:
        return symbol in self._filled or bool(await self.bars.read(symbol, now, limit=1))

    @property
    def _overlap(self) -> timedelta:
        return max(5 * _LENGTHS[self.interval], _LEAST_OVERLAP)


def news_event(item: NewsItem, time: datetime) -> NewsReceived:
    """Give the event of a headline; its id derives from the vendor's."""
    event_id = derive_id("news", item.origin, item.vendor_id)
    return NewsReceived.first(id=event_id, source=SOURCE, stream=NEWS_STREAM, time=time, data=item)


def portfolio_event(portfolio: Portfolio, time: datetime, *, after: str, source: str) -> PortfolioChanged:
    """Give the event of a portfolio's new content; its id derives from the content and the event that it replaces."""
    digest = hashlib.sha256(portfolio.model_dump_json().encode()).hexdigest()
    stream = stream_of(portfolio.portfolio)
    return PortfolioChanged.first(
        id=derive_id(stream, digest, after), source=source, stream=stream, time=time, data=portfolio
    )


def _by_interval(bars: Sequence[Bar]) -> list[tuple[Bar, ...]]:
    ordered = sorted(bars, key=lambda bar: (bar.closed_at, bar.symbol))
    return [tuple(group) for _, group in groupby(ordered, key=lambda bar: bar.closed_at)]
