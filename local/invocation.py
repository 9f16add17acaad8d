"""What tells one invocation from another: its id, and the function's name, in every log record that it causes."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from uuid import uuid4

from shared.telemetry.work import current

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s%(invocation)s: %(message)s"

_current: ContextVar[tuple[str, str] | None] = ContextVar("invocation", default=None)


@contextmanager
def invocation(function_name: str) -> Iterator[str]:
    """Give the id of a new invocation, which what happens within is logged with, in tasks and threads too."""
    invocation_id = str(uuid4())
    before = _current.set((function_name, invocation_id))
    try:
        yield invocation_id
    finally:
        _current.reset(before)


class InvocationFilter(logging.Filter):
    """Gives each record that passes a handler `function_name` and `invocation_id`, empty outside an invocation.

    `invocation` is both as `LOG_FORMAT` shows them. What it is about (`event`, `correlation`, `agent`, `trace`) is
    added where whoever logs has not said so.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        name, invocation_id = _current.get() or ("", "")
        shown = f" [{name} {invocation_id}]" if name else ""
        if (work := current()) is not None:
            about = {"event": work.event, "correlation": work.correlation, "agent": work.agent, "trace": work.trace}
            record.__dict__.update(about | record.__dict__)
        record.__dict__.update(function_name=name, invocation_id=invocation_id, invocation=shown)
        return True


class InvocationThreads(ThreadPoolExecutor):
    """The threads of an event loop; what a task hands over with `run_in_executor` stays with its invocation."""

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run in a thread, in the context of the caller."""
        return super().submit(partial(copy_context().run, fn, *args, **kwargs))
