"""Bars per symbol: what the market did, as it was known at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic_core import from_json, to_json

from shared.events.envelope import Event
from shared.events.market import Bar, Interval, MarketDataReceived
from shared.projections.port import Edition, ProjectionStore, Row

if TYPE_CHECKING:
    from shared.quant.risk import Floats

STALE_AFTER = timedelta(days=7)
"""A close that is older says nothing of now: no market rests for so long."""

_CLOSE, _VOLUME = 3, 4
_KEPT_SYMBOLS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Closes:
    """A symbol's closes, oldest first; nobody changes them.

    Attributes
    ----------
    moments : tuple of datetime
        When each bar closed.
    prices : ndarray of shape (n_moments,)
        US dollars per share.
    volumes : ndarray of shape (n_moments,)
        Shares traded in each bar.
    """

    moments: tuple[datetime, ...]
    prices: "Floats"
    volumes: "Floats"

    def __len__(self) -> int:
        return len(self.moments)

    @property
    def last(self) -> float:
        """The latest price; there is none of an empty history."""
        return float(self.prices[-1])


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
        self._kept: dict[tuple[str, int], _Kept] = {}

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

    async def closes(self, symbol: str, as_of: datetime, *, limit: int) -> Closes:
        """Give the newest `limit` closes as `read` would; kept until the symbol's bars change."""
        edition = self._store.edition(self._view, symbol)
        kept = self._kept.get((symbol, limit))
        if kept is not None and kept.edition == edition and as_of >= kept.edition.newest:
            return kept.closes
        rows = await self._store.read(self._view, symbol, as_of, limit=limit)
        closes = _next(kept, rows) if kept is not None else _closes(rows)
        if edition is not None and as_of >= edition.newest:
            self._keep((symbol, limit), _Kept(edition, rows, closes))
        return closes

    def _keep(self, asked: tuple[str, int], kept: "_Kept") -> None:
        self._kept.pop(asked, None)
        if len(self._kept) >= _KEPT_SYMBOLS:
            del self._kept[next(iter(self._kept))]
        self._kept[asked] = kept


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """What was read of a symbol, and in which edition of its rows."""

    edition: Edition
    rows: list[Row]
    closes: Closes


def _next(kept: _Kept, rows: list[Row]) -> Closes:
    # Mostly one bar came and the oldest went: to read the others again takes longer than what they are read for.
    known, dropped = kept.closes, len(kept.rows) + 1 - len(rows)
    if dropped not in (0, 1) or rows[:-1] != kept.rows[dropped:]:
        return _closes(rows)
    added = _closes(rows[-1:])
    return _frozen(
        (*known.moments[dropped:], *added.moments),
        _joined(known.prices[dropped:], added.prices),
        _joined(known.volumes[dropped:], added.volumes),
    )


def _closes(rows: list[Row]) -> Closes:
    import numpy as np  # a function that reads no histories need not load it

    bodies = [from_json(row.body) for row in rows]
    prices = np.array([body[_CLOSE] for body in bodies], dtype=np.float64)
    volumes = np.array([body[_VOLUME] for body in bodies], dtype=np.float64)
    return _frozen(tuple(row.valid_at for row in rows), prices, volumes)


def aligned(histories: Mapping[str, Closes]) -> "Floats":
    """Give closes of shape (n_moments, n_symbols), at the moments that all the symbols have in common."""
    import numpy as np

    by_symbol = list(histories.values())
    moments = by_symbol[0].moments
    if all(closes.moments == moments for closes in by_symbol):
        return np.column_stack([closes.prices for closes in by_symbol])
    common = set(moments).intersection(*(closes.moments for closes in by_symbol))
    return np.column_stack([_at(closes, common) for closes in by_symbol])


def _at(closes: Closes, moments: set[datetime]) -> "Floats":
    return closes.prices[[place for place, moment in enumerate(closes.moments) if moment in moments]]


def _joined(earlier: "Floats", later: "Floats") -> "Floats":
    import numpy as np

    return np.concatenate([earlier, later])


def _frozen(moments: tuple[datetime, ...], prices: "Floats", volumes: "Floats") -> Closes:
    prices.setflags(write=False)
    volumes.setflags(write=False)
    return Closes(moments, prices, volumes)


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
