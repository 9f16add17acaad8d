"""Blocking work beside the loop that can be abandoned: nothing waits for it.

`asyncio.to_thread` shares a few threads with the whole program, and the process does not end before they are done; a
vendor who answers one byte a second would hold both.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import BoundedSemaphore, Thread

from shared.errors import TransientError


class Abandonable:
    """Runs functions in threads of their own.

    Parameters
    ----------
    most : int
        How many may run, abandoned ones included.
    seconds : float
        After so long the caller goes on without the answer.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._free = BoundedSemaphore(most)
        self._seconds = seconds

    async def run[T](self, work: Callable[[], T]) -> T:
        """Give what `work` returns.

        Raises
        ------
        TransientError
            It takes too long, or too many that did are still under way.
        """
        if not self._free.acquire(blocking=False):
            raise TransientError("Alpaca is busy or away: too many requests without an answer are still open")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        context = copy_context()
        Thread(target=context.run, args=(self._fulfil, future, work), name="alpaca", daemon=True).start()
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise TransientError(f"Alpaca is busy or away: no answer within {self._seconds:g} s") from error

    def _fulfil[T](self, future: Future[T], work: Callable[[], T]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - the caller's to raise
            self._free.release()
            future.set_exception(error)
        else:
            self._free.release()
            future.set_result(result)
