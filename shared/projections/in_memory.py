"""Projection rows in memory: for replays and tests."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import count

from shared.projections.port import Edition, Row


def _valid_at(row: Row) -> datetime:
    return row.valid_at


def _order(row: Row) -> tuple[datetime, datetime]:
    return row.valid_at, row.known_at


def _put(kept: list[Row], row: Row) -> bool:
    """Put a row that is not the newest where it belongs; say whether it revises what was known of a moment."""
    place = bisect_left(kept, _order(row), key=_order)
    if place == len(kept) or _order(kept[place]) != _order(row):
        kept.insert(place, row)
    elif row.body > kept[place].body:
        kept[place] = row
    beside = kept[max(0, place - 1) : place + 2]
    return row.known_at > row.valid_at or sum(each.valid_at == row.valid_at for each in beside) > 1


class InMemoryProjectionStore:
    """A `ProjectionStore` that lives as long as the process."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = {}
        self._editions: dict[tuple[str, str], Edition] = {}
        self._revised = set[tuple[str, str]]()
        """Keys of which a row was known later than it is valid, or another one is valid at the same moment."""
        self._numbers = count(1)

    async def apply(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        for row in rows:
            home = row.view, row.key
            kept = self._rows.setdefault(home, [])
            if not kept or kept[-1].valid_at < row.valid_at:
                kept.append(row)
                is_revised = row.known_at > row.valid_at
            else:
                is_revised = _put(kept, row)
            if is_revised:
                self._revised.add(home)
            known = self._editions.get(home, Edition(0, row.valid_at))
            self._editions[home] = known.after(row, next(self._numbers))

    async def read(
        self,
        view: str,
        key: str,
        as_of: datetime,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1,
    ) -> list[Row]:
        """Give what was known at `as_of`, oldest first."""
        rows, found = self._kept(view, key), dict[datetime, Row]()
        last = as_of if until is None else min(as_of, until)
        # Mostly all is asked for that is known by now.
        end = len(rows) if rows and rows[-1].valid_at <= last else bisect_right(rows, last, key=_valid_at)
        if (view, key) not in self._revised:
            begin = 0 if after is None else bisect_right(rows, after, key=_valid_at)
            return rows[max(begin, end - limit) : end]
        for place in reversed(range(end)):
            row = rows[place]
            if (len(found) == limit and row.valid_at not in found) or (after is not None and row.valid_at <= after):
                break
            if row.known_at <= as_of:
                found.setdefault(row.valid_at, row)
        return list(reversed(found.values()))

    def _kept(self, view: str, key: str) -> list[Row]:
        return self._rows.get((view, key), [])

    def edition(self, view: str, key: str) -> Edition | None:
        """Give the edition of a key's rows."""
        return self._editions.get((view, key))

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted."""
        return sorted(key for kept_view, key in self._rows if kept_view == view)

    async def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._editions.clear()
        self._revised.clear()
