"""A subscription or a dead-letter queue: what is kept, who holds it, and until when. No I/O, no waiting.

A queue is told who takes messages (`Consumer`) and offers to them what is free whenever something changed.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from tests.standins.service_bus.frame import AmqpError
from tests.standins.service_bus.message import AmqpMessage

LOCK_LOST = "com.microsoft:message-lock-lost"
SESSION_LOCK_LOST = "com.microsoft:session-lock-lost"
TOO_MANY = "MaxDeliveryCountExceeded"

type Clock = Callable[[], float]


@dataclass(slots=True, eq=False)
class Entry:
    """A message in a queue.

    Attributes
    ----------
    sequence : int
        Its number in the subscription, which 0 leaves to the queue; `topic_sequence` is the one that the topic gave it.
    delivery_count : int
        Deliveries that have ended with an abandonment or with a lock that ran out.
    visible_at : float
        Seconds since 1970 before which nobody is given it.
    """

    sequence: int
    topic_sequence: int
    message: AmqpMessage
    enqueued_at: float
    delivery_count: int = 0
    visible_at: float = 0.0
    deferred: bool = False
    token: UUID | None = None
    locked_until: float = 0.0


class Consumer(Protocol):
    """A link that takes messages."""

    session: str | None

    def wants(self) -> bool:
        """Whether it has credit left."""
        ...

    def deliver(self, entry: Entry) -> None:
        """Send it a message that was locked for it, or that it settles at once."""
        ...

    def lose_session(self) -> None:
        """Tell it that its session's lock has run out."""
        ...


class Acceptor(Protocol):
    """A link that waits for a session, the named one or any."""

    wanted: str | None

    def accept(self, session: str) -> None:
        """Take the session, which is free."""
        ...


@dataclass(slots=True, eq=False)
class SessionLock:
    """A session that somebody holds."""

    holder: Consumer
    until: float


