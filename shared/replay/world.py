"""What a replay's agents read through: ports in memory, apart from any live desk, with states kept as they are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush

from pydantic import BaseModel

from shared.agents.own_state import OwnState
from shared.clock import ManualClock
from shared.events.envelope import FIRST_YEAR, Event
from shared.events.market import MarketDataReceived
from shared.events.trade import OpinionFormed
from shared.llm.port import LanguageModel
from shared.memory.port import Memories, Recalling
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.memory import MemoryFold
from shared.projections.projector import Projector
from shared.store.in_memory import InMemoryEventStore

BEFORE_ALL = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)


class World:
    """The store, the read models, the clock and the agents' states of one replay.

    Parameters
    ----------
    pace : float
        Desk seconds that pass in one second of an agent's patience, as the live desk's clock has it.
    is_read : bool
        Whether anybody reads the log or the read models; without, nothing is kept, however long the replay.
    """

    def __init__(self, pace: float = 1.0, *, is_read: bool = True) -> None:
        self.clock = ManualClock(BEFORE_ALL, pace)
        self.store = InMemoryEventStore()
        self.projections = InMemoryProjectionStore()
        self.projector = Projector(self.projections, self.store) if is_read else None
        self.memories: Recalling | None = None
        self.model: LanguageModel | None = None
        """Nobody is asked anew: it has the answers of what is replayed."""
        self.states: dict[tuple[str, str], BaseModel] = {}
        """By agent and stream."""
        self._opinions: list[datetime] = []

    async def append(self, event: Event) -> bool:
        """Add an event to the log, and say whether it was new; bars are only projected, for nobody reads them there."""
        if self.projector is None or isinstance(event, MarketDataReceived):
            return True
        is_new = bool(await self.store.append([event]))
        if is_new and isinstance(event, OpinionFormed):
            heappush(self._opinions, event.time)
        return is_new

    def has_opinion(self, of: datetime) -> bool:
        """Say whether an opinion was formed at a moment or before it that this did not tell of yet."""
        told = len(self._opinions)
        while self._opinions and self._opinions[0] <= of:
            heappop(self._opinions)
        return len(self._opinions) < told

    def remember(self, memories: Memories) -> None:
        """Have what is concluded here folded into memories that nothing else has, for its agents to read."""
        self.memories = memories
        if self.projector is not None:
            self.projector = Projector(self.projections, self.store, MemoryFold(memories, self.store))

    def own[S: BaseModel](self, agent: str, model: type[S]) -> OwnState[S]:
        """Give how an agent reads its states here."""
        return _KeptState(self, agent, model)


class _KeptState[S: BaseModel](OwnState[S]):
    # States are frozen: nobody need write them as JSON to part with them.

    def __init__(self, world: World, agent: str, model: type[S]) -> None:
        super().__init__(world.store, agent, model)
        self._states = world.states
        self._empty = model()

    async def load(self, stream: str) -> tuple[S, str | None]:
        """Give the state in a stream; there is no etag, as nothing is committed."""
        return self._states.get((self._agent, stream), self._empty), None  # type: ignore[return-value]


class Collected:
    """Takes what a timer would emit, for the engine to emit it."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    async def emit(self, events: Sequence[Event]) -> list[Event]:
        """Take the events."""
        self._events += events
        return list(events)

    def take(self) -> list[Event]:
        """Give what was taken since the last time."""
        taken, self._events = self._events, []
        return taken
