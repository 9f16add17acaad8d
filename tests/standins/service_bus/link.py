"""Links: who publishes to a topic, and who receives from a subscription or a dead-letter queue under a lock."""

import asyncio
from typing import Any
from uuid import UUID

from tests.standins.service_bus.codec import Described, Symbol, UInt, ULong
from tests.standins.service_bus.connection import Session
from tests.standins.service_bus.faults import Delayed, Doubled, LostAck, Refused, Reset, Slow
from tests.standins.service_bus.frame import AmqpError, Fields, Frame, Performative, error, fields_of, performative
from tests.standins.service_bus.management import CBS, MANAGEMENT, Answers, Requests
from tests.standins.service_bus.message import BATCH_FORMAT, AmqpMessage, unbatched
from tests.standins.service_bus.queue import SESSION_LOCK_LOST, Entry, Queue
from tests.standins.service_bus.sight import annotations_of
from tests.standins.service_bus.topic import Topic

MAX_MESSAGE_BYTES = 256 * 1024
PUBLISHER_CREDIT = 1_000
SESSION_FILTER = Symbol("com.microsoft:session-filter")
SESSION_UNTIL = Symbol("com.microsoft:locked-until-utc")
TIMEOUT = Symbol("com.microsoft:timeout")
TICKS_AT_1970, TICKS_PER_SECOND = 621_355_968_000_000_000, 10_000_000


def link_for(session: Session, fields: Fields) -> "Requests | Answers | Publisher | Receiver":
    """Give our end of the link that a peer wants to attach.

    Raises
    ------
    AmqpError
        The entity does not exist, or the token does not cover it.
    """
    is_receiver = bool(fields[2])
    path = path_of(fields_of(fields[5] if is_receiver else fields[6])[0])
    if path == CBS:
        return Answers(session, fields) if is_receiver else Requests(session, fields, path)
    _authorize(session, path)
    if path.lower().endswith(MANAGEMENT):
        return Answers(session, fields) if is_receiver else Requests(session, fields, path)
    namespace = session.connection.broker.namespace
    if is_receiver:
        return Receiver(session, fields, namespace.queue(path))
    return Publisher(session, fields, namespace.topic(path))


def path_of(address: str) -> str:
    """Give an entity's path from an address with or without scheme and host."""
    _, scheme, rest = address.partition("://")
    return rest.partition("/")[2] if scheme else address


def _authorize(session: Session, path: str) -> None:
    if not any(path.lower().startswith(granted) for granted in session.connection.granted):
        raise AmqpError("amqp:unauthorized-access", f"Unauthorized access. 'Send' or 'Listen' is required on '{path}'.")


