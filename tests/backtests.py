"""Short backtests of the recorded market, for several tests."""

from datetime import UTC, date, datetime

from shared import rehearsal
from shared.events.envelope import Event
from shared.events.market import Bar, Interval
from shared.events.news import NewsItem
from shared.events.portfolio import Portfolio
from shared.events.replay import Backtest
from shared.market.port import MarketSource
from shared.market.recorded import RecordedMarketSource
from shared.replay.backtest import Played, Run

AUTUMN = Backtest(
    symbols=("AAPL", "IBM"), first_day=date(2008, 9, 2), last_day=date(2008, 10, 10), rebalance="daily", cash=50_000
)
MIDDLE = datetime(2008, 9, 19, 22, tzinfo=UTC)


class AlteredMarketSource:
    """The recording, with other prices after a moment."""

    def __init__(self, after: datetime, factor: float) -> None:
        self._source, self._after, self._factor = RecordedMarketSource(), after, factor

    async def bars(self, symbols: tuple[str, ...], interval: Interval, start: datetime, end: datetime) -> list[Bar]:
        """Give the bars, altered where they are later."""
        return [self._altered(bar) for bar in await self._source.bars(symbols, interval, start, end)]

    async def news(self, symbols: tuple[str, ...], start: datetime, end: datetime) -> list[NewsItem]:
        """Give the headlines."""
        return await self._source.news(symbols, start, end)

    async def portfolio(self) -> Portfolio | None:
        """Give None."""
        return None

    def _altered(self, bar: Bar) -> Bar:
        if bar.closed_at <= self._after:
            return bar
        prices = {name: getattr(bar, name) * self._factor for name in ("open", "high", "low", "close")}
        return bar.model_copy(update=prices)


async def played(asked: Backtest = AUTUMN, source: MarketSource | None = None) -> tuple[Played, list[Event]]:
    """Give a backtest that was played, and its log."""
    log = list[Event]()
    run = Run(asked, source or RecordedMarketSource(), rehearsal.backtested, record=log.append)
    return await run.play(), log