class Queue:
    """A subscription, or a dead-letter queue.

    Parameters
    ----------
    sessions : bool
        Whether messages are given out by session only.
    dead_letters : Queue or None
        Where messages go that are given up.
    """

    def __init__(
        self,
        path: str,
        clock: Clock,
        *,
        lock_seconds: float,
        most_deliveries: int,
        sessions: bool = False,
        dead_letters: "Queue | None" = None,
    ) -> None:
        self.path = path
        self.requires_session = sessions
        self.lock_seconds = lock_seconds
        self.dead_letters = dead_letters
        self.entries: OrderedDict[int, Entry] = OrderedDict()
        self.session_states: dict[str, bytes] = {}
        self.consumers: deque[Consumer] = deque()
        self.acceptors: list[Acceptor] = []
        self._clock = clock
        self._most_deliveries = most_deliveries
        self._locked: OrderedDict[UUID, Entry] = OrderedDict()
        self._free: dict[str | None, list[int]] = {}
        self._delayed: list[tuple[float, int]] = []
        self._held: dict[str, SessionLock] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        self._last = 0

    def __iter__(self) -> Iterator[Entry]:
        self.expire()
        return iter(self.entries.values())

    @property
    def active(self) -> int:
        """How many messages wait or are held; deferred ones are not counted."""
        return sum(not entry.deferred for entry in self)

    def put(self, entry: Entry) -> None:
        """Add a message; it is offered at the next `offer`."""
        if not entry.sequence:
            self._last += 1
            entry.sequence = self._last
        self.entries[entry.sequence] = entry
        if entry.visible_at > self._clock():
            heapq.heappush(self._delayed, (entry.visible_at, entry.sequence))
        else:
            self._release(entry)

    def offer(self) -> None:
        """Give what is free to those who want it, in turn."""
        self.expire()
        for acceptor in tuple(self.acceptors):
            if (session := self.free_session(acceptor.wanted)) is not None:
                self.acceptors.remove(acceptor)
                acceptor.accept(session)
        while sum(self._serve(consumer) for consumer in tuple(self.consumers)):
            self.consumers.rotate(-1)

    def take_deferred(self, sequence: int) -> Entry:
        """Lock a deferred message."""
        entry = self.entries.get(sequence)
        if entry is None or not entry.deferred or entry.token is not None:
            raise AmqpError("com.microsoft:message-not-found", f"no deferred message {sequence} in {self.path}")
        self._lock(entry)
        return entry

    def remove(self, token: UUID) -> Entry:
        """Take a locked message out for good."""
        entry = self._unlock(token)
        del self.entries[entry.sequence]
        return entry

    def abandon(self, token: UUID) -> None:
        """Give a message back after a delivery that failed."""
        self._fail(self._unlock(token))

    def release(self, token: UUID) -> None:
        """Give a message back as if it had not been delivered."""
        self._release(self._unlock(token))

    def defer(self, token: UUID) -> None:
        """Set a message aside: it is only given to who asks for its number."""
        self._unlock(token).deferred = True

    def bury(self, token: UUID, reason: str, description: str) -> None:
        """Move a message to the dead-letter queue on its receiver's wish."""
        self._bury(self._unlock(token), reason, description)

    def renew(self, token: UUID) -> float:
        """Hold the lock for another lock duration and give its end, in seconds since 1970."""
        entry = self._unlock(token)
        self._relock(entry, token)
        return entry.locked_until

    def free_session(self, wanted: str | None) -> str | None:
        """Give the session that can be held now: `wanted`, or the one with messages that was held longest ago."""
        self.expire()
        if wanted is not None:
            return None if wanted in self._held else wanted
        free = [session for session in self._free if session is not None and session not in self._held]
        turns = {session: turn for turn, session in enumerate(self._turns)}
        return min(free, key=lambda session: turns.get(session, -1), default=None)

    def hold_session(self, session: str, holder: Consumer) -> float:
        """Lock a session and give the lock's end, in seconds since 1970."""
        self._turns[session] = None
        self._turns.move_to_end(session)
        self._held[session] = SessionLock(holder, self._clock() + self.lock_seconds)
        return self._held[session].until

    def renew_session(self, session: str) -> float:
        """Hold a session for another lock duration."""
        self.expire()
        if session not in self._held:
            raise AmqpError(SESSION_LOCK_LOST, f"the lock on session {session} was lost")
        self._held[session].until = self._clock() + self.lock_seconds
        for entry in self._locked.values():
            if entry.message.session == session:
                entry.locked_until = self._held[session].until
        return self._held[session].until

    def leave(self, consumer: Consumer) -> None:
        """Forget a consumer. A session that it held is free again, and its messages count no delivery."""
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        for session in [name for name, lock in self._held.items() if lock.holder is consumer]:
            del self._held[session]
            for token in [token for token, entry in self._locked.items() if entry.message.session == session]:
                self._release(self._unlock(token))

    def lose_locks(self) -> None:
        """Let every lock run out now."""
        for entry in self._locked.values():
            entry.locked_until = 0.0
        for lock in self._held.values():
            lock.until = 0.0
        self.expire()

    def clear(self) -> None:
        """Forget all messages, and free the sessions."""
        for forgotten in (self.entries, self._locked, self._free, self._delayed, self._turns, self.session_states):
            forgotten.clear()
        held, self._held = self._held, {}
        for lock in held.values():
            lock.holder.lose_session()

    def expire(self) -> None:
        """Let go of what time has taken: locks that ran out, delays that have passed."""
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            self._release(self.entries[heapq.heappop(self._delayed)[1]])
        for session, lock in [pair for pair in self._held.items() if pair[1].until <= now]:
            del self._held[session]
            lock.holder.lose_session()
        for token in [token for token, entry in self._locked.items() if entry.locked_until <= now]:
            entry = self._locked.pop(token)
            entry.token = None
            self._fail(entry)

    def _serve(self, consumer: Consumer) -> bool:
        if not consumer.wants() or (entry := self._next(consumer.session)) is None:
            return False
        self._lock(entry)
        consumer.deliver(entry)
        return True

    def _next(self, session: str | None) -> Entry | None:
        waiting = self._free.get(session if self.requires_session else None)
        if not waiting:
            return None
        entry = self.entries[heapq.heappop(waiting)]
        if not waiting:
            del self._free[session if self.requires_session else None]
        return entry

    def _lock(self, entry: Entry) -> None:
        self._relock(entry, uuid4())

    def _relock(self, entry: Entry, token: UUID) -> None:
        session = entry.message.session if self.requires_session else None
        held = self._held.get(session) if session is not None else None
        entry.token = token
        entry.locked_until = held.until if held else self._clock() + self.lock_seconds
        self._locked[token] = entry

    def _unlock(self, token: UUID) -> Entry:
        self.expire()
        entry = self._locked.pop(token, None)
        if entry is None:
            condition = SESSION_LOCK_LOST if self.requires_session else LOCK_LOST
            raise AmqpError(condition, "The lock supplied is invalid. Either the lock expired, or the message is gone.")
        entry.token = None
        return entry

    def _release(self, entry: Entry) -> None:
        if not entry.deferred:
            session = entry.message.session if self.requires_session else None
            heapq.heappush(self._free.setdefault(session, []), entry.sequence)

    def _fail(self, entry: Entry) -> None:
        # In a dead-letter queue nothing is counted.
        entry.delivery_count += self.dead_letters is not None
        if self.dead_letters is not None and entry.delivery_count >= self._most_deliveries:
            words = f"Message could not be consumed after {self._most_deliveries} delivery attempts."
            self._bury(entry, TOO_MANY, words)
        else:
            self._release(entry)

    def _bury(self, entry: Entry, reason: str, description: str) -> None:
        if self.dead_letters is None:
            self._release(entry)
            return
        del self.entries[entry.sequence]
        words = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        entry.message = entry.message.with_application({name: text for name, text in words.items() if text})
        entry.deferred = False
        self.dead_letters.put(entry)
        self.dead_letters.offer()
