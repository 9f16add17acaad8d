"""From the event loop to a thread and back: mem0 knows only calls that block, the desk's clients only the loop."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

_LOOP: ContextVar[AbstractEventLoop] = ContextVar("loop")


async def in_thread[**P, T](work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Let blocking work run in a thread; in it, `on_loop` leads back here."""
    _LOOP.set(asyncio.get_running_loop())
    return await asyncio.to_thread(work, *arguments, **named)


def on_loop[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop that this thread works for, and wait for it here."""
    return asyncio.run_coroutine_threadsafe(work, _LOOP.get()).result()
