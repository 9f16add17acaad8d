"""Live market data, news and a paper account from Alpaca, over its own SDK (alpaca-py 0.44).

Owns how Alpaca's answers become our models. The SDK signs requests and follows pages; how patient it is with the
service is in `alpaca_patience.py`. Its models are not used (`raw_data`): one odd field makes them refuse a whole batch.

alpaca-py brings pandas and takes half a second to import; the first call does so, in its worker thread.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from html import unescape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from shared.errors import InvalidError, TransientError
from shared.events.catalogue import describe
from shared.events.envelope import Symbol
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio, Position
from shared.market.alpaca_patience import make_patient

if TYPE_CHECKING:
    from alpaca.data.historical import NewsClient, StockHistoricalDataClient
    from alpaca.trading.client import TradingClient

logger = logging.getLogger(__name__)

NEW_YORK = "America/New_York"
LENGTHS: dict[Interval, timedelta] = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1Hour": timedelta(hours=1),
}
EDITED_WITHIN = timedelta(days=1)
"""How long after the end of a range an article may still be edited and be found: the service sorts by last edit."""
MAX_HEADLINE, MAX_SUMMARY, MAX_SYMBOLS = 500, 5_000, 50

type Row = dict[str, Any]
type Closing = Callable[[datetime], datetime]


class AlpacaMarketSource:
    """A `MarketSource` over Alpaca's market data and news, and a paper account.

    Parameters
    ----------
    key, secret : str
        Of a paper account.
    feed : str
        `iex` is free; the free plan refuses the last 15 minutes of `sip`.
    data_url, trading_url : str, optional
        Where another service than Alpaca's shall answer.
    request_timeout_seconds : float
        For connecting, and for each silence while an answer arrives.
    retry_budget_seconds : float
        For one request and its repetitions; each page of a long answer is a request. Nothing is repeated that would
        begin later than that.

    Raises
    ------
    InvalidError
        No key or no secret.

    Notes
    -----
    The free plan has 200 requests a minute and a page 10,000 bars: ask for long histories in parts.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        feed: Literal["iex", "sip"] = "iex",
        data_url: str | None = None,
        trading_url: str | None = None,
        request_timeout_seconds: float = 3.0,
        retry_budget_seconds: float = 5.0,
    ) -> None:
        if not key or not secret:
            raise InvalidError("Alpaca: a key and its secret are needed")
        self._credentials = (key, secret)
        self._feed = feed
        self._data_url, self._trading_url = data_url, trading_url
        self._patience = (request_timeout_seconds, retry_budget_seconds)
        self._closes_by_year: dict[int, dict[date, datetime]] = {}

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the finished bars that closed after `start` and not after `end`, split-adjusted, in US dollars.

        Returns
        -------
        list of Bar
            Ordered by `closed_at`, then symbol. A day closes with its session, early closes included. What Alpaca
            sends and is no bar, for example a price of zero, is left out and logged.
        """
        if not symbols or end <= start:
            return []
        return await asyncio.to_thread(self._bars, symbols, interval, start, end)

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines on any of `symbols` published after `start` and not after `end`, oldest first.

        Notes
        -----
        An article comes as it was last edited, and not at all when that was more than a day after `end`.
        """
        if not symbols or end <= start:
            return []
        return await asyncio.to_thread(self._news, symbols, start, end)

    async def portfolio(self) -> Portfolio:
        """Give the paper account's cash and its long holdings of stock, read one after the other.

        Notes
        -----
        Short positions, options and crypto are left out and logged; borrowed cash counts as none.
        """
        return await asyncio.to_thread(self._portfolio)

    def _bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        closing = self._closing(interval, start, end)
        answer = self._bar_rows(symbols, interval, _first_opening(interval, start), end)
        bars = (_bar(symbol, row, closing) for symbol, rows in answer.items() for row in rows)
        finished = [bar for bar in bars if bar and start < bar.closed_at <= end]
        return sorted(finished, key=lambda bar: (bar.closed_at, bar.symbol))

    def _bar_rows(
        self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime
    ) -> dict[str, list[Row]]:
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        unit = interval.lstrip("0123456789")
        request = StockBarsRequest(
            symbol_or_symbols=list(symbols),
            timeframe=TimeFrame(int(interval.removesuffix(unit)), TimeFrameUnit(unit)),
            start=start,
            end=end,
            adjustment=Adjustment.SPLIT,
            feed=DataFeed(self._feed),
        )
        with _garbage_refused("bars"):
            return cast(dict[str, list[Row]], self._clients.stocks.get_stock_bars(request))

    def _closing(self, interval: Interval, start: datetime, end: datetime) -> Closing:
        if interval != "1Day":
            return lambda opened: opened + LENGTHS[interval]
        years = range(_day(start).year, _day(end).year + 1)
        closes = {day: close for year in years for day, close in self._closes(year).items()}
        return lambda opened: closes[_day(opened)]

    def _closes(self, year: int) -> dict[date, datetime]:
        from alpaca.trading.requests import GetCalendarRequest

        if year not in self._closes_by_year:
            request = GetCalendarRequest(start=date(year, 1, 1), end=date(year, 12, 31))
            with _garbage_refused("calendar"):
                rows = cast(list[Row], self._clients.trading.get_calendar(request))
                self._closes_by_year[year] = dict(map(_close, rows))
        return self._closes_by_year[year]

    def _news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        from alpaca.data.requests import NewsRequest

        # Oldest edit first: an article edited between two pages then comes later, or twice, but is not missed.
        request = NewsRequest(symbols=",".join(symbols), start=start, end=end + EDITED_WITHIN, sort="asc")
        rows = cast(dict[str, list[Row]], self._clients.news.get_news(request))["news"]
        items = {item.vendor_id: item for row in rows if (item := _news_item(row))}
        published = [item for item in items.values() if start < item.published_at <= end]
        return sorted(published, key=lambda item: (item.published_at, item.vendor_id))

    def _portfolio(self) -> Portfolio:
        with _garbage_refused("account"):
            account = cast(Row, self._clients.trading.get_account())
            rows = cast(list[Row], self._clients.trading.get_all_positions())
            held = tuple(_position(row) for row in rows if _is_long_stock(row))
            return Portfolio(portfolio="alpaca-paper", cash=_cash(account), positions=held)

    @cached_property
    def _clients(self) -> "_Clients":
        from alpaca.data.historical import NewsClient, StockHistoricalDataClient
        from alpaca.trading.client import TradingClient

        stocks = StockHistoricalDataClient(*self._credentials, raw_data=True, url_override=self._data_url)
        news = NewsClient(*self._credentials, raw_data=True, url_override=self._data_url)
        trading = TradingClient(*self._credentials, paper=True, raw_data=True, url_override=self._trading_url)
        for client in (stocks, news, trading):
            make_patient(client, *self._patience)
        return _Clients(stocks, news, trading)


