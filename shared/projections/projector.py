"""The projector: folds events into every read model, and rebuilds all of them from the log."""

from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.projections import bar, happening, portfolio, record, view
from shared.projections.memory import MemoryFold
from shared.projections.port import ProjectionStore, Row
from shared.store.port import EventStore, Filter

_FOLDS = (bar.rows, happening.rows, portfolio.rows, record.rows, view.rows)
_PAGE = 500


class Projector:
    """Keeps the read models up to date, and agents' memory where there is one."""

    def __init__(self, projections: ProjectionStore, store: EventStore, memory: MemoryFold | None = None) -> None:
        self._projections = projections
        self._store = store
        self.memory = memory

    async def project(self, event: Event) -> None:
        """Fold one event of the live desk; doing it twice, or in another order, gives the same."""
        if not event.run:
            await self._projections.apply(rows(event))
            await self._remember(event)

    async def rebuild(self) -> int:
        """Fold the whole log anew and give the number of events read.

        Notes
        -----
        The read models are emptied first and filled page by page. Stopped half-way, they hold the earlier part of the
        log; doing it again starts anew and gives them whole, because a fold depends on its event alone.
        """
        await self._projections.clear()
        if self.memory is not None:
            await self.memory.clear()
        count, cursor = 0, ""
        while True:
            page = await self._store.page(Filter(), cursor, _PAGE)
            if not page.events:
                return count
            events = [decode(body) for body in page.events]
            await self._projections.apply([row for event in events for row in rows(event)])
            for event in events:
                await self._remember(event)
            count, cursor = count + len(page.events), page.cursor

    async def _remember(self, event: Event) -> None:
        if self.memory is not None:
            await self.memory.project(event)


def rows(event: Event) -> list[Row]:
    """Give what an event adds to the read models."""
    return [row for fold in _FOLDS for row in fold(event)]
