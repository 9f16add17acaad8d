"""Settlement in steps keeps the contract, and a fault between any two steps is healed by doing it again."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import Message
from shared.clock import ManualClock
from shared.errors import TransientError
from shared.events.envelope import Event
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit
from tests.builders import CLOSE
from tests.contract.orderings import ORDERINGS
from tests.contract.settlement import (
    EVERYTHING,
    NOTHING,
    OPINION,
    OTHER_OPINION,
    TOPOLOGY,
    Parts,
    SettlementContract,
    outcome,
    redo,
)

POINTS = (
    "before commit",
    "after commit",
    "before append",
    "after append",
    "before publish",
    "halfway",
    "after publish",
)


class CrashError(Exception):
    """The process dies here."""


@dataclass
class Faults:
    """Where the next fault is, and how it shows; each happens once."""

    point: str = ""
    error: type[Exception] = CrashError
    met: list[str] = field(default_factory=list)

    def at(self, point: str) -> None:
        """Fail if this is the point."""
        if point == self.point:
            self.point = ""
            self.met.append(point)
            raise self.error(point)


class FaultyStore(InMemoryEventStore):
    """A store that fails just before or just after it has done something."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    async def commit(self, commit: Commit) -> None:
        self._faults.at("before commit")
        await super().commit(commit)
        self._faults.at("after commit")

    async def append(self, events: Sequence[Event]) -> list[Event]:
        self._faults.at("before append")
        fresh = await super().append(events)
        self._faults.at("after append")
        return fresh


class FaultyBus(InMemoryEventBus):
    """A bus that fails before, after, or in the middle of a batch."""

    def __init__(self, faults: Faults, clock: ManualClock) -> None:
        super().__init__(TOPOLOGY, clock)
        self._faults = faults

    async def publish(self, messages: Sequence[Message]) -> None:
        self._faults.at("before publish")
        await super().publish(messages[:1])
        self._faults.at("halfway")
        await super().publish(messages[1:])
        self._faults.at("after publish")


def a_faulty_desk(faults: Faults) -> Parts:
    """Give an empty desk that fails where it is told to."""
    clock = ManualClock(CLOSE)
    store, bus = FaultyStore(faults), FaultyBus(faults, clock)
    return Parts(store, bus, StepwiseSettlement(store, bus), clock)


class TestStepwiseSettlement(SettlementContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Parts]:
        clock = ManualClock(CLOSE)
        store, bus = InMemoryEventStore(), InMemoryEventBus(TOPOLOGY, clock)
        yield Parts(store, bus, StepwiseSettlement(store, bus), clock)


@pytest.mark.parametrize("error", [CrashError, TransientError])
@pytest.mark.parametrize("point", POINTS)
async def test_decision_when_interrupted_and_done_again_is_settled(point: str, error: type[Exception]) -> None:
    faults = Faults(point, error)
    parts = a_faulty_desk(faults)
    with pytest.raises(error, match=point):
        await redo(parts)
    fresh = await redo(parts)
    assert fresh == ([] if POINTS.index(point) > POINTS.index("before append") else [OPINION, OTHER_OPINION])
    assert await outcome(parts) == EVERYTHING


async def test_decision_when_interrupted_before_the_commit_has_left_nothing() -> None:
    parts = a_faulty_desk(Faults("before commit"))
    with pytest.raises(CrashError):
        await redo(parts)
    assert await outcome(parts) == NOTHING


@ORDERINGS
@given(points=st.lists(st.sampled_from(POINTS), max_size=8))
async def test_decision_when_interrupted_again_and_again_is_settled_once(points: list[str]) -> None:
    faults = Faults()
    parts = a_faulty_desk(faults)
    for point in points:
        faults.point = point
        try:
            await redo(parts)
        except CrashError:
            assert faults.met[-1] == point
    faults.point = ""
    await redo(parts)
    assert await outcome(parts) == EVERYTHING
