"""Settlement in three steps, for a store and a bus that share no transaction.

The commit makes the decision; if the process dies after it, the receipt is found at redelivery and the rest is done
again.
"""

from collections.abc import Sequence

from shared.bus.port import EventBus, message_for
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.store.port import Commit, EventStore


class StepwiseSettlement:
    """Commit, then append, then publish."""

    def __init__(self, store: EventStore, bus: EventBus) -> None:
        self._store = store
        self._bus = bus

    async def settle(self, commit: Commit | None, outputs: Sequence[Emit]) -> list[Event]:
        """Make a decision durable and its outputs known."""
        if commit is not None:
            await self._store.commit(commit)
        happened = [output.event for output in outputs if output.deliver_at is None]
        fresh = await self._store.append(happened) if happened else []
        if outputs:
            await self._bus.publish([message_for(output.event, deliver_at=output.deliver_at) for output in outputs])
        return fresh
