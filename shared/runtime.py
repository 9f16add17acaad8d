"""The runtime: at least once in, exactly once out. The only place that decodes, decides, commits and publishes.

A message is handled in this order: decode, look for a receipt, let the handler decide, commit snapshot and receipt,
append the outputs, publish them. A crash between any two of these ends in the receipt or in a clean rerun, because the
trigger message is only completed when `handle` returns.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Literal
from weakref import WeakValueDictionary

from pydantic import BaseModel

from shared.agents.decision import Decision, Handler
from shared.agents.own_state import OwnState
from shared.bus.port import EventBus, Message
from shared.clock import Clock, after
from shared.errors import ConflictError, InvalidError, MissingError, TransientError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event, derive_id
from shared.events.step import Failure, StepFailed
from shared.ledger.book import Book
from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.meter import Metering
from shared.settlement.port import Settlement
from shared.store.port import Commit, EventStore
from shared.telemetry.handling import Handled, handling
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry
from shared.telemetry.work import note

logger = logging.getLogger(__name__)

ATTEMPTS = 10
BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 60.0
_CONFLICTS = 20


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a trigger hands it over.

    Attributes
    ----------
    message_id : str
        `<event id>:<attempt>`, or `<event id>:<agent>:<attempt>` for a repetition that concerns one agent alone.
    subject : str
        The event's type as the transport says it; may be empty.
    delivery_count : int
        1 at the first delivery.
    enqueued_at : datetime or None
        When the queue had it, or it came due: recording time, so no part of what it is.
    """

    message_id: str
    subject: str
    body: bytes
    delivery_count: int = 1
    topic: str = "events"
    session_id: str | None = None
    correlation_id: str = ""
    enqueued_at: datetime | None = field(default=None, compare=False)

    @property
    def attempt(self) -> int:
        """The number at the end of the message id; 0 for the first try."""
        return self._parts[2]

    @property
    def concerns(self) -> str:
        """The one agent that it is meant for; empty when it is for all who want it."""
        return self._parts[1]

    @property
    def event_id(self) -> str:
        """The id of the event in it."""
        return self._parts[0]

    @property
    def _parts(self) -> tuple[str, str, int]:
        origin, _, number = self.message_id.rpartition(":")
        if not origin or not number.isdecimal():
            return self.message_id, "", 0
        event_id, _, agent = origin.partition(":")
        return event_id, agent, int(number)


@dataclass(frozen=True, slots=True)
class Role:
    """An agent as the runtime knows it.

    Attributes
    ----------
    state : type of BaseModel
        Its snapshot's model; called without arguments it gives the state before the first event.
    handlers : mapping of type to Handler
        What it does on which event.
    deps : object
        The ports that its handlers are given.
    candidate_for : str
        The agent whose messages it handles too, without being able to hold them up; empty for an agent.
    """

    name: str
    state: type[BaseModel]
    handlers: Mapping[type[Event], Handler]
    deps: object
    candidate_for: str = ""


