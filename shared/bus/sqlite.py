"""The embedded, durable event bus: the in-memory one, with every message and its fate written to SQLite.

The queues live in memory; the file is what they are rebuilt from after a crash. A completion need not be awaited: if it
is lost, the message comes again and its receipt answers it.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import DeadLetter, Delivery, Message
from shared.bus.queue import Entry
from shared.bus.topology import Topology
from shared.clock import Clock, wall_seconds
from shared.errors import TransientError
from shared.sqlite import Database, from_microseconds, to_microseconds

logger = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    session_id TEXT,
    correlation_id TEXT NOT NULL,
    body BLOB NOT NULL,
    deliver_at INTEGER,
    enqueued_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    sequence INTEGER NOT NULL REFERENCES messages,
    subscription TEXT NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    dead_reason TEXT,
    PRIMARY KEY (sequence, subscription)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen_messages (
    topic TEXT NOT NULL,
    message_id TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (topic, message_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_messages_by_time ON seen_messages (seen_at);
"""

PATIENCE_SECONDS = 0.05
"""How long a delivery or a completion may wait for something else to be written with: neither is awaited."""

_FORGET_EVERY, _FORGET_AT_MOST = 100, 200
_FORGET = """
DELETE FROM seen_messages WHERE (topic, message_id) IN
    (SELECT topic, message_id FROM seen_messages WHERE seen_at <= ? ORDER BY seen_at LIMIT ?)
"""


