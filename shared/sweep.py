"""The sweep: finds what was stored but never handled, closes overdue rounds, and tells of what was given up.

A message may get lost between the log and an agent: a process dies between storing and publishing, a platform settles
a message without invoking the function. The log knows better. The sweep reads it once, event by event, and whoever
wants an event and has no receipt for it after a while is sent it again, alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.agents.own_state import OwnState
from shared.agents.registry import STEPS
from shared.agents.step import CONSENSUS, Round, Rounds, Step, StepDeps
from shared.bus.port import DeadLetter, EventBus, Message, message_for
from shared.bus.topology import Topology, agent_of
from shared.clock import Clock, after
from shared.errors import ConflictError, FinAgentError, InvalidError, MissingError, TransientError
from shared.events.catalogue import decode
from shared.events.envelope import Event, UtcTime, derive_id
from shared.events.step import StepFailed
from shared.ingest import Status
from shared.runtime import Received, Runtime
from shared.silence import Tally, Watch
from shared.store.port import Commit, EventStore, Filter
from shared.telemetry.none import OFF
from shared.telemetry.port import Telemetry

logger = logging.getLogger(__name__)

NAME = STREAM = "sweep"
PATIENCE_SECONDS = 120.0
"""Wall seconds that an event may be on its way before it is looked at again."""
LONGEST_BACKLOG_SECONDS = 3_600.0
"""Wall seconds after which an event counts as lost even though its subscription has messages waiting."""
TRIES = 3
PAGE = 200
MOST_PAGES = 100
"""How much of the log is read in one go: what is left is read in the next."""
ROUND = ""
"""In the place of an agent: the round that began with the event is to be closed."""
MOST_PENDING = 2_000
"""How much may be waited for at once: then the log is not read on until some of it was handled."""


class Pending(BaseModel):
    """Something that an agent has still to do.

    Attributes
    ----------
    agent : str
        Who has no receipt, or `ROUND`.
    since, due : datetime
        Desk times at which it was first expected, and at which it is looked at again.
    tries : int
        How often it was sent again.
    stream : str or None
        Where the event is to be found; None where that was not noted.
    """

    model_config = ConfigDict(frozen=True)

    event: str
    agent: str
    since: UtcTime
    due: UtcTime
    tries: int = 0
    stream: str | None = None


class SweepState(BaseModel):
    """How far the log was read, what is waited for, and how each agent's newest answers were."""

    model_config = ConfigDict(frozen=True)

    cursor: str = ""
    pending: tuple[Pending, ...] = ()
    tallies: dict[str, Tally] = {}


