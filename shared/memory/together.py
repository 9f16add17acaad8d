"""Work that costs less for many than for each: what comes while some is under way is done next, all at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shared.errors import TransientError


class Together[T]:
    """Does the work of whoever asks meanwhile in one go.

    Parameters
    ----------
    work : callable
        Does it for one or more items, all or none; may be asked again for what it did.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._work = work
        self._waiting: list[tuple[Sequence[T], asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    async def do(self, items: Sequence[T]) -> None:
        """Wait until the work is done for these items.

        Raises
        ------
        TransientError
            It could not be done for anybody now.
        Exception
            What the work raised for these items alone.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((items, done))
        if self._running is None:
            # A task of its own: whoever asked first may be cancelled, and the others would wait for ever.
            self._running = asyncio.create_task(self._run())
        await done

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._running is not None:
            await asyncio.shield(self._running)  # whoever waits here may be stopped; those that it works for are not

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._do(group)
        finally:
            self._running = None

    async def _do(self, group: Sequence[tuple[Sequence[T], asyncio.Future[None]]]) -> None:
        try:
            await self._work([item for items, _ in group for item in items])
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            if len(group) > 1 and not isinstance(error, TransientError):
                for each in group:  # alone, so that none suffers for another
                    await self._do([each])
            else:
                _tell(group, error)
        else:
            _tell(group, None)


def _tell(group: Sequence[tuple[Sequence[object], asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in group:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
