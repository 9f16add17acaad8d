"""The contract of the key ring: what is added is there, what is revoked is not, and no key can be got out of it."""

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

from shared.callers.caller import Role
from shared.callers.key import new_key
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

    async def test_key_when_it_is_revoked_is_gone_and_no_other(self) -> None:
        async with self.opened() as ring:
            (first, _), (second, _) = [new_key("alice", BOTH, NOW) for _ in range(2)]
            await ring.add(first)
            await ring.add(second)
            await ring.revoke(first.id)
            assert await ring.keys() == [second]
            with pytest.raises(MissingError, match=first.id):
                await ring.revoke(first.id)
