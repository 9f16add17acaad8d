"""A queue whose sessions are kept, under anything that its receivers may do."""

from hypothesis import given, note
from hypothesis import strategies as st

from shared.bus.port import Delivery
from shared.bus.queue import Entry, SubscriptionQueue
from shared.clock import ManualClock
from tests.builders import CLOSE, a_message

LOCK_SECONDS = 60.0
MOST = 2

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "put", "take", "take", "beside", "complete", "complete", "abandon", "release", "lapse"]
        ),
        st.integers(0, 5),
    ),
    max_size=60,
)


class Keeper:
    """A receiver that keeps sessions, and what it knows of them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.queue = SubscriptionQueue(
            "market/bars",
            sessions=True,
            lock_seconds=LOCK_SECONDS,
            clock=ManualClock(CLOSE),
            monotonic=lambda: self.seconds,
        )
        self.put_count = 0
        self.held: list[Delivery] = []
        self.kept: set[str] = set()
        self.completed: dict[str, list[int]] = {}

    def put(self, choice: int) -> None:
        """Put a message into one of six sessions."""
        self.put_count += 1
        message = a_message(str(self.put_count), session=f"s{choice}")
        self.queue.put(Entry(self.put_count, message, CLOSE))

    def take(self, _choice: int = 0) -> bool:
        """Take a message, of a session that is kept if there is no place for another."""
        delivery = self.queue.take(MOST)
        if delivery is None:
            return False
        session = _session(delivery)
        assert session not in {_session(held) for held in self.held}
        self.kept.add(session)
        assert len(self.kept) <= MOST
        self.held.append(delivery)
        return True

    def beside(self, choice: int) -> None:
        """Take one more of a session in which a message is held."""
        if self.held and (more := self.queue.take_beside(beside := self.held[choice % len(self.held)])):
            assert _session(more) == _session(beside)
            self.held.append(more)

    def complete(self, choice: int) -> None:
        """Complete one of the messages that are held."""
        if self.held:
            delivery = self.held.pop(choice % len(self.held))
            self.queue.remove(delivery)
            self.completed.setdefault(_session(delivery), []).append(delivery.sequence)

    def abandon(self, choice: int) -> None:
        """Give back one of the messages that are held."""
        if self.held:
            self.queue.give_back(self.held.pop(choice % len(self.held)))

    def release(self, choice: int) -> None:
        """Keep a session no longer in which nothing is held."""
        idle = sorted(self.kept - {_session(held) for held in self.held})
        if idle:
            session = idle[choice % len(idle)]
            self.kept.discard(session)
            self.queue.release(session)

    def lapse(self, _choice: int) -> None:
        """Lose every lock, and the sessions with them."""
        self.seconds += LOCK_SECONDS
        self.kept -= {_session(held) for held in self.held}
        self.held.clear()


@given(STEPS)
def test_queue_when_sessions_are_kept_gives_every_message_to_one_receiver_in_the_end(
    steps: list[tuple[str, int]],
) -> None:
    keeper = Keeper()
    for step, choice in steps:
        getattr(keeper, step)(choice)
    while keeper.held:
        keeper.complete(0)
    while keeper.take() or keeper.kept:
        keeper.complete(0) if keeper.held else keeper.release(0)
    note(f"completed {keeper.completed}")
    assert len(keeper.queue) == 0
    assert sorted(n for numbers in keeper.completed.values() for n in numbers) == list(range(1, keeper.put_count + 1))


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "complete", "release"]), st.integers(0, 5)), max_size=60))
def test_queue_when_nothing_fails_gives_each_session_in_order(steps: list[tuple[str, int]]) -> None:
    keeper = Keeper()
    for step, choice in steps:
        getattr(keeper, step)(choice)
    assert all(numbers == sorted(numbers) for numbers in keeper.completed.values())


def _session(delivery: Delivery) -> str:
    return str(delivery.message.session_id)
