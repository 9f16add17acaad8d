"""Portfolios: what each holds, and who holds a symbol.

One portfolio is read from its own stream, whose last event holds all of it, so that whoever changed it sees the change
at once. The list of portfolios is a projection.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime

from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.portfolio import Portfolio, PortfolioChanged
from shared.projections.port import ProjectionStore, Row, view_of
from shared.store.port import EventStore

_VIEW = "portfolio"
_OWNERS = "portfolio-owner"


def stream_of(owner: str | None, portfolio: str) -> str:
    """Give the stream of a portfolio's events; None is the desk itself, and two owners may use one name."""
    return f"portfolio-{portfolio}" if owner is None else f"portfolio:{owner}:{portfolio}"


@dataclass(frozen=True, slots=True)
class Owned:
    """A portfolio's content, and whose it is; None is the desk itself."""

    owner: str | None
    portfolio: Portfolio


def rows(event: Event) -> list[Row]:
    """Fold an event into a portfolio row, and its owner's, if any; other events give none."""
    if not isinstance(event, PortfolioChanged):
        return []
    body = event.data.model_dump_json().encode()
    found = [Row(view_of(_VIEW, event.owner), event.data.portfolio, event.time, event.time, body)]
    if event.owner is not None:
        found.append(Row(_OWNERS, event.owner, event.time, event.time, b"{}"))
    return found


class Portfolios:
    """Reads portfolios."""

    def __init__(self, projections: ProjectionStore, store: EventStore) -> None:
        self._projections = projections
        self._store = store

    async def get(self, owner: str | None, portfolio: str, as_of: datetime) -> PortfolioChanged | None:
        """Give the event that says what an owner's portfolio holds as of a moment, or None."""
        body = await self._store.latest(stream_of(owner, portfolio), PortfolioChanged.name(), as_of)
        if body is None:
            return None
        event = decode(body, PortfolioChanged.name())
        assert isinstance(event, PortfolioChanged)
        return event

    async def names(self, owner: str | None) -> list[str]:
        """Give the names of an owner's portfolios, sorted."""
        return await self._projections.keys(view_of(_VIEW, owner))

    async def holders(self, symbols: Collection[str], as_of: datetime) -> AsyncIterator[Owned]:
        """Give the portfolios of all owners that hold one of the symbols as of a moment; any holding, of no symbols.

        The desk's own come first, then by owner and name. For the desk's own agents: callers must not see it.
        """
        for owner in (None, *await self._projections.keys(_OWNERS)):
            for name in await self.names(owner):
                for row in await self._projections.read(view_of(_VIEW, owner), name, as_of):
                    held = Portfolio.model_validate_json(row.body)
                    if any(not symbols or position.symbol in symbols for position in held.positions):
                        yield Owned(owner, held)
