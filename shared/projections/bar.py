"""Bars per symbol: what the market did, as it was known at a moment."""

from datetime import datetime

from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.projections.port import ProjectionStore, Row


def rows(event: Event) -> list[Row]:
    """Fold an event into bar rows; other events give none."""
    if not isinstance(event, MarketDataReceived):
        return []
    view = _view(event.data.interval)
    return [Row(view, bar.symbol, bar.closed_at, event.time, bar.model_dump_json().encode()) for bar in event.data.bars]


class BarHistory:
    """Reads bars of one interval.

    Parameters
    ----------
    store : ProjectionStore
        Where the rows are.
    interval : str
        The desk's bar interval.
    """

    def __init__(self, store: ProjectionStore, interval: Interval) -> None:
        self._store = store
        self._view = _view(interval)

    async def read(self, symbol: str, as_of: datetime, *, after: datetime | None = None, limit: int = 500) -> list[Bar]:
        """Give the newest `limit` bars that closed not after `as_of`, as known then; oldest first.

        Parameters
        ----------
        after : datetime, optional
            Leave out bars that closed at or before it.
        """
        found = await self._store.read(self._view, symbol, as_of, after=after, limit=limit)
        return [Bar.model_validate_json(row.body) for row in found]


def _view(interval: Interval) -> str:
    return f"bar:{interval}"