class _Clients(NamedTuple):
    stocks: "StockHistoricalDataClient"
    news: "NewsClient"
    trading: "TradingClient"


@contextmanager
def _garbage_refused(what: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise TransientError(f"Alpaca: garbage for {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return describe(error) if isinstance(error, ValidationError) else repr(error)


def _drop(what: str, row: object, error: Exception) -> None:
    logger.warning("Alpaca: dropped %s %.200s: %s", what, row, _reason(error))


def _day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(NEW_YORK)).date()


def _first_opening(interval: Interval, start: datetime) -> datetime:
    if interval == "1Day":
        return datetime.combine(_day(start), time.min, ZoneInfo(NEW_YORK))
    return start - LENGTHS[interval]


def _close(row: Row) -> tuple[date, datetime]:
    day = date.fromisoformat(row["date"])
    return day, datetime.combine(day, time.fromisoformat(row["close"]), ZoneInfo(NEW_YORK)).astimezone(UTC)


def _bar(symbol: str, row: Row, closing: Closing) -> Bar | None:
    try:
        prices = {"open": row["o"], "high": row["h"], "low": row["l"], "close": row["c"]}
        closed_at = closing(datetime.fromisoformat(row["t"]))
        return Bar(symbol=symbol, closed_at=closed_at, **prices, volume=row["v"])
    except (KeyError, TypeError, ValueError) as error:
        _drop(f"bar of {symbol}", row, error)
        return None


def _news_item(row: Row) -> NewsItem | None:
    try:
        return NewsItem(
            vendor_id=f"alpaca-{row['id']}",
            headline=_text(row["headline"], MAX_HEADLINE),
            summary=_text(row["summary"] or "", MAX_SUMMARY),
            symbols=tuple(filter(_is_symbol, row["symbols"] or ()))[:MAX_SYMBOLS],
            published_at=row["created_at"],
            origin="alpaca",
        )
    except (KeyError, TypeError, ValueError) as error:
        _drop("news", row, error)
        return None


def _text(raw: str, length: int) -> str:
    # Benzinga's texts come with HTML entities such as &#39;.
    return unescape(raw).strip()[:length]


def _is_symbol(text: str) -> bool:
    try:
        return bool(TypeAdapter(Symbol).validate_python(text))
    except ValidationError:
        return False


def _cash(account: Row) -> float:
    cash = float(account["cash"])
    if cash < 0:
        logger.warning("Alpaca: cash is %s US dollars, borrowed on margin, and counts as 0", cash)
    return max(cash, 0.0)


def _is_long_stock(row: Row) -> bool:
    if row["asset_class"] == "us_equity" and row["side"] == "long":
        return True
    logger.warning("Alpaca: left out the %s position of %s (%s)", row["side"], row["symbol"], row["asset_class"])
    return False


def _position(row: Row) -> Position:
    paid = float(row["avg_entry_price"] or 0)
    return Position(symbol=row["symbol"], quantity=row["qty"], average_price=paid or None)
