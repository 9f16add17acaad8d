"""What the desk needs of a place to keep keys."""

from typing import Protocol

from shared.callers.key import Key


class KeyRing(Protocol):
    """Keeps keys for all hosts of a desk. Every method may raise `TransientError`."""

    async def add(self, key: Key) -> None:
        """Keep a key."""
        ...

    async def keys(self) -> list[Key]:
        """Give all keys, oldest first."""
        ...

    async def revoke(self, key_id: str) -> None:
        """Forget a key; what it is used for is refused within seconds.

        Raises
        ------
        MissingError
            There is none with this id.
        """
        ...
