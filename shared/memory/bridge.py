"""From the event loop to a thread and back: mem0 knows only calls that block, the desk's clients only the loop."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any

_LOOP: ContextVar[AbstractEventLoop] = ContextVar("loop")
_THREADS = ThreadPoolExecutor(8, "memory")


async def in_thread[**P, T](work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Let blocking work run in a thread; in it, `on_loop` leads back here."""
    loop = asyncio.get_running_loop()
    _LOOP.set(loop)
    # Threads of its own: what the loop does for these needs others, as to resolve a name, and would wait for ever.
    return await loop.run_in_executor(_THREADS, partial(copy_context().run, work, *arguments, **named))


def on_loop[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop that this thread works for, and wait for it here."""
    return asyncio.run_coroutine_threadsafe(work, _LOOP.get()).result()
