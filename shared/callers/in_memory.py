"""Keys in memory: for tests."""

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
        """Give all keys, oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    async def revoke(self, key_id: str) -> None:
        """Forget a key."""
        if self._keys.pop(key_id, None) is None:
            raise MissingError(f"there is no key {key_id}")
