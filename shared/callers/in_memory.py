"""Keys in memory: for tests."""

from datetime import datetime

from shared.callers.key import Key
from shared.errors import MissingError


class InMemoryKeyRing:
    """A `KeyRing` that lives as long as the process."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    async def add(self, key: Key) -> None:
        """Keep a key."""
        self._keys[key.id] = key

    async def keys(self) -> list[Key]:
        """Give all keys, those that were revoked too, oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Let a key prove nothing any more."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            raise MissingError(f"there is no key {key_id}")
        self._keys[key_id] = key.revoked(now)

    async def forget(self, owner: str) -> None:
        """Delete all keys of an owner's."""
        self._keys = {key_id: key for key_id, key in self._keys.items() if key.owner != owner}
