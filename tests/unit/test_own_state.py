"""An agent's own snapshots: read, parsed once, and never another's."""

import pytest
from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Stateless
from shared.agents.own_state import OwnState
from shared.errors import InvalidError
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit


class Count(BaseModel):
    model_config = ConfigDict(frozen=True)

    number: int = 0


class Desk:
    """A log, and one agent's snapshots in it."""

    def __init__(self, model: type[BaseModel] = Count) -> None:
        self.store = InMemoryEventStore()
        self.own = OwnState(self.store, "counter", model)
        self.commits = 0

    async def commit(self, stream: str, body: bytes | None, *, agent: str = "counter") -> None:
        """Store a snapshot on top of what is there."""
        self.commits += 1
        known = await self.store.snapshot(agent, stream)
        etag = known.etag if known else None
        await self.store.commit(Commit(agent, stream, f"event-{self.commits}", body, etag, ()))


async def test_state_when_nothing_was_committed_is_that_before_the_first_event() -> None:
    assert await Desk().own.load("s") == (Count(), None)


async def test_state_when_read_again_is_not_parsed_again() -> None:
    desk = Desk()
    await desk.commit("s", b'{"number":1}')
    first = await desk.own.read("s")
    assert first == Count(number=1)
    assert await desk.own.read("s") is first


async def test_state_when_another_was_committed_is_the_other() -> None:
    desk = Desk()
    await desk.commit("s", b'{"number":1}')
    _, before = await desk.own.load("s")
    await desk.commit("s", b'{"number":2}')
    state, etag = await desk.own.load("s")
    assert state == Count(number=2)
    assert etag != before


async def test_state_when_it_was_dumped_but_not_committed_is_still_the_old_one() -> None:
    desk = Desk()
    await desk.commit("s", b'{"number":1}')
    assert desk.own.dump("s", Count(number=2)) == b'{"number":2}'
    assert await desk.own.read("s") == Count(number=1)


async def test_states_when_of_other_streams_and_agents_are_apart() -> None:
    desk = Desk()
    await desk.commit("s", b'{"number":1}')
    await desk.commit("t", b'{"number":2}')
    await desk.commit("u", b'{"number":3}', agent="another")
    assert [(await desk.own.read(stream)) for stream in "stu"] == [Count(number=1), Count(number=2), Count()]


async def test_states_when_they_are_more_than_are_kept_are_still_read() -> None:
    desk = Desk()
    for number in range(300):
        await desk.commit(f"s{number}", b'{"number":%d}' % number)
    for _ in range(2):
        assert [(await desk.own.read(f"s{number}")).model_dump() for number in range(300)] == [
            {"number": number} for number in range(300)
        ]


async def test_state_when_it_is_garbage_is_refused_each_time() -> None:
    desk = Desk()
    await desk.commit("s", b'{"number":"many"}')
    for _ in range(2):
        with pytest.raises(InvalidError, match=r"the snapshot of counter cannot be read: number"):
            await desk.own.read("s")


async def test_state_when_it_has_no_fields_is_neither_stored_nor_read() -> None:
    desk = Desk(Stateless)
    assert desk.own.dump("s", Stateless()) is None
    await desk.commit("s", b"garbage")
    assert await desk.own.load("s") == (Stateless(), None)
