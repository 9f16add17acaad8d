"""What an answer of Alpaca's may hold, and how long it may take, without harm: each over HTTP with the real SDK."""

import asyncio
import gzip
import itertools
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.errors import TransientError
from shared.market.alpaca import MOST_CALLS, AlpacaMarketSource
from tests.contract.alpaca_bench import BARS, HOUR, MINUTE, NOON, source_of, two_bars
from tests.standins.alpaca.faults import Answer, Drip, Stall, Through, body, too_many, web_page
from tests.standins.alpaca.rows import article_row, bar_row, session_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

# The SDK imports websockets.legacy, which warns about itself.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

NEWS = "/v1beta1/news"


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with two_bars() as standin:
        yield standin


async def closes(source: AlpacaMarketSource, *symbols: str) -> list[tuple[str, datetime, float]]:
    bars = await source.bars(symbols or ("AAPL",), "1Min", NOON, NOON + HOUR)
    return [(bar.symbol, bar.closed_at, bar.close) for bar in bars]


async def headlines(source: AlpacaMarketSource) -> list[str]:
    return [item.headline for item in await source.news(("AAPL",), NOON, NOON + HOUR)]


def bars_page(rows: dict[str, Any], token: object = None) -> Answer:
    return body(json.dumps({"bars": rows, "next_page_token": token}))


def news_page(*rows: Any, token: object = None) -> Answer:
    return body(json.dumps({"news": rows, "next_page_token": token}))


@pytest.mark.parametrize("odd", [None, 7, "rows", {"t": 1}, [None, 7, "row", []]], ids=str)
async def test_bars_when_one_symbols_rows_are_garbage_keep_the_others(alpaca: AlpacaStandIn, odd: object) -> None:
    alpaca.fail(BARS, bars_page({"IBM": odd, "AAPL": [bar_row(NOON)]}))
    assert await closes(source_of(alpaca), "AAPL", "IBM") == [("AAPL", NOON + MINUTE, 101)]


async def test_bars_when_many_are_garbage_say_so_in_one_line(
    alpaca: AlpacaStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    alpaca.fail(BARS, bars_page({"AAPL": [bar_row(NOON) | {"o": -1}] * 1_000}))
    assert await closes(source_of(alpaca)) == []
    (record,) = caplog.records
    assert "dropped 1000 bars" in record.getMessage()


async def test_bars_when_nobody_asked_for_them_are_left_out(alpaca: AlpacaStandIn) -> None:
    rows = [bar_row(NOON)]
    alpaca.fail(BARS, bars_page({"aapl": rows, "TSLA": rows, "": rows, "AAPL": [bar_row(NOON - HOUR), *rows]}))
    assert await closes(source_of(alpaca)) == [("AAPL", NOON + MINUTE, 101)]


async def test_bars_when_twice_in_an_answer_and_out_of_order_come_once_in_order(alpaca: AlpacaStandIn) -> None:
    later = bar_row(NOON + MINUTE)
    alpaca.fail(BARS, bars_page({"AAPL": [later, bar_row(NOON, 100), bar_row(NOON, 101.5), later]}))
    assert await closes(source_of(alpaca)) == [("AAPL", NOON + MINUTE, 101.5), ("AAPL", NOON + 2 * MINUTE, 101)]


async def test_bars_when_nothing_was_traded_count_with_volume_zero(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, bars_page({"AAPL": [bar_row(NOON, volume=0)]}))
    (bar,) = await source_of(alpaca).bars(("AAPL",), "1Min", NOON, NOON + HOUR)
    assert bar.volume == 0


@pytest.mark.parametrize("stamp", ["2024-07-02T16:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("interval", ["1Min", "1Day"])
async def test_bars_when_their_time_is_none_are_left_out(alpaca: AlpacaStandIn, stamp: str, interval: Any) -> None:
    alpaca.service.sessions = [session_row("2024-07-02")]
    alpaca.fail(BARS, bars_page({"AAPL": [bar_row(NOON) | {"t": stamp}]}))
    assert await source_of(alpaca).bars(("AAPL",), interval, NOON, NOON + 24 * HOUR) == []


@pytest.mark.parametrize("read", [closes, headlines])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"\x1f\x8bgarbage", headers={"Content-Encoding": "gzip"}),
        Answer(body=gzip.compress(b"{}" * 9)[:-12], headers={"Content-Encoding": "gzip"}),
        body("[" * 100_000),
        body('{"bars":' + "9" * 5_000 + "}"),
        Answer(body=b"\xff\xfe\x00"),
        body('{"bars":{},"news":[],"next_page_token":7}'),
    ],
    ids=["no gzip", "half a gzip", "deep", "long number", "no text", "token"],
)
async def test_answer_when_it_is_garbage_is_transient_and_repeated(
    alpaca: AlpacaStandIn, read: Callable[[AlpacaMarketSource], Any], answer: Answer
) -> None:
    alpaca.service.put_articles(article_row(1, NOON + MINUTE))
    for path in (BARS, NEWS):
        alpaca.fail(path, answer)
    with pytest.raises(TransientError):
        await read(source_of(alpaca))
    for path in (BARS, NEWS):
        alpaca.fail(path, answer)
    assert len(await read(source_of(alpaca, retry=5))) > 0


