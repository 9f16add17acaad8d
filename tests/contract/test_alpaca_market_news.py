"""What the Alpaca source makes of Alpaca's articles and account: the real SDK against a stand-in for the service."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import TransientError
from shared.events.portfolio import Portfolio, Position
from shared.market.alpaca import AlpacaMarketSource
from shared.market.port import MarketSource
from tests.standins.alpaca.faults import Stall, Through, body
from tests.standins.alpaca.rows import account_row, article_row, position_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

# The SDK imports websockets.legacy, which warns about itself.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

NEWS, ACCOUNT, POSITIONS = "/v1beta1/news", "/v2/account", "/v2/positions"
NOON = datetime(2024, 7, 2, 16, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOON + HOUR)) as standin:
        yield standin


@pytest.fixture
def source(alpaca: AlpacaStandIn) -> MarketSource:
    return AlpacaMarketSource(KEY, SECRET, data_url=alpaca.url, trading_url=alpaca.url, retry_budget_seconds=0)


async def test_news_when_published_come_oldest_first_in_our_form(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_articles(
        article_row(8, NOON + HOUR, " Waymo&#39;s chief leaves \n", symbols=("GOOG", "BTC/USD", "$GOLD", "BRK.B")),
        article_row(7, NOON + MINUTE, "x" * 600, symbols=("GOOG",), summary="y" * 6_000),
    )
    long, short = await source.news(("GOOG",), NOON, NOON + HOUR)
    assert (long.vendor_id, len(long.headline), len(long.summary)) == ("alpaca-7", 500, 5_000)
    assert (short.headline, short.symbols) == ("Waymo's chief leaves", ("GOOG", "BRK.B"))
    assert (short.published_at, short.origin, short.summary) == (NOON + HOUR, "alpaca", "")


async def test_news_when_it_names_many_symbols_keeps_the_first_fifty(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    symbols = tuple(f"S{number}" for number in range(60))
    alpaca.service.put_articles(article_row(1, NOON + MINUTE, symbols=symbols))
    (item,) = await source.news(("S59",), NOON, NOON + HOUR)
    assert item.symbols == symbols[:50]


async def test_news_when_summary_and_symbols_are_null_has_none(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    row = article_row(1, NOON + MINUTE) | {"summary": None, "symbols": None}
    alpaca.fail(NEWS, body(json.dumps({"news": [row], "next_page_token": None})))
    (item,) = await source.news(("AAPL",), NOON, NOON + HOUR)
    assert (item.summary, item.symbols) == ("", ())


async def test_news_when_about_other_symbols_is_left_out(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_articles(article_row(1, NOON + MINUTE, symbols=("MSFT",)))
    assert await source.news(("AAPL", "GOOG"), NOON, NOON + HOUR) == []


async def test_news_when_only_just_inside_or_outside_the_range_is_told_apart(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    second = timedelta(seconds=1)
    moments = (NOON, NOON + second, NOON + HOUR, NOON + HOUR + second)
    alpaca.service.put_articles(*(article_row(id, moment) for id, moment in enumerate(moments)))
    items = await source.news(("AAPL",), NOON, NOON + HOUR)
    assert [item.published_at for item in items] == [NOON + second, NOON + HOUR]


async def test_news_when_edited_later_belongs_to_its_publication(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_articles(
        article_row(1, NOON - MINUTE, updated_at=NOON + MINUTE),
        article_row(2, NOON + HOUR - 2 * MINUTE, updated_at=NOON + HOUR + MINUTE),
        article_row(3, NOON + HOUR - MINUTE),
    )
    assert [item.vendor_id for item in await source.news(("AAPL",), NOON, NOON + HOUR)] == ["alpaca-2", "alpaca-3"]


async def test_news_when_there_are_many_pages_comes_from_all(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_articles(*(article_row(id, NOON + id * timedelta(seconds=1)) for id in range(1, 121)))
    assert len(await source.news(("AAPL",), NOON, NOON + HOUR)) == 120
    assert len(alpaca.asked(NEWS)) == 3


async def test_news_when_edited_between_two_pages_comes_once_as_edited(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    alpaca.service.page_size = 1
    alpaca.service.put_articles(article_row(1, NOON + MINUTE, "first"), article_row(2, NOON + 2 * MINUTE))
    alpaca.fail(NEWS, Through(), Stall(seconds=30))
    reading = asyncio.create_task(source.news(("AAPL",), NOON, NOON + HOUR))
    await asyncio.to_thread(alpaca.wait_for, 2)
    alpaca.service.put_articles(article_row(1, NOON + MINUTE, "edited", updated_at=NOON + 3 * MINUTE))
    alpaca.release()
    assert [(item.vendor_id, item.headline) for item in await reading] == [
        ("alpaca-1", "edited"),
        ("alpaca-2", "Apple opens a shop"),
    ]


async def test_news_when_one_has_no_headline_lacks_it_and_logs_it(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture
) -> None:
    alpaca.service.put_articles(article_row(1, NOON + MINUTE, " \n"), article_row(2, NOON + 2 * MINUTE))
    assert len(await source.news(("AAPL",), NOON, NOON + HOUR)) == 1
    assert "headline" in caplog.text


@pytest.mark.parametrize("answer", ['{"news":null,"next_page_token":null}', "{}", '{"news":[]}'])
async def test_news_when_there_is_nothing_is_none(alpaca: AlpacaStandIn, source: MarketSource, answer: str) -> None:
    alpaca.fail(NEWS, body(answer))
    assert await source.news(("AAPL",), NOON, NOON + HOUR) == []


async def test_portfolio_when_stock_is_held_has_it_and_the_cash(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.positions = [position_row("AAPL", "5.25"), position_row("BRK.B", "1", avg_entry_price="0")]
    assert await source.portfolio() == Portfolio(
        portfolio="alpaca-paper",
        cash=10_000.5,
        positions=(
            Position(symbol="AAPL", quantity=5.25, average_price=100),
            Position(symbol="BRK.B", quantity=1, average_price=None),
        ),
    )


@pytest.mark.parametrize(
    "odd",
    [
        position_row("TSLA", "-3", side="short"),
        position_row("AAPL240119C00100000", asset_class="us_option"),
        position_row("BTCUSD", asset_class="crypto"),
    ],
    ids=["short", "option", "crypto"],
)
async def test_portfolio_when_a_holding_is_no_long_stock_lacks_it_and_logs_it(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture, odd: dict[str, Any]
) -> None:
    alpaca.service.positions = [odd, position_row("AAPL")]
    portfolio = await source.portfolio()
    assert portfolio is not None
    assert [position.symbol for position in portfolio.positions] == ["AAPL"]
    assert odd["symbol"] in caplog.text


async def test_portfolio_when_cash_is_borrowed_has_none_and_logs_it(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture
) -> None:
    alpaca.service.account = account_row(cash="-23140.2")
    portfolio = await source.portfolio()
    assert portfolio is not None
    assert portfolio.cash == 0
    assert "-23140.2" in caplog.text


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (ACCOUNT, "{}"),
        (ACCOUNT, '{"cash":"much"}'),
        (ACCOUNT, '{"cash":"nan"}'),
        (ACCOUNT, ""),
        (POSITIONS, "null"),
        (POSITIONS, '[{"symbol":"AAPL"}]'),
    ],
)
async def test_portfolio_when_the_account_is_garbage_fails(
    alpaca: AlpacaStandIn, source: MarketSource, path: str, answer: str
) -> None:
    alpaca.fail(path, body(answer))
    with pytest.raises(TransientError, match="garbage for account"):
        await source.portfolio()
