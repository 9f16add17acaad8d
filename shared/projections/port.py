"""What the projections need of a place to keep their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of a read model, and since when it is known.

    Attributes
    ----------
    view : str
        The read model, for example `bar:1Day`.
    key : str
        What it is about, for example a symbol.
    valid_at : datetime
        The moment that it speaks of.
    known_at : datetime
        When the desk came to know it; a correction is a later row for the same `valid_at`.
    body : bytes
        JSON.
    """

    view: str
    key: str
    valid_at: datetime
    known_at: datetime
    body: bytes


class ProjectionStore(Protocol):
    """Keeps rows, the same ones whatever the order and repetition of events.

    Of two rows with the same view, key and moments, the one whose body sorts last is kept.
    """

    async def apply(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        ...

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
        """Give what was known at `as_of` about moments not after it.

        Parameters
        ----------
        after : datetime, optional
            Leave out what is valid at or before it.
        until : datetime, optional
            Leave out what is valid after it.
        limit : int
            The newest so many of what is left.

        Returns
        -------
        list of Row
            For each `valid_at` the row known last at `as_of`; oldest first.
        """
        ...

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted."""
        ...

    async def clear(self) -> None:
        """Forget everything, before a rebuild."""
        ...
