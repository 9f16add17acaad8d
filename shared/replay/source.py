"""Where a replay's events come from: a market source's history, as ingestion would have told it when it happened."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from shared.bar_log import bar_event_id
from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketData, MarketDataReceived
from shared.ingest import SOURCE, news_event
from shared.market.port import MarketSource
from shared.watchlist import Watchlist

PART = timedelta(days=366)
"""So much of a market's history is asked for, and held, at once."""


async def market_history(
    source: MarketSource, watchlist: Watchlist, interval: Interval, start: datetime, end: datetime, *, news: bool
) -> AsyncIterator[Sequence[Event]]:
    """Give the bars that closed after `start` and not after `end`, and the headlines of that time, as live events.

    Notes
    -----
    Of one moment bars come before headlines. Each event has the id that ingestion gives it.
    """
    while start < end:
        until = min(start + PART, end)
        events = list[Event]()
        for stream, symbols in watchlist.shards().items():
            events += bar_events(stream, interval, await source.bars(symbols, interval, start, until))
        if news:
            items = await source.news(watchlist.symbols, start, until)
            events += [news_event(item, item.published_at) for item in items]
        yield sorted(events, key=lambda event: event.time)
        start = until


def bar_events(stream: str, interval: Interval, bars: Iterable[Bar]) -> Iterator[MarketDataReceived]:
    """Give the event of each interval; the bars of one follow each other."""
    for closed_at, group in groupby(bars, key=lambda bar: bar.closed_at):
        yield MarketDataReceived.first(
            id=bar_event_id(stream, interval, closed_at, 0),
            source=SOURCE,
            stream=stream,
            time=closed_at,
            data=MarketData(interval=interval, bars=tuple(group)),
        )
