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


@dataclass(frozen=True, slots=True)
class Edition:
    """Names a state of a key's rows, so that who has read them knows whether to read again.

    Attributes
    ----------
    number : int
        Another one after every change.
    newest : datetime
        The latest moment that any row is valid or known at: from then on, every `as_of` is given the same.
    """

    number: int
    newest: datetime

    def after(self, row: Row, number: int) -> "Edition":
        """Give the edition that a row makes of this one."""
        return Edition(number, max(self.newest, row.valid_at, row.known_at))


def view_of(name: str, owner: str | None) -> str:
    """Give the view that holds an owner's part of a read model, or the desk's own; no caller can spell another's."""
    return name if owner is None else f"{name}@{owner}"


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

    def edition(self, view: str, key: str) -> Edition | None:
        """Give the edition of a key's rows; None where there are none, or others may write them unseen."""
        ...

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted."""
        ...

    async def clear(self) -> None:
        """Forget everything, before a rebuild."""
        ...
