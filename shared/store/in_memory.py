"""The event store in memory: for replays and tests."""

import asyncio
import secrets
from bisect import bisect_right, insort_right
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter

from shared.errors import ConflictError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.store.cursor import read_cursor, write_cursor
from shared.store.port import ALL, Commit, Filter, Page, Snapshot

_time = attrgetter("time")


class InMemoryEventStore:
    """An `EventStore` that lives as long as the process."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(4)
        self._log: list[Event] = []
        self._by_id: dict[str, Event] = {}
        self._by_time: dict[tuple[str, str], list[Event]] = {}
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._receipts: dict[tuple[str, str, str], tuple[Emit, ...]] = {}
        self._appended = asyncio.Event()

    async def check(self) -> None:
        """Return at once: memory can be written to."""

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add what is new to the log and give it."""
        fresh: list[Event] = []
        for event in events:
            if event.id not in self._by_id:
                self._by_id[event.id] = event
                insort_right(self._by_time.setdefault((event.stream, event.type), []), event, key=_time)
                fresh.append(event)
        self._log.extend(fresh)
        self._appended.set()
        self._appended = asyncio.Event()
        return fresh

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        """Give an event's JSON."""
        event = self._by_id.get(event_id)
        return None if event is None or stream not in (None, event.stream) else event.json_bytes

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Give up to `limit` events after the cursor."""
        position, found = read_cursor(self._name, after), list[bytes]()
        while position < len(self._log) and len(found) < limit:
            event = self._log[position]
            position += 1
            if wanted.matches(event):
                found.append(event.json_bytes)
        return Page(found, write_cursor(self._name, position))

    async def newest(self, wanted: Filter, limit: int) -> Page:
        """Give the last `limit` events that are wanted."""
        found = list(islice((event.json_bytes for event in reversed(self._log) if wanted.matches(event)), limit))
        return Page(found[::-1], await self.end())

    async def end(self) -> str:
        """Give the cursor behind the last event."""
        return write_cursor(self._name, len(self._log))

    async def wait(self, after: str, seconds: float, wanted: Filter = ALL) -> None:
        """Return when there is an event after the cursor, or when the time is up."""
        appended = self._appended
        if read_cursor(self._name, after) >= len(self._log):
            await _wait(appended, seconds)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Give the newest event of a type in a stream as of a moment."""
        happened = self._by_time.get((stream, kind), [])
        place = bisect_right(happened, as_of, key=_time)
        return happened[place - 1].json_bytes if place else None

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        """Give an agent's state in a stream."""
        return self._snapshots.get((agent, stream))

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        """Give what the agent emitted on the event, or None."""
        return self._receipts.get((agent, stream, event_id))

    async def handled(self, agents: Collection[str], stream: str, event_id: str) -> set[str]:
        """Give which of these agents have a receipt."""
        return {agent for agent in agents if (agent, stream, event_id) in self._receipts}

    async def commit(self, commit: Commit) -> None:
        """Store snapshot and receipt together, or nothing."""
        home, receipt = (commit.agent, commit.stream), (commit.agent, commit.stream, commit.event_id)
        if receipt in self._receipts:
            raise ConflictError(f"{commit.agent} has handled {commit.event_id} already")
        if commit.state is not None:
            self._replace(home, commit.state, commit.etag)
        self._receipts[receipt] = commit.outputs

    def _replace(self, home: tuple[str, str], body: bytes, etag: str | None) -> None:
        current = self._snapshots.get(home)
        if (current and current.etag) != etag:
            raise ConflictError(f"the snapshot of {home[0]} in {home[1]} has changed")
        self._snapshots[home] = Snapshot(body, str(int(etag or 0) + 1))


async def _wait(appended: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await appended.wait()
    except TimeoutError:
        return
