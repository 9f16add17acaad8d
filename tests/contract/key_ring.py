"""The contract of the key ring: what is added is there, what is revoked is not, and no key can be got out of it."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.callers.caller import Role
from shared.callers.key import is_proven, new_key
from shared.callers.port import KeyRing
from shared.errors import MissingError

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
BOTH = frozenset({Role.TRADER, Role.OPERATOR})


class KeyRingContract(ABC):
    """What holds for every `KeyRing`."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[KeyRing]:
        """Open an empty ring."""

    async def test_keys_when_none_was_added_are_none(self) -> None:
        async with self.opened() as ring:
            assert await ring.keys() == []

    async def test_keys_when_they_were_added_are_all_there_oldest_first(self) -> None:
        async with self.opened() as ring:
            keys = [new_key(owner, BOTH, NOW - timedelta(days=day))[0] for day, owner in enumerate(("a", "b", None))]
            for key in keys:
                await ring.add(key)
            assert await ring.keys() == keys[::-1]

    async def test_key_when_it_is_revoked_proves_nothing_and_is_known_to_have_been(self) -> None:
        async with self.opened() as ring:
            (first, text), (second, other) = [new_key("alice", BOTH, NOW - timedelta(days=day)) for day in (1, 0)]
            await ring.add(first)
            await ring.add(second)
            await ring.revoke(first.id, NOW)
            revoked, valid = await ring.keys()
            assert revoked == replace(first, digest="", revoked_at=NOW)
            assert valid == second
            assert (is_proven(text, first), is_proven(text, revoked), is_proven(other, valid)) == (True, False, True)

    async def test_key_when_it_is_revoked_again_or_was_never_there_is_missed(self) -> None:
        async with self.opened() as ring:
            key = new_key("alice", BOTH, NOW)[0]
            with pytest.raises(MissingError, match=key.id):
                await ring.revoke(key.id, NOW)
            await ring.add(key)
            await ring.revoke(key.id, NOW)
            with pytest.raises(MissingError, match=key.id):
                await ring.revoke(key.id, NOW + timedelta(days=1))
            assert [each.revoked_at for each in await ring.keys()] == [NOW]

    async def test_owner_when_forgotten_has_had_no_key_revoked_ones_neither(self) -> None:
        async with self.opened() as ring:
            mine, revoked, other, own = [new_key(owner, BOTH, NOW)[0] for owner in ("alice", "alice", "bob", None)]
            for key in (mine, revoked, other, own):
                await ring.add(key)
            await ring.revoke(revoked.id, NOW)
            await ring.forget("alice")
            await ring.forget("nobody")
            assert {key.id for key in await ring.keys()} == {other.id, own.id}
