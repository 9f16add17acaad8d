"""Portfolios: what each holds, and who holds a symbol.

One portfolio is read from its own stream, whose last event holds all of it, so that whoever changed it sees the change
at once. The list of portfolios is a projection.
"""

from datetime import datetime

from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.portfolio import Portfolio, PortfolioChanged
from shared.projections.port import ProjectionStore, Row, view_of
from shared.store.port import EventStore

_VIEW = "portfolio"


def stream_of(owner: str | None, portfolio: str) -> str:
    """Give the stream of a portfolio's events; None is the desk itself, and two owners may use one name."""
    return f"portfolio-{portfolio}" if owner is None else f"portfolio:{owner}:{portfolio}"


def rows(event: Event) -> list[Row]:
    """Fold an event into a portfolio row; other events give none."""
    if not isinstance(event, PortfolioChanged):
        return []
    return [
        Row(
            view_of(_VIEW, event.owner),
            event.data.portfolio,
            event.time,
            event.time,
            event.data.model_dump_json().encode(),
        )
    ]


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

    async def holders(self, owner: str | None, symbol: str, as_of: datetime) -> list[Portfolio]:
        """Give the owner's portfolios that hold a symbol as of a moment."""
        view = view_of(_VIEW, owner)
        found = [await self._projections.read(view, name, as_of) for name in await self.names(owner)]
        portfolios = [Portfolio.model_validate_json(row.body) for matches in found for row in matches]
        return [
            portfolio for portfolio in portfolios if any(position.symbol == symbol for position in portfolio.positions)
        ]
