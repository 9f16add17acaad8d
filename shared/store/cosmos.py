"""The event store in Azure Cosmos DB.

Container `events`, by stream: one item per event, which holds the JSON that was published. Container `state`, by
stream: agents' snapshots and receipts, so that both are committed in one transactional batch.
"""

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.clock import wall_seconds
from shared.errors import ConflictError, MissingError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.store.cosmos_account import CosmosAccount, Operation
from shared.store.cosmos_append import CosmosAppender
from shared.store.cosmos_container import EVENTS, STATE, instant
from shared.store.cosmos_read import CosmosReader
from shared.store.port import ALL, Commit, Filter, Page, Snapshot
from shared.store.receipt import decode_outputs, encode_outputs

RECEIPT_LIFE = timedelta(days=90)
"""Longer than any message lives, or waits to be sent again by hand. Snapshots and events have no end: a late vote or a
rebuild may need them."""


class CosmosEventStore:
    """An `EventStore` in a database whose containers exist.

    Parameters
    ----------
    account : CosmosAccount
        Shared with other stores; whoever made it closes it.
    pause_seconds : float
        How soon those who wait see what another process appended.
    wall_seconds : callable
        Seconds since the epoch, for the recording time, which no decision depends on.
    """

    def __init__(
        self,
        account: CosmosAccount,
        *,
        pause_seconds: float = 1,
        wall_seconds: Callable[[], float] = wall_seconds,
    ) -> None:
        self._account = account
        self._appender = CosmosAppender(account, wall_seconds)
        self._reader = CosmosReader(account, pause_seconds)

    async def check(self) -> None:
        """Return when both containers accept a write: the deletion of what is not there."""
        for name in (EVENTS, STATE):
            try:
                await self._account.call(
                    "check", name, lambda container, hook: container.delete_item("check", "check", response_hook=hook)
                )
            except MissingError:
                continue

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add what is new to the log and give it.

        Notes
        -----
        When it raises, some events may be in the log; done again, it gives the others only. An id is taken once in its
        stream. Raises `InvalidError` for an event of more than 2 MB.
        """
        try:
            return await self._appender.append(events)
        finally:
            self._reader.announce()

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        """Give an event's stored JSON: with its stream for 1 request unit, without it every partition is asked."""
        if stream is not None:
            item = await self._read("get", EVENTS, stream, event_id)
            return None if item is None else item["body"].encode()
        rows = await self._account.rows("get", EVENTS, "SELECT c.body FROM c WHERE c.id = @id", None, id=event_id)
        return rows[0]["body"].encode() if rows else None

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Give up to `limit` events after the cursor; those of one stream are read from its partition alone."""
        return await self._reader.page(wanted, after, limit)

    async def newest(self, wanted: Filter, limit: int) -> Page:
        """Give the last `limit` events that are wanted, by their time; across streams every partition is asked."""
        end = await self._reader.end()
        query, given = _newest(wanted, limit)
        rows = await self._account.rows("newest", EVENTS, query, wanted.stream or None, **given)
        return Page([row["body"].encode() for row in reversed(rows)], end)

    async def end(self) -> str:
        """Give the cursor behind the last event."""
        return await self._reader.end()

    async def wait(self, after: str, seconds: float, wanted: Filter = ALL) -> None:
        """Return when there may be an event after the cursor, wanted or not, or when the time is up."""
        await self._reader.wait(after, seconds)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Give the newest event of a type in a stream as of a moment."""
        query = "SELECT TOP 1 c.body FROM c WHERE c.type = @type AND c.moment < @until ORDER BY c.moment DESC"
        # A moment goes on with a slash, which sorts right before the digits.
        until = instant(as_of) + "0"
        rows = await self._account.rows("latest", EVENTS, query, stream, type=kind, until=until)
        return rows[0]["body"].encode() if rows else None

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        """Give an agent's state in a stream."""
        item = await self._read("snapshot", STATE, stream, _snapshot_id(agent))
        return None if item is None else Snapshot(item["body"].encode(), item["_etag"])

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        """Give what the agent emitted on the event, or None."""
        item = await self._read("receipt", STATE, stream, _receipt_id(agent, event_id))
        return None if item is None else decode_outputs(item["outputs"].encode())

    async def handled(self, agents: Collection[str], stream: str, event_id: str) -> set[str]:
        """Give which of these agents have a receipt; costs about three reads of one."""
        names = {_receipt_id(agent, event_id): agent for agent in agents}
        given: dict[str, Any] = {f"n{number}": name for number, name in enumerate(names)}
        query = f"SELECT c.id FROM c WHERE c.id IN ({', '.join(f'@{name}' for name in given)})"
        rows = await self._account.rows("receipt", STATE, query, stream, **given) if names else []
        return {names[row["id"]] for row in rows}

    async def commit(self, commit: Commit) -> None:
        """Store snapshot and receipt together, or nothing."""
        token = secrets.token_hex(8)
        try:
            await self._account.batch("commit", STATE, commit.stream, _operations(commit, token))
        except (ConflictError, MissingError) as error:
            # The answer to this very commit may have been lost before.
            kept = await self._read("receipt", STATE, commit.stream, _receipt_id(commit.agent, commit.event_id))
            if kept is None or kept["token"] != token:
                raise ConflictError(
                    f"{commit.agent} has handled {commit.event_id} already, or its snapshot in {commit.stream} changed"
                ) from error

    async def _read(self, operation: str, home: str, stream: str, name: str) -> dict[str, Any] | None:
        try:
            return await self._account.call(
                operation, home, lambda container, hook: container.read_item(name, stream, response_hook=hook)
            )
        except MissingError:
            return None


def _operations(commit: Commit, token: str) -> list[Operation]:
    receipt = {
        "id": _receipt_id(commit.agent, commit.event_id),
        "stream": commit.stream,
        "token": token,
        "outputs": encode_outputs(commit.outputs).decode(),
        "ttl": int(RECEIPT_LIFE.total_seconds()),
    }
    if commit.state is None:
        return [("create", (receipt,))]
    snapshot = {"id": _snapshot_id(commit.agent), "stream": commit.stream, "body": commit.state.decode()}
    if commit.etag is None:
        return [("create", (receipt,)), ("create", (snapshot,))]
    return [("create", (receipt,)), ("replace", (snapshot["id"], snapshot), {"if_match_etag": commit.etag})]


def _snapshot_id(agent: str) -> str:
    return f"snapshot|{agent}"


def _newest(wanted: Filter, limit: int) -> tuple[str, dict[str, Any]]:
    given: dict[str, Any] = {"limit": limit, "run": wanted.run}
    conditions = ["c.run = @run"]
    for name, values in (("type", wanted.types), ("audience", wanted.audiences)):
        names = {f"{name}{place}": value for place, value in enumerate(values)}
        given |= names
        conditions += [f"c.{name} IN ({', '.join(f'@{each}' for each in names)})"] if names else []
    if wanted.correlation:
        given["correlation"] = wanted.correlation
        conditions.append("c.correlation = @correlation")
    return f"SELECT TOP @limit c.body FROM c WHERE {' AND '.join(conditions)} ORDER BY c.moment DESC", given


def _receipt_id(agent: str, event_id: str) -> str:
    return f"receipt|{agent}|{event_id}"