class Runtime:
    """Handles messages for agents, and emits events for those who are no agents (the API, the timers)."""

    def __init__(
        self,
        store: EventStore,
        bus: EventBus,
        settlement: Settlement,
        clock: Clock,
        roles: Mapping[str, Role],
        book: Book | None = None,
        *,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._store = store
        self._bus = bus
        self._settlement = settlement
        self._clock = clock
        self._roles = roles
        self._book = book or Book(InMemoryLedger(), Metering())
        self._telemetry = telemetry
        self._own = {name: OwnState[BaseModel](store, name, role.state) for name, role in roles.items()}
        self._candidates: dict[str, list[Role]] = {}
        for role in filter(lambda role: role.candidate_for, roles.values()):
            self._candidates.setdefault(role.candidate_for, []).append(role)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def handle(self, received: Received, agent: str) -> None:
        """Let an agent handle a message; on return the message may be completed.

        Raises
        ------
        Exception
            What nobody foresaw: the host gives the message back and, after the last delivery, dead-letters it.
        """
        with self._handling(received, agent):
            await self._guard(received, agent, lambda event: self._decide(event, self._roles[agent]))

    async def fold(self, received: Received, reader: str, fold: Callable[[Event], Awaitable[None]]) -> None:
        """Let a reader that emits nothing take in a message, with the same care for what is wrong with it."""
        with self._handling(received, reader):
            await self._guard(received, reader, lambda event: self._timed(fold(event)))

    async def _timed(self, work: Awaitable[None]) -> None:
        meter, began = self._book.metering.current, perf_counter()
        try:
            await work
        finally:
            meter.handler += perf_counter() - began

    async def emit(self, events: Sequence[Event]) -> list[Event]:
        """Append and publish events that no agent decided, and give those that were new."""
        for event in events:
            self._book.metering.story(event.id, event.type, event.correlationid, _owner(event))
        return await self._kept(self._settlement.settle(None, [Emit(event) for event in events]))

    async def fail(self, received: Received, agent: str, reason: str) -> None:
        """Tell by a `step.failed` that an agent will never handle a message; doing so again changes nothing."""
        try:
            event = decode(received.body, received.subject or None)
        except InvalidError:
            event = None
        await self._give_up(received, agent, reason, event)

    def _handling(self, received: Received, agent: str) -> AbstractContextManager[None]:
        if received.concerns not in ("", agent):
            return nullcontext()
        return handling(
            self._telemetry,
            Handled(
                agent=agent,
                topic=received.topic,
                message_id=received.message_id,
                event_id=received.event_id,
                event_type=received.subject,
                correlation_id=received.correlation_id,
                attempt=received.attempt,
                delivery_count=received.delivery_count,
                body=received.body,
            ),
        )

    async def _guard(self, received: Received, agent: str, work: Callable[[Event], Awaitable[None]]) -> None:
        with self._book.message(agent, received.topic, len(received.body), received.enqueued_at) as meter:
            meter.event, meter.type = received.event_id, received.subject
            meter.correlation = received.correlation_id or received.event_id
            # What is meant for another is paid for all the same.
            if received.concerns in ("", agent):
                await self._handle(received, agent, work)
            for candidate in self._candidates.get(agent, ()):
                if received.concerns in ("", agent, candidate.name):
                    await self._try_out(received, candidate)

    async def _try_out(self, received: Received, candidate: Role) -> None:
        """Let a candidate handle what its agent has handled; whatever it raises is its own failure."""

        async def work(event: Event) -> None:
            """Decide, if the candidate wants such an event."""
            if type(event) in candidate.handlers:
                await self._decide(event, candidate)

        try:
            await self._handle(received, candidate.name, work)
        except Exception as error:
            logger.exception("the candidate %s failed", candidate.name)
            await self.fail(received, candidate.name, f"{type(error).__name__}: {error}")

    async def _handle(self, received: Received, agent: str, work: Callable[[Event], Awaitable[None]]) -> None:
        event = None
        try:
            event = decode(received.body, received.subject or None)
            self._book.metering.current.owner = _owner(event)
            if event.scheduled:
                await self._kept(self._store.append([event]))
            await work(event)
        except InvalidError as error:
            await self._give_up(received, agent, str(error), event)
        except TransientError as error:
            await self._try_later(received, agent, str(error), event)

    async def _decide(self, event: Event, role: Role) -> None:
        async with self._turn(role.name, event.stream):
            for _ in range(_CONFLICTS):
                done = await self._kept(self._store.receipt(role.name, event.stream, event.id))
                if done is not None:
                    note("duplicate")
                    await self._kept(self._settlement.settle(None, done))
                    return
                try:
                    await self._settle(event, role)
                except ConflictError:
                    continue
                return
        raise TransientError(f"{role.name} could not commit on {event.id}: too many conflicts")

    async def _settle(self, event: Event, role: Role) -> None:
        own = self._own[role.name]
        state, etag = await self._kept(own.load(event.stream))
        decision = await self._ask(event, role, state)
        body = own.dump(event.stream, decision.state)
        commit = Commit(role.name, event.stream, event.id, body, etag, decision.emits)
        await self._kept(self._settlement.settle(commit, decision.emits))

    async def _ask(self, event: Event, role: Role, state: BaseModel) -> Decision[Any]:
        handler = role.handlers.get(type(event))
        if handler is None:
            raise InvalidError(f"{role.name} does not handle {event.type}")
        meter = self._book.metering.current
        began, modelled = perf_counter(), meter.model
        try:
            return await handler(event, state, role.deps)
        except MissingError as error:
            logger.info("no conclusion: %s", error, extra=_context(event, role.name))
            return Decision()
        finally:
            meter.handler += max(0.0, perf_counter() - began - (meter.model - modelled))

    async def _kept[T](self, work: Awaitable[T]) -> T:
        """Wait for what is asked of store and bus, and charge the time."""
        began = perf_counter()
        try:
            return await work
        finally:
            self._book.metering.current.store += perf_counter() - began

    def _turn(self, agent: str, stream: str) -> asyncio.Lock:
        # Two handlers of one agent in one stream would only conflict at the commit and run again.
        return self._turns.setdefault((agent, stream), asyncio.Lock())

    async def _try_later(self, received: Received, agent: str, reason: str, event: Event | None) -> None:
        attempt = received.attempt + 1
        if attempt >= ATTEMPTS:
            await self._give_up(received, agent, f"given up after {attempt} attempts: {reason}", event)
            return
        due = after(self._clock, self._clock.now(), backoff_seconds(received.attempt))
        note("delayed")
        logger.warning("will try again: %s", reason, extra={"agent": agent, "event": received.message_id})
        await self._bus.publish([_delayed_copy(received, agent, attempt, due)])

    async def _give_up(self, received: Received, agent: str, reason: str, event: Event | None) -> None:
        note("failed")
        logger.error("given up: %s", reason, extra={"agent": agent, "event": received.message_id})
        await self.emit([failure(received, agent, reason, event, self._clock.now())])


def backoff_seconds(attempt: int) -> float:
    """Give how long to wait after a try that failed, 0 for the first, until the next one."""
    return min(BACKOFF_SECONDS * 2.0**attempt, LONGEST_BACKOFF_SECONDS)


def _delayed_copy(received: Received, agent: str, attempt: int, due: datetime) -> Message:
    # It goes to the whole topic, so it names its agent: the others have done their work, or repeat their own.
    return Message(
        message_id=f"{received.event_id}:{agent}:{attempt}",
        topic=received.topic,
        subject=received.subject,
        body=received.body,
        correlation_id=received.correlation_id,
        session_id=received.session_id,
        deliver_at=due,
    )


def failure(received: Received, agent: str, reason: str, event: Event | None, now: datetime) -> StepFailed:
    """Give the event that says that an agent will never handle a message; `event` is None where it cannot be read."""
    payload, encoding = _as_text(received.body)
    data = Failure(
        agent=agent,
        reason=reason[:4_000],
        message_id=received.message_id,
        subject=received.subject,
        payload=payload,
        encoding=encoding,
        attempts=max(1, received.attempt + 1, received.delivery_count),
    )
    failure_id, stream = derive_id(received.message_id, agent, StepFailed.name()), f"failure-{agent}"
    if event is None:
        return StepFailed.first(id=failure_id, source=agent, stream=stream, time=now, data=data)
    return StepFailed.caused_by(event, id=failure_id, source=agent, stream=stream, time=now, data=data)


def _as_text(body: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _owner(event: Event) -> str:
    return event.owner or ""


def _context(event: Event, agent: str) -> dict[str, str]:
    return {"event": event.id, "correlation": event.correlationid, "agent": agent}
