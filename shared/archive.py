"""The log as lines of JSON: written out to be kept, and read back into an empty desk.

Nothing is published: what is read back is history, which no agent may answer. The sweep takes what lies in a log for
history as long as it has never swept it, so a desk that was swept is refused.
"""

from collections.abc import Iterator
from itertools import batched, count
from typing import BinaryIO, NamedTuple

from shared.errors import InvalidError
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.store.port import ALL, EventStore
from shared.sweep import NAME, STREAM

_PAGE = 200
LONGEST_LINE_BYTES = 4_000_000
"""Twice what any store takes as one event: so much of a file without line ends is read, and no more."""


class Restored(NamedTuple):
    """How many events a file had, and how many of them were not in the log yet."""

    read: int
    fresh: int


async def export_log(store: EventStore, file: BinaryIO) -> int:
    """Write the live desk's events, one a line, as they are stored and in the order of the log, and give their number.

    Notes
    -----
    What is appended meanwhile may be in it. Events of replays, snapshots and receipts are not.
    """
    written, cursor = 0, ""
    while (page := await store.page(ALL, cursor, _PAGE)).events:
        file.writelines(body + b"\n" for body in page.events)
        written, cursor = written + len(page.events), page.cursor
    return written


async def import_log(store: EventStore, file: BinaryIO) -> Restored:
    """Append the events of a file's lines to a log that no host has worked on; done again, it adds what is missing.

    Raises
    ------
    InvalidError
        A line is no event, or its id has other content in the log: the line is named, all before it are kept, and
        none after it is read. Or the desk was swept, and would take the events for work.
    """
    read = fresh = 0
    for lines in batched(_lines(file), _PAGE, strict=False):
        if await store.snapshot(NAME, STREAM) is not None:
            raise InvalidError("import: a host has run on this desk and would answer history; import into a new one")
        events, wrong = _events(lines)
        added = await store.append([event for _, event in events])
        await _compare(store, events, {event.json_bytes for event in added})
        if wrong is not None:
            raise wrong
        read, fresh = read + len(events), fresh + len(added)
    return Restored(read, fresh)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number in count(1):
        line = file.readline(LONGEST_LINE_BYTES)
        if not line:
            return
        yield number, line
        if not line.endswith(b"\n"):
            return


def _events(lines: tuple[tuple[int, bytes], ...]) -> tuple[list[tuple[int, Event]], InvalidError | None]:
    # A line that ends the reading is given beside the events before it, which are kept.
    events = list[tuple[int, Event]]()
    for number, line in lines:
        if not line.endswith(b"\n"):
            return events, InvalidError(f"line {number}: has no end; the file was cut off, or the line is too long")
        try:
            events.append((number, decode(line)))
        except InvalidError as error:
            return events, InvalidError(f"line {number}: {error}")
    return events, None


async def _compare(store: EventStore, events: list[tuple[int, Event]], fresh: set[bytes]) -> None:
    for number, event in events:
        if event.json_bytes in fresh:
            continue
        kept = await store.get(event.id, event.stream)
        if kept is None or decode(kept) != event:
            raise InvalidError(f"line {number}: the log has another event with the id {event.id}")
