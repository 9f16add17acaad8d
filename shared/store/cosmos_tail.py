"""The newest events of the log, read once by this process and kept for all its readers who follow the log.

Who follows asks again and again for what came after a cursor that points to nearly the end. One read of the change feed
then serves them all. Each range of the log is a chain of marks; a cursor is served if its mark in every range is in the
chain. Whoever is further back, or in a range that was split, reads Cosmos by itself until it has caught up.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from shared.store.cosmos_cursor import Mark, join
from shared.store.cosmos_feed import Change, CosmosFeed

_PAGE = 200
"""Changes that are read at once from a range."""
_FORGOTTEN_SECONDS = 60
"""After which a tail that nobody asked for is not read on, however much came since, but begun anew at the end."""
_STEP_BYTES = 1_000
"""What a step weighs beside its event."""


@dataclass(frozen=True, slots=True)
class _Step:
    """From one mark of a range to the next; the change between them, if any."""

    before: Mark
    after: Mark
    change: Change | None

    @property
    def weight(self) -> int:
        """Give about how many bytes it keeps."""
        return _STEP_BYTES + (len(self.change["body"]) if self.change else 0)


class CosmosTail:
    """A bounded piece of the log that ends where this process has read it to.

    Parameters
    ----------
    pause_seconds : float
        How old the end may be for those who need not know of what another process has just appended.
    most_bytes : int
        How much is kept, about; what is older is let go.
    """

    def __init__(self, feed: CosmosFeed, pause_seconds: float, most_bytes: int = 8_000_000) -> None:
        self._feed = feed
        self._pause_seconds = pause_seconds
        self._most_bytes = most_bytes
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._appended = self._seen = 0
        self._begin_at(())

    def announce(self) -> None:
        """Take note that this process has appended something: the end is not where it was."""
        self._appended += 1

    async def catch_up(self, *, anew: bool = False) -> tuple[Mark, ...]:
        """Give the end of the log, as it was a moment ago or, `anew`, at this call or later."""
        age = 0.0 if anew else self._pause_seconds
        since, appended = asyncio.get_running_loop().time() - age, self._appended
        async with self._looking:
            while not self._is_seen(since, appended):
                await self._look()
            return self.end

    @property
    def end(self) -> tuple[Mark, ...]:
        """How far the log was read."""
        return join(self._ends.values())

    def holds(self, marks: tuple[Mark, ...]) -> bool:
        """Whether all that came after a position, up to the end, is here."""
        return self._placed(marks) is not None

    async def page(
        self, marks: tuple[Mark, ...], wants: Callable[[Change], bool], limit: int
    ) -> tuple[list[Change], tuple[Mark, ...]] | None:
        """Give up to `limit` changes that came after a position and the position behind; None if not all are here."""
        since, appended = asyncio.get_running_loop().time() - self._pause_seconds, self._appended
        while (found := self._kept(marks, wants, limit)) is not None:
            if len(found[0]) == limit or self._is_seen(since, appended):
                break
            async with self._looking:
                if not self._is_seen(since, appended):
                    await self._look()
        return found

    def _is_seen(self, since: float, appended: int) -> bool:
        return self._looked_at >= since and self._seen >= appended

    async def _look(self) -> None:
        """Read one page of each range; the end is seen when none was full."""
        at, appended = asyncio.get_running_loop().time(), self._appended
        if at - self._looked_at > _FORGOTTEN_SECONDS:
            self._begin_at(await self._feed.end())
        elif not all([await self._read_on(mark) for mark in tuple(self._ends.values())]):
            return
        self._looked_at, self._seen = at, appended

    async def _read_on(self, mark: Mark) -> bool:
        """Read a page of a range, and say whether that was all there is."""
        changes, behind, _ = await self._feed.read(mark, _PAGE)
        if [(part.low, part.high) for part in behind] != [(mark.low, mark.high)]:
            others = [end for end in self._ends.values() if end is not mark]
            self._begin_at((*others, *behind))
        else:
            self._add(mark, changes, behind[0])
        return len(changes) < _PAGE

    def _add(self, mark: Mark, changes: list[Change], end: Mark) -> None:
        before = mark
        for place, change in enumerate(changes):
            lsn = change["_lsn"]
            given = before.given + 1 if before.lsn == lsn else 1
            after = end if place == len(changes) - 1 else replace(mark, lsn=lsn, given=given)
            self._step(_Step(before, after, change))
            before = after
        if not changes and end != mark:
            self._step(_Step(mark, end, None))
        self._trim()

    def _step(self, step: _Step) -> None:
        self._steps.append(step)
        self._bytes += step.weight
        self._places[step.after] = self._first + len(self._steps)
        self._ends[step.after.low] = step.after

    def _trim(self) -> None:
        while self._bytes > self._most_bytes:
            step = self._steps.popleft()
            self._first += 1
            self._bytes -= step.weight
            self._places.pop(step.before, None)

    def _begin_at(self, marks: tuple[Mark, ...]) -> None:
        self._steps, self._first, self._bytes = deque[_Step](), 0, 0
        self._ends = {mark.low: mark for mark in marks}
        # Of a mark, the number of the step that comes next; valid for its own range.
        self._places = dict.fromkeys(marks, 0)

    def _placed(self, marks: tuple[Mark, ...]) -> dict[str, Mark] | None:
        """Give the position in each range of the tail, or None if it is not one that is held."""
        placed = dict[str, Mark]()
        for low, end in self._ends.items():
            mark = next((mark for mark in marks if mark.low <= low and end.high <= mark.high), None)
            if mark is None or (part := replace(mark, low=low, high=end.high)) not in self._places:
                return None
            placed[low] = part
        return placed or None

    def _kept(
        self, marks: tuple[Mark, ...], wants: Callable[[Change], bool], limit: int
    ) -> tuple[list[Change], tuple[Mark, ...]] | None:
        at = self._placed(marks)
        if at is None:
            return None
        starts = {low: self._places[mark] for low, mark in at.items()}
        first, found = max(self._first, min(starts.values())), list[Change]()
        for number, step in enumerate(islice(self._steps, first - self._first, None), first):
            if number < starts[step.after.low]:
                continue
            at[step.after.low] = step.after
            if step.change is not None and wants(step.change):
                found.append(step.change)
                if len(found) == limit:
                    break
        return found, tuple(at.values())