@pytest.mark.parametrize("read", [closes, headlines])
async def test_pages_when_their_token_comes_back_do_not_go_round(
    alpaca: AlpacaStandIn, read: Callable[[AlpacaMarketSource], Any]
) -> None:
    for token in "aba":
        alpaca.fail(BARS, bars_page({}, token))
        alpaca.fail(NEWS, news_page(token=token))
    with pytest.raises(TransientError, match="pages without end"):
        await read(source_of(alpaca))
    assert len(alpaca.seen) == 3


@pytest.mark.parametrize("read", [closes, headlines])
async def test_pages_when_they_never_end_stop_with_the_calls_budget(
    alpaca: AlpacaStandIn, read: Callable[[AlpacaMarketSource], Any]
) -> None:
    numbers = itertools.count()
    alpaca.service.answer = lambda *_: {"bars": {}, "news": [], "next_page_token": str(next(numbers))}  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="the answer does not end"):
        await read(source_of(alpaca, call=0.5))


async def test_pages_when_the_last_token_is_empty_end(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, bars_page({"AAPL": [bar_row(NOON)]}, ""))
    assert len(await closes(source_of(alpaca))) == 1
    assert len(alpaca.seen) == 1


async def test_pages_when_one_stays_away_give_nothing_and_the_next_call_gives_all(alpaca: AlpacaStandIn) -> None:
    alpaca.service.page_size = 1
    alpaca.fail(BARS, Through(), web_page(500))
    source = source_of(alpaca)
    with pytest.raises(TransientError):
        await closes(source)
    assert len(await closes(source)) == 2


async def test_answer_when_it_only_drips_ends_with_the_calls_budget(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, Drip(0.05))
    with pytest.raises(TransientError, match="the answer does not end"):
        await closes(source_of(alpaca, call=0.3))
    for thread in [thread for thread in threading.enumerate() if thread.name == "alpaca"]:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_requests_when_they_hang_leave_the_loops_threads_free_and_are_few(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, *[Stall(seconds=60)] * (MOST_CALLS + 1))
    source = AlpacaMarketSource(KEY, SECRET, data_url=alpaca.url, trading_url=alpaca.url, request_timeout_seconds=60)
    hanging = [asyncio.create_task(closes(source)) for _ in range(MOST_CALLS)]
    await asyncio.to_thread(alpaca.wait_for, MOST_CALLS)
    with pytest.raises(TransientError, match="too many requests"):
        await closes(source)
    for task in hanging:
        task.cancel()
    assert await asyncio.gather(*hanging, return_exceptions=True)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "alpaca")
    assert len(alpaca.seen) == MOST_CALLS


