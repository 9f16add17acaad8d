"""An Alpaca that has two bars, and the source that asks it over HTTP with the real SDK."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from shared.market.alpaca import AlpacaMarketSource
from tests.standins.alpaca.rows import bar_row
from tests.standins.alpaca.server import KEY, SECRET, AlpacaStandIn
from tests.standins.alpaca.service import AlpacaService

BARS = "/v2/stocks/bars"
NOON = datetime(2024, 7, 2, 16, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@contextmanager
def two_bars() -> Iterator[AlpacaStandIn]:
    """Run the stand-in at one o'clock, with the bars of the first two minutes after noon."""
    with AlpacaStandIn(AlpacaService(now=NOON + HOUR)) as standin:
        standin.service.put_bars("AAPL", bar_row(NOON), bar_row(NOON + MINUTE))
        yield standin


def source_of(
    alpaca: AlpacaStandIn, *, retry: float = 0.0, timeout: float = 5.0, call: float = 20.0
) -> AlpacaMarketSource:
    """Give a source with its budgets in seconds: for repetitions, for a request, for a call with all its pages."""
    return AlpacaMarketSource(
        KEY,
        SECRET,
        data_url=alpaca.url,
        trading_url=alpaca.url,
        request_timeout_seconds=timeout,
        retry_budget_seconds=retry,
        call_budget_seconds=call,
    )
