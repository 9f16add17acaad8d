"""Settlement in one SQLite transaction, where store and bus live in the same file: all of it happens or nothing."""

import sqlite3
from collections.abc import Sequence

from shared.bus.port import message_for
from shared.bus.queue import Entry
from shared.bus.sqlite import SqliteEventBus
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.sqlite import Database
from shared.store.port import Commit
from shared.store.sqlite import SqliteEventStore

type _Settled = tuple[list[Event], list[tuple[str, Entry]]]


class SqliteSettlement:
    """Commit, append and publish as one unit of work."""

    def __init__(self, database: Database, store: SqliteEventStore, bus: SqliteEventBus) -> None:
        self._database = database
        self._store = store
        self._bus = bus

    async def settle(self, commit: Commit | None, outputs: Sequence[Emit]) -> list[Event]:
        """Make a decision durable and its outputs known."""
        fresh, routed = await self._database.write(
            lambda connection: self._settle_in(connection, commit, outputs), then=self._announce
        )
        self._bus.charge(routed)
        return fresh

    def _settle_in(self, connection: sqlite3.Connection, commit: Commit | None, outputs: Sequence[Emit]) -> _Settled:
        if commit is not None:
            self._store.commit_in(connection, commit)
        fresh = self._store.append_in(connection, [output.event for output in outputs if output.deliver_at is None])
        new = {event.id for event in fresh}
        messages = [
            message_for(output.event, deliver_at=output.deliver_at)
            for output in outputs
            if output.deliver_at is not None or output.event.id in new
        ]
        return fresh, self._bus.publish_in(connection, messages)

    def _announce(self, settled: _Settled) -> None:
        fresh, routed = settled
        self._bus.hand_over(routed)
        self._store.announce(fresh)
