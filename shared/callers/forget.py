"""Forgetting an owner's keys."""

from contextlib import suppress

from shared.callers.port import KeyRing
from shared.errors import MissingError


class KeyHolder:
    """A `Holder` of keys, in whatever ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Revoke the owner's keys."""
        theirs = [key for key in await self._ring.keys() if key.owner == owner]
        for key in () if is_trial else theirs:
            with suppress(MissingError):
                await self._ring.revoke(key.id)
        return {"keys": len(theirs)}
