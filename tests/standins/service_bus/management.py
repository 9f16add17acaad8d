"""Request and response links: `$cbs`, where tokens are put, and each entity's `$management`."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from tests.standins.service_bus.codec import Array, Described, Int, Symbol, Timestamp, UInt, ULong
from tests.standins.service_bus.connection import Session
from tests.standins.service_bus.frame import AmqpError, Fields, Frame, Performative, performative
from tests.standins.service_bus.message import AmqpMessage, body_value, milliseconds, response
from tests.standins.service_bus.queue import Queue
from tests.standins.service_bus.sight import annotations_of
from tests.standins.service_bus.token import granted_path
from tests.standins.service_bus.topic import Topic

CBS, MANAGEMENT = "$cbs", "/$management"
CREDIT = 1_000
STATUS = {
    "com.microsoft:message-lock-lost": 410,
    "com.microsoft:session-lock-lost": 410,
    "com.microsoft:message-not-found": 404,
    "amqp:not-found": 404,
    "amqp:unauthorized-access": 401,
}

type Body = dict[str, Any]


class Answers:
    """The link on which a client gets its answers."""

    def __init__(self, session: Session, fields: Fields) -> None:
        self._session = session
        self._fields = fields
        self._handle = int(fields[1])

    def attach(self) -> None:
        """Accept the link."""
        name, _, _, sender_mode, receiver_mode, source, target = (self._fields[index] for index in range(7))
        ends = (sender_mode, receiver_mode, source, target, None, None, UInt(0))
        self._session.send(performative(Performative.ATTACH, name, UInt(self._handle), False, *ends))

    @property
    def node(self) -> Any:
        """The address that it answers for."""
        return self._fields[5].value[0]

    def send(self, payload: bytes) -> None:
        """Send an answer, settled."""
        number = self._session.sent
        self._session.sent += 1
        room = self._session.connection.max_frame - 512
        for start in range(0, len(payload), room):
            head = [None, None, None] if start else [UInt(number), number.to_bytes(4), UInt(0)]
            fields = (UInt(self._handle), *head, True, start + room < len(payload))
            self._session.send(performative(Performative.TRANSFER, *fields), payload[start : start + room])

    def transfer(self, frame: Frame) -> None:
        """Nothing: a receiver sends no messages."""

    def flow(self, fields: Fields) -> None:
        """Nothing: who asks has room for the answer."""

    def settle(self, delivery: int, token: UUID, state: Described | None, *, settled: bool) -> None:
        """Nothing: answers are sent settled."""

    def closed(self) -> None:
        """Nothing to let go of."""


class Requests:
    """The link on which a client asks."""

    def __init__(self, session: Session, fields: Fields, path: str) -> None:
        self._session = session
        self._fields = fields
        self._path = path
        self._handle = int(fields[1])
        self._parts: list[bytes] = []
        self._delivery = 0
        self._taken = 0

    def attach(self) -> None:
        """Accept the link and give it credit."""
        name, _, _, sender_mode, receiver_mode, source, target = (self._fields[index] for index in range(7))
        ends = (sender_mode, receiver_mode, source, target, None, None, None, ULong(1_048_576))
        self._session.send(performative(Performative.ATTACH, name, UInt(self._handle), True, *ends))
        self._session.send_flow(self._handle, 0, CREDIT)

    def transfer(self, frame: Frame) -> None:
        """Take a request, which may come in several frames, and answer it."""
        if not self._parts:
            self._delivery = int(frame.fields[1])
        self._parts.append(frame.payload)
        if frame.fields[5]:
            return
        payload, self._parts = b"".join(self._parts), []
        number = UInt(self._delivery)
        accepted = performative(Performative.ACCEPTED)
        self._session.send(performative(Performative.DISPOSITION, True, number, number, True, accepted))
        self._taken += 1
        self._session.send_flow(self._handle, self._taken, CREDIT)
        self._answer(AmqpMessage.parse(payload), body_value(payload))

    def flow(self, fields: Fields) -> None:
        """Nothing: credit is ours to give."""

    def settle(self, delivery: int, token: UUID, state: Described | None, *, settled: bool) -> None:
        """Nothing: we send no messages here."""

    def closed(self) -> None:
        """Nothing to let go of."""

    def _answer(self, request: AmqpMessage, body: Any) -> None:
        keys = ("status-code", "status-description") if self._path == CBS else ("statusCode", "statusDescription")
        more: dict[str, Any] = {}
        try:
            value, status = self._put_token(request, body) if self._path == CBS else self._manage(request, body)
            words = HTTPStatus(status).phrase
        except AmqpError as problem:
            value, status, words = None, STATUS.get(problem.condition, 400), problem.description
            more = {"errorCondition": Symbol(problem.condition)}
        application = {keys[0]: Int(status), keys[1]: words} | more
        self._answers().send(response(request.properties[0], application, value))

    def _answers(self) -> Answers:
        node = self._fields[6].value[0]
        links = (link for link in self._session.links.values() if isinstance(link, Answers))
        return next(link for link in links if link.node == node)

    def _put_token(self, request: AmqpMessage, token: str) -> tuple[None, int]:
        broker = self._session.connection.broker
        try:
            path = granted_path(token, request.application["name"])
        except AmqpError:
            broker.refused_tokens += 1
            raise
        self._session.connection.granted.add(path)
        return None, 202

    def _manage(self, request: AmqpMessage, body: Body) -> tuple[Body | None, int]:
        name = str(request.application.get("operation")).removeprefix("com.microsoft:")
        namespace = self._session.connection.broker.namespace
        entity = self._path[: -len(MANAGEMENT)]
        if name in SCHEDULING:
            return SCHEDULING[name](namespace.topic(entity), body), 200
        if name not in OPERATIONS:
            raise AmqpError("amqp:not-implemented", f"the stand-in knows no {name}")
        queue = namespace.queue(entity)
        answer = OPERATIONS[name](queue, body)
        queue.offer()
        return answer, 204 if answer is None else 200


def _schedule(topic: Topic, body: Body) -> Body:
    messages = (AmqpMessage.parse(item["message"]) for item in body["messages"])
    return {"sequence-numbers": Array(topic.publish(message) for message in messages)}


def _cancel_scheduled(topic: Topic, body: Body) -> Body:
    for number in body["sequence-numbers"]:
        topic.cancel(int(number))
    return {}


def _renew_lock(queue: Queue, body: Body) -> Body:
    return {"expirations": Array(milliseconds(queue.renew(token)) for token in body["lock-tokens"])}


def _renew_session_lock(queue: Queue, body: Body) -> Body:
    return {"expiration": Timestamp(milliseconds(queue.renew_session(body["session-id"])))}


def _peek(queue: Queue, body: Body) -> Body | None:
    first, session = int(body["from-sequence-number"]), body.get("session-id")
    entries = [entry for entry in queue if entry.sequence >= first and session in (None, entry.message.session)]
    found = sorted(entries, key=lambda entry: entry.sequence)[: int(body["message-count"])]
    messages = [
        {"message": entry.message.encoded(entry.delivery_count, annotations_of(entry, queue))} for entry in found
    ]
    return {"messages": messages} if messages else None


def _receive_by_sequence(queue: Queue, body: Body) -> Body:
    entries = [queue.take_deferred(int(number)) for number in body["sequence-numbers"]]
    messages = [
        {
            "lock-token": entry.token,
            "message": entry.message.encoded(entry.delivery_count, annotations_of(entry, queue)),
        }
        for entry in entries
    ]
    return {"messages": messages}


def _update_disposition(queue: Queue, body: Body) -> Body:
    grounds = (body.get("deadletter-reason") or "", body.get("deadletter-description") or "")
    settle: dict[str, Callable[[UUID], Any]] = {
        "completed": queue.remove,
        "abandoned": queue.abandon,
        "defered": queue.defer,
        "suspended": lambda token: queue.bury(token, *grounds),
    }
    for token in body["lock-tokens"]:
        settle[body["disposition-status"]](token)
    return {}


def _get_session_state(queue: Queue, body: Body) -> Body:
    return {"session-state": queue.session_states.get(body["session-id"])}


def _set_session_state(queue: Queue, body: Body) -> Body:
    queue.session_states[body["session-id"]] = body["session-state"]
    return {}


SCHEDULING: dict[str, Callable[[Topic, Body], Body]] = {
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel_scheduled,
}
OPERATIONS: dict[str, Callable[[Queue, Body], Body | None]] = {
    "renew-lock": _renew_lock,
    "renew-session-lock": _renew_session_lock,
    "peek-message": _peek,
    "receive-by-sequence-number": _receive_by_sequence,
    "update-disposition": _update_disposition,
    "get-session-state": _get_session_state,
    "set-session-state": _set_session_state,
}
