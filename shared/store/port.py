"""What the desk needs of an event store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.events.emit import Emit
from shared.events.envelope import Event


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An agent's state in one stream, as it was last committed.

    Attributes
    ----------
    body : bytes
        The state's JSON.
    etag : str
        Names this version; a commit on top of another one is refused.
    """

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Commit:
    """An agent's decision on one event, to be stored in one piece.

    Attributes
    ----------
    state : bytes or None
        The next snapshot; None when it did not change.
    etag : str or None
        Version of the snapshot that the decision was made on; None when there was none.
    outputs : tuple of Emit
        What it emits; kept in the receipt, so that a crash after the commit cannot lose it.
    """

    agent: str
    stream: str
    event_id: str
    state: bytes | None
    etag: str | None
    outputs: tuple[Emit, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a reader wants; empty fields want all. Only events of `run` are ever given.

    Attributes
    ----------
    audiences : tuple of str
        As a caller's `audiences`; the desk itself, and operators, read what is for any.
    """

    types: tuple[str, ...] = ()
    stream: str = ""
    correlation: str = ""
    run: str = ""
    audiences: tuple[str, ...] = ()

    def matches(self, event: Event) -> bool:
        """Say whether the reader wants an event."""
        return (
            event.run == self.run
            and (not self.types or event.type in self.types)
            and (not self.stream or event.stream == self.stream)
            and (not self.correlation or event.correlationid == self.correlation)
            and (not self.audiences or event.audience in self.audiences)
        )


ALL = Filter()
"""Every event of the live desk."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of the log, as stored JSON, and the cursor that continues after them."""

    events: list[bytes] = field(default_factory=list)
    cursor: str = ""


class EventStore(Protocol):
    """The log and what agents keep. Every method may raise `TransientError`."""

    async def check(self) -> None:
        """Return when the store can be written to; whoever asks changes nothing by it.

        Raises
        ------
        TransientError
            It cannot.
        """
        ...

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add events to the log and give those that were not in it yet; one that exists is never changed."""
        ...

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        """Give an event's stored JSON; in `stream` alone where one is named, which spares a store the search for it."""
        ...

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Give up to `limit` events that come after the cursor `after` (empty: from the beginning).

        Raises
        ------
        InvalidError
            The cursor is malformed.
        MissingError
            The cursor belongs to another log: that one was deleted or replaced.
        """
        ...

    async def newest(self, wanted: Filter, limit: int) -> Page:
        """Give the last `limit` events that are wanted, in the order of the log, and the cursor behind all there is.

        An event that is appended at that moment may be on the page and behind its cursor.
        """
        ...

    async def end(self) -> str:
        """Give the cursor behind the last event."""
        ...

    async def wait(self, after: str, seconds: float, wanted: Filter = ALL) -> None:
        """Return when an event that is wanted may have come after the cursor `after`, or when the time is up."""
        ...

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Give the newest event of one type in a stream that happened not after `as_of` (desk time)."""
        ...

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        """Give an agent's state in a stream."""
        ...

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        """Give what the agent emitted on the event, or None when it has not handled it."""
        ...

    async def handled(self, agents: Collection[str], stream: str, event_id: str) -> set[str]:
        """Give which of these agents have a receipt for the event: one question for all of them."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Store snapshot and receipt together.

        Raises
        ------
        ConflictError
            The snapshot changed since it was read, or the receipt is there already; nothing was stored.
        """
        ...
