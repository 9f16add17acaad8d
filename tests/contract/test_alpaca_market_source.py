"""What the Alpaca source makes of Alpaca's data: the real SDK over HTTP against a stand-in for the service."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from shared.errors import InvalidError, TransientError
from shared.events.market import Interval
from shared.events.portfolio import Portfolio, Position
from shared.market.alpaca import AlpacaMarketSource
from shared.market.port import MarketSource
from tests.standins.alpaca.faults import Stall, Through, body
from tests.standins.alpaca.rows import account_row, article_row, bar_row, position_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

# The SDK imports websockets.legacy, which warns about itself.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

BARS, NEWS, CALENDAR, ACCOUNT, POSITIONS = (
    "/v2/stocks/bars",
    "/v1beta1/news",
    "/v2/calendar",
    "/v2/account",
    "/v2/positions",
)
NOON = datetime(2024, 7, 2, 16, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOON + HOUR)) as standin:
        yield standin


@pytest.fixture
def source(alpaca: AlpacaStandIn) -> MarketSource:
    return AlpacaMarketSource(KEY, SECRET, data_url=alpaca.url, trading_url=alpaca.url, retry_budget_seconds=0)


def midnight(day: str) -> datetime:
    """Midnight in New York, when Alpaca's days begin; only for summer days."""
    return datetime.fromisoformat(f"{day}T00:00:00-04:00")


def test_module_when_imported_leaves_alpaca_and_pandas_alone() -> None:
    code = "import sys, shared.market.alpaca; sys.exit(bool({'alpaca', 'pandas', 'requests'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("key", "secret"), [("", SECRET), (KEY, "")])
def test_source_when_key_or_secret_is_missing_is_refused(key: str, secret: str) -> None:
    with pytest.raises(InvalidError, match="secret"):
        AlpacaMarketSource(key, secret)


async def test_bars_when_symbols_traded_come_by_close_then_symbol(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    for symbol in ("MSFT", "AAPL"):
        alpaca.service.put_bars(symbol, bar_row(NOON), bar_row(NOON + MINUTE))
    bars = await source.bars(("MSFT", "AAPL", "GOOG"), "1Min", NOON, NOON + HOUR)
    assert [(bar.closed_at, bar.symbol) for bar in bars] == [
        (NOON + MINUTE, "AAPL"),
        (NOON + MINUTE, "MSFT"),
        (NOON + 2 * MINUTE, "AAPL"),
        (NOON + 2 * MINUTE, "MSFT"),
    ]
    assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close, bars[0].volume) == (100, 102, 99, 101, 1_000)


@pytest.mark.parametrize(
    ("interval", "length"),
    [("1Min", MINUTE), ("5Min", 5 * MINUTE), ("15Min", 15 * MINUTE), ("1Hour", HOUR)],
)
async def test_bars_when_interval_is_intraday_close_at_its_end(
    alpaca: AlpacaStandIn, source: MarketSource, interval: Interval, length: timedelta
) -> None:
    alpaca.service.put_bars("AAPL", bar_row(NOON), timeframe=interval)
    (bar,) = await source.bars(("AAPL",), interval, NOON, NOON + length)
    assert bar.closed_at == NOON + length


