"""Renews the locks of the messages that a pump's functions are at work on, all in one go."""

import asyncio
from contextlib import suppress

from shared.bus.port import Delivery, Receiver
from shared.errors import FinAgentError

_ROUNDS_PER_LOCK = 3


class LockKeeper:
    """The locks that a pump holds.

    Parameters
    ----------
    lock_seconds : float
        How long the bus holds a lock that is not renewed.
    most_seconds : float
        How long a lock is renewed; then it runs out.
    """

    def __init__(self, receiver: Receiver, lock_seconds: float, most_seconds: float) -> None:
        self._receiver = receiver
        self._pause_seconds = lock_seconds / _ROUNDS_PER_LOCK
        self._most_seconds = most_seconds
        self._held: dict[str, tuple[Delivery, float]] = {}
        self._round: asyncio.Task[None] | None = None

    def hold(self, delivery: Delivery) -> None:
        """Renew this lock from now on."""
        loop = asyncio.get_running_loop()
        self._held[delivery.lock_token] = (delivery, loop.time() + self._most_seconds)
        if self._round is None:
            self._round = loop.create_task(self._keep())

    def drop(self, delivery: Delivery) -> None:
        """Renew it no longer."""
        self._held.pop(delivery.lock_token, None)

    async def _keep(self) -> None:
        while self._held:
            await asyncio.sleep(self._pause_seconds)
            now = asyncio.get_running_loop().time()
            for token, (delivery, until) in list(self._held.items()):
                if until <= now:
                    del self._held[token]
                else:
                    with suppress(FinAgentError):
                        await self._receiver.renew(delivery)
        self._round = None
