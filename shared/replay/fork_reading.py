"""What a handler read: a replay's world that notes it, and what an event writes, by the same names."""

from datetime import datetime

from pydantic import BaseModel

from shared.agents.own_state import OwnState
from shared.events.envelope import Event
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.port import Edition, Row
from shared.projections.projector import Projector, rows
from shared.replay.world import World
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Filter, Page

type Key = tuple[str, ...]
"""Names something that a handler can read."""


def keys_of(event: Event) -> set[Key]:
    """Give what the event writes, as readers name it."""
    views = {key for row in rows(event) for key in (("rows", row.view, row.key), ("keys", row.view))}
    return views | {("latest", event.stream, event.type), ("id", event.id), ("log",)}


class _ReadProjections(InMemoryProjectionStore):
    def __init__(self, reads: set[Key]) -> None:
        super().__init__()
        self._reads = reads

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
        self._reads.add(("rows", view, key))
        return await super().read(view, key, as_of, after=after, until=until, limit=limit)

    def edition(self, view: str, key: str) -> Edition | None:
        self._reads.add(("rows", view, key))
        return super().edition(view, key)

    async def keys(self, view: str) -> list[str]:
        self._reads.add(("keys", view))
        return await super().keys(view)


class _ReadStore(InMemoryEventStore):
    def __init__(self, reads: set[Key]) -> None:
        super().__init__()
        self._reads = reads

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        self._reads.add(("id", event_id))
        return await super().get(event_id, stream)

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        self._reads.add(("log",))
        return await super().page(wanted, after, limit)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        self._reads.add(("latest", stream, kind))
        return await super().latest(stream, kind, as_of)


class _ReadState[S: BaseModel](OwnState[S]):
    def __init__(self, world: "ReadingWorld", agent: str, model: type[S]) -> None:
        super().__init__(world.store, agent, model)
        self._kept = World.own(world, agent, model)
        self._reads = world.reads

    async def load(self, stream: str) -> tuple[S, str | None]:
        self._reads.add(("state", self._agent, stream))
        return await self._kept.load(stream)


class ReadingWorld(World):
    """A world that notes what is read in it."""

    def __init__(self, pace: float) -> None:
        super().__init__(pace)
        self.reads: set[Key] = set()
        self.projections = _ReadProjections(self.reads)
        self.store = _ReadStore(self.reads)
        self.projector = Projector(self.projections, self.store)

    def own[S: BaseModel](self, agent: str, model: type[S]) -> OwnState[S]:
        return _ReadState(self, agent, model)
