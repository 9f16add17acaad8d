"""Forgetting an owner in a desk's file: messages, read models, ledger, agents' memory and events, in one transaction.

What was deleted is overwritten and the file is written anew, so that none of it can be read in file or write-ahead log.
"""

import sqlite3

from shared.forget import mark_of, without
from shared.sqlite import Database
from shared.store.receipt import decode_outputs, encode_outputs

_LIKE_VIEW = "substr(view, -length(:view)) = :view OR (view = 'portfolio-owner' AND key = :owner)"
_STREAMS = "SELECT stream FROM events WHERE audience = :owner"
_ALONE = f"{_STREAMS} EXCEPT SELECT stream FROM events WHERE audience <> :owner"
"""Streams of nobody else's: what agents keep there is of the owner's events."""
_EVENTS = "SELECT id FROM events WHERE audience = :owner"
_MESSAGES = "SELECT sequence FROM messages WHERE instr(CAST(body AS TEXT), :mark)"
_DELETED = {
    "messages": ("messages", f"sequence IN ({_MESSAGES})"),
    "rows of read models": ("projections", _LIKE_VIEW),
    "ledger entries": ("ledger", "owner = :owner"),
    "snapshots": ("snapshots", f"stream IN ({_ALONE})"),
    "receipts": ("receipts", f"stream IN ({_ALONE}) OR event_id IN ({_EVENTS})"),
    "events": ("events", "audience = :owner"),
}
"""What goes, in this order: events name the streams, so they go last."""
_MENTIONS = "SELECT rowid, outputs FROM receipts WHERE instr(CAST(outputs AS TEXT), :mark)"


class SqliteHolder:
    """A `Holder` of all that is in one file, which no host has open meanwhile."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, owner: str, *, is_trial: bool) -> dict[str, int]:
        """Delete what is the owner's; all of it, or nothing."""
        names = {"owner": owner, "view": f"@{owner}", "mark": mark_of(owner)}
        if is_trial:
            return await self._database.write(lambda connection: _count(connection, names))
        found = await self._database.write(lambda connection: _delete(connection, names))
        # Also where nothing was found: an earlier run may have been stopped before this.
        await self._database.scrub()
        return found


def _count(connection: sqlite3.Connection, names: dict[str, str]) -> dict[str, int]:
    return {
        kind: int(connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}", names).fetchone()[0])
        for kind, (table, condition) in _DELETED.items()
    }


def _delete(connection: sqlite3.Connection, names: dict[str, str]) -> dict[str, int]:
    connection.execute(f"DELETE FROM deliveries WHERE sequence IN ({_MESSAGES})", names)
    found = {
        kind: connection.execute(f"DELETE FROM {table} WHERE {condition}", names).rowcount
        for kind, (table, condition) in _DELETED.items()
    }
    for row, outputs in connection.execute(_MENTIONS, names).fetchall():
        kept = encode_outputs(without(decode_outputs(outputs), names["owner"]))
        connection.execute("UPDATE receipts SET outputs = ? WHERE rowid = ?", (kept, row))
    return found
