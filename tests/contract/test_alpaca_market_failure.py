"""How patient the Alpaca source is: what it repeats, for how long, and what it gives up on at once."""

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from shared.errors import InvalidError, TransientError
from shared.market.alpaca import AlpacaMarketSource
from tests.contract.alpaca_bench import BARS, HOUR, MINUTE, NOON, source_of, two_bars
from tests.standins.alpaca.faults import (
    Answer,
    Cut,
    Fault,
    Reset,
    Stall,
    Through,
    body,
    refused,
    too_many,
    web_page,
)
from tests.standins.alpaca.server import AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

PASSING: dict[str, Fault] = {
    "429": too_many(retry_after="0"),
    "408": refused(408, "request timeout"),
    "500": refused(500, "internal server error occurred", 50010000),
    "500 html": web_page(500),
    "502 html": web_page(502),
    "504": Answer(504),
    "520": web_page(520),
    "reset": Reset(),
    "cut": Cut(),
    "truncated": body('{"bars":{"AAPL":[{"t":"2024-07-02T16:0'),
    "html": Answer(200, b"<html></html>", "text/html"),
    "list": body("[]"),
    "null": body("null"),
    "nothing": body(""),
    "number": body('{"bars":7,"next_page_token":null}'),
    "redirect": Answer(302, b"<html></html>", "text/html", {"Location": "/elsewhere"}),
}
FINAL: dict[str, tuple[Answer, str]] = {
    "400": (refused(400, "invalid symbol: AAPL$"), "invalid symbol: AAPL\\$"),
    "401": (refused(401, "request is not authorized", 40110000), "request is not authorized"),
    "403": (refused(403, "forbidden."), "forbidden\\."),
    "404": (refused(404, "endpoint not found."), "endpoint not found"),
    "422": (refused(422, "end should not be before start", 42210000), "end should not be before start"),
    "403 html": (web_page(403), "<html>"),
    "403 list": (Answer(403, b'["forbidden"]'), "forbidden"),
    "403 empty": (Answer(403), "403"),
}


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with two_bars() as standin:
        yield standin


async def closes(source: AlpacaMarketSource) -> list[datetime]:
    return [bar.closed_at for bar in await source.bars(("AAPL",), "1Min", NOON, NOON + HOUR)]


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_request_when_it_fails_in_passing_is_transient(alpaca: AlpacaStandIn, fault: Fault) -> None:
    alpaca.fail(BARS, fault)
    with pytest.raises(TransientError, match="stocks/bars"):
        await closes(source_of(alpaca))
    assert len(alpaca.seen) == 1


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_request_when_it_fails_once_is_repeated(alpaca: AlpacaStandIn, fault: Fault) -> None:
    alpaca.fail(BARS, fault)
    assert await closes(source_of(alpaca, retry=5)) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert len(alpaca.seen) == 2


@pytest.mark.parametrize(("answer", "message"), FINAL.values(), ids=FINAL.keys())
async def test_request_when_refused_is_invalid_at_once(alpaca: AlpacaStandIn, answer: Answer, message: str) -> None:
    alpaca.fail(BARS, answer)
    with pytest.raises(InvalidError, match=message):
        await closes(source_of(alpaca, retry=5))
    assert len(alpaca.seen) == 1


async def test_request_when_the_key_is_wrong_is_invalid_and_keeps_it_secret(alpaca: AlpacaStandIn) -> None:
    source = AlpacaMarketSource("PKWRONG", "wrong-secret", data_url=alpaca.url, trading_url=alpaca.url)
    for asking in (closes(source), source.portfolio()):
        with pytest.raises(InvalidError, match="forbidden") as caught:
            await asking
        assert "WRONG" not in str(caught.value).upper()


async def test_request_when_nobody_listens_is_transient() -> None:
    with AlpacaStandIn(AlpacaService(now=NOON)) as gone:
        source = source_of(gone)
    with pytest.raises(TransientError, match="ConnectionError"):
        await closes(source)


async def test_request_when_the_answer_stalls_is_transient(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, Stall(seconds=30))
    with pytest.raises(TransientError, match="ReadTimeout"):
        await closes(source_of(alpaca, timeout=0.2))
    assert len(alpaca.seen) == 1


async def test_request_when_it_keeps_failing_ends_with_the_budget(alpaca: AlpacaStandIn) -> None:
    # Waits 0.2, 0.4 and 0.8 s; another 1.6 s would end after the 3 s that the budget lasts, a slow machine's sooner.
    alpaca.fail(BARS, *[web_page(503)] * 20)
    with pytest.raises(TransientError):
        await closes(source_of(alpaca, retry=3))
    assert 2 <= len(alpaca.seen) <= 4


async def test_request_when_it_keeps_stalling_ends_with_the_budget(alpaca: AlpacaStandIn) -> None:
    # Four times 0.3 s of silence, and 1.4 s of waiting between: 1.6 s more would end after 3 s.
    alpaca.fail(BARS, *[Stall(seconds=30)] * 20)
    with pytest.raises(TransientError):
        await closes(source_of(alpaca, retry=3, timeout=0.3))
    assert 2 <= len(alpaca.seen) <= 4


async def test_request_when_told_to_wait_longer_than_the_budget_is_not_repeated(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, too_many(retry_after="30"))
    with pytest.raises(TransientError, match="429 too many requests"):
        await closes(source_of(alpaca, retry=5))
    assert len(alpaca.seen) == 1


async def test_request_when_told_to_wait_within_the_budget_waits_that_long(alpaca: AlpacaStandIn) -> None:
    # The first second fits, the second does not; by our own waits of 0.2 and 0.4 s a third request would succeed.
    alpaca.fail(BARS, too_many(retry_after="1"), too_many(retry_after="1"))
    with pytest.raises(TransientError):
        await closes(source_of(alpaca, retry=1.7))
    assert len(alpaca.seen) == 2


@pytest.mark.parametrize(("renewed_in", "requests"), [(60, 1), (-5, 2)])
async def test_request_when_the_quota_is_renewed_too_late_is_not_repeated(
    alpaca: AlpacaStandIn, renewed_in: int, requests: int
) -> None:
    limit = too_many(X_Ratelimit_Reset=str(int(time.time()) + renewed_in))
    alpaca.fail(BARS, *[limit] * requests)
    with pytest.raises(TransientError):
        await closes(source_of(alpaca, retry=0.5))
    assert len(alpaca.seen) == requests


async def test_page_when_it_fails_is_repeated_without_the_others(alpaca: AlpacaStandIn) -> None:
    alpaca.service.page_size = 1
    alpaca.fail(BARS, Through(), web_page(502))
    assert await closes(source_of(alpaca, retry=5)) == [NOON + MINUTE, NOON + 2 * MINUTE]
    assert [asked.get("page_token") is None for asked in alpaca.asked(BARS)] == [True, False, False]


async def test_requests_when_they_stall_let_the_loop_and_each_other_go_on(alpaca: AlpacaStandIn) -> None:
    alpaca.fail(BARS, Stall(seconds=30), Stall(seconds=30))
    source = source_of(alpaca, timeout=30)
    reading = [asyncio.create_task(closes(source)) for _ in range(2)]
    await asyncio.to_thread(alpaca.wait_for, 2)
    assert not any(task.done() for task in reading)
    alpaca.release()
    assert await asyncio.gather(*reading) == [[NOON + MINUTE, NOON + 2 * MINUTE]] * 2
