"""The replay engine: plays events in the order of their times through the handlers that run live.

It does what `shared.runtime` does (decide once, append what is new, hand it on), with the very roles, but in one
process, over ports in memory, one handler after the other and without JSON between them. A queue ordered by (due time,
emission sequence) takes the place of the bus, so the same events always give the same run. Events have an empty `run`
inside, as on the live desk, so that what is derived from them has the same ids; what leaves is marked by who keeps it.
"""

import heapq
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from pydantic import BaseModel

from shared.agents.decision import Decision
from shared.clock import after
from shared.errors import InvalidError, MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.replay.fingerprint import Fingerprint
from shared.replay.world import BEFORE_ALL, World
from shared.runtime import ATTEMPTS, Received, Role, backoff_seconds, failure

type Source = AsyncIterable[Sequence[Event]]
"""Events in the order of their times, some at a time."""


@dataclass(frozen=True, slots=True)
class Handled:
    """One handler's work, as an observer is shown it.

    Attributes
    ----------
    before : BaseModel
        The agent's state in the event's stream when it was asked.
    after : BaseModel or None
        Its next state; None where it did not change.
    emits : tuple of Emit
        What it emitted, in order, also what was in the log already.
    problem : str
        Why it could conclude nothing (`MissingError`, `InvalidError`); empty where it did.
    """

    event: Event
    agent: str
    before: BaseModel
    after: BaseModel | None
    emits: tuple[Emit, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a replay came, and what names it.

    Attributes
    ----------
    hash : str
        SHA-256 over what was played and what came of it, in order: the same for the same events, code and
        configuration, however long it took, and as good as always on another machine (`shared.replay.fingerprint`).
    data_hash : str
        The same over what was played alone.
    played, emitted : int
        Events of the source, and events that came of them.
    reached : datetime
        Desk time of the last event.
    """

    hash: str
    data_hash: str
    played: int
    emitted: int
    reached: datetime


class Engine:
    """Plays events for a cast of roles in a world.

    Parameters
    ----------
    roles : mapping of str to Role
        Who handles what; of one event in this order.
    world : World
        The ports that the roles' deps read through.
    record : callable, optional
        Given each event in the order of the log: those of the source and those that came of them.
    observe : callable, optional
        Given each handler's work.
    timers : sequence of callable
        Awaited when the source comes to a new moment, before its events: what timers do live. They give events to emit.
    """

    def __init__(
        self,
        roles: Mapping[str, Role],
        world: World,
        *,
        record: Callable[[Event], None] | None = None,
        observe: Callable[[Handled], None] | None = None,
        timers: Sequence[Callable[[], Awaitable[Sequence[Event]]]] = (),
    ) -> None:
        self.world = world
        self._roles = roles
        self._record = record
        self._observe = observe
        self._timers = timers
        self._empty = {name: role.state() for name, role in roles.items()}
        self._routes: dict[type[Event], tuple[Role, ...]] = {}
        self._queue: list[_Due] = []
        self._numbers = count()
        self._fed = self._moment = BEFORE_ALL
        self._ids = set[str]()
        self._fingerprint = Fingerprint()
        self._played = self._emitted = 0

    @property
    def outcome(self) -> Outcome:
        """How far it came."""
        marked = self._fingerprint
        return Outcome(marked.whole, marked.data, self._played, self._emitted, self._moment)

    async def play(self, source: Source) -> Outcome:
        """Play a source to its end, and then what is still to happen; give the outcome.

        Raises
        ------
        InvalidError
            An event is older than the one before it.
        """
        async for batch in source:
            await self.feed(batch)
        await self.finish()
        return self.outcome

    async def feed(self, batch: Iterable[Event]) -> None:
        """Play some events; more may follow. A replay may be stopped between two calls."""
        for event in batch:
            if event.time != self._fed:
                await self._advance(event)
            elif event.id in self._ids:
                continue
            else:
                await self._until(event.time)
            self._ids.add(event.id)
            if await self._append(event):
                self._played += 1
                self._fingerprint.play(event)
                await self._happen(event)

    async def finish(self) -> None:
        """Let everything happen that is due at whatever time."""
        while self._queue:
            await self._next()

    async def _advance(self, event: Event) -> None:
        if event.time < self._moment:
            raise InvalidError(
                f"event {event.id}: {event.time:%Y-%m-%d %H:%M:%S} is before the one that came before it"
            )
        await self._until(event.time)
        self._fed = self._moment = self.world.clock.moment = event.time
        self._ids.clear()
        for timer in self._timers:
            await self._emit([Emit(each) for each in await timer()])
            await self._until(event.time)

    async def _until(self, moment: datetime) -> None:
        while self._queue and self._queue[0].at <= moment:
            await self._next()

    async def _next(self) -> None:
        due = heapq.heappop(self._queue)
        if due.at > self._moment:
            self._moment = self.world.clock.moment = due.at
        if due.role is not None:
            await self._handle(due.event, due.role, due.attempt)
        elif not due.event.scheduled or await self._conclude(due.event):
            await self._happen(due.event)

    async def _happen(self, event: Event) -> None:
        if self.world.projector is not None:
            await self.world.projector.project(event)
        for role in self._wanting(type(event)):
            await self._handle(event, role)

    def _wanting(self, kind: type[Event]) -> tuple[Role, ...]:
        known = self._routes.get(kind)
        if known is None:
            known = self._routes[kind] = tuple(role for role in self._roles.values() if kind in role.handlers)
        return known

    async def _handle(self, event: Event, role: Role, attempt: int = 0) -> None:
        home, problem = (role.name, event.stream), ""
        before = self.world.states.get(home) or self._empty[role.name]
        try:
            decision: Decision[Any] = await role.handlers[type(event)](event, before, role.deps)
        except MissingError as error:
            decision, problem = Decision(), str(error)
        except InvalidError as error:
            decision, problem = self._failed(event, role, attempt, str(error)), str(error)
        except TransientError as error:
            if attempt + 1 < ATTEMPTS:
                self._try_later(event, role, attempt + 1)
                return
            reason = f"given up after {ATTEMPTS} attempts: {error}"
            decision, problem = self._failed(event, role, attempt, reason), reason
        if decision.state is not None:
            self.world.states[home] = decision.state
        if self._observe is not None:
            self._observe(Handled(event, role.name, before, decision.state, decision.emits, problem))
        if decision.emits:
            await self._emit(decision.emits)

    def _try_later(self, event: Event, role: Role, attempt: int) -> None:
        clock = self.world.clock
        due = after(clock, clock.now(), backoff_seconds(attempt - 1))
        heapq.heappush(self._queue, _Due(due, next(self._numbers), event, role, attempt))

    def _failed(self, event: Event, role: Role, attempt: int, reason: str) -> Decision[Any]:
        message_id = f"{event.id}:{role.name}:{attempt}" if attempt else f"{event.id}:0"
        received = Received(message_id, event.type, event.json_bytes, topic=event.topic)
        return Decision(emits=(Emit(failure(received, role.name, reason, event, self.world.clock.now())),))

    async def _emit(self, emits: Iterable[Emit]) -> None:
        for emit in emits:
            due = emit.deliver_at
            if due is not None or await self._conclude(emit.event):
                at = self._moment if due is None else max(due, self._moment)
                heapq.heappush(self._queue, _Due(at, next(self._numbers), emit.event))

    async def _append(self, event: Event) -> bool:
        """Add an event to the log, and say whether it was new."""
        if not await self.world.append(event):
            return False
        if self._record is not None:
            self._record(event)
        return True

    async def _conclude(self, event: Event) -> bool:
        if not await self._append(event):
            return False
        self._emitted += 1
        self._fingerprint.conclude(event)
        return True


@dataclass(frozen=True, slots=True)
class _Due:
    at: datetime
    number: int
    event: Event
    role: Role | None = None
    """The one that it is for; None where it is for all who want it."""
    attempt: int = 0

    def __lt__(self, other: "_Due") -> bool:
        return (self.at, self.number) < (other.at, other.number)
