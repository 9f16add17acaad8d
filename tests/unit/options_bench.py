"""The options strategist's ports in memory, and histories that are calm, wild, even, or real."""

from datetime import UTC, datetime
from math import exp
from typing import Any

from shared.agents.decision import Stateless
from shared.agents.options_strategist import OptionsDeps, on_options_requested
from shared.chain.synthetic import SyntheticChainSource
from shared.events.options import OptionsSuggested, OptionsSuggestion
from shared.market.recorded import RecordedMarketSource
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.portfolio import Portfolios
from shared.projections.projector import Projector
from shared.projections.view import Views
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, DAY, a_bar, an_options_request, market_data

SEPTEMBER = datetime(2008, 9, 15, 21, tzinfo=UTC)


class Bench:
    """The strategist's ports in memory."""

    def __init__(self) -> None:
        self.projections, self.store = InMemoryProjectionStore(), InMemoryEventStore()
        self.projector = Projector(self.projections, self.store)
        bars = BarHistory(self.projections, "1Day")
        portfolios = Portfolios(self.projections, self.store)
        self.deps = OptionsDeps(SyntheticChainSource(bars), bars, Views(self.projections), portfolios)

    async def closes(self, *closes: float) -> None:
        """Have one close a day, the last at `CLOSE`."""
        for ago, close in zip(range(len(closes) - 1, -1, -1), closes, strict=True):
            await self.projector.project(market_data(a_bar(close=close, closed_at=CLOSE - ago * DAY)))

    async def ask(self, **changes: Any) -> OptionsSuggestion:
        """Ask, and give the answer."""
        return (await self.event(**changes)).data

    async def event(self, **changes: Any) -> OptionsSuggested:
        """Ask, and give the event of the answer."""
        request = an_options_request(**changes)
        decision = await on_options_requested(request, Stateless(), self.deps)
        (emit,) = decision.emits
        assert isinstance(emit.event, OptionsSuggested)
        return emit.event


def calming(count: int = 200, first: float = 0.03, last: float = 0.01) -> list[float]:
    """Closes whose daily moves change evenly from one size to another."""
    closes, close = [], 100.0
    for place in range(count):
        close *= exp((first + (last - first) * place / count) * (1 if place % 2 else -1))
        closes.append(close)
    return closes


CALM, WILD, EVEN = (
    calming(),
    calming(first=0.01, last=0.03),
    [100 * exp(0.02 * (place % 4 in (1, 2))) for place in range(200)],
)


async def real(bench: Bench, symbol: str = "IBM") -> None:
    for bar in await RecordedMarketSource().bars((symbol,), "1Day", SEPTEMBER - 450 * DAY, SEPTEMBER):
        await bench.projector.project(market_data(bar))
