"""The stand-in speaks as Alpaca does: the SDK's own strict models read everything that it says."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import cast

import pytest

from tests.standins.alpaca.rows import article_row, bar_row, position_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

NOON = datetime(2024, 7, 3, 16, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOON)) as standin:
        standin.service.sessions = [session_row("2024-07-03", close="13:00"), session_row("2024-07-05")]
        yield standin


def test_stand_in_when_asked_for_bars_and_news_is_understood(alpaca: AlpacaStandIn) -> None:
    from alpaca.data.historical import NewsClient, StockHistoricalDataClient
    from alpaca.data.models import BarSet, NewsSet
    from alpaca.data.requests import NewsRequest, StockBarsRequest
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

    alpaca.service.put_bars("AAPL", bar_row(NOON))
    alpaca.service.put_articles(article_row(7, NOON))
    minute = TimeFrame(1, TimeFrameUnit("Min"))
    bars = StockHistoricalDataClient(KEY, SECRET, url_override=alpaca.url).get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=minute, start=NOON, end=NOON)
    )
    news = NewsClient(KEY, SECRET, url_override=alpaca.url).get_news(NewsRequest(symbols="AAPL", start=NOON, end=NOON))
    assert [bar.timestamp for bar in cast(BarSet, bars)["AAPL"]] == [NOON]
    assert [article.id for article in cast(NewsSet, news)["news"]] == [7]


def test_stand_in_when_asked_for_account_and_positions_is_understood(alpaca: AlpacaStandIn) -> None:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import Position, TradeAccount

    alpaca.service.positions = [position_row("AAPL"), position_row("TSLA", "-1", side="short")]
    client = TradingClient(KEY, SECRET, url_override=alpaca.url)
    assert cast(TradeAccount, client.get_account()).cash == "10000.5"
    assert [held.qty for held in cast(list[Position], client.get_all_positions())] == ["5", "-1"]


@pytest.mark.parametrize(
    ("now", "is_open", "next_open", "next_close"),
    [
        (NOON, True, "2024-07-05T09:30:00-04:00", "2024-07-03T13:00:00-04:00"),
        (NOON + 60 * MINUTE, False, "2024-07-05T09:30:00-04:00", "2024-07-05T16:00:00-04:00"),
    ],
    ids=["before an early close", "at it"],
)
def test_stand_in_when_asked_for_the_time_knows_the_sessions(
    alpaca: AlpacaStandIn, now: datetime, is_open: bool, next_open: str, next_close: str
) -> None:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import Calendar, Clock
    from alpaca.trading.requests import GetCalendarRequest

    alpaca.service.now = now
    client = TradingClient(KEY, SECRET, url_override=alpaca.url)
    clock = cast(Clock, client.get_clock())
    assert (clock.is_open, clock.timestamp) == (is_open, now)
    assert (clock.next_open.isoformat(), clock.next_close.isoformat()) == (next_open, next_close)
    days = client.get_calendar(GetCalendarRequest(start=date(2024, 7, 3), end=date(2024, 7, 4)))
    assert [day.close.hour for day in cast(list[Calendar], days)] == [13]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&limit=10001", 400),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&feed=otc", 400),
        ("/v2/stocks/bars?symbols=AAPL$&timeframe=1Min", 400),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&asof=2024-01-01", 501),
        ("/v1beta1/news?symbols=AAPL&limit=51", 400),
        ("/v1beta1/news?symbols=AAPL&start=2024-07-04T00:00:00Z&end=2024-07-03T00:00:00Z", 400),
        ("/v2/orders", 404),
        ("/v2/account", 200),
    ],
)
def test_stand_in_when_asked_wrongly_refuses_with_a_quota_and_an_id(
    alpaca: AlpacaStandIn, path: str, status: int
) -> None:
    import requests

    keys = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    response = requests.get(alpaca.url + path, headers=keys, timeout=5)
    assert response.status_code == status
    assert response.headers["X-RateLimit-Remaining"] == "199"
    assert response.headers["X-Request-ID"]
