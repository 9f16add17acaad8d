"""What a handler read: a replay's world that notes it, and what an event writes, by the same names."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from shared.agents.own_state import OwnState
from shared.events.envelope import Event
from shared.memory.memory import Recollection, Scope
from shared.memory.port import Memories, Recalling
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.port import Edition, Row
from shared.projections.projector import Projector, rows
from shared.replay.world import World
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Filter, Page

type Key = tuple[str, ...]
"""Names something that a handler can read."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was asked of a memory, and what came up: any memory may be like a situation, so no name would do."""

    scope: Scope
    text: str
    as_of: datetime
    limit: int
    graded_first: bool
    found: tuple[Recollection, ...]


def keys_of(event: Event) -> set[Key]:
    """Give what the event writes, as readers name it."""
    views = {key for row in rows(event) for key in (("rows", row.view, row.key), ("keys", row.view))}
    return views | {("latest", event.stream, event.type), ("id", event.id), ("log",)}


class _ReadProjections(InMemoryProjectionStore):
    def __init__(self, reads: set[Key]) -> None:
        super().__init__()
        self._reads = reads

    def _kept(self, view: str, key: str) -> list[Row]:
        self._reads.add(("rows", view, key))
        return super()._kept(view, key)

    def edition(self, view: str, key: str) -> Edition | None:
        """Note, and give the edition."""
        self._reads.add(("rows", view, key))
        return super().edition(view, key)

    async def keys(self, view: str) -> list[str]:
        """Note, and give the keys."""
        self._reads.add(("keys", view))
        return await super().keys(view)


class _ReadStore(InMemoryEventStore):
    def __init__(self, reads: set[Key]) -> None:
        super().__init__()
        self._reads = reads

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        """Note, and give the event."""
        self._reads.add(("id", event_id))
        return await super().get(event_id, stream)

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Note, and give the page."""
        self._reads.add(("log",))
        return await super().page(wanted, after, limit)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Note, and give the newest."""
        self._reads.add(("latest", stream, kind))
        return await super().latest(stream, kind, as_of)


class _ReadState[S: BaseModel](OwnState[S]):
    def __init__(self, world: "ReadingWorld", agent: str, model: type[S]) -> None:
        super().__init__(world.store, agent, model)
        self._kept = World.own(world, agent, model)
        self._reads = world.reads

    async def load(self, stream: str) -> tuple[S, str | None]:
        """Note, and give the state."""
        self._reads.add(("state", self._agent, stream))
        return await self._kept.load(stream)


class _ReadMemories(Recalling):
    def __init__(self, kept: Memories, recalls: list[Recalled]) -> None:
        self._kept = kept
        self._recalls = recalls

    async def recall(
        self, scope: Scope, text: str, as_of: datetime, limit: int = 5, *, graded_first: bool = False
    ) -> list[Recollection]:
        """Recall, and note what came of it."""
        found = await self._kept.recall(scope, text, as_of, limit, graded_first=graded_first)
        self._recalls.append(Recalled(scope, text, as_of, limit, graded_first, tuple(found)))
        return found


class ReadingWorld(World):
    """A world that notes what is read in it."""

    def __init__(self, pace: float) -> None:
        super().__init__(pace)
        self.reads: set[Key] = set()
        self.recalls: list[Recalled] = []
        self.projections = _ReadProjections(self.reads)
        self.store = _ReadStore(self.reads)
        self.projector = Projector(self.projections, self.store)

    def own[S: BaseModel](self, agent: str, model: type[S]) -> OwnState[S]:
        """Give an agent's states, which are noted when they are read."""
        return _ReadState(self, agent, model)

    def remember(self, memories: Memories) -> None:
        """Take memories, of which recalls are noted."""
        super().remember(memories)
        self.memories = _ReadMemories(memories, self.recalls)

    async def remembers(self, recalls: Iterable[Recalled]) -> bool:
        """Say whether what was asked of a memory elsewhere brings up the same here."""
        for each in recalls:
            assert self.memories is not None
            found = await self.memories.recall(
                each.scope, each.text, each.as_of, each.limit, graded_first=each.graded_first
            )
            if tuple(found) != each.found:
                return False
        return True
