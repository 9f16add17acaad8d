"""Bars per symbol: what the market did, as it was known at a moment."""

from datetime import datetime, timedelta

from pydantic_core import from_json, to_json

from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.projections.port import ProjectionStore, Row

STALE_AFTER = timedelta(days=7)
"""A close that is older says nothing of now: no market rests for so long."""

_CLOSE = 3


def rows(event: Event) -> list[Row]:
    """Fold an event into bar rows; other events give none."""
    if not isinstance(event, MarketDataReceived):
        return []
    view = _view(event.data.interval)
    return [Row(view, bar.symbol, bar.closed_at, event.time, _body(bar)) for bar in event.data.bars]


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

    async def read(
        self,
        symbol: str,
        as_of: datetime,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        limit: int = 500,
    ) -> list[Bar]:
        """Give the newest `limit` bars that closed not after `as_of`, as known then; oldest first.

        Parameters
        ----------
        after : datetime, optional
            Leave out bars that closed at or before it.
        until : datetime, optional
            Leave out bars that closed after it.
        """
        found = await self._store.read(self._view, symbol, as_of, after=after, until=until, limit=limit)
        return [_bar(row) for row in found]

    async def closes(self, symbol: str, as_of: datetime, *, limit: int) -> dict[datetime, float]:
        """Give the newest `limit` closes in US dollars by the time of their close, as `read` would; oldest first."""
        found = await self._store.read(self._view, symbol, as_of, limit=limit)
        return {row.valid_at: from_json(row.body)[_CLOSE] for row in found}


def _body(bar: Bar) -> bytes:
    # An array, because histories are read by the thousand; the keys are the row's.
    return to_json([bar.open, bar.high, bar.low, bar.close, bar.volume])


def _bar(row: Row) -> Bar:
    opened, high, low, close, volume = from_json(row.body)
    # It was validated when its event was read.
    return Bar.model_construct(
        symbol=row.key, closed_at=row.valid_at, open=opened, high=high, low=low, close=close, volume=volume
    )


def _view(interval: Interval) -> str:
    return f"bar:{interval}"
