"""What a replay is given of a log: the events that came from outside, in the order of their times.

What agents concluded is left out, for they are to conclude it again.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import batched
from pathlib import Path

from shared.errors import InvalidError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.step import StepFailed
from shared.events.trade import OpinionGraded
from shared.store.port import ALL, EventStore, Filter

PAGE = 500


async def stored(store: EventStore, wanted: Filter = ALL) -> AsyncIterator[Sequence[Event]]:
    """Give what came from outside of a store's log."""
    found, cursor = list[Event](), ""
    while (page := await store.page(wanted, cursor, PAGE)).events:
        found += filter(is_from_outside, map(decode, page.events))
        cursor = page.cursor
    for part in batched(sorted(found, key=_time), PAGE, strict=False):
        yield part


async def written(path: Path) -> AsyncIterator[Sequence[Event]]:
    """Give what came from outside of a log that `finagent export` wrote.

    Raises
    ------
    InvalidError
        The file cannot be read, or a line of it is no event; nothing was given then. The line is named.
    """
    for part in batched(sorted(filter(is_from_outside, _read(path)), key=_time), PAGE, strict=False):
        yield part


def is_from_outside(event: Event) -> bool:
    """Say whether nothing in the log led to an event, so that a replay must be told of it."""
    return event.causationid is None and not isinstance(event, StepFailed | OpinionGraded)


def _read(path: Path) -> list[Event]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise InvalidError(f"{path}: cannot be read: {error.strerror}") from error
    return [_event(path, number, line) for number, line in enumerate(lines, start=1)]


def _event(path: Path, number: int, line: bytes) -> Event:
    if not line.endswith(b"\n"):
        raise InvalidError(f"{path} line {number}: has no end; the file was cut off")
    try:
        return decode(line)
    except InvalidError as error:
        raise InvalidError(f"{path} line {number}: {error}") from error


def _time(event: Event) -> datetime:
    return event.time
