"""The whole recording through the market analyst: what it says of thirteen years of four real stocks."""

from itertools import groupby

from shared.agents import market_analyst
from shared.agents.market_analyst import AnalystDeps, AnalystState, on_market_data_received
from shared.agents.own_state import OwnState
from shared.events.envelope import Event
from shared.market.recorded import FIRST_DAY, LAST_DAY, SYMBOLS, RecordedMarketSource
from shared.projections import bar as bar_projection
from shared.projections.bar import BarHistory
from shared.projections.in_memory import InMemoryProjectionStore
from shared.store.in_memory import InMemoryEventStore
from shared.watchlist import Watchlist
from tests.builders import CLOSE, DAY, market_data


async def said_of_the_recording() -> list[Event]:
    """Give all that the market analyst emits, in order."""
    store, projections = InMemoryEventStore(), InMemoryProjectionStore()
    own = OwnState(store, market_analyst.NAME, AnalystState)
    deps = AnalystDeps(BarHistory(projections, "1Day"), own, Watchlist(SYMBOLS))
    start, end = (CLOSE.replace(year=day.year, month=day.month, day=day.day) for day in (FIRST_DAY, LAST_DAY))
    bars = await RecordedMarketSource().bars(SYMBOLS, "1Day", start - DAY, end + DAY)
    state, said = AnalystState(), list[Event]()
    for closed_at, together in groupby(bars, lambda bar: bar.closed_at):
        event = market_data(*together, time=closed_at)
        await projections.apply(bar_projection.rows(event))
        decision = await on_market_data_received(event, state, deps)
        state = decision.state or state
        said += [emit.event for emit in decision.emits]
    return said
