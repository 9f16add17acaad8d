"""Work that is abandoned: the caller goes on in time, and so does the source once the work is done after all."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import InvalidError, TransientError
from shared.market.abandonable import Abandonable
from shared.market.alpaca import AlpacaMarketSource
from tests.standins.alpaca.faults import Stall, too_many
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")

BARS, NEWS = "/v2/stocks/bars", "/v1beta1/news"
NOON = datetime(2024, 7, 2, 16, 0, tzinfo=UTC)


@pytest.fixture
def alpaca() -> Iterator[AlpacaStandIn]:
    with AlpacaStandIn(AlpacaService(now=NOON + timedelta(hours=1))) as standin:
        yield standin


def source_of(alpaca: AlpacaStandIn) -> AlpacaMarketSource:
    return AlpacaMarketSource(
        KEY,
        SECRET,
        data_url=alpaca.url,
        trading_url=alpaca.url,
        request_timeout_seconds=1,
        retry_budget_seconds=0,
    )


async def test_work_when_it_takes_too_long_is_abandoned_and_counts_until_it_is_done() -> None:
    done, threads = threading.Event(), Abandonable(1, 2)
    with pytest.raises(TransientError, match="no answer within"):
        await threads.run(done.wait)
    with pytest.raises(TransientError, match="too many"):
        await threads.run(lambda: 7)
    done.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "alpaca"]:
        await asyncio.to_thread(thread.join, 10)
    assert await threads.run(lambda: 7) == 7


async def test_work_when_it_fails_raises_what_it_raised_and_frees_its_place() -> None:
    def fail() -> None:
        raise InvalidError("refused")

    threads = Abandonable(1, 10)
    for _ in range(3):
        with pytest.raises(InvalidError, match="refused"):
            await threads.run(fail)


async def test_rest_when_another_call_fails_after_it_was_asked_for_is_kept(alpaca: AlpacaStandIn) -> None:
    source, end = source_of(alpaca), NOON + timedelta(hours=1)
    alpaca.fail(NEWS, Stall(60))
    news = asyncio.create_task(source.news(("AAPL",), NOON, end))
    await asyncio.to_thread(alpaca.wait_for, 1)
    alpaca.fail(BARS, too_many(retry_after="60"))
    for said in ("429", "asked for a rest"):
        with pytest.raises(TransientError, match=said):
            await source.bars(("AAPL",), "1Min", NOON, end)
    with pytest.raises(TransientError, match="ReadTimeout"):
        await news
    with pytest.raises(TransientError, match="asked for a rest"):
        await source.bars(("AAPL",), "1Min", NOON, end)


async def test_answer_when_it_is_too_long_is_not_read_to_its_end(
    alpaca: AlpacaStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.market.alpaca_patience.LARGEST_PAGE", 10)
    with pytest.raises(TransientError, match="the answer is too long"):
        await source_of(alpaca).bars(("AAPL",), "1Min", NOON, NOON + timedelta(hours=1))
