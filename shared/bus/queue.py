"""One subscription's queue: peek-lock, sessions, scheduling and delivery counts, as a state machine without I/O.

Both embedded buses drive it; the SQLite one also writes down what it does.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.bus.port import Delivery, Message
from shared.clock import Clock, wall_seconds_until
from shared.errors import MissingError


@dataclass(slots=True)
class Entry:
    """A message in a subscription, and how often it was handed out."""

    sequence: int
    message: Message
    enqueued_at: datetime
    delivery_count: int = 0


class SubscriptionQueue:
    """The messages of one subscription.

    Parameters
    ----------
    name : str
        `topic/subscription`.
    sessions : bool
        Whether messages of one session are handed out one at a time, in order.
    lock_seconds : float
        How long a receiver holds a message before it is given to another (wall time).
    clock : Clock
        Tells when a scheduled message is due.
    monotonic : callable
        Wall seconds, for locks.
    """

    def __init__(
        self, name: str, *, sessions: bool, lock_seconds: float, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self.name = name
        self._sessions = sessions
        self._lock_seconds = lock_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._entries: dict[int, Entry] = {}
        self._scheduled: list[tuple[datetime, int]] = []
        self._ready: dict[str, list[int]] = {}
        self._turns: deque[str] = deque()
        self._kept: set[str] = set()
        self._kept_turns: deque[str] = deque()
        self._busy: dict[str, int] = {}
        self._locks: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._tokens = 0

    def __len__(self) -> int:
        return len(self._entries)

    def active(self) -> int:
        """Give the number of messages without the scheduled ones that are not due."""
        self._release_overdue()
        return len(self._entries) - len(self._scheduled)

    def oldest_since(self) -> datetime | None:
        """Give the wall time since which the oldest message could have been taken, or is; None when there is none."""
        oldest, now = None, self._clock.now()
        for entry in self._entries.values():
            due = entry.message.deliver_at
            if (due is None or due <= now) and (oldest is None or entry.enqueued_at < oldest):
                oldest = entry.enqueued_at
            if due is None:
                break  # what follows came later, and what of it was scheduled was due later still
        return oldest

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, entry: Entry) -> None:
        """Add a message; one that is scheduled stays hidden until its time."""
        self._entries[entry.sequence] = entry
        due = entry.message.deliver_at
        if due is not None and due > self._clock.now():
            heapq.heappush(self._scheduled, (due, entry.sequence))
        else:
            self._make_ready(entry)

    def take(self, most_sessions: int | None = None) -> Delivery | None:
        """Lock and give the next message, or None when none is ready.

        Parameters
        ----------
        most_sessions : int or None
            Keep the message's session for the caller, between messages too, until it is released or a lock in it is
            lost; with that many kept, only their messages are given. None keeps none, as does a queue without sessions.
        """
        self._release_overdue()
        keeps = self._sessions and most_sessions is not None
        is_full = keeps and len(self._kept) >= (most_sessions or 0)
        turns = self._kept_turns if is_full or (keeps and not self._turns) else self._turns
        if not turns:
            return None
        session = turns.popleft()
        if keeps:
            self._kept.add(session)
        return self._take_from(session)

    def take_beside(self, held: Delivery) -> Delivery | None:
        """Lock and give one more message for who holds `held`, of its session if there are any; None if none is ready.

        None too when the lock on `held` was lost.
        """
        self._release_overdue()
        if held.lock_token not in self._locks:
            return None
        if not self._sessions:
            return self.take()
        session = held.message.session_id or ""
        return self._take_from(session) if session in self._ready else None

    def release(self, session: str) -> None:
        """Keep a session no longer: whoever asks next may have its messages."""
        self._kept.discard(session)
        if session in self._kept_turns:
            self._kept_turns.remove(session)
            self._turns.append(session)

    def seconds_until_change(self) -> float | None:
        """Give the wall seconds until time alone makes a message ready; None when only a new message can."""
        waits = [wall_seconds_until(self._clock, due) for due, _ in self._scheduled[:1]]
        if self._locks:
            waits.append(next(iter(self._locks.values()))[1] - self._monotonic())
        return max(0.0, min(waits)) if waits else None

    def remove(self, delivery: Delivery) -> Entry:
        """Take a locked message out for good."""
        entry = self._unlock(delivery)
        del self._entries[entry.sequence]
        self._offer(self._session(entry))
        return entry

    def give_back(self, delivery: Delivery) -> None:
        """Make a locked message available again, at its old place."""
        self._make_ready(self._unlock(delivery))

    def renew(self, delivery: Delivery) -> None:
        """Hold the lock for another lock duration."""
        sequence = self._pop_lock(delivery)
        self._locks[delivery.lock_token] = (sequence, self._monotonic() + self._lock_seconds)

    def _take_from(self, session: str) -> Delivery:
        waiting = self._ready[session]
        entry = self._entries[heapq.heappop(waiting)]
        if not waiting:
            del self._ready[session]
        elif not self._sessions:
            self._turns.append(session)
        entry.delivery_count += 1
        return self._lock(entry)

    def _lock(self, entry: Entry) -> Delivery:
        self._tokens += 1
        token = f"{entry.sequence}-{self._tokens}"
        self._locks[token] = (entry.sequence, self._monotonic() + self._lock_seconds)
        if self._sessions:
            session = self._session(entry)
            self._busy[session] = self._busy.get(session, 0) + 1
        return Delivery(entry.message, self.name, entry.sequence, entry.delivery_count, entry.enqueued_at, token)

    def _pop_lock(self, delivery: Delivery) -> int:
        self._release_overdue()
        held = self._locks.pop(delivery.lock_token, None)
        if held is None:
            raise MissingError(f"the lock on message {delivery.message.message_id} in {self.name} was lost")
        return held[0]

    def _unlock(self, delivery: Delivery) -> Entry:
        entry = self._entries[self._pop_lock(delivery)]
        self._count_out(entry)
        return entry

    def _count_out(self, entry: Entry) -> None:
        if self._sessions:
            session = self._session(entry)
            self._busy[session] -= 1
            if not self._busy[session]:
                del self._busy[session]

    def _make_ready(self, entry: Entry) -> None:
        session = self._session(entry)
        heapq.heappush(self._ready.setdefault(session, []), entry.sequence)
        self._offer(session)

    def _offer(self, session: str) -> None:
        # A session has a turn while a message of it is ready and none is locked.
        turns = self._kept_turns if session in self._kept else self._turns
        if session in self._ready and session not in self._busy and session not in turns:
            turns.append(session)

    def _release_overdue(self) -> None:
        while self._scheduled and self._scheduled[0][0] <= self._clock.now():
            self._make_ready(self._entries[heapq.heappop(self._scheduled)[1]])
        while self._locks and next(iter(self._locks.values()))[1] <= self._monotonic():
            _, (sequence, _) = self._locks.popitem(last=False)
            entry = self._entries[sequence]
            self._count_out(entry)
            self._kept.discard(self._session(entry))
            self._make_ready(entry)

    def _session(self, entry: Entry) -> str:
        return (entry.message.session_id or "") if self._sessions else ""
