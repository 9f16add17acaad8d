"""What the Alpaca source makes of Alpaca's bars: the real SDK over HTTP against a stand-in for the service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import InvalidError, TransientError
from shared.events.market import Interval
from shared.market.alpaca import AlpacaMarketSource
from shared.market.port import MarketSource
from tests.standins.alpaca.faults import Through, body
from tests.standins.alpaca.rows import bar_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

# The SDK imports websockets.legacy, which warns about itself.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

BARS, CALENDAR = "/v2/stocks/bars", "/v2/calendar"
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
    (bar,) = await source.bars(("AAPL",), "1Min", NOON + MINUTE / 2, NOON + 3 * MINUTE / 2)
    assert bar.closed_at == NOON + MINUTE


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
    [
        {"o": 0},
        {"o": 103},
        {"c": 98},
        {"h": float("nan")},
        {"v": None},
        {"v": -1},
        {"t": "soon"},
        {"t": None},
        {"l": "low"},
    ],
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
    assert str(change.get("t", "2024-07-02T16:01:00Z")) in record.getMessage()


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


@pytest.mark.parametrize("known", [[], [session_row("2024-07-02")]], ids=["empty", "half"])
async def test_calendar_when_it_lacks_a_session_is_read_again(
    alpaca: AlpacaStandIn, source: MarketSource, known: list[dict[str, Any]]
) -> None:
    alpaca.service.put_bars("AAPL", bar_row(midnight("2024-07-03")), timeframe="1Day")
    alpaca.fail(CALENDAR, body(json.dumps(known)))
    alpaca.service.sessions = [session_row("2024-07-02"), session_row("2024-07-03", close="13:00")]
    found = [await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-04")) for _ in range(2)]
    assert [[bar.closed_at for bar in bars] for bars in found] == [[], [midnight("2024-07-03") + 13 * HOUR]]


async def test_days_when_around_holidays_and_summer_time_close_with_their_sessions(
    alpaca: AlpacaStandIn, source: MarketSource
) -> None:
    # Thanksgiving week and its half day; the weekend on which summer time begins. No session, no bar, nothing stale.
    expected = {
        datetime(2024, 3, 8, 5, tzinfo=UTC): datetime(2024, 3, 8, 21, tzinfo=UTC),
        datetime(2024, 3, 11, 4, tzinfo=UTC): datetime(2024, 3, 11, 20, tzinfo=UTC),
        datetime(2024, 11, 1, 4, tzinfo=UTC): datetime(2024, 11, 1, 20, tzinfo=UTC),
        datetime(2024, 11, 4, 5, tzinfo=UTC): datetime(2024, 11, 4, 21, tzinfo=UTC),
        datetime(2024, 11, 27, 5, tzinfo=UTC): datetime(2024, 11, 27, 21, tzinfo=UTC),
        datetime(2024, 11, 29, 5, tzinfo=UTC): datetime(2024, 11, 29, 18, tzinfo=UTC),
    }
    alpaca.service.now = datetime(2024, 12, 2, tzinfo=UTC)
    alpaca.service.sessions = [
        session_row(f"{opened:%Y-%m-%d}", close="13:00" if opened.day == 29 else "16:00") for opened in expected
    ]
    alpaca.service.put_bars("AAPL", *map(bar_row, expected), timeframe="1Day")
    bars = await source.bars(("AAPL",), "1Day", datetime(2024, 3, 7, tzinfo=UTC), alpaca.service.now)
    assert [bar.closed_at for bar in bars] == list(expected.values())
    assert [len(await source.bars(("AAPL",), "1Day", close - MINUTE, close)) for close in expected.values()] == [1] * 6


async def test_calendar_when_it_is_garbage_fails_and_is_not_kept(alpaca: AlpacaStandIn, source: MarketSource) -> None:
    alpaca.fail(CALENDAR, body('[{"date":"2024-07-02","close":"late"}]'))
    with pytest.raises(TransientError, match="calendar"):
        await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-03"))
    assert await source.bars(("AAPL",), "1Day", midnight("2024-07-02"), midnight("2024-07-03")) == []
