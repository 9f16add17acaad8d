"""What the desk needs of a place to keep keys."""

from datetime import datetime
from typing import Protocol

from shared.callers.key import Key


class KeyRing(Protocol):
    """Keeps keys for all hosts of a desk. Every method may raise `TransientError`."""

    async def add(self, key: Key) -> None:
        """Keep a key."""
        ...

    async def keys(self) -> list[Key]:
        """Give all keys, those that were revoked too, oldest first."""
        ...

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Let a key prove nothing any more; what it is used for is refused within seconds.

        Raises
        ------
        MissingError
            There is none with this id, or it was revoked before.
        """
        ...

    async def forget(self, owner: str) -> None:
        """Delete all keys of an owner's, and that there were any."""
        ...