@dataclass(slots=True)
class _Fates:
    """What became of messages, to be written with whatever else is written next."""

    counts: dict[tuple[int, str], int] = field(default_factory=dict)
    completed: list[tuple[int, str]] = field(default_factory=list)
    over: list[tuple[int]] = field(default_factory=list)
    buried: list[tuple[str, int, str]] = field(default_factory=list)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write them down."""
        counts = [(count, *place) for place, count in self.counts.items()]
        where = "WHERE sequence = ? AND subscription = ?"
        connection.executemany(f"UPDATE deliveries SET delivery_count = ? {where}", counts)
        connection.executemany(f"UPDATE deliveries SET dead_reason = ? {where}", self.buried)
        connection.executemany(f"DELETE FROM deliveries {where}", self.completed)
        connection.executemany("DELETE FROM messages WHERE sequence = ?", self.over)


class SqliteEventBus(InMemoryEventBus):
    """An `EventBus` and `Receiver` that survives the process.

    Parameters
    ----------
    database : Database
        Opened with this module's `SCHEMA`.
    wall_seconds : callable
        Seconds since the epoch, for the duplicate-detection window, which must outlive a restart, and recording times.
    charge : callable
        Told the size in bytes of each message that Service Bus would be sent.
    """

    def __init__(
        self,
        database: Database,
        topology: Topology,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        wall_seconds: Callable[[], float] = wall_seconds,
        charge: Callable[[int], None] = lambda size_bytes: None,
    ) -> None:
        super().__init__(topology, clock, monotonic, wall_seconds)
        self._database = database
        self._charge = charge
        self._outstanding: dict[int, int] = {}
        self._fates = _Fates()
        self._noting: asyncio.Future[None] | None = None
        self._published = 0
        self._restored = 0
        self._restore()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Write the messages down, then hand them over."""
        routed = await self._database.write(
            lambda connection: self.publish_in(connection, messages), then=self.hand_over
        )
        self.charge(routed)

    def publish_in(self, connection: sqlite3.Connection, messages: Sequence[Message]) -> list[tuple[str, Entry]]:
        """Write the messages in a transaction of the caller's; `hand_over` what it gives after the commit."""
        return [pair for message in messages for pair in self._write_message(connection, message)]

    def charge(self, routed: list[tuple[str, Entry]]) -> None:
        """Charge what was published to whoever asked for it: within a transaction that cannot be told."""
        for size_bytes in {entry.sequence: len(entry.message.body) for _, entry in routed}.values():
            self._charge(size_bytes)

    def hand_over(self, routed: list[tuple[str, Entry]]) -> None:
        """Show receivers what was committed."""
        for name, entry in routed:
            self._count(entry)
            self._enqueue(name, entry)

    async def receive(self, subscription: str, most_sessions: int | None = None) -> Delivery:
        """Wait for the next message, lock it and note the delivery, so that a message that kills hosts is given up."""
        return await self._noted(await super().receive(subscription, most_sessions))

    async def receive_beside(self, held: Delivery) -> Delivery | None:
        """Lock one more message of the same session, if one is ready, and note the delivery."""
        delivery = await super().receive_beside(held)
        return None if delivery is None else await self._noted(delivery)

    async def _noted(self, delivery: Delivery) -> Delivery:
        self._fates.counts[delivery.sequence, delivery.subscription] = delivery.delivery_count
        # A restored message may be what killed the process before, and too fast to be counted: not again.
        restored = delivery.sequence <= self._restored
        noted = self._note_fates(0.0 if restored else PATIENCE_SECONDS)
        if restored:
            with suppress(TransientError):
                await asyncio.shield(noted)
        return delivery

    def _write_off(self, sequence: int, subscription: str) -> None:
        """Remove a message from the subscription, and from the file with its last subscription."""
        self._fates.counts.pop((sequence, subscription), None)
        self._fates.completed.append((sequence, subscription))
        self._outstanding[sequence] -= 1
        if not self._outstanding[sequence]:
            del self._outstanding[sequence]
            self._fates.over.append((sequence,))
        self._note_fates(PATIENCE_SECONDS)

    def _bury(self, delivery: Delivery, reason: str) -> None:
        super()._bury(delivery, reason)
        self._fates.buried.append((reason, delivery.sequence, delivery.subscription))
        self._note_fates(0.0)

    def _note_fates(self, patience: float) -> "asyncio.Future[None]":
        """Have what became of messages written with whatever else is written next."""
        if self._noting is None or self._noting.done() or not patience:
            self._noting = self._database.submit(partial(self._write_fates, self._fates), patience=patience)
            self._noting.add_done_callback(_report)
        return self._noting

    def _write_fates(self, fates: _Fates, connection: sqlite3.Connection) -> None:
        if fates is self._fates:  # what comes from now on is written next
            self._fates, self._noting = _Fates(), None
        fates.write(connection)

    def _count(self, entry: Entry) -> None:
        self._outstanding[entry.sequence] = self._outstanding.get(entry.sequence, 0) + 1

    def _write_message(self, connection: sqlite3.Connection, message: Message) -> list[tuple[str, Entry]]:
        wanting = self._topology.wanting(message.topic, message.subject)
        if not wanting or self._was_seen(connection, message):
            return []
        enqueued_at = self._enqueued_at(message)
        sequence = connection.execute(
            "INSERT INTO messages (topic, message_id, subject, session_id, correlation_id, body, deliver_at,"
            " enqueued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*_columns(message), to_microseconds(enqueued_at)),
        ).lastrowid
        assert sequence is not None
        connection.executemany(
            "INSERT INTO deliveries (sequence, subscription) VALUES (?, ?)", [(sequence, name) for name in wanting]
        )
        return [(name, Entry(sequence, message, enqueued_at)) for name in wanting]

    def _was_seen(self, connection: sqlite3.Connection, message: Message) -> bool:
        now, window = self._wall_seconds(), self._topology.duplicate_detection_seconds
        self._published += 1
        if self._published % _FORGET_EVERY == 0:
            connection.execute(_FORGET, (now - window, _FORGET_AT_MOST))
        written = connection.execute(
            "INSERT INTO seen_messages VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at"
            " WHERE seen_at <= ?",
            (message.topic, message.message_id, now, now - window),
        )
        return written.rowcount == 0

    def _restore(self) -> None:
        rows = self._database.read(
            "SELECT topic, message_id, subject, session_id, correlation_id, body, deliver_at, enqueued_at, sequence,"
            " subscription, delivery_count, dead_reason FROM messages JOIN deliveries USING (sequence)"
            " ORDER BY sequence, subscription"
        )
        for *columns, enqueued_at, sequence, subscription, count, dead_reason in rows:
            self._restored = sequence
            message = _message(columns)
            entry = Entry(sequence, message, from_microseconds(enqueued_at), count)
            if subscription not in self._queues:
                dead_reason = dead_reason or "the subscription no longer exists"
            if dead_reason is None:
                self.hand_over([(subscription, entry)])
            else:
                self._count(entry)
                letter = DeadLetter(replace(message, deliver_at=None), subscription, sequence, count, dead_reason)
                self._dead[subscription, sequence] = letter


def _report(done: "asyncio.Future[None]") -> None:
    if not done.cancelled() and (problem := done.exception()) is not None:
        logger.warning("what became of messages was not written; after a restart some may come again: %s", problem)


def _columns(message: Message) -> tuple[object, ...]:
    due = None if message.deliver_at is None else to_microseconds(message.deliver_at)
    return (
        message.topic,
        message.message_id,
        message.subject,
        message.session_id,
        message.correlation_id,
        message.body,
        due,
    )


def _message(columns: list[object]) -> Message:
    topic, message_id, subject, session_id, correlation_id, body, due = columns
    return Message(
        message_id=str(message_id),
        topic=str(topic),
        subject=str(subject),
        body=body if isinstance(body, bytes) else str(body).encode(),
        correlation_id=str(correlation_id),
        session_id=None if session_id is None else str(session_id),
        deliver_at=from_microseconds(due) if isinstance(due, int) else None,
    )
