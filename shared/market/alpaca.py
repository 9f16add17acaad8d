"""Live market data, news and a paper account from Alpaca, over its own SDK (alpaca-py 0.44).

Owns what is asked. The SDK signs requests and follows pages; how patient it is with the service is in
`alpaca_patience.py`, what its rows mean in `alpaca_row.py`. Its models are not used (`raw_data`): one odd field makes
them refuse a whole batch.

alpaca-py brings pandas and takes half a second to import; the first call does so, in its worker thread.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo

from shared.errors import InvalidError, TransientError
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.market.abandonable import Abandonable
from shared.market.alpaca_patience import Conversation, Patience, import_sdk
from shared.market.alpaca_row import (
    GARBAGE,
    Closing,
    Dropped,
    Row,
    is_long_stock,
    read_article,
    read_bar,
    read_cash,
    read_position,
    reason,
    rows_of,
)

if TYPE_CHECKING:
    from alpaca.data.historical import NewsClient, StockHistoricalDataClient
    from alpaca.trading.client import TradingClient

NEW_YORK = "America/New_York"
LENGTHS: dict[Interval, timedelta] = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1Hour": timedelta(hours=1),
}
EDITED_WITHIN = timedelta(days=4)
"""How long after the end of a range an article may still be edited and be found: the service sorts by last edit."""
MOST_CALLS = 8


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
    call_budget_seconds : float
        For a call with all its pages; what is not there by then comes as `TransientError`, all or nothing.

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
        call_budget_seconds: float = 20.0,
    ) -> None:
        if not key or not secret:
            raise InvalidError("Alpaca: a key and its secret are needed")
        self._credentials = (key, secret)
        self._feed = feed
        self._data_url, self._trading_url = data_url, trading_url
        self._patience = Patience(request_timeout_seconds, retry_budget_seconds, call_budget_seconds, (key, secret))
        self._threads = Abandonable(MOST_CALLS, call_budget_seconds + 2 * request_timeout_seconds)
        self._closes_by_year: dict[int, dict[date, datetime]] = {}

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the finished bars that closed after `start` and not after `end`, split-adjusted, in US dollars.

        Returns
        -------
        list of Bar
            Ordered by `closed_at`, then symbol. A day closes with its session, early closes included. What Alpaca
            sends and is no bar that was asked for, for example a price of zero, is left out and logged. Of two bars
            of one symbol and close the later in the answer holds.

        Notes
        -----
        A bar is finished when its interval is over by Alpaca's clock too: where ours is ahead, it waits.
        """
        if not symbols or end <= start:
            return []
        return await self._threads.run(lambda: self._bars(symbols, interval, start, end))

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines on any of `symbols` published after `start` and not after `end`, oldest first.

        Notes
        -----
        An article comes as it was last edited, and not at all when that was more than four days after
        `end`.
        """
        if not symbols or end <= start:
            return []
        return await self._threads.run(lambda: self._news(symbols, start, end))

    async def portfolio(self) -> Portfolio:
        """Give the paper account's cash and its long holdings of stock, read one after the other.

        Notes
        -----
        Short positions, options and crypto are left out and logged; borrowed cash counts as none.
        """
        return await self._threads.run(self._portfolio)

    def _bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        with self._clients() as clients:
            closing = self._closing(clients, interval, start, end)
            answer = self._bar_rows(clients, symbols, interval, _first_opening(interval, start), end)
        now = clients.conversation.answered_at or end
        dropped = Dropped("bars")
        bars = [read_bar(symbol, row, closing, dropped) for symbol, row in rows_of(answer, symbols, dropped)]
        dropped.log()
        found = {(bar.closed_at, bar.symbol): bar for bar in bars if bar and start < bar.closed_at <= min(end, now)}
        return [found[key] for key in sorted(found)]

    def _bar_rows(
        self, clients: "_Clients", symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime
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
            return cast(dict[str, list[Row]], clients.stocks.get_stock_bars(request))

    def _closing(self, clients: "_Clients", interval: Interval, start: datetime, end: datetime) -> Closing:
        if interval != "1Day":
            return lambda opened: opened + LENGTHS[interval]
        years = range(_day(start).year, _day(end).year + 1)
        closes = {day: close for year in years for day, close in self._closes(clients, year).items()}

        def closing(opened: datetime) -> datetime:
            """Give the close of the session that opened then; KeyError where the calendar has none."""
            day = _day(opened)
            if day not in closes:
                # A session that the calendar did not have when it was read: it is read again at the next call.
                self._closes_by_year.pop(day.year, None)
            return closes[day]

        return closing

    def _closes(self, clients: "_Clients", year: int) -> dict[date, datetime]:
        from alpaca.trading.requests import GetCalendarRequest

        if year not in self._closes_by_year:
            request = GetCalendarRequest(start=date(year, 1, 1), end=date(year, 12, 31))
            with _garbage_refused("calendar"):
                rows = cast(list[Row], clients.trading.get_calendar(request))
                self._closes_by_year[year] = dict(map(_close, rows))
        return self._closes_by_year[year]

    def _news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        with self._clients() as clients, _garbage_refused("news"):
            rows = _news_rows(clients, symbols, start, end)
        dropped = Dropped("news")
        items = {item.vendor_id: item for row in rows if (item := read_article(row, dropped))}
        dropped.log()
        published = [item for item in items.values() if start < item.published_at <= end]
        return sorted(published, key=lambda item: (item.published_at, item.vendor_id))

    def _portfolio(self) -> Portfolio:
        with self._clients() as clients, _garbage_refused("account"):
            account = cast(Row, clients.trading.get_account())
            rows = cast(list[Row], clients.trading.get_all_positions())
            held = tuple(read_position(row) for row in rows if is_long_stock(row))
            return Portfolio(portfolio="alpaca-paper", cash=read_cash(account), positions=held)

    @contextmanager
    def _clients(self) -> "Iterator[_Clients]":
        import_sdk()
        # New ones for each call: a session of `requests` is not made for threads, and theirs may be abandoned.
        from alpaca.data.historical import NewsClient, StockHistoricalDataClient
        from alpaca.trading.client import TradingClient

        stocks = StockHistoricalDataClient(*self._credentials, raw_data=True, url_override=self._data_url)
        news = NewsClient(*self._credentials, raw_data=True, url_override=self._data_url)
        trading = TradingClient(*self._credentials, paper=True, raw_data=True, url_override=self._trading_url)
        conversation = Conversation(self._patience)
        for client in (stocks, news, trading):
            conversation.join(client)
        try:
            yield _Clients(stocks, news, trading, conversation)
        finally:
            for client in (stocks, news, trading):
                client._session.close()


class _Clients(NamedTuple):
    stocks: "StockHistoricalDataClient"
    news: "NewsClient"
    trading: "TradingClient"
    conversation: Conversation


def _news_rows(clients: _Clients, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[Row]:
    from alpaca.data.requests import NewsRequest

    # Oldest edit first: an article edited between two pages then comes later, or twice, but is not missed.
    request = NewsRequest(symbols=",".join(symbols), start=start, end=end + EDITED_WITHIN, sort="asc")
    return cast(dict[str, list[Row]], clients.news.get_news(request))["news"]


@contextmanager
def _garbage_refused(what: str) -> Iterator[None]:
    try:
        yield
    except GARBAGE as error:
        raise TransientError(f"Alpaca: garbage for {what}: {reason(error)}") from error


def _day(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(NEW_YORK)).date()


def _first_opening(interval: Interval, start: datetime) -> datetime:
    if interval == "1Day":
        return datetime.combine(_day(start), time.min, ZoneInfo(NEW_YORK))
    return start - LENGTHS[interval]


def _close(row: Row) -> tuple[date, datetime]:
    day = date.fromisoformat(row["date"])
    return day, datetime.combine(day, time.fromisoformat(row["close"]), ZoneInfo(NEW_YORK)).astimezone(UTC)
