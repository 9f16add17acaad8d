"""The queue of one subscription against a model of it: lists that are searched anew at every step."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.bus.port import Delivery
from shared.bus.queue import Entry, SubscriptionQueue
from shared.clock import ManualClock
from shared.errors import MissingError
from tests.builders import CLOSE, MINUTE, SECOND, a_message

LOCK_SECONDS = 60.0
PACE = 10.0


@dataclass
class Expected:
    """A message as the model knows it.

    Attributes
    ----------
    until : float
        Wall seconds at which its lock runs out; it is held by the receiver of `delivery` before.
    """

    sequence: int
    session: str
    due: datetime
    count: int = 0
    until: float = 0.0
    delivery: Delivery | None = None


@dataclass
class Model:
    """What a queue should do, said as plainly as possible."""

    sessions: bool
    messages: list[Expected] = field(default_factory=list)

    def held(self, seconds: float) -> list[Expected]:
        """Give the messages under a lock."""
        return [message for message in self.messages if message.delivery is not None and message.until > seconds]

    def lapsed(self, seconds: float) -> list[Delivery]:
        """Give the deliveries whose locks ran out."""
        return [m.delivery for m in self.messages if m.delivery is not None and m.until <= seconds]

    def available(self, now: datetime, seconds: float) -> list[Expected]:
        """Give the messages that may be handed out, of each session only the first."""
        held = self.held(seconds)
        closed = {message.session for message in held} if self.sessions else set()
        ready = [m for m in self.messages if m.due <= now and m not in held and m.session not in closed]
        firsts = {message.session if self.sessions else "": message for message in reversed(ready)}
        return list(firsts.values())


class QueueMachine(RuleBasedStateMachine):
    """Does anything that a bus may do, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.seconds = ManualClock(CLOSE, PACE), 0.0
        self.sequence = 0
        self.lost: list[Delivery] = []

    @initialize(sessions=st.booleans())
    def begin(self, sessions: bool) -> None:
        self.model = Model(sessions)
        self.queue = SubscriptionQueue(
            "events/analyst",
            sessions=sessions,
            lock_seconds=LOCK_SECONDS,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )

    @rule(session=st.sampled_from("st"), minutes=st.none() | st.integers(-1, 3))
    def put(self, session: str, minutes: int | None) -> None:
        self.sequence += 1
        due = None if minutes is None else self.clock.now() + minutes * MINUTE
        message = a_message(str(self.sequence), session=session, deliver_at=due)
        self.queue.put(Entry(self.sequence, message, self.clock.now()))
        self.model.messages.append(Expected(self.sequence, session, due or self.clock.now()))

    @rule()
    def take(self) -> None:
        expected = self.model.available(self.clock.now(), self.seconds)
        delivery = self.queue.take()
        if delivery is None:
            assert not expected
            return
        (message,) = [message for message in expected if message.sequence == delivery.sequence]
        if message.delivery is not None:
            self.lost.append(message.delivery)
        message.count += 1
        message.until, message.delivery = self.seconds + LOCK_SECONDS, delivery
        assert delivery.delivery_count == message.count

    @precondition(lambda self: self.model.held(self.seconds))
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.model.held(self.seconds)))
        self.queue.remove(_delivery(message))
        self.model.messages.remove(message)
        self.lost.append(_delivery(message))

    @precondition(lambda self: self.model.held(self.seconds))
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.model.held(self.seconds)))
        self.queue.give_back(_delivery(message))
        self.lost.append(_delivery(message))
        message.delivery = None

    @precondition(lambda self: self.model.held(self.seconds))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.model.held(self.seconds)))
        self.queue.renew(_delivery(message))
        message.until = self.seconds + LOCK_SECONDS

    @rule(seconds=st.sampled_from([1.0, LOCK_SECONDS / 2, LOCK_SECONDS]))
    def let_locks_age(self, seconds: float) -> None:
        self.seconds += seconds

    @rule(delta=st.sampled_from([SECOND, MINUTE]))
    def let_desk_time_pass(self, delta: timedelta) -> None:
        self.clock.advance(delta)

    @precondition(lambda self: self.lost or self.model.lapsed(self.seconds))
    @rule(data=st.data(), way=st.sampled_from(["remove", "give_back", "renew"]))
    def settle_what_was_lost(self, data: st.DataObject, way: str) -> None:
        delivery = data.draw(st.sampled_from([*self.lost, *self.model.lapsed(self.seconds)]))
        with pytest.raises(MissingError, match=delivery.message.message_id):
            getattr(self.queue, way)(delivery)

    @invariant()
    def counts_what_is_in_it(self) -> None:
        assert len(self.queue) == len(self.model.messages)
        assert sorted(entry.sequence for entry in self.queue) == [m.sequence for m in self.model.messages]

    @invariant()
    def knows_when_time_alone_brings_something(self) -> None:
        now, held = self.clock.now(), self.model.held(self.seconds)
        if self.model.available(now, self.seconds):
            return
        waits = [message.until - self.seconds for message in held]
        waits += [(message.due - now).total_seconds() / PACE for message in self.model.messages if message.due > now]
        expected = min(waits, default=None)
        assert self.queue.take() is None
        assert self.queue.seconds_until_change() == (None if expected is None else pytest.approx(expected))


def _delivery(message: Expected) -> Delivery:
    assert message.delivery is not None
    return message.delivery


QueueMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestQueueAgainstItsModel = QueueMachine.TestCase


def a_queue(*, sessions: bool = False) -> SubscriptionQueue:
    """Give an empty queue whose locks never run out."""
    return SubscriptionQueue(
        "market/bars", sessions=sessions, lock_seconds=LOCK_SECONDS, clock=ManualClock(CLOSE), monotonic=lambda: 0.0
    )


def put(queue: SubscriptionQueue, *sessions: str) -> None:
    """Put a message in each session, numbered from 1."""
    for sequence, session in enumerate(sessions, start=1):
        queue.put(Entry(sequence, a_message(str(sequence), session=session), CLOSE))


def test_take_when_the_queue_is_empty_gives_nothing_and_waits_for_ever() -> None:
    queue = a_queue()
    assert queue.take() is None
    assert queue.seconds_until_change() is None


def test_take_when_sessions_are_busy_gives_each_its_turn() -> None:
    queue, taken = a_queue(sessions=True), []
    put(queue, "s", "s", "s", "t", "t", "u")
    while delivery := queue.take():
        taken.append(delivery.message.session_id)
        queue.remove(delivery)
    assert taken == ["s", "t", "u", "s", "t", "s"]


def test_take_when_a_message_has_no_session_treats_them_as_one() -> None:
    queue = a_queue(sessions=True)
    for sequence in (1, 2):
        queue.put(Entry(sequence, a_message(str(sequence)), CLOSE))
    assert queue.take() is not None
    assert queue.take() is None


def test_tokens_when_a_message_is_handed_out_again_differ() -> None:
    queue, tokens = a_queue(), set()
    put(queue, "s")
    for _ in range(3):
        delivery = queue.take()
        assert delivery is not None
        tokens.add(delivery.lock_token)
        queue.give_back(delivery)
    assert len(tokens) == 3