@dataclass(slots=True)
class Sweep:
    """Sweeps one desk; a timer calls it.

    Attributes
    ----------
    agents : frozenset of str
        Who leaves receipts.
    status : Status
        How the last ticks went.
    measure : callable, optional
        Looks at the desk's vital signs, and at its keys; done with each tick.
    """

    store: EventStore
    bus: EventBus
    clock: Clock
    runtime: Runtime
    topology: Topology
    step_deps: StepDeps
    agents: frozenset[str]
    status: Status = field(default_factory=Status)
    telemetry: Telemetry = OFF
    measure: Callable[[], Awaitable[None]] | None = None
    _told: set[str] = field(default_factory=set)

    async def tick(self) -> int:
        """Sweep once, and give the number of messages that were sent again."""
        now = self.clock.now()
        self.status.begun_at = self.status.begun_at or now
        with self.telemetry.span("sweep", "internal", {"finagent.timer": NAME}) as span:
            try:
                sent = await self._sweep()
            except Exception as error:
                # What nobody foresaw may repeat anything; the log has the rest.
                self.status.problem = str(error) if isinstance(error, FinAgentError) else type(error).__qualname__
                self.telemetry.count("finagent.tick.failures", {"finagent.timer": NAME})
                raise
            span.set("finagent.sent_again", sent)
        self.status.succeeded_at, self.status.problem = now, None
        if self.measure is not None:
            await self.measure()
        return sent

    async def _sweep(self) -> int:
        own = OwnState[SweepState](self.store, NAME, SweepState)
        state, etag = await own.load(STREAM)
        now = self.clock.now()
        room = MOST_PENDING - sum(each.due > now for each in state.pending)
        watch = Watch(state.tallies)
        cursor, found, failed = await self._read_on(state.cursor, room, now, watch)
        pending = [each for each in (*state.pending, *found) if (each.event, each.agent) not in failed]
        waiting, sent = await self._look_again(pending, now)
        swept = SweepState(cursor=cursor, pending=tuple(waiting), tallies=watch.tallies)
        if swept != state:
            await self.runtime.emit(watch.alarms)
            tick = derive_id(NAME, etag or "", now.isoformat())
            await self._commit(Commit(NAME, STREAM, tick, own.dump(STREAM, swept), etag, ()))
        await self._tell_of_dead_letters()
        return sent

    async def _commit(self, commit: Commit) -> None:
        try:
            await self.store.commit(commit)
        except ConflictError:
            logger.info("another host swept at the same time")  # what both sent has the same ids

    async def _tell_of_dead_letters(self) -> None:
        letters = {f"{each.subscription} {each.message.message_id}": each for each in await self.bus.dead_letters()}
        self._told &= letters.keys()
        for name, letter in letters.items():
            if name in self._told:
                continue
            self._told.add(name)
            try:
                await self.runtime.fail(_of_letter(letter), agent_of(letter.subscription), letter.reason)
            except TransientError:
                self._told.discard(name)
                raise
            except Exception:  # whatever is odd about one letter, the others are told of
                logger.exception("the dead letter %s cannot be told of", name)

    async def _read_on(
        self, cursor: str, most: int, now: datetime, watch: Watch
    ) -> tuple[str, list[Pending], set[tuple[str, str]]]:
        if not cursor:
            # What lies in a log that was never swept is history, not work.
            return await self.store.end(), [], set()
        found, failed = list[Pending](), set[tuple[str, str]]()
        for _ in range(MOST_PAGES):
            if len(found) >= most:
                break
            try:
                page = await self.store.page(Filter(), cursor, PAGE)
            except MissingError:  # the cursor is of another log, as after a restoration: this one is history so far
                return await self.store.end(), found, failed
            cursor = page.cursor
            if not page.events:
                break
            for event in readable(page.events):
                await asyncio.sleep(0)  # where nothing has to be waited for, others would
                watch.see(event)
                found += await self.expected(event, now)
                if isinstance(event, StepFailed) and event.causationid:
                    failed.add((event.causationid, event.data.agent))
        return cursor, found, failed

    async def expected(self, event: Event, now: datetime) -> list[Pending]:
        """Give what agents have still to do on an event: who has no receipt for it, and whose round is open."""
        wanting = {agent_of(each) for each in self.topology.wanting(event.topic, event.type)} & self.agents
        later = after(self.clock, now, PATIENCE_SECONDS)
        missing = wanting - await self.store.handled(wanting, event.stream, event.id) if wanting else wanting
        expected = [
            Pending(event=event.id, stream=event.stream, agent=agent, since=now, due=later) for agent in sorted(missing)
        ]
        if (step := _step_of(event)) is not None and not await self._is_closed(event):
            closing = after(self.clock, step.deadline_of(event, self.step_deps), PATIENCE_SECONDS)
            due = max(closing, later)
            expected.append(Pending(event=event.id, stream=event.stream, agent=ROUND, since=now, due=due))
        return expected

    async def _is_closed(self, trigger: Event) -> bool:
        current = (await self._rounds(trigger)).get(trigger.id)
        return current is not None and current.closed

    async def _rounds(self, trigger: Event) -> dict[str, Round]:
        return (await OwnState(self.store, CONSENSUS, Rounds).read(trigger.stream)).rounds

    async def _look_again(self, pending: Sequence[Pending], now: datetime) -> tuple[list[Pending], int]:
        waiting, sent, backlog = list[Pending](), 0, await self._backlog()
        for each in pending:
            await asyncio.sleep(0)
            message = await self.missing(each) if each.due <= now else None
            if each.due > now:
                waiting.append(each)
            elif message is not None and self._may_be_waiting(each, message, backlog, now):
                waiting.append(each.model_copy(update={"due": after(self.clock, now, PATIENCE_SECONDS)}))
            elif message is not None and each.tries < TRIES:
                await self.send(each, message)
                waiting.append(self._tried(each, now))
                sent += 1
            elif message is not None:
                reason = f"sent again {TRIES} times and never handled"
                await self.runtime.fail(_received(message), each.agent or CONSENSUS, reason)
        return waiting, sent

    async def _backlog(self) -> dict[str, int]:
        try:
            return await self.bus.backlog()
        except InvalidError:  # the desk may not ask how many messages wait
            return {}

    def _may_be_waiting(self, pending: Pending, message: Message, backlog: dict[str, int], now: datetime) -> bool:
        agent = pending.agent or CONSENSUS
        busy = any(
            backlog.get(each, 0)
            for each in self.topology.wanting(message.topic, message.subject)
            if agent_of(each) == agent
        )
        return busy and now < after(self.clock, pending.since, LONGEST_BACKLOG_SECONDS)

    async def send(self, pending: Pending, message: Message) -> None:
        """Publish a message again; one that the bus will never take is logged."""
        logger.warning("sent again: %s", message.message_id, extra={"event": pending.event, "agent": pending.agent})
        try:
            await self.bus.publish([message])
        except InvalidError as error:  # say, too large: it counts as a try, and the others get theirs
            logger.error("refused: %s", error, extra={"event": pending.event, "agent": pending.agent})

    def _tried(self, pending: Pending, now: datetime) -> Pending:
        due = after(self.clock, now, PATIENCE_SECONDS * 2**pending.tries)
        return pending.model_copy(update={"due": due, "tries": pending.tries + 1})

    async def missing(self, pending: Pending) -> Message | None:
        """Give the message that brings the agent what it has not handled; None when it has."""
        body = await self.store.get(pending.event, pending.stream)
        if body is None:
            return None
        event = decode(body)
        if pending.agent == ROUND:
            return await self._overdue(event, pending.tries)
        if await self.store.receipt(pending.agent, event.stream, event.id) is not None:
            return None
        return replace(message_for(event), message_id=f"{event.id}~{pending.tries}:{pending.agent}:0")

    async def _overdue(self, event: Event, tries: int) -> Message | None:
        step = _step_of(event)
        current = (await self._rounds(event)).get(event.id)
        if step is None or current is None or current.closed or current.deadline is None:
            return None  # a round that was never opened is a receipt that is missing
        deadline = step.deadline_event(event, current.deadline)
        return replace(message_for(deadline), message_id=f"{deadline.id}~{tries}:{CONSENSUS}:0")


def readable(bodies: Sequence[bytes]) -> Iterator[Event]:
    """Give the events of a page, without those of another version of the program."""
    for body in bodies:
        try:
            yield decode(body)
        except InvalidError as error:  # of another version of the program, which nobody here could handle
            logger.warning("left out of the sweep: %s", error)


def _step_of(event: Event) -> Step | None:
    return next((step for step in STEPS if isinstance(event, step.trigger)), None)


def _of_letter(letter: DeadLetter) -> Received:
    return replace(_received(letter.message), delivery_count=max(1, letter.delivery_count))


def _received(message: Message) -> Received:
    return Received(
        message_id=message.message_id,
        subject=message.subject,
        body=message.body,
        topic=message.topic,
        session_id=message.session_id,
        correlation_id=message.correlation_id,
    )
