"""Forgetting an owner's keys."""

from shared.callers.port import KeyRing


class KeyHolder:
    """A `Holder` of keys, in whatever ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Delete the owner's keys."""
        theirs = [key for key in await self._ring.keys() if key.owner == owner]
        if not is_trial:
            await self._ring.forget(owner)
        return {"keys": len(theirs)}
