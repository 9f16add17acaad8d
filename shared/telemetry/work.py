"""What is being worked on: told to every log record that is made on the way, and told of how it went."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["handled", "duplicate", "delayed", "failed"]


@dataclass(slots=True)
class Work:
    """What a task is about.

    Attributes
    ----------
    event, correlation, agent : str
        As the message says them; empty where it does not.
    trace : str
        The `traceparent` of its span; empty when telemetry is off.
    outcome : str
        How it went: a message whose receipt was there is a duplicate, one that was put off is delayed.
    """

    event: str
    correlation: str
    agent: str
    trace: str = ""
    outcome: Outcome = "handled"


_current: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def working(work: Work) -> Iterator[Work]:
    """Have what happens within, in tasks and threads too, be about `work`."""
    before = _current.set(work)
    try:
        yield work
    finally:
        _current.reset(before)


def current() -> Work | None:
    """Give what this task is about, or None."""
    return _current.get()


def note(outcome: Outcome) -> None:
    """Tell how the work of this task went."""
    if (work := _current.get()) is not None:
        work.outcome = outcome