@pytest.mark.parametrize(
    "limit",
    [
        too_many(retry_after="60", X_Ratelimit_Reset="none"),
        too_many(retry_after="Fri, 31 Dec 9999 23:59:59 GMT", X_Ratelimit_Reset="none"),
        too_many(X_Ratelimit_Reset=str(2**35)),
    ],
    ids=["seconds", "date", "quota"],
)
async def test_source_when_told_to_wait_asks_nothing_until_then(alpaca: AlpacaStandIn, limit: Answer) -> None:
    source = source_of(alpaca, retry=1)
    alpaca.fail(BARS, limit)
    with pytest.raises(TransientError, match="429 too many requests"):
        await closes(source)
    for asking in (closes(source), headlines(source), source.portfolio()):
        with pytest.raises(TransientError, match="asked for a rest"):
            await asking
    assert len(alpaca.seen) == 1


@pytest.mark.parametrize(
    ("after", "reset"), [("-5", "-5"), ("soon", "later"), ("²", "²"), ("1e9", "1e9"), ("", "9" * 400)]
)
async def test_source_when_told_nonsense_about_waiting_asks_again(
    alpaca: AlpacaStandIn, after: str, reset: str
) -> None:
    alpaca.fail(BARS, Answer(429, headers={"Retry-After": after, "X-Ratelimit-Reset": reset}))
    assert len(await closes(source_of(alpaca, retry=5))) == 2


async def test_source_when_alpacas_clock_is_nonsense_asks_again(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, Answer(429, headers={"Date": "today"}))
    assert len(await closes(source_of(alpaca, retry=5))) == 2


async def test_message_when_the_service_repeats_our_keys_has_none_and_is_always_the_same(
    alpaca: AlpacaStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with AlpacaStandIn(AlpacaService(now=NOON)) as gone:
        nobody = source_of(gone)
    echo = f"bad headers: {KEY} {SECRET}"
    alpaca.fail(BARS, *[Answer(status, json.dumps({"message": echo}).encode()) for status in (401, 403, 500)] * 2)
    said = list[str]()
    for source in [source_of(alpaca)] * 6 + [nobody] * 2:
        with pytest.raises(Exception, match="Alpaca") as caught:
            await closes(source)
        said.append(str(caught.value))
        printed = "".join(traceback.format_exception(caught.value))
        assert not [secret for secret in (KEY, SECRET) if secret in printed + caplog.text]
    assert len(set(said)) == 4


@pytest.mark.parametrize(("ahead", "count"), [(timedelta(0), 2), (30 * timedelta(seconds=1), 1), (HOUR, 0)])
async def test_bars_when_our_clock_is_ahead_wait_until_alpacas_says_they_are_over(
    alpaca: AlpacaStandIn, ahead: timedelta, count: int
) -> None:
    alpaca.date = NOON + 2 * MINUTE - ahead
    assert len(await closes(source_of(alpaca))) == count


async def test_bars_when_our_clock_is_behind_wait_until_ours_says_so(alpaca: AlpacaStandIn) -> None:
    alpaca.date = NOON + 24 * HOUR
    source = source_of(alpaca)
    assert [len(await source.bars(("AAPL",), "1Min", NOON, NOON + n * MINUTE)) for n in range(1, 4)] == [1, 2, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"headline": None},
        {"headline": ["a"]},
        {"symbols": "AAPL"},
        {"created_at": "2024-07-02T16:01:00"},
        {"created_at": 7},
        {"summary": {"a": 1}},
    ],
    ids=str,
)
async def test_news_when_one_is_garbage_lacks_it(alpaca: AlpacaStandIn, change: dict[str, Any]) -> None:
    good, odd = article_row(1, NOON + MINUTE, "good"), article_row(2, NOON + MINUTE) | change
    alpaca.fail(NEWS, news_page(odd, None, 7, [], good, good))
    assert await headlines(source_of(alpaca)) == ["good"]