class Publisher:
    """A link on which a client sends to a topic."""

    def __init__(self, session: Session, fields: Fields, topic: Topic) -> None:
        self._session = session
        self._fields = fields
        self._topic = topic
        self._handle = int(fields[1])
        self._taken = 0
        self._parts: list[bytes] = []
        self._first = Fields()

    def attach(self) -> None:
        """Accept the link and give it credit."""
        name, _, _, sender_mode, receiver_mode, source, target = (self._fields[index] for index in range(7))
        limits = (None, None, None, ULong(MAX_MESSAGE_BYTES))
        ends = (sender_mode, receiver_mode, source, target)
        self._session.send(performative(Performative.ATTACH, name, UInt(self._handle), True, *ends, *limits))
        self._session.send_flow(self._handle, 0, PUBLISHER_CREDIT)

    def transfer(self, frame: Frame) -> None:
        """Take a message or a batch, which may come in several frames."""
        if not self._parts:
            self._first = frame.fields
        self._parts.append(frame.payload)
        if not frame.fields[5]:
            payload, self._parts = b"".join(self._parts), []
            self._taken += 1
            self._take(payload)
            if self._taken % (PUBLISHER_CREDIT // 2) == 0:
                self._session.send_flow(self._handle, self._taken, PUBLISHER_CREDIT)

    def flow(self, fields: Fields) -> None:
        """Nothing: credit is ours to give."""

    def settle(self, delivery: int, token: UUID, state: Described | None, *, settled: bool) -> None:
        """Nothing: we send no messages here."""

    def closed(self) -> None:
        """Nothing to let go of."""

    def _take(self, payload: bytes) -> None:
        connection = self._session.connection
        fault = connection.broker.faults.meet(self._topic.name)
        if isinstance(fault, Reset):
            connection.reset()
            return
        try:
            if isinstance(fault, Refused):
                raise AmqpError(fault.condition, fault.description)
            self._publish(payload, fault)
        except AmqpError as problem:
            self._answer(performative(Performative.REJECTED, error(problem.condition, problem.description)))
            return
        if isinstance(fault, LostAck):
            connection.reset()
        elif isinstance(fault, Slow):
            delivery = int(self._first[1])
            asyncio.get_running_loop().call_later(fault.seconds, self._accept, delivery)
        else:
            self._accept(int(self._first[1]))

    def _publish(self, payload: bytes, fault: object) -> None:
        if len(payload) > MAX_MESSAGE_BYTES:
            words = f"The received message (delivery-id:{self._first[1]}, size:{len(payload)} bytes) exceeds the limit"
            raise AmqpError("amqp:link:message-size-exceeded", f"{words} ({MAX_MESSAGE_BYTES} bytes).")
        for part in unbatched(payload) if self._first[3] == BATCH_FORMAT else [payload]:
            self._topic.publish(
                AmqpMessage.parse(part),
                copies=2 if isinstance(fault, Doubled) else 1,
                delay_seconds=fault.seconds if isinstance(fault, Delayed) else 0.0,
            )

    def _accept(self, delivery: int) -> None:
        if not self._first[4]:
            self._answer(performative(Performative.ACCEPTED), delivery)

    def _answer(self, state: Described, delivery: int | None = None) -> None:
        first = UInt(int(self._first[1]) if delivery is None else delivery)
        self._session.send(performative(Performative.DISPOSITION, True, first, first, True, state))


class Receiver:
    """A link on which a client receives: a `Consumer`, and an `Acceptor` while it waits for a session."""

    def __init__(self, session: Session, fields: Fields, queue: Queue) -> None:
        self.session: str | None = None
        self.wanted: str | None = None
        self._amqp = session
        self._fields = fields
        self._queue = queue
        self._handle = int(fields[1])
        self._credit = 0
        self._sent = 0
        self._deletes = fields[3] == 1
        self._timer: asyncio.TimerHandle | None = None

    def attach(self) -> None:
        """Accept the link; with sessions as soon as one is free."""
        filters = fields_of(self._fields[5])[7] or {}
        if (SESSION_FILTER in filters) != self._queue.requires_session:
            which = "requires" if self._queue.requires_session else "does not support"
            raise AmqpError("amqp:not-allowed", f"'{self._queue.path}' {which} sessions.")
        if not self._queue.requires_session:
            self._accept_link(self._fields[5], {})
            return
        wanted = filters[SESSION_FILTER]
        self.wanted = wanted.value if isinstance(wanted, Described) else wanted
        if (free := self._queue.free_session(self.wanted)) is not None:
            self.accept(free)
        elif self.wanted is not None:
            raise AmqpError("com.microsoft:session-cannot-be-locked", f"Session {self.wanted} is held by another.")
        else:
            self._wait_for_session()

    def accept(self, session: str) -> None:
        """Take the session."""
        self._stop_timer()
        self.session = session
        until = self._queue.hold_session(session, self)
        source = list(fields_of(self._fields[5]))
        source[7] = {SESSION_FILTER: session}
        ticks = TICKS_AT_1970 + round(until * TICKS_PER_SECOND)
        self._accept_link(performative(Performative.SOURCE, *source), {SESSION_UNTIL: ticks})

    def wants(self) -> bool:
        """Whether it has credit left."""
        return self._credit > 0

    def deliver(self, entry: Entry) -> None:
        """Send a message."""
        token = entry.token
        assert token is not None
        payload = entry.message.encoded(entry.delivery_count, annotations_of(entry, self._queue))
        self._credit -= 1
        self._sent += 1
        if self._deletes:
            self._queue.remove(token)
        else:
            self._amqp.unsettled[self._amqp.sent] = (self, token)
        self._send(payload, token)
        self._amqp.sent += 1

    def transfer(self, frame: Frame) -> None:
        """Nothing: a receiver sends no messages."""

    def flow(self, fields: Fields) -> None:
        """Take credit, and use it."""
        self._credit = max(0, int(fields[6] or 0) + int(fields[5] or 0) - self._sent)
        self._queue.offer()
        if fields[8]:
            self._sent, self._credit = self._sent + self._credit, 0
            self._amqp.send_flow(self._handle, self._sent, 0, drain=True)

    def settle(self, delivery: int, token: UUID, state: Described | None, *, settled: bool) -> None:
        """Do what the peer says of a message, and confirm it if it asks."""
        connection = self._amqp.connection
        fault = connection.broker.faults.meet(self._queue.path)
        if isinstance(fault, Reset):
            connection.reset()
            return
        answer = state
        try:
            if isinstance(fault, Refused):
                raise AmqpError(fault.condition, fault.description)
            self._settle(token, state)
        except AmqpError as problem:
            answer = performative(Performative.REJECTED, error(problem.condition, problem.description))
        self._amqp.unsettled.pop(delivery, None)
        if isinstance(fault, LostAck):
            connection.reset()
        elif not settled:
            pause = fault.seconds if isinstance(fault, Slow) else 0.0
            asyncio.get_running_loop().call_later(pause, self._confirm, delivery, _without_error(state, answer))
        self._queue.offer()

    def lose_session(self) -> None:
        """The session's lock has run out: the link is closed, as Service Bus does."""
        self._amqp.detach(self._handle, AmqpError(SESSION_LOCK_LOST, f"The lock on session {self.session} was lost."))

    def closed(self) -> None:
        """Leave the queue; a session is free again."""
        self._stop_timer()
        if self in self._queue.acceptors:
            self._queue.acceptors.remove(self)
        self._queue.leave(self)
        self._queue.offer()

    def _accept_link(self, source: Any, properties: dict[Symbol, Any]) -> None:
        name, _, _, sender_mode, receiver_mode = (self._fields[index] for index in range(5))
        ends = (sender_mode, receiver_mode, source, self._fields[6], None, None, UInt(0))
        more = (ULong(MAX_MESSAGE_BYTES), None, None, properties)
        self._amqp.send(performative(Performative.ATTACH, name, UInt(self._handle), False, *ends, *more))
        self._queue.consumers.append(self)

    def _wait_for_session(self) -> None:
        self._queue.acceptors.append(self)
        seconds = int((self._fields[13] or {}).get(TIMEOUT, 60_000)) / 1_000
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        name, handle = self._fields[0], UInt(self._handle)
        self._amqp.send(performative(Performative.ATTACH, name, handle, False))
        problem = AmqpError("com.microsoft:timeout", "No session with messages came within the time.")
        self._amqp.detach(self._handle, problem)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, payload: bytes, token: UUID) -> None:
        room = self._amqp.connection.max_frame - 512
        for start in range(0, max(1, len(payload)), room):
            head = [None, None, None] if start else [UInt(self._amqp.sent), token.bytes_le, UInt(0)]
            more = start + room < len(payload)
            fields = (UInt(self._handle), *head, self._deletes, more)
            self._amqp.send(performative(Performative.TRANSFER, *fields), payload[start : start + room])

    def _settle(self, token: UUID, state: Described | None) -> None:
        outcome = None if state is None else int(state.descriptor)
        fields = fields_of(state)
        if outcome == Performative.ACCEPTED:
            self._queue.remove(token)
            connection = self._amqp.connection
            connection.broker.completed[connection.port, self._queue.path] += 1
        elif outcome == Performative.REJECTED:
            self._queue.bury(token, *_grounds(fields))
        elif outcome == Performative.MODIFIED and fields[1]:
            self._queue.defer(token)
        elif outcome == Performative.MODIFIED:
            self._queue.abandon(token)
        else:
            self._queue.release(token)

    def _confirm(self, delivery: int, state: Described | None) -> None:
        number = UInt(delivery)
        self._amqp.send(performative(Performative.DISPOSITION, False, number, number, True, state))


def _grounds(fields: Fields) -> tuple[str, str]:
    info = fields_of(fields[0])[2] or {}
    return info.get("DeadLetterReason") or "", info.get("DeadLetterErrorDescription") or ""


def _without_error(asked: Described | None, answer: Described | None) -> Described | None:
    # A dead-lettering that was done is confirmed as a rejection without an error; with one it says what failed.
    if answer is asked and asked is not None and int(asked.descriptor) == Performative.REJECTED:
        return performative(Performative.REJECTED)
    return answer
