"""Keys after they were made: told of once by a process, counted when their owner is forgotten, and proving nothing."""

from collections.abc import Sequence
from dataclasses import replace

from shared.callers.caller import Role
from shared.callers.forget import KeyHolder
from shared.callers.history import KeyHistory
from shared.callers.in_memory import InMemoryKeyRing
from shared.callers.key import is_proven, new_key
from shared.clock import ManualClock
from shared.events.change import ChangeMade
from tests.builders import CLOSE, DAY

READER = frozenset({Role.READER})


async def test_history_when_it_was_told_is_not_stored_again() -> None:
    ring, emitted = InMemoryKeyRing(), list[ChangeMade]()

    async def emit(events: Sequence[ChangeMade]) -> None:
        assert events
        emitted.extend(events)

    (mine, _), (own, _) = [
        new_key(owner, roles, CLOSE) for owner, roles in (("alice", READER), (None, frozenset(Role)))
    ]
    for key in (mine, own):
        await ring.add(key)
    history = KeyHistory(ring, emit, ManualClock(CLOSE + DAY))
    for _ in range(2):
        await history.tell()
    assert {(event.stream, event.owner) for event in emitted} == {("audit:alice", "alice"), ("audit", None)}
    await ring.revoke(mine.id, CLOSE + DAY)
    for _ in range(2):
        await history.tell()
    assert [event.data.action for event in emitted] == ["finagent keys create"] * 2 + ["finagent keys revoke"]


async def test_owner_when_asked_about_has_the_keys_that_were_revoked_too() -> None:
    ring, (first, second) = InMemoryKeyRing(), [new_key("alice", READER, CLOSE)[0] for _ in range(2)]
    for key in (first, second):
        await ring.add(key)
    await ring.revoke(first.id, CLOSE)
    assert await KeyHolder(ring).forget("alice", is_trial=True) == {"keys": 2}
    assert await KeyHolder(ring).forget("alice", is_trial=False) == {"keys": 2}
    assert await ring.keys() == []


def test_key_when_it_is_revoked_proves_nothing_even_where_its_digest_was_left() -> None:
    key, text = new_key("alice", READER, CLOSE)
    assert is_proven(text, key)
    assert not is_proven(text, replace(key, revoked_at=CLOSE))
