"""The recorded market: four real stocks over thirteen years and sample headlines, with no account and no network.

Owns how the recording of the PyPI package `bokeh_sampledata` (2026.1: Quandl WIKI prices, public domain) becomes bars.

Prices in it are unadjusted; `adj_close` corrects the close for splits and dividends, also for those after the end of
the recording. Scaling a day by `adj_close / close` leaves returns right and levels low: a price here is not what the
screen showed on the day. Dividends move that factor by 11 % at most (Microsoft's special one of 2004), splits double
it: `SPLITS` lists them, and volume is multiplied by the shares that one share has become since, so that price times
volume stays the dollars traded, less later dividends.

What is wrong in the recording, and what is done about it: the volume of a split's own day is still in old shares, so it
is scaled like the day before. Apple's prices of 2003-01-29 repeat those of the day before, and IBM's volume of
2009-11-17 is implausibly small; nothing better is recorded, so both stand. No row contradicts itself, and no trading
day is missing.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.errors import InvalidError
from shared.events.catalogue import describe
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio

if TYPE_CHECKING:
    from bokeh_sampledata.stocks import StockData

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
FIRST_DAY = date(2000, 3, 1)
"""First trading day of the recording; GOOG begins with its listing on 2004-08-19."""
LAST_DAY = date(2013, 3, 1)

SPLITS = {
    "AAPL": ((date(2000, 6, 21), 2), (date(2005, 2, 28), 2), (date(2014, 6, 9), 7)),
    "GOOG": ((date(2014, 4, 3), 2),),
    "MSFT": ((date(2003, 2, 18), 2),),
}
"""First day in new shares, and new shares per old one. `adj_close` knows those of 2014 too (Google's: its class C)."""


def is_installed() -> bool:
    """Whether the recording is here; a deployed desk does not ship it."""
    return find_spec("bokeh_sampledata") is not None


class RecordedMarketSource:
    """A `MarketSource` that plays the recording, the same at every call. Only days have bars.

    Parameters
    ----------
    news_path : Path, optional
        JSON lines of `NewsItem`; without it the repository's `sample_news.jsonl`.

    Notes
    -----
    The sample headlines have the origin `sample`: written in hindsight, in our words, about public events of late 2007
    and 2008. Their days (New York) are right, their times of day approximate; what was published after the close comes
    after the close. They show how news flows; a profit measured with them proves nothing.

    Every bar closes at 16:00 New York, also on the few days when trading ended at 13:00: late, hence never ahead of
    its time. Files are read at first use, in a thread.
    """

    def __init__(self, news_path: Path | None = None) -> None:
        self._news_path = news_path
        self._bars: dict[str, list[Bar]] | None = None
        self._news: list[NewsItem] | None = None

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the daily bars that closed after `start` and not after `end`, by `closed_at`, then symbol.

        Raises
        ------
        InvalidError
            Another interval than `1Day`, or a symbol that is not in the recording.
        """
        if interval != "1Day":
            raise InvalidError(f"interval: only 1Day is recorded, not {interval}")
        if unknown := sorted(set(symbols) - set(SYMBOLS)):
            raise InvalidError(f"symbols: {', '.join(unknown)} not recorded, only {', '.join(SYMBOLS)}")
        if self._bars is None:
            self._bars = await asyncio.to_thread(_read_bars)
        found = (_window(self._bars[symbol], start, end, lambda bar: bar.closed_at) for symbol in set(symbols))
        return sorted(chain.from_iterable(found), key=lambda bar: (bar.closed_at, bar.symbol))

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines on any of `symbols` or on the whole market, published after `start` and not after `end`.

        Returns
        -------
        list of NewsItem
            Oldest first. A symbol without headlines, recorded or not, has none.

        Raises
        ------
        InvalidError
            The file cannot be read, or a line of it is no `NewsItem`; the message names the line.
        """
        if self._news is None:
            self._news = await asyncio.to_thread(_read_news, self._news_path)
        items = _window(self._news, start, end, lambda item: item.published_at)
        return [item for item in items if not item.symbols or not set(symbols).isdisjoint(item.symbols)]

    async def portfolio(self) -> Portfolio | None:
        """Give None: a recording has no account."""
        return None


def _window[T](items: list[T], start: datetime, end: datetime, moment: Callable[[T], datetime]) -> list[T]:
    return items[bisect_right(items, start, key=moment) : bisect_right(items, end, key=moment)]


class _Row(NamedTuple):
    day: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    adj_close: float


@cache
def _read_bars() -> dict[str, list[Bar]]:
    # The import reads the whole file, hence not before it is needed; it does not import pandas.
    from bokeh_sampledata import stocks

    recorded = {"AAPL": stocks.AAPL, "GOOG": stocks.GOOG, "IBM": stocks.IBM, "MSFT": stocks.MSFT}
    return {symbol: [_bar(symbol, row) for row in _rows(stock)] for symbol, stock in recorded.items()}


def _rows(stock: "StockData") -> list[_Row]:
    prices = (stock["open"], stock["high"], stock["low"], stock["close"])
    return [_Row(*values) for values in zip(stock["date"], *prices, stock["volume"], stock["adj_close"], strict=True)]


def _bar(symbol: str, row: _Row) -> Bar:
    day = date.fromisoformat(row.day)
    factor = row.adj_close / row.close
    opened = row.open * factor
    return Bar(
        symbol=symbol,
        closed_at=datetime.combine(day, time(16), ZoneInfo("America/New_York")).astimezone(UTC),
        open=opened,
        # Scaling rounds: without this a close at the day's high can end 1e-14 above it.
        high=max(row.high * factor, opened, row.adj_close),
        low=min(row.low * factor, opened, row.adj_close),
        close=row.adj_close,
        volume=row.volume * _shares_since(symbol, day),
    )


def _shares_since(symbol: str, day: date) -> int:
    # A split's own day counts as before it: its volume is recorded in old shares.
    return prod(ratio for first_day, ratio in SPLITS.get(symbol, ()) if day <= first_day)


def _read_news(path: Path | None) -> list[NewsItem]:
    source = path or files("shared.market") / "sample_news.jsonl"
    try:
        lines = source.read_bytes().splitlines()
    except OSError as error:
        raise InvalidError(f"news: cannot read {source}: {error.strerror}") from error
    items = [_item(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    return sorted(items, key=lambda item: (item.published_at, item.vendor_id))


def _item(number: int, line: bytes) -> NewsItem:
    try:
        return NewsItem.model_validate_json(line)
    except ValidationError as error:
        raise InvalidError(f"news line {number}: {describe(error)}") from error
