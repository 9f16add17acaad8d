"""Reading the log in Cosmos page by page, and waiting for more of it."""

import asyncio
from collections import deque
from collections.abc import Iterable

from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import EVENTS
from shared.store.cosmos_cursor import Mark, join, read_cursor, within, write_cursor
from shared.store.cosmos_feed import Change, CosmosFeed, behind, unread
from shared.store.cosmos_tail import CosmosTail
from shared.store.port import Filter, Page

_FILTERED_PAGE = 200
"""Changes that are read at once where only some of them are wanted."""


class CosmosReader:
    """Gives pages of the log: within a stream in order, across streams complete.

    Parameters
    ----------
    pause_seconds : float
        How soon those who wait, or go on where the log ended, see what another process appended.
    """

    def __init__(self, account: CosmosAccount, pause_seconds: float) -> None:
        self._account = account
        self._feed = CosmosFeed(account)
        self._tail = CosmosTail(self._feed, pause_seconds)
        self._pause_seconds = pause_seconds
        self._appended = asyncio.Event()

    def announce(self) -> None:
        """Wake those who wait: this process has appended something."""
        self._tail.announce()
        self._appended.set()
        self._appended = asyncio.Event()

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Give up to `limit` events after the cursor."""
        log = await self._account.rid(EVENTS)
        marks = read_cursor(log, after)
        if (kept := await self._tail.page(marks, lambda change: _matches(change, wanted), limit)) is not None:
            events, marks = [change["body"].encode() for change in kept[0]], kept[1]
        elif wanted.stream:
            events, marks = await self._read_stream(marks, wanted, limit)
        else:
            events, marks, _ = await self._read(marks, wanted, limit)
        return Page(events, write_cursor(log, marks))

    async def end(self) -> str:
        """Give the cursor behind the last event."""
        return write_cursor(await self._account.rid(EVENTS), await self._tail.catch_up(anew=True))

    async def wait(self, after: str, seconds: float) -> None:
        """Return when there may be an event after the cursor, or when the time is up."""
        marks = join(read_cursor(await self._account.rid(EVENTS), after))
        try:
            async with asyncio.timeout(seconds):
                # A position that is not held may lie beyond the end that is known here: another process gave it.
                while marks == await self._tail.catch_up(anew=not self._tail.holds(marks)):
                    await self._pause()
        except TimeoutError:
            return

    async def _pause(self) -> None:
        appended = self._appended
        try:
            async with asyncio.timeout(self._pause_seconds):
                await appended.wait()
        except TimeoutError:
            return

    async def _read_stream(
        self, marks: tuple[Mark, ...], wanted: Filter, limit: int
    ) -> tuple[list[bytes], tuple[Mark, ...]]:
        end = await self._tail.catch_up()
        low, high = await self._feed.range_of(wanted.stream)
        inside, outside = within(marks, low, high)
        events, inside_then, is_all = await self._read(inside, wanted, limit)
        if is_all:
            # Nothing elsewhere can be of this stream, so all that was there before is searched too.
            _, outside = within(end, low, high)
        return events, (*inside_then, *outside)

    async def _read(
        self, marks: Iterable[Mark], wanted: Filter, limit: int
    ) -> tuple[list[bytes], tuple[Mark, ...], bool]:
        left, finished, found = deque(marks), list[Mark](), list[bytes]()
        while left and len(found) < limit:
            # No range may keep the others waiting, however fast it grows.
            share = -(-(limit - len(found)) // len(left))
            mark = left.popleft()
            is_filtered = bool(wanted.types or wanted.correlation or wanted.audiences)
            changes, marks_behind, source = await self._feed.read(mark, max(share, _FILTERED_PAGE * is_filtered))
            if not changes:
                finished.extend(marks_behind)
                continue
            events, last = _take(unread(changes, mark), wanted, share)
            found.extend(events)
            left.extend(marks_behind[:-1])
            left.append(marks_behind[-1] if last in (None, changes[-1]) else behind(last, changes, source))
        return found, (*finished, *left), not left


def _take(changes: list[Change], wanted: Filter, most: int) -> tuple[list[bytes], Change | None]:
    # Also gives the change after which it had enough, if it did.
    found = list[bytes]()
    for change in changes:
        if _matches(change, wanted):
            found.append(change["body"].encode())
            if len(found) == most:
                return found, change
    return found, None


def _matches(change: Change, wanted: Filter) -> bool:
    return (
        change["run"] == wanted.run
        and (not wanted.types or change["type"] in wanted.types)
        and (not wanted.stream or change["stream"] == wanted.stream)
        and (not wanted.correlation or change["correlation"] == wanted.correlation)
        and (not wanted.audiences or change["audience"] in wanted.audiences)
    )