async def test_bars_when_only_just_inside_or_outside_the_range_are_told_apart(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    alpaca.service.put_bars("AAPL", *(bar_row(NOON + minute * MINUTE) for minute in range(-1, 3)))
    bars = await source.bars(("AAPL",), "1Min", NOON, NOON + 2 * MINUTE)
    assert [bar.closed_at for bar in bars] == [NOON + MINUTE, NOON + 2 * MINUTE]


async def test_bars_when_the_last_is_unfinished_leave_it_out(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_bars("AAPL", bar_row(NOON), timeframe="1Hour")
    assert await source.bars(("AAPL",), "1Hour", NOON - HOUR, NOON + HOUR - timedelta(seconds=1)) == []


@pytest.mark.parametrize("page_size", [1, 2, 3])
async def test_bars_when_pages_are_small_come_from_all_of_them(
    alpaca: AlpacaStandIn, source: MarketSource, page_size: int
) -> None:
    for symbol in ("AAPL", "MSFT"):
        alpaca.service.put_bars(symbol, *(bar_row(NOON + minute * MINUTE) for minute in range(3)))
    alpaca.service.page_size = page_size
    assert len(await source.bars(("AAPL", "MSFT"), "1Min", NOON, NOON + HOUR)) == 6
    assert len(alpaca.asked(BARS)) == 6 / page_size


async def test_bars_when_a_share_was_split_are_in_new_shares(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.splits["AAPL"] = [(NOON + MINUTE, 4)]
    alpaca.service.put_bars("AAPL", bar_row(NOON, 400, open=400, high=400, low=400), bar_row(NOON + MINUTE))
    before, after = await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)
    assert (before.close, before.volume, after.close) == (100, 4_000, 101)
    assert alpaca.asked(BARS)[0]["feed"] == "iex"


async def test_bars_when_recent_sip_is_not_paid_for_are_refused(alpaca: AlpacaStandIn) -> None:
    source = AlpacaMarketSource(KEY, SECRET, feed="sip", data_url=alpaca.url, trading_url=alpaca.url)
    with pytest.raises(InvalidError, match="does not permit querying recent SIP data"):
        await source.bars(("AAPL",), "1Min", NOON, alpaca.service.now)


async def test_bars_when_one_is_corrected_and_one_comes_late_are_new(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    alpaca.service.put_bars("AAPL", bar_row(NOON + MINUTE, 101))
    await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)
    alpaca.service.put_bars("AAPL", bar_row(NOON, 100.5), bar_row(NOON + MINUTE, 101.5))
    bars = await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)
    assert [bar.close for bar in bars] == [100.5, 101.5]


@pytest.mark.parametrize("answer", ['{"bars":null,"next_page_token":null}', "{}", '{"bars":{}}'])
async def test_bars_when_there_is_nothing_are_none(alpaca: AlpacaStandIn, source: MarketSource, answer: str) -> None:
    alpaca.fail(BARS, body(answer))
    assert await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR) == []


async def test_bars_when_the_last_page_is_null_keep_the_others(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_bars("AAPL", bar_row(NOON), bar_row(NOON + MINUTE))
    alpaca.service.page_size = 1
    alpaca.fail(BARS, Through(), body('{"bars":null,"next_page_token":null}'))
    assert len(await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)) == 1


async def test_source_when_nothing_is_asked_for_asks_nobody(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    assert await source.bars((), "1Day", NOON, NOON + HOUR) == []
    assert await source.bars(("AAPL",), "1Day", NOON, NOON) == []
    assert await source.news((), NOON, NOON + HOUR) == []
    assert alpaca.seen == []


@pytest.mark.parametrize(
    "change",
    [{"o": 0}, {"o": 103}, {"c": 98}, {"h": float("nan")}, {"v": None}, {"v": -1}, {"t": "soon"}, {"l": "low"}],
    ids=str,
)
async def test_bars_when_one_is_garbage_lack_it_and_log_it(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    alpaca.service.put_bars("AAPL", bar_row(NOON), bar_row(NOON + MINUTE))
    page = {"bars": {"AAPL": [bar_row(NOON), bar_row(NOON + MINUTE) | change]}, "next_page_token": None}
    alpaca.fail(BARS, body(json.dumps(page)))
    (bar,) = await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)
    assert bar.closed_at == NOON + MINUTE
    (record,) = caplog.records
    assert "AAPL" in record.getMessage()
    assert change.get("t", "2024-07-02T16:01:00Z") in record.getMessage()


async def test_bars_when_a_field_is_missing_lack_that_one(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture
) -> None:
    row = bar_row(NOON)
    alpaca.service.put_bars("AAPL", {name: row[name] for name in "tohlv"}, bar_row(NOON + MINUTE))
    assert len(await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)) == 1
    assert "KeyError('c')" in caplog.text


