"""What was done to keys, as events.

Keys are made and revoked at a command line, which may not write to the log of a desk that a host has open. The ring
keeps when each was made and revoked; a host tells its log of it. So nothing is lost however either is stopped.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime

from shared.callers.caller import LOCAL
from shared.callers.key import Key
from shared.callers.port import KeyRing
from shared.clock import Clock
from shared.events.change import Change, ChangeMade, stream_of
from shared.events.envelope import derive_id


class KeyHistory:
    """Tells a desk's log of its keys.

    Parameters
    ----------
    emit : callable
        Stores events, and those that are there already not again.
    """

    def __init__(self, ring: KeyRing, emit: Callable[[Sequence[ChangeMade]], Awaitable[object]], clock: Clock) -> None:
        self._ring = ring
        self._emit = emit
        self._clock = clock
        self._told: set[str] = set()

    async def tell(self) -> None:
        """Store what this process has not told of yet.

        Raises
        ------
        TransientError
            Keys cannot be read, or events not stored: tell again.
        """
        events = [event for key in await self._ring.keys() for event in self._events(key) if event.id not in self._told]
        if events:
            await self._emit(events)
            self._told.update(event.id for event in events)

    def _events(self, key: Key) -> Iterator[ChangeMade]:
        yield self._event(key, "finagent keys create", key.created_at)
        if key.revoked_at is not None:
            yield self._event(key, "finagent keys revoke", key.revoked_at)

    def _event(self, key: Key, action: str, at: datetime) -> ChangeMade:
        return ChangeMade.first(
            id=derive_id(ChangeMade.name(), action, key.id),
            source="keys",
            stream=stream_of(key.owner),
            time=self._clock.now(),
            owner=key.owner,
            data=Change(caller=LOCAL.id, action=action, made=f"key:{key.id}", at=at),
        )