async def test_days_when_sessions_end_early_close_with_them(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.sessions = [session_row("2024-07-02"), session_row("2024-07-03", close="13:00")]
    alpaca.service.put_bars("AAPL", *(bar_row(midnight(f"2024-07-0{day}")) for day in (2, 3)), timeframe="1Day")
    bars = await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-04"))
    assert [bar.closed_at for bar in bars] == [
        datetime(2024, 7, 2, 20, 0, tzinfo=UTC),
        datetime(2024, 7, 3, 17, 0, tzinfo=UTC),
    ]


async def test_day_when_in_winter_closes_an_hour_later_in_utc(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    start = datetime(2024, 1, 16, 5, 0, tzinfo=UTC)
    alpaca.service.sessions = [session_row("2024-01-16")]
    alpaca.service.put_bars("AAPL", bar_row(start), timeframe="1Day")
    (bar,) = await source.bars(("AAPL",), "1Day", start, start + 24 * HOUR)
    assert bar.closed_at == datetime(2024, 1, 16, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(("minutes_after_close", "count"), [(-1, 0), (0, 1)])
async def test_day_when_its_session_goes_on_is_unfinished(
    alpaca: AlpacaStandIn, source: MarketSource, minutes_after_close: int, count: int
) -> None:
    alpaca.service.sessions = [session_row("2024-07-03", close="13:00")]
    alpaca.service.put_bars("AAPL", bar_row(midnight("2024-07-03")), timeframe="1Day")
    close = midnight("2024-07-03") + 13 * HOUR
    bars = await source.bars(("AAPL",), "1Day", close - HOUR, close + minutes_after_close * MINUTE)
    assert len(bars) == count


async def test_calendar_when_days_are_asked_for_again_is_not_asked_for(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    alpaca.service.sessions = [session_row("2023-12-29"), session_row("2024-07-02")]
    for _ in range(3):
        await source.bars(("AAPL",), "1Day", midnight("2023-12-01"), midnight("2024-07-03"))
    assert [asked["start"] for asked in alpaca.asked(CALENDAR)] == ["2023-01-01", "2024-01-01"]


async def test_day_when_it_is_not_in_the_calendar_is_dropped(
    alpaca: AlpacaStandIn, source: MarketSource, caplog: pytest.LogCaptureFixture
) -> None:
    alpaca.service.put_bars("AAPL", bar_row(midnight("2024-07-04")), timeframe="1Day")
    assert await source.bars(("AAPL",), "1Day", midnight("2024-07-04"), midnight("2024-07-05")) == []
    assert "AAPL" in caplog.text


async def test_calendar_when_it_is_garbage_fails_and_is_not_kept(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.fail(CALENDAR, body('[{"date":"2024-07-02","close":"late"}]'))
    with pytest.raises(TransientError, match="calendar"):
        await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-03"))
    assert await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-03")) == []


async def test_news_when_published_come_oldest_first_in_our_form(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.service.put_articles(
        article_row(8, NOON + HOUR, " Waymo&#39;s chief leaves \n", symbols=("GOOG", "BTC/USD", "$GOLD", "BRK.B")),
        article_row(7, NOON + MINUTE, "x" * 600, symbols=("GOOG",), summary="y" * 6_000),
    )
    long, short = await source.news(("GOOG",), NOON, NOON + HOUR)
    assert (long.vendor_id, len(long.headline), len(long.summary)) == ("alpaca-7", 500, 5_000)
    assert (short.headline, short.symbols) == ("Waymo's chief leaves", ("GOOG", "BRK.B"))
    assert (short.published_at, short.origin, short.summary) == (NOON + HOUR, "alpaca", "")


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
        article_row(2, NOON + HOUR - MINUTE, updated_at=NOON + HOUR + MINUTE),
    )
    assert [item.vendor_id for item in await source.news(("AAPL",), NOON, NOON + HOUR)] == ["alpaca-2"]


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


def test_intervals_when_listed_are_all_tested() -> None:
    assert set(get_args(Interval)) == {"1Min", "5Min", "15Min", "1Hour", "1Day"}
